"""Comparing runs that were scored on the same test rows, in pairs."""

from deepwell.evaluation.comparing.compare import compare
from deepwell.evaluation.comparing.result import ComparedRuns

__all__ = ["ComparedRuns", "compare"]
