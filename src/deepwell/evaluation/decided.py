"""What a decision is worth: the test rows before and after it, and the promises it made."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from deepwell.evaluation.calibration import calibrate
from deepwell.evaluation.means import Floats
from deepwell.evaluation.metrics import METRICS, values_of
from deepwell.evaluation.scored import Scored
from deepwell.evaluation.settings import EvaluationSettings
from deepwell.tasks.base import Task
from deepwell.tasks.decisions import Conformal, CrossConformal, Decision
from deepwell.tasks.decisions.conformal import is_covered, luck_of_so_few
from deepwell.tasks.decisions.thresholds import sweep
from deepwell.types import Predictions

UNLIKELY = 0.025
"""What is seldomer is no chance."""
MOST_POINTS = 150
"""Points of the curve of precision and recall."""
ANSWER_METRICS = ("accuracy", "precision", "recall", "f1")
PROBABILITY_METRICS = ("log_loss", "brier")
RARE = 0.05
"""Chance of a share so far from the promise that it counts as broken."""


def judge_decision(
    decision: Decision | None,
    task: Task,
    truth: NDArray[Any],
    before: Predictions,
    *,
    weight: Floats | None = None,
    settings: EvaluationSettings | None = None,
) -> dict[str, Any] | None:
    """Score the test rows before and after a decision.

    Args:
        decision: Learned on validation rows, or None.
        task: The question.
        truth: As `Task.truth` returns it, of the test rows.
        before: What the network says of them, before the decision.
        weight: Weight of each row, (n,), or None. A coverage counts rows, whatever their weight.
        settings: Number of bins, confidence.

    Returns:
        Plain JSON: `notes`, `rule`, and where they apply `probabilities` (ECE, Brier score, log
        loss, bins), `answers` (thresholds, precision, recall, F1, cost), `curve` (two classes)
        and `coverage`. None if there is nothing to say.
    """
    if decision is None or (decision.is_plain and not decision.notes):
        return None
    settings = settings or EvaluationSettings()
    after = decision.apply(before)
    found: dict[str, Any] = {"notes": list(decision.notes), "rule": decision.rule}
    if before.probabilities is not None:
        pair = {"before": before, "after": after}
        scored = {name: Scored(task.name, truth, one) for name, one in pair.items()}
        found["calibrator"] = None if decision.calibrator is None else decision.calibrator.words
        found["probabilities"] = {
            name: _probabilities(one, weight, settings) for name, one in scored.items()
        }
        found["answers"] = _answers(decision, scored, weight)
        if found["answers"] and task.name == "binary":
            found["answers"]["yes"] = task.labels[1]
        found["curve"] = _curve(decision, scored["after"], weight)
    if decision.conformal is not None:
        found["coverage"] = _coverage(decision.conformal, task, truth, after, settings)
    return found


def _probabilities(
    scored: Scored, weight: Floats | None, settings: EvaluationSettings
) -> dict[str, Any]:
    found = calibrate(scored, weight=weight, num_bins=settings.calibration_bins)
    scores = values_of([METRICS[name] for name in PROBABILITY_METRICS], scored, weight)
    bins = {"error": None, "bins": []} if found is None else found.to_json()
    return {"ece": bins["error"], **scores, "bins": bins["bins"]}


def _answers(
    decision: Decision, scored: Mapping[str, Scored], weight: Floats | None
) -> dict[str, Any] | None:
    """Return the thresholds, and what the answers are worth; None where none was chosen."""
    if decision.thresholds is None and decision.cost is None:
        return None
    metrics = [METRICS[name] for name in ANSWER_METRICS]
    found: dict[str, Any] = {
        name: {**values_of(metrics, one, weight), "cost": _mean_cost(decision, one, weight)}
        for name, one in scored.items()
    }
    thresholds = decision.thresholds
    return {"thresholds": None if thresholds is None else list(thresholds), **found}


def _mean_cost(decision: Decision, scored: Scored, weight: Floats | None) -> float | None:
    if decision.cost is None:
        return None
    costs = np.array(decision.cost)[scored.truth, scored.values]
    costs = costs if costs.ndim == 1 else costs.mean(axis=1)
    return float(np.average(costs, weights=weight))


def _curve(decision: Decision, scored: Scored, weight: Floats | None) -> dict[str, Any] | None:
    """Return precision and recall by threshold on the test rows, with the chosen one."""
    if scored.task != "binary" or decision.thresholds is None or not scored.is_yes[:, 1].any():
        return None
    swept = sweep(cast(Floats, scored.probabilities)[:, 1], scored.is_yes[:, 1], weight)
    kept = np.unique(np.linspace(0, len(swept.thresholds) - 1, MOST_POINTS).astype(np.int64))
    precision, recall, _ = swept.at(decision.thresholds[0])
    return {
        "threshold": swept.thresholds[kept].tolist(),
        "precision": swept.precision[kept].tolist(),
        "recall": swept.recall[kept].tolist(),
        "chosen": {
            "threshold": decision.thresholds[0],
            "precision": precision,
            "recall": recall,
        },
    }


def _coverage(
    conformal: Conformal | CrossConformal,
    task: Task,
    truth: NDArray[Any],
    after: Predictions,
    settings: EvaluationSettings,
) -> dict[str, Any]:
    """Return the promise, what was reached on the test rows, and the price."""
    found: dict[str, Any] = {
        "promised": conformal.coverage,
        "per_class": conformal.per_class,
        "kind": conformal.kind,
        "rows": conformal.rows,
    }
    if not conformal.kind.endswith("classes"):
        low, high = conformal.intervals(after)
        inside = (truth >= low) & (truth <= high)
        parts = {
            name: {
                **share(inside[:, index], settings.confidence),
                "width": float((high - low)[:, index].mean()),
            }
            for index, name in enumerate(task.targets)
        }
        reached = share(inside.ravel(), settings.confidence)
        # answers to one row are alike, so each target is looked at by itself
        found["is_short"] = any(_is_short(one, conformal, len(parts)) for one in parts.values())
        return {**found, "reached": reached, "parts": parts}
    sets = conformal.sets(after)
    inside, sizes = is_covered(sets, truth), sets.sum(axis=1)
    parts = {
        label: {
            **share(inside[truth == index], settings.confidence),
            "size": float(sizes[truth == index].mean()),
        }
        for index, label in enumerate(task.labels)
        if (truth == index).any()
    }
    reached = share(inside, settings.confidence)
    found["is_short"] = _is_short(reached, conformal, 1)
    return {
        **found,
        "reached": reached,
        "size": float(sizes.mean()),
        "single": float((sizes == 1).mean()),
        "parts": parts,
    }


def _is_short(
    reached: Mapping[str, Any], conformal: Conformal | CrossConformal, looks: int
) -> bool:
    """Say whether too few truths lie inside for it to be chance.

    Both are counted: which rows were held apart, and which are scored. What folds promise for
    certain is less than what they reach in practice.
    """
    if isinstance(conformal, CrossConformal):
        return reached["high"] < 2 * conformal.coverage - 1
    inside = round(reached["value"] * reached["rows"])
    luck = luck_of_so_few(inside, reached["rows"], conformal.rows, conformal.coverage)
    return luck < UNLIKELY / looks


def share(is_so: NDArray[np.bool_], confidence: float = 0.95) -> dict[str, Any]:
    """Return a share of rows with its interval, also where all or none are so.

    Reference:
        Wilson (1927), Probable inference, the law of succession, and statistical inference.

    Example:
        >>> found = share(np.ones(100, dtype=bool))
        >>> found["value"], round(found["low"], 3), found["high"]
        (1.0, 0.963, 1.0)
    """
    rows, z = len(is_so), NormalDist().inv_cdf(0.5 + confidence / 2)
    value = float(is_so.mean())
    middle = (value + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z / (1 + z**2 / rows) * (value * (1 - value) / rows + z**2 / (4 * rows**2)) ** 0.5
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return {"value": value, "low": low, "high": high, "rows": rows}
