"""Training a run's network again and again on parts of its rows, to see what depends on them."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from deepwell.data import Table, split
from deepwell.engine import EngineSettings
from deepwell.evaluation.asked import Asked, by_costs, metric_named
from deepwell.evaluation.diagnosis.growth import extrapolate
from deepwell.evaluation.diagnosis.labels import Unseen, suspects_json
from deepwell.evaluation.diagnosis.measuring import join, unseen_rows
from deepwell.evaluation.diagnosis.resampling import split_squared_error, split_wrong_answers
from deepwell.evaluation.metrics import value_of
from deepwell.evaluation.scored import Scored
from deepwell.tasks import Task, TaskSettings
from deepwell.tasks.base import TaskName
from deepwell.tasks.decisions.settings import DecisionSettings
from deepwell.types import Predictions
from deepwell.workflows.fit_table import fit_table
from deepwell.workflows.prepare import Prepared

SHARES = (0.125, 0.21, 0.354, 0.595, 1.0)
"""Of the training rows: the sizes of the curve."""
REPETITIONS = 3
RESAMPLES = 6
FOLDS = 4
FEWEST_ROWS = 25
"""A training set of the curve has at least so many rows."""
MOST_EPOCHS = 4
"""A small part of the rows is seen at most so many times as often, so that steps do not lack."""
FEWEST_EXAM = 40
"""Unseen rows that are needed for a score."""

Tell = Callable[[str, float, float | None], None]
"""Called with what is being done, the share that is done, and the seconds left, if known."""


@dataclass(frozen=True, slots=True)
class SameTask:
    """The question of a run, which stays the same on parts of its rows.

    Args:
        task: With the classes and scales of all training rows.
    """

    task: Task

    @property
    def name(self) -> TaskName:
        """Which task it is."""
        return self.task.name

    def strata(self, table: Table) -> NDArray[np.int64] | None:
        """Return the class of each row."""
        if self.task.name not in ("binary", "multiclass"):
            return None
        return self.task.truth(table).astype(np.int64)

    def fit(self, train: Table, settings: TaskSettings) -> Task:
        """Return the task as it is."""
        return self.task


class Retraining:
    """Trains the network of a run on parts of its training rows.

    Args:
        prepared: The data and settings of the run.
        module: The user's own network as it was built, or None.
        primary: Name of the metric that decides.
        tell: Called between two trainings.
    """

    def __init__(
        self, prepared: Prepared, *, module: nn.Module | None, primary: str, tell: Tell
    ) -> None:
        self._prepared = prepared
        self._module = module
        asked = Asked(prepared.settings.evaluation, prepared.settings.decide)
        self._metric, self._decide = metric_named(primary, prepared.task, asked), asked.decide
        self._tell = tell
        self._pool, self._exam = _pool_and_exam(prepared)
        self._truth = prepared.task.truth(self._exam)
        self._is_class = prepared.task.name in ("binary", "multiclass")
        self._done, self._total = 0.0, self._all_work()
        self._began = time.monotonic()

    def _all_work(self) -> float:
        """Return all trainings, counted in trainings on all rows."""
        curve = sum(share * _times(share) for share in self._shares()) * REPETITIONS
        return curve + RESAMPLES + (FOLDS - 1 if self._is_class else 0)

    def _shares(self) -> list[float]:
        rows = len(self._pool)
        return [share for share in SHARES if share * rows >= FEWEST_ROWS]

    def labels(self) -> dict[str, Any] | None:
        """Return suspicious labels of the training rows, from networks that did not see them.

        The rows are dealt into folds; a network trained on the others answers each fold. Rows of
        one group, and equal rows, may fall into several folds: labels are looked for, not scores.

        Reference:
            Northcutt, Jiang, Chuang: Confident Learning (2021), section 3.
        """
        task, pool = self._prepared.task, self._pool
        if not self._is_class or len(pool) < FOLDS * FEWEST_ROWS:
            self._done += FOLDS - 1 if self._is_class else 0
            return None
        folds = _folds(SameTask(task).strata(pool), len(pool), self._prepared.settings.seed)
        parts: list[Unseen] = []
        for fold in range(FOLDS):
            apart = pool.take(folds == fold)
            answers = self._answers(pool.take(folds != fold), apart, "labels", (FOLDS - 1) / FOLDS)
            parts.append(unseen_rows(task, "train", apart, answers.probabilities))
        return suspects_json(join(parts), task.labels)

    def curve(self) -> dict[str, Any] | None:
        """Return the error on growing training sets and where it leads; each size several times.

        A repetition draws an order of the rows and trains on its first ones. If it is stopped by
        Ctrl-C, the finished repetitions count.
        """
        shares = self._shares()
        if len(shares) < 3 or len(self._exam) < FEWEST_EXAM:
            self._done += sum(share * _times(share) for share in SHARES) * REPETITIONS
            return None
        sizes = [round(share * len(self._pool)) for share in shares]
        found: list[list[float]] = []
        try:
            for repetition in range(REPETITIONS):
                order = _order(self._prepared, self._pool, repetition)
                errors = [
                    self._error(self._pool.take(np.sort(order[:size])), share, repetition)
                    for size, share in zip(sizes, shares, strict=True)
                ]
                found.append(errors)
        except KeyboardInterrupt as stop:
            raise Stopped(self._extrapolate(sizes, found)) from stop
        return self._extrapolate(sizes, found)

    def _extrapolate(self, sizes: Sequence[int], found: list[list[float]]) -> Any:
        errors = np.array(found)
        if not len(errors) or not np.isfinite(errors).all() or errors.min() <= 0:
            return None
        settings = self._prepared.settings
        confidence = settings.evaluation.confidence
        return extrapolate(sizes, errors, seed=settings.seed, confidence=confidence)

    def spread(self) -> dict[str, Any] | None:
        """Return bias and variance, from networks on resamples of the training rows."""
        if len(self._exam) < FEWEST_EXAM:
            return None
        answers: list[NDArray[Any]] = []
        try:
            for number in range(RESAMPLES):
                generator = np.random.default_rng([self._prepared.settings.seed, 11, number])
                drawn = np.sort(generator.integers(0, len(self._pool), len(self._pool)))
                found = self._answers(
                    self._pool.take(drawn), self._exam, "bias and variance", 1.0, seed=number
                )
                answers.append(found.values)
        except KeyboardInterrupt as stop:
            raise Stopped(self._decompose(answers)) from stop
        return self._decompose(answers)

    def _decompose(self, answers: list[NDArray[Any]]) -> dict[str, Any] | None:
        if len(answers) < 3:
            return None
        stacked, task = np.stack(answers), self._prepared.task
        if task.name == "regression":
            parts = split_squared_error(
                stacked, self._truth.reshape(stacked.shape[1:]).astype(np.float64)
            )
            return {"kind": "squared", "networks": len(answers), **parts}
        classes = len(task.labels) if self._is_class else 2
        wrong = split_wrong_answers(
            stacked.reshape(len(answers), -1).astype(np.int64),
            self._truth.reshape(-1).astype(np.int64),
            classes,
        )
        return {"kind": "zero_one", "networks": len(answers), **wrong}

    def _error(self, rows: Table, share: float, repetition: int) -> float:
        """Train on rows and return the error on the exam; metrics that shall rise are turned."""
        answers = self._answers(rows, self._exam, "growing training sets", share, seed=repetition)
        task = self._prepared.task
        scored = Scored(task.name, self._truth, by_costs(task, answers, self._decide))
        value = value_of(self._metric, scored)
        if value is None:
            return float("nan")
        return 1 - value if self._metric.better == "higher" else value

    def _answers(
        self, rows: Table, exam: Table, what: str, share: float, *, seed: int = 0
    ) -> Predictions:
        """Train a network on rows and return its answers for others."""
        self._report(what)
        settings, times = self._prepared.settings, _times(share)
        engine = settings.engine.model_copy(
            update={
                "epochs": round(settings.engine.epochs * times),
                "patience": settings.engine.patience and round(settings.engine.patience * times),
                "compile": "off",
                "health": False,
                "devices": EngineSettings().devices,
                "strategy": EngineSettings().strategy,
            }
        )
        known = settings.model_copy(
            update={"engine": engine, "seed": settings.seed + seed, "decide": DecisionSettings()}
        )
        learned = fit_table(
            rows,
            self._prepared.schema,
            SameTask(self._prepared.task),
            overrides=known.plain(),
            module=copy.deepcopy(self._module),
        )
        if learned.fit.interrupted:
            raise KeyboardInterrupt
        self._done += share * times
        return learned.predictor.predict_table(exam)

    def _report(self, what: str) -> None:
        share = self._done / max(self._total, 1e-9)
        seconds = time.monotonic() - self._began
        left = seconds * (1 - share) / share if share > 0 else None
        self._tell(what, share, left)


class Stopped(KeyboardInterrupt):
    """Ctrl-C, with what had been measured until then.

    Args:
        measured: The part, or None if it was too little.
    """

    def __init__(self, measured: dict[str, Any] | None) -> None:
        super().__init__()
        self.measured = measured


def _times(share: float) -> float:
    """Return how many times as many epochs a part of the rows is trained for."""
    return min(MOST_EPOCHS, 1 / share) if share < 0.7 else 1.0


def _pool_and_exam(prepared: Prepared) -> tuple[Table, Table]:
    """Return rows to learn from and rows to be scored on: the validation rows, if there are enough.

    Test rows stay untouched: they are scored once.
    """
    if len(prepared.val) >= FEWEST_EXAM:
        return prepared.train, prepared.val
    shares = prepared.settings.split.model_copy(update={"val": 0.25, "min_rows": 1})
    strata = SameTask(prepared.task).strata(prepared.train)
    sides = split(
        prepared.train,
        prepared.schema,
        shares,
        seed=prepared.settings.seed,
        stratify=strata,
        has_test=True,
    )
    return prepared.train.take(sides.train), prepared.train.take(sides.val)


def _order(prepared: Prepared, pool: Table, repetition: int) -> NDArray[np.int64]:
    """Return the rows in an order drawn at random; rows of one group stay together."""
    generator = np.random.default_rng([prepared.settings.seed, 7, repetition])
    group = prepared.schema.name_of("group")
    if group is None or group not in pool:
        return generator.permutation(len(pool))
    codes = pool.series(group).rank("dense").fill_null(0).to_numpy().astype(np.int64)
    places = generator.permutation(int(codes.max()) + 1)
    return np.argsort(places[codes], kind="stable")


def _folds(strata: NDArray[np.int64] | None, rows: int, seed: int) -> NDArray[np.int64]:
    """Deal rows into folds, the classes alike in each."""
    order = np.random.default_rng([seed, 5]).permutation(rows)
    if strata is not None:
        order = order[np.argsort(strata[order], kind="stable")]
    folds = np.empty(rows, dtype=np.int64)
    folds[order] = np.arange(rows) % FOLDS
    return folds
