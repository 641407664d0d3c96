"""Evaluation: scores with intervals, baselines, verdict, mistakes, and the report."""

from deepwell.evaluation.baselines import Baseline, fit_baselines
from deepwell.evaluation.baselines.fitting import applicable
from deepwell.evaluation.evaluate import Evaluation, evaluate
from deepwell.evaluation.metrics import METRICS, Metric
from deepwell.evaluation.settings import EvaluationSettings
from deepwell.evaluation.success import Success, check_success, parse_success

__all__ = [
    "METRICS",
    "Baseline",
    "Evaluation",
    "EvaluationSettings",
    "Metric",
    "Success",
    "applicable",
    "check_success",
    "evaluate",
    "fit_baselines",
    "parse_success",
]
