"""The decision: how a network's predictions become what is answered. Learned on validation rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.tasks.base import Task, TaskName
from deepwell.tasks.decisions.bounds import OLD_KINDS, Conformal
from deepwell.tasks.decisions.calibrators import Calibrator, calibrator_from_json
from deepwell.tasks.decisions.cross import KINDS as CROSS_KINDS
from deepwell.tasks.decisions.cross import CrossConformal
from deepwell.tasks.decisions.draws import Draws, with_noise
from deepwell.tasks.decisions.thresholds import least_cost, parse_rule
from deepwell.types import Predictions

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Calibrated probabilities, answers by threshold or cost, sets or intervals.

    `deepwell.tasks.decisions.fit_decision` learns one. It is plain JSON in the model folder, and
    `predict` follows it.

    Args:
        task: Name of the task.
        size: Classes, labels or targets.
        calibrator: Corrects the probabilities, or None.
        rule: As in the settings: "auto", "0.3", "f1", "cost", "precision>=0.9", "recall>=0.8".
        thresholds: From which probability yes is answered, one a question, or None: the likelier
            answer.
        cost: Cost of true class (row) answered with a class (column), or None. It decides where
            there are no thresholds.
        conformal: Sets or intervals, or None.
        draws: Where several answers to each row come from, or None: there is one.
        notes: What was chosen and why, and what could not be done.

    Example:
        >>> careful = Decision(task="binary", size=2, rule="0.2", thresholds=(0.2,))
        >>> unsure = Predictions(np.array([0]), np.array([[0.7, 0.3]]))
        >>> careful.apply(unsure).values.tolist()
        [1]
    """

    task: TaskName
    size: int
    calibrator: Calibrator | None = None
    rule: str = "auto"
    thresholds: tuple[float, ...] | None = None
    cost: tuple[tuple[float, ...], ...] | None = None
    conformal: Conformal | CrossConformal | None = None
    draws: Draws | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether predictions stay as they are."""
        parts = (self.calibrator, self.thresholds, self.cost, self.conformal, self.draws)
        return all(part is None for part in parts)

    @property
    def is_of_format_2(self) -> bool:
        """Whether a Deepwell that knows nothing of draws and folds can follow it."""
        return self.draws is None and (self.conformal is None or self.conformal.kind in OLD_KINDS)

    def apply(self, predictions: Predictions) -> Predictions:
        """Return the predictions with calibrated probabilities and the answers they lead to."""
        stated, parts = predictions.probabilities, predictions.parts
        if stated is None:
            return self._with_noise(predictions)
        calibrator = self.calibrator
        probabilities = stated if calibrator is None else calibrator(stated)
        if parts is not None and calibrator is not None:
            parts = np.stack([calibrator(part) for part in parts])
        answers = self._answers(predictions, probabilities)
        return replace(predictions, values=answers, probabilities=probabilities, parts=parts)

    def _with_noise(self, predictions: Predictions) -> Predictions:
        """Let the spread of the draws stand for that of the truth around the answer."""
        if self.draws is None or predictions.spread is None or not self.draws.noise:
            return predictions
        return replace(predictions, spread=with_noise(self.draws, predictions))

    def _answers(self, predictions: Predictions, probabilities: Floats) -> NDArray[np.int64]:
        if self.thresholds is not None:
            stated = probabilities[:, 1:] if self.task == "binary" else probabilities
            found = (stated >= np.array(self.thresholds)).astype(np.int64)
            return found[:, 0] if self.task == "binary" else found
        if self.cost is not None:
            return least_cost(probabilities, np.array(self.cost))
        if self.calibrator is None or self.calibrator.keeps_order:
            return cast(NDArray[np.int64], predictions.values)
        if self.task == "multilabel":
            return (probabilities > 0.5).astype(np.int64)
        return probabilities.argmax(axis=1)

    def columns(self, task: Task, predictions: Predictions) -> dict[str, pl.Series]:
        """Return the columns beside the answers.

        `set`, or `low` and `high` with a promised coverage; `std` or `disagreement` where there
        are several answers to each row.

        Args:
            task: The question.
            predictions: From `apply`.
        """
        columns: dict[str, pl.Series] = {}
        if self.draws is not None and predictions.disagreement is not None:
            columns["disagreement"] = pl.Series("disagreement", predictions.disagreement)
        if self.draws is not None and predictions.spread is not None:
            columns |= _named("std", predictions.spread, task)
        if self.conformal is None:
            return columns
        if self.conformal.kind.endswith("classes"):
            sets = self.conformal.sets(predictions)
            labels = np.array(task.labels, dtype=object)
            words = pl.Series("set", ["|".join(labels[row]) for row in sets], pl.String)
            return {**columns, "set": words}
        for side, values in zip(
            ("low", "high"), self.conformal.intervals(predictions), strict=True
        ):
            columns |= _named(side, values, task)
        return columns

    def fits(self, task: Task) -> bool:
        """Say whether the decision was learned for such a task."""
        size = len(task.labels) or len(task.targets)
        return task.name == self.task and size == self.size

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; `from_json` reads it."""
        return {
            "task": self.task,
            "size": self.size,
            "calibrator": None if self.calibrator is None else self.calibrator.to_json(),
            "rule": self.rule,
            "thresholds": None if self.thresholds is None else list(self.thresholds),
            "cost": None if self.cost is None else [list(line) for line in self.cost],
            "conformal": None if self.conformal is None else self.conformal.to_json(),
            **({} if self.draws is None else {"draws": self.draws.to_json()}),
            "notes": list(self.notes),
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Decision:
        """Rebuild the decision from `to_json`.

        Raises:
            ConfigError: An unknown rule.
            ValueError: Numbers that do not belong together.
        """
        task, size = state["task"], int(state["size"])
        calibrator, conformal = state["calibrator"], state["conformal"]
        thresholds, cost = state["thresholds"], state["cost"]
        if thresholds is not None and len(thresholds) != (1 if task == "binary" else size):
            raise ValueError(f"{len(thresholds)} thresholds for {size} answers")
        width = 2 if task == "multilabel" else size
        if cost is not None and np.shape(cost) != (width, width):
            raise ValueError(f"a cost of shape {np.shape(cost)} for {size} classes")
        draws = state.get("draws")
        return cls(
            task=task,
            size=size,
            calibrator=None if calibrator is None else calibrator_from_json(task, calibrator),
            rule=parse_rule(state["rule"]).text,
            thresholds=None if thresholds is None else tuple(float(t) for t in thresholds),
            cost=None if cost is None else tuple(tuple(float(c) for c in line) for line in cost),
            conformal=None if conformal is None else _conformal(conformal, size),
            draws=None if draws is None else Draws.from_json(draws),
            notes=tuple(str(note) for note in state["notes"]),
        )


def _named(name: str, values: Floats, task: Task) -> dict[str, pl.Series]:
    """Return a column a target, (n, targets)."""
    names = [name] if len(task.targets) == 1 else [f"{name}_{target}" for target in task.targets]
    return {one: pl.Series(one, values[:, index]) for index, one in enumerate(names)}


def _conformal(state: Mapping[str, Any], size: int) -> Conformal | CrossConformal:
    if state["kind"] in CROSS_KINDS:
        found = CrossConformal.from_json(state)
        width = 1 if found.kind == "cross_classes" else size
        if found.scores.shape[1] != width:
            raise ValueError(f"{found.scores.shape[1]} scores a row for {width} answers")
        return found
    if len(state["bounds"]) != size:
        raise ValueError(f"{len(state['bounds'])} bounds for {size} answers")
    return Conformal.from_json(state)
