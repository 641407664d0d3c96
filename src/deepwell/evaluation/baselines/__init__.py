"""Baselines: the simple models that a network must beat to be worth its trouble."""

from deepwell.evaluation.baselines.baseline import Baseline
from deepwell.evaluation.baselines.fitting import applicable, fit_baselines

__all__ = ["Baseline", "applicable", "fit_baselines"]
