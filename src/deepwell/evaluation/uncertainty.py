"""What a stated uncertainty is worth: beside one network that states none, on the test rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from deepwell.evaluation.calibration import calibrate
from deepwell.evaluation.decided import share
from deepwell.evaluation.intervals import Resamples, affordable, around, bootstrap
from deepwell.evaluation.means import Floats
from deepwell.evaluation.metrics import METRICS, values_of
from deepwell.evaluation.scored import Scored
from deepwell.evaluation.settings import EvaluationSettings
from deepwell.tasks.base import Task
from deepwell.tasks.decisions import Decision
from deepwell.tasks.decisions.conformal import (
    fewest_rows,
    number_intervals,
    residual_scores,
    score_bound,
)
from deepwell.tasks.decisions.draws import is_ratio
from deepwell.types import Predictions

KEPT = tuple(round(1 - step / 20, 2) for step in range(19))
"""Shares of the rows that are kept, the surest ones."""
HALF = 0.5
OF_CLASSES = ("accuracy", "log_loss", "brier")
OWN, SINGLE = "own", "network"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """Rows on which an uncertainty is judged.

    Args:
        truth: As `Task.truth` returns it.
        own: What is said with the uncertainty, before any decision; None where it is not needed.
        singles: What one network alone says of the rows; several networks of an ensemble.
        weight: Weight of each row, (n,), or None. Coverage and width count rows.
    """

    truth: NDArray[Any]
    singles: Sequence[Predictions]
    own: Predictions | None = None
    weight: Floats | None = None


def judge_uncertainty(
    task: Task,
    decision: Decision,
    test: Trial,
    apart: Trial | None,
    *,
    source: str,
    coverage: float | None,
    settings: EvaluationSettings,
    seed: int = 0,
) -> dict[str, Any]:
    """Compare answers that come with an uncertainty with those of one network.

    Numbers: RMSE; share of the truths inside the intervals, their mean width and their interval
    score, of one network with one width for all rows, of the uncertainty as it is stated, and as
    it was widened or narrowed on validation rows. Classes: accuracy, log loss, Brier score and
    calibration error, before any calibration. Both: the error of the surest rows.

    Args:
        task: The question.
        decision: As learned, with its draws.
        test: The test rows.
        apart: Validation rows that chose nothing, from which one width is learned; or None.
        source: "mc_dropout", "ensemble" or "quantiles".
        coverage: What the intervals shall hold; None of classes.
        settings: Resamples, confidence, bins.
        seed: Of the bootstrap.

    Reference:
        Gneiting, Raftery: Strictly Proper Scoring Rules, Prediction, and Estimation (2007),
        section 6.2, for the interval score.
    """
    own = cast(Predictions, test.own)
    metric = "rmse" if task.name == "regression" else "log_loss"
    if task.name == "regression":
        level = cast(float, coverage)
        after = decision.apply(own)
        parts = [
            _numbers(task, index, decision, test, apart, after, level, settings)
            for index in range(len(task.targets))
        ]
    else:
        level, parts = None, [_classes(task, test, settings)]
    return {
        "source": source,
        "words": decision.draws.words if decision.draws is not None else "quantiles",
        "networks": len(test.singles),
        "coverage": level,
        "metric": metric,
        "title": METRICS[metric].title,
        "difference": _difference(task, test, metric, settings, seed),
        "parts": parts,
    }


def _difference(
    task: Task, test: Trial, metric: str, settings: EvaluationSettings, seed: int
) -> dict[str, float | None] | None:
    """Return by how much the score differs from that of one network, on the same draws of rows.

    Of the networks of an ensemble the mean score counts. None where the answers are the same.
    """
    own = cast(Predictions, test.own)
    is_same = all(np.array_equal(own.values, one.values) for one in test.singles)
    if is_same and own.probabilities is None:
        return None
    said = {OWN: own, **{f"{SINGLE}-{place}": one for place, one in enumerate(test.singles)}}
    models = {name: Scored(task.name, test.truth, one) for name, one in said.items()}
    metrics = [METRICS[metric]]
    count = affordable(settings.resamples, models[OWN], metrics)
    draws = bootstrap(
        models, metrics, Resamples(len(test.truth), count=count, seed=seed), test.weight
    )
    values = {name: values_of(metrics, one, test.weight)[metric] for name, one in models.items()}
    others = [name for name in models if name != OWN]
    known = [cast(float, values[name]) for name in others if values[name] is not None]
    if values[OWN] is None or len(known) < len(others):
        return None
    change = draws[OWN][metric] - np.mean([draws[name][metric] for name in others], axis=0)
    value = float(cast(float, values[OWN]) - np.mean(known))
    return around(value, change, settings.confidence).to_json()


def _numbers(
    task: Task,
    index: int,
    decision: Decision,
    test: Trial,
    apart: Trial | None,
    after: Predictions,
    level: float,
    settings: EvaluationSettings,
) -> dict[str, Any]:
    truth = test.truth[:, index]
    values = cast(Floats, after.values)[:, index]
    alone = [
        _one_width(task, index, test, apart, place, level) for place in range(len(test.singles))
    ]
    lines = [
        {
            "name": "one width",
            **_mean([_interval_facts(ends, truth, level, settings) for ends in alone]),
            "rmse": float(
                np.mean(
                    [
                        _rmse(cast(Floats, one.values)[:, index] - truth, test.weight)
                        for one in test.singles
                    ]
                )
            ),
        },
        {
            "name": "stated",
            **_interval_facts(_stated(task, index, after, level), truth, level, settings),
            "rmse": _rmse(values - truth, test.weight),
        },
    ]
    if decision.conformal is not None:
        low, high = decision.conformal.intervals(after)
        ends = low[:, index], high[:, index]
        facts = _interval_facts(ends, truth, level, settings)
        lines.append({"name": "promised", **facts, "rmse": _rmse(values - truth, test.weight)})
    low, high = _stated(task, index, after, level)

    def error(rows: NDArray[np.int64]) -> float:
        return _rmse((values - truth)[rows], _of(test.weight, rows))

    kept = {"share": list(KEPT), OWN: _along(low - high, error)}
    return {"name": task.targets[index], "lines": lines, "kept": kept}


def _one_width(
    task: Task, index: int, test: Trial, apart: Trial | None, place: int, level: float
) -> tuple[Floats, Floats] | None:
    """Return intervals of one network that are equally wide for all rows (or all ratios)."""
    if apart is None or len(apart.truth) < fewest_rows(level):
        return None
    known = cast(Floats, apart.singles[place].values)[:, [index]]
    ratio = is_ratio(task)
    scores = residual_scores(known, apart.truth[:, [index]], is_ratio=ratio)
    values = cast(Floats, test.singles[place].values)[:, [index]]
    bound = np.array([score_bound(scores[:, 0], level)])
    low, high = number_intervals(values, bound, is_ratio=ratio)
    return low[:, 0], high[:, 0]


def _stated(task: Task, index: int, after: Predictions, level: float) -> tuple[Floats, Floats]:
    """Return the intervals that follow from quantiles, or from a normal spread."""
    if after.quantiles is not None:
        return after.quantiles[:, index, 0], after.quantiles[:, index, -1]
    spread = cast(Floats, after.spread)[:, index]
    values = cast(Floats, after.values)[:, index]
    bound = np.array(NormalDist().inv_cdf(0.5 + level / 2))
    return number_intervals(values, bound, spread, is_ratio=is_ratio(task))


def _interval_facts(
    ends: tuple[Floats, Floats] | None, truth: Floats, level: float, settings: EvaluationSettings
) -> dict[str, Any]:
    if ends is None:
        return {"covered": None, "width": None, "interval_score": None}
    low, high = ends
    outside = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    score = (high - low) + 2 / (1 - level) * outside
    return {
        "covered": share((truth >= low) & (truth <= high), settings.confidence),
        "width": float((high - low).mean()),
        "interval_score": float(score.mean()),
    }


def _mean(facts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Average the facts of several networks; the interval of a share is that of the mean one."""
    if len(facts) == 1 or facts[0]["width"] is None:
        return facts[0]
    covered = {
        key: float(np.mean([one["covered"][key] for one in facts]))
        for key in ("value", "low", "high")
    }
    return {
        "covered": {**covered, "rows": facts[0]["covered"]["rows"]},
        "width": float(np.mean([one["width"] for one in facts])),
        "interval_score": float(np.mean([one["interval_score"] for one in facts])),
    }


def _classes(task: Task, test: Trial, settings: EvaluationSettings) -> dict[str, Any]:
    own = cast(Predictions, test.own)
    alone = [_class_facts(task, test, one, settings) for one in test.singles]
    mean = {
        name: _mean_or_none([one[name] for one in alone]) for name in alone[0] if name != "kept"
    }
    facts = _class_facts(task, test, own, settings)
    kept = {
        "share": list(KEPT),
        SINGLE: np.mean([one["kept"] for one in alone], axis=0).tolist(),
        OWN: facts.pop("kept"),
    }
    lines = [{"name": SINGLE, **mean}, {"name": OWN, **facts}]
    return {"name": "", "lines": lines, "kept": kept}


def _class_facts(
    task: Task, test: Trial, said: Predictions, settings: EvaluationSettings
) -> dict[str, Any]:
    """Return the scores of one model, and its accuracy on its surest rows."""
    scored = Scored(task.name, test.truth, said)
    stated = cast(Floats, said.probabilities)
    if task.name == "multilabel":
        certainty = np.maximum(stated, 1 - stated).mean(axis=1)
        right = (np.asarray(said.values) == test.truth).all(axis=1)
    else:
        certainty, right = stated.max(axis=1), np.asarray(said.values) == test.truth

    def accuracy(rows: NDArray[np.int64]) -> float:
        return float(np.average(right[rows], weights=_of(test.weight, rows)))

    bins = calibrate(scored, weight=test.weight, num_bins=settings.calibration_bins)
    kept = _along(certainty, accuracy)
    return {
        **values_of([METRICS[name] for name in OF_CLASSES], scored, test.weight),
        "ece": None if bins is None else bins.error,
        "surest_half": kept[KEPT.index(HALF)],
        "kept": kept,
    }


def _along(certainty: Floats, score: Callable[[NDArray[np.int64]], float]) -> list[float]:
    """Return the score of the surest rows, for each share of `KEPT`."""
    order = np.argsort(-certainty, kind="stable")
    return [score(order[: max(1, round(part * len(order)))]) for part in KEPT]


def _rmse(errors: Floats, weight: Floats | None) -> float:
    return float(np.sqrt(np.average(errors**2, weights=weight)))


def _of(weight: Floats | None, rows: NDArray[np.int64]) -> Floats | None:
    """Return the weights of some rows; where all of them weigh 0, they count alike."""
    return None if weight is None or weight[rows].sum() <= 0 else weight[rows]


def _mean_or_none(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if len(known) == len(values) else None
