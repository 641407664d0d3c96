"""The decision: how a network's predictions become what is answered. Learned on validation rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.tasks.base import Task, TaskName
from deepwell.tasks.decisions.bounds import Conformal
from deepwell.tasks.decisions.calibrators import Calibrator, calibrator_from_json
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
    conformal: Conformal | None = None
    notes: tuple[str, ...] = ()

    @property
    def is_plain(self) -> bool:
        """Whether predictions stay as they are."""
        parts = (self.calibrator, self.thresholds, self.cost, self.conformal)
        return all(part is None for part in parts)

    def apply(self, predictions: Predictions) -> Predictions:
        """Return the predictions with calibrated probabilities and the answers they lead to."""
        stated = predictions.probabilities
        if stated is None:
            return predictions
        probabilities = stated if self.calibrator is None else self.calibrator(stated)
        return Predictions(self._answers(predictions, probabilities), probabilities)

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
        """Return the columns beside the answers: `set`, or `low` and `high`.

        Args:
            task: The question.
            predictions: From `apply`.
        """
        if self.conformal is None:
            return {}
        if self.conformal.kind == "classes":
            sets = self.conformal.sets(cast(Floats, predictions.probabilities))
            labels = np.array(task.labels, dtype=object)
            return {"set": pl.Series("set", ["|".join(labels[row]) for row in sets], pl.String)}
        ends = zip(("low", "high"), self.conformal.intervals(predictions), strict=True)
        columns: dict[str, pl.Series] = {}
        for side, values in ends:
            for index, target in enumerate(task.targets):
                name = side if len(task.targets) == 1 else f"{side}_{target}"
                columns[name] = pl.Series(name, values[:, index])
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
        if conformal is not None and len(conformal["bounds"]) != size:
            raise ValueError(f"{len(conformal['bounds'])} bounds for {size} answers")
        return cls(
            task=task,
            size=size,
            calibrator=None if calibrator is None else calibrator_from_json(task, calibrator),
            rule=parse_rule(state["rule"]).text,
            thresholds=None if thresholds is None else tuple(float(t) for t in thresholds),
            cost=None if cost is None else tuple(tuple(float(c) for c in line) for line in cost),
            conformal=None if conformal is None else Conformal.from_json(conformal),
            notes=tuple(str(note) for note in state["notes"]),
        )
