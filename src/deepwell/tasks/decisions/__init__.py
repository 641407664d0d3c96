"""Decisions: calibrated probabilities, thresholds, sets and intervals with a promise."""

from deepwell.tasks.decisions.bounds import Conformal
from deepwell.tasks.decisions.decision import Decision
from deepwell.tasks.decisions.fitting import Known, check_decision, fit_decision, needs_rows
from deepwell.tasks.decisions.settings import DecisionSettings

__all__ = [
    "Conformal",
    "Decision",
    "DecisionSettings",
    "Known",
    "check_decision",
    "fit_decision",
    "needs_rows",
]
