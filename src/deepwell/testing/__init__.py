"""Checks that users run on their own networks."""

from deepwell.testing.modules import check_module

__all__ = ["check_module"]
