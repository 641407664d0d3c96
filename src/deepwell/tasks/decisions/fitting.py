"""Learning a decision from rows whose truth is known, and saying in words what came of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from deepwell.errors import ConfigError, TaskError, listing
from deepwell.tasks.base import Task, TaskName
from deepwell.tasks.decisions.bounds import Conformal
from deepwell.tasks.decisions.calibrators import (
    CALIBRATORS,
    Calibrator,
    CalibratorName,
    compare_calibrators,
)
from deepwell.tasks.decisions.conformal import kept_range
from deepwell.tasks.decisions.cross import CrossConformal
from deepwell.tasks.decisions.decision import Decision
from deepwell.tasks.decisions.draws import Draws, fit_noise, is_ratio
from deepwell.tasks.decisions.settings import DecisionSettings
from deepwell.tasks.decisions.thresholds import (
    Choice,
    Rule,
    choose_threshold,
    cost_threshold,
    sweep,
)
from deepwell.types import Predictions

Floats = NDArray[np.float64]
FEWEST_ROWS = 50
"""Fewer rows say nothing about probabilities or thresholds."""
FEWEST_ISOTONIC = 1000
"""A staircase is only tried by itself from so many rows on."""


@dataclass(frozen=True, slots=True)
class Known:
    """Rows whose truth is known, with what the network says about them.

    Args:
        predictions: As `Task.decode` returns them.
        truth: As `Task.truth` returns it.
        weight: Weight of each row, (n,), or None for 1 each.
        noun: What a row is called in notes.
    """

    predictions: Predictions
    truth: NDArray[Any]
    weight: Floats | None = None
    noun: str = "validation row"

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def weights(self) -> Floats:
        """Weight of each row, (n,)."""
        return np.ones(len(self)) if self.weight is None else np.asarray(self.weight, np.float64)


def fit_decision(
    task: Task,
    rows: Known,
    settings: DecisionSettings | None = None,
    *,
    apart: Known | None = None,
    draws: Draws | None = None,
    seed: int = 0,
) -> Decision:
    """Learn calibration, threshold and coverage.

    Args:
        task: The question.
        rows: For calibration and threshold; training has not learned from them.
        settings: What is wanted.
        apart: For the coverage: rows that chose nothing, neither the epoch nor the calibration.
            None: `rows`, and the promise holds approximately.
        draws: Where the several answers come from of which the predictions are the mean, or None.
        seed: Of the folds of the cross-validation.

    Raises:
        TaskError: The task does not have what is asked.

    Example:
        >>> from deepwell.tasks import Regression
        >>> truth = np.arange(40.0)[:, None]
        >>> rows = Known(Predictions(truth + np.where(np.arange(40) % 2, 1, -1)[:, None]), truth)
        >>> task = Regression(targets=("price",))
        >>> decision = fit_decision(task, rows, DecisionSettings(coverage=0.9))
        >>> decision.conformal.bounds
        (1.0,)
    """
    settings = settings or DecisionSettings()
    check_decision(settings, task)
    size = len(task.labels) or len(task.targets)
    if not (_is_finite(rows) and (apart is None or _is_finite(apart))):
        broken = "Nothing is decided: the network answers validation rows with NaN or infinity."
        return Decision(task=task.name, size=size, draws=draws, notes=(broken,))
    notes: list[str] = []
    calibrator = thresholds = cost = None
    if task.name != "regression" and rows.predictions.probabilities is not None:
        calibrator = _calibrator(task, rows, settings, notes, seed)
        thresholds, cost = _answering(task, rows, calibrator, settings, notes)
    if draws is not None and task.name == "regression":
        noise = fit_noise(task, rows.predictions, rows.truth, rows.weights)
        draws = replace(draws, noise=noise, is_ratio=is_ratio(task))
    decision = Decision(
        task=task.name,
        size=size,
        draws=draws,
        calibrator=calibrator,
        rule=settings.rule.text,
        thresholds=thresholds,
        cost=cost,
    )
    conformal = _conformal(task, decision, rows if apart is None else apart, settings, notes)
    if conformal is not None:
        how = "chose other things too: approximately" if apart is None else "were held apart"
        notes.append(f"{conformal.words} that {how}. {_how_close(conformal, task, apart or rows)}")
    return replace(decision, conformal=conformal, notes=tuple(notes))


def _is_finite(rows: Known) -> bool:
    parts = (rows.predictions.values, rows.predictions.probabilities, rows.predictions.spread)
    return all(part is None or bool(np.isfinite(part).all()) for part in parts)


def check_uncertainty(settings: DecisionSettings, task: TaskName) -> None:
    """Refuse quantiles of classes.

    Raises:
        TaskError: The target is no number.
    """
    if settings.uncertainty == "quantiles" and task != "regression":
        raise TaskError(
            "decide.uncertainty = quantiles is for numbers, but the target is a class: use "
            "mc_dropout or ensemble."
        )


def check_decision(settings: DecisionSettings, task: Task) -> None:
    """Refuse, before training, what the task does not have.

    Raises:
        TaskError: A threshold for numbers, a coverage for several labels and the like.
    """
    rule = settings.rule
    if task.name == "regression":
        if settings.calibrate not in ("none", "auto") or rule.name != "auto":
            raise TaskError(_not_for_numbers(settings))
        if settings.per_class:
            raise TaskError("decide.per_class is for classes, but the target is a number.")
        return
    if task.name == "multilabel" and settings.coverage is not None:
        raise TaskError(
            "decide.coverage is for one target: several labels have no sets of classes. Leave it "
            "out, or train a model for each label."
        )
    if task.name == "multiclass" and rule.name in ("number", "f1", "precision", "recall"):
        raise TaskError(
            f"A threshold ({rule.text}) needs two classes or several labels; the target has "
            f"{len(task.labels)} classes. Say with --cost what each mistake costs."
        )
    width = 2 if task.name == "multilabel" else len(task.labels)
    if settings.cost is not None and len(settings.cost) != width:
        raise TaskError(
            f"The costs are for {len(settings.cost)} classes, but there are {width}: give a line "
            f"of {width} costs for each true class, in the order {listing(task.labels)}."
            if task.name != "multilabel"
            else "With several labels give two costs, of a false yes and of a missed yes: 1,5."
        )


def _not_for_numbers(settings: DecisionSettings) -> str:
    """Say which decision about classes was asked of a number, and what there is for numbers."""
    if settings.rule.name == "auto":
        return (
            "decide.calibrate is for classes, but the target is a number: leave it out. Intervals "
            "that hold are had by --coverage 0.9."
        )
    asked = "threshold" if settings.cost is None else "cost"
    return (
        f"decide.{asked} is for classes, but the target is a number. For errors that cost "
        "differently on the two sides use evaluation.cost_over and cost_under."
    )


def _calibrator(
    task: Task, rows: Known, settings: DecisionSettings, notes: list[str], seed: int
) -> Calibrator | None:
    """Fit the calibrator that was asked for, or the best one if it makes things better."""
    asked = settings.calibrate
    lack = _lack(task, rows)
    if asked == "none" or not len(rows):
        if asked not in ("none", "auto"):
            notes.append(f"Probabilities are not calibrated: {lack}.")
        return None
    if lack:
        notes.append(f"Probabilities are not calibrated: {lack}.")
        return None
    stated, truth, weight = cast(Floats, rows.predictions.probabilities), rows.truth, rows.weights
    names: list[CalibratorName] = [asked] if asked != "auto" else ["temperature"]
    if asked == "auto" and settings.rule.name != "auto":
        # the answers are chosen anew in any case: other calibrators may move them as well
        names.append("platt")
        if len(rows) >= FEWEST_ISOTONIC:
            names.append("isotonic")
    contest = compare_calibrators(names, task.name, stated, truth, weight, seed=seed)
    best = contest.best if asked == "auto" else asked
    name = best or min(contest.scores, key=lambda one: contest.scores[one])
    scores = f"log loss {contest.before:.4g} → {contest.scores[name]:.4g} in cross-validation"
    if best is None:
        tried = listing(names)
        notes.append(f"Probabilities are left as they are, nothing helps ({tried}; {scores}).")
        return None
    fitted = CALIBRATORS[best].fit(task.name, stated, truth, weight)
    is_worse = contest.scores[best] >= contest.before
    worse = " It makes them worse; calibrate = auto would leave them." if is_worse else ""
    notes.append(f"Probabilities: {fitted.words} ({scores} on {len(rows):,} {rows.noun}s).{worse}")
    return fitted


def _lack(task: Task, rows: Known) -> str:
    """Say what the rows lack, or nothing."""
    if len(rows) < FEWEST_ROWS:
        return f"that needs at least {FEWEST_ROWS} {rows.noun}s, there are {len(rows):,}"
    grid = rows.truth if task.name == "multilabel" else rows.truth[:, None]
    same = [index for index, column in enumerate(grid.T) if len(np.unique(column)) < 2]
    if same:
        of = f' of "{task.labels[same[0]]}"' if task.name == "multilabel" else ""
        return f"all {rows.noun}s have the same answer{of}"
    return "" if rows.weights.sum() > 0 else f"all {rows.noun}s have a weight of 0"


def _answering(
    task: Task,
    rows: Known,
    calibrator: Calibrator | None,
    settings: DecisionSettings,
    notes: list[str],
) -> tuple[tuple[float, ...] | None, tuple[tuple[float, ...], ...] | None]:
    """Return the thresholds, one a question, and the costs, if they decide."""
    rule, width = settings.rule, 1 if task.name == "binary" else len(task.labels)
    if rule.name == "auto":
        return None, None
    if rule.name == "cost":
        cost = cast(tuple[tuple[float, ...], ...], settings.cost)
        if task.name == "multiclass":
            notes.append("Each answer is the one with the least expected cost.")
            return None, cost
        threshold = cost_threshold(np.array(cost))
        yes = f'"{task.labels[1]}"' if task.name == "binary" else "yes"
        notes.append(f"Threshold {threshold:.3g}: from there on to answer {yes} costs less.")
        return (threshold,) * width, cost
    if rule.name == "number":
        return (cast(float, rule.goal),) * width, None
    lack = _lack(task, rows)
    if lack:
        notes.append(f"No threshold by {rule.text}: {lack}. The likelier answer is given.")
        return None, None
    stated = cast(Floats, rows.predictions.probabilities)
    probabilities = stated if calibrator is None else calibrator(stated)
    columns = probabilities[:, 1:] if task.name == "binary" else probabilities
    truth = rows.truth[:, None] if task.name == "binary" else rows.truth
    choices = [
        choose_threshold(rule, sweep(column, answers == 1, rows.weights))
        for column, answers in zip(columns.T, truth.T, strict=True)
    ]
    names = task.labels if task.name == "multilabel" else task.labels[1:]
    notes += [
        _threshold_note(rule, one, name, rows.noun)
        for one, name in zip(choices, names, strict=True)
    ]
    return tuple(one.threshold for one in choices), None


def _threshold_note(rule: Rule, choice: Choice, label: str, noun: str) -> str:
    of = f' of "{label}"' if label else ""
    reached = {"precision": choice.precision, "recall": choice.recall}
    if not choice.is_reached:
        goal = f"{rule.name} >= {rule.goal:g}"
        return (
            f"{goal}{of} is not reached on the {noun}s; the best is "
            f"{reached[rule.name]:.3g} at threshold {choice.threshold:.3g}, which is used."
        )
    return (
        f"Threshold{of} {choice.threshold:.3g} ({rule.text}): precision {choice.precision:.3g}, "
        f"recall {choice.recall:.3g}, F1 {choice.f1:.3g} on the {noun}s."
    )


def _conformal(
    task: Task, decision: Decision, rows: Known, settings: DecisionSettings, notes: list[str]
) -> Conformal | None:
    coverage = settings.promised(task.name)
    if coverage is None:
        return None
    answered = decision.apply(rows.predictions)
    try:
        if task.name == "regression":
            found = Conformal.of_numbers(answered, rows.truth, coverage, is_ratio=is_ratio(task))
        else:
            probabilities = cast(Floats, answered.probabilities)
            found = Conformal.of_classes(
                probabilities,
                rows.truth,
                coverage,
                per_class=settings.per_class,
                labels=task.labels,
            )
    except TaskError as error:
        notes.append(f"No coverage is promised. {error}")
        return None
    return found


def _how_close(conformal: Conformal, task: Task, rows: Known) -> str:
    """Say how near to the promise a single training comes: so many rows fix it no better."""
    count, whose = len(rows), "so many rows"
    if conformal.per_class:
        counts = np.bincount(rows.truth, minlength=len(task.labels))
        count = int(counts.min())
        whose = f'the {count:,} rows of the rarest class, "{task.labels[int(counts.argmin())]}",'
    low, high = (f"{100 * end:.3g}" for end in kept_range(count, conformal.coverage))
    return f"With {whose} a training ends between {low} and {high} %, in 19 of 20 cases."


def promise_by_folds(
    task: Task, decision: Decision, parts: Sequence[Known], settings: DecisionSettings
) -> Decision:
    """Return a decision with the promise that the models of a cross-validation keep.

    Args:
        task: The question.
        decision: Calibration and threshold, without a promise.
        parts: One a fold: the rows that it left out, and what its model says of them.
        settings: Coverage, and whether it holds in each class.
    """
    coverage = settings.promised(task.name)
    if coverage is None or not all(_is_finite(part) for part in parts):
        return decision
    answered = [decision.apply(part.predictions) for part in parts]
    truth = [part.truth for part in parts]
    found: CrossConformal
    try:
        if task.name == "regression":
            values = [cast(Floats, one.values) for one in answered]
            found = CrossConformal.of_numbers(values, truth, coverage, is_ratio=is_ratio(task))
        else:
            found = CrossConformal.of_classes(
                [cast(Floats, one.probabilities) for one in answered],
                truth,
                coverage,
                per_class=settings.per_class,
                labels=task.labels,
            )
    except TaskError as error:
        return replace(decision, notes=(*decision.notes, f"No coverage is promised. {error}"))
    draws = Draws(source="folds", count=len(parts))
    notes = (*decision.notes, f"{found.words}.")
    return replace(decision, conformal=found, draws=draws, notes=notes)


def needs_rows(settings: DecisionSettings) -> None:
    """Refuse settings that need validation rows where there are none.

    Raises:
        ConfigError: Something is asked that is learned from validation rows.
    """
    if settings.is_asked:
        raise ConfigError(
            "A calibration, a threshold by F1, precision or recall, a coverage and an uncertainty "
            "are learned from validation rows, and there are none: choose split.val above 0."
        )
