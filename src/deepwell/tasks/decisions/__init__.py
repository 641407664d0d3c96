"""Decisions: calibrated probabilities, thresholds, sets and intervals with a promise."""

from deepwell.tasks.decisions.bounds import Conformal
from deepwell.tasks.decisions.cross import CrossConformal
from deepwell.tasks.decisions.decision import Decision
from deepwell.tasks.decisions.draws import Draws
from deepwell.tasks.decisions.fitting import (
    Known,
    check_decision,
    check_uncertainty,
    fit_decision,
    needs_rows,
    promise_by_folds,
)
from deepwell.tasks.decisions.settings import DecisionSettings

__all__ = [
    "Conformal",
    "CrossConformal",
    "Decision",
    "DecisionSettings",
    "Draws",
    "Known",
    "check_decision",
    "check_uncertainty",
    "fit_decision",
    "needs_rows",
    "promise_by_folds",
]
