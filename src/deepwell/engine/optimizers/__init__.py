"""Optimizers by name: the catalog, and how one is built. Loads no torch until one is built."""

from deepwell.engine.optimizers.build import base_rate, build_optimizer
from deepwell.engine.optimizers.catalog import OPTIMIZERS, OptimizerEntry
from deepwell.engine.optimizers.groups import parameter_groups, shrinkable

__all__ = [
    "OPTIMIZERS",
    "OptimizerEntry",
    "base_rate",
    "build_optimizer",
    "parameter_groups",
    "shrinkable",
]
