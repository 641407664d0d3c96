"""Growing symmetric trees: by histograms, one question for all nodes of a level.

A level asks what lowers the squared error of the gradients most, all nodes together. With G the
sum of the gradients in a part of a node and N its rows, a part lowers it by G² / (N + l2). The
leaves answer with one step of Newton.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepwell.models.ensembles.logarithm import Question, Rows
from deepwell.models.ensembles.symmetric_columns import Columns, Floats
from deepwell.models.ensembles.symmetric_levels import TINY, Levels, sums_by_place
from deepwell.types import InputSpec

if TYPE_CHECKING:
    from deepwell.models.ensembles.symmetric_trees import SymmetricTreesSettings

FEWEST = 10
"""Trees that are grown however short the time is."""
MOST_STATISTICS = 5
"""Classes or labels of which a category knows the share."""
_UNSEEN = -20.0
"""Output of a class that has no training row."""
_SUREST = 10.0
"""Output of a label that all training rows have."""


class Growth:
    """Trees while they grow.

    Args:
        question: "numbers", "labels" or "classes"; see `boosted_trees.grow`.
        spec: Of the inputs.
        train: Inputs (rows, F + C), targets, and weights or None.
        settings: How to grow.
        seed: Of the order of the rows for the statistics of categories.
        head_size: H.
    """

    def __init__(
        self,
        question: Question,
        spec: InputSpec,
        train: Rows,
        *,
        settings: SymmetricTreesSettings,
        seed: int,
        head_size: int,
    ) -> None:
        self._settings = settings
        self._goal = _Goal(question, head_size)
        inputs, targets, weight = train
        self._targets = self._goal.table_of(targets)
        self._weight = None if weight is None else weight / weight.mean()
        self._columns = Columns(spec)
        self._bins = self._columns.learn(inputs, self._known_of(targets), self._weight, seed)
        self._levels = Levels(self._bins, self._columns.sizes, self._weight)
        self._base = self._goal.start(self._targets, self._weight)
        self._trees: list[_Tree] = []

    def run(self, val: Rows | None, *, seconds: float = math.inf) -> None:
        """Grow until the validation rows say enough, or the time is over.

        Args:
            val: Like the training rows, to decide when to stop; None: all iterations are done.
            seconds: How long growing may take; a few trees are grown in any case.
        """
        end = time.monotonic() + seconds
        outputs = np.repeat(self._base[:, None], self._targets.shape[1], axis=1)
        judge = None if val is None else _Judge(self._goal, self._columns, val, self._base)
        if not self._levels.can_split:
            return
        for number in range(self._settings.iterations):
            tree, places = self._tree(outputs)
            outputs += tree.values[:, places]
            self._trees.append(tree)
            if judge is not None and judge.unimproved(tree) >= self._settings.patience:
                break
            if number + 1 >= FEWEST and time.monotonic() > end:
                break
        if judge is not None:
            del self._trees[judge.best :]

    def _tree(self, outputs: Floats) -> tuple[_Tree, NDArray[np.int64]]:
        """Return a tree, and the leaf of each training row."""
        settings = self._settings
        gradients, curvatures = self._goal.slopes(outputs, self._targets, self._weight)
        tree = _Tree()
        places = np.zeros(outputs.shape[1], dtype=np.int64)
        self._levels.begin(gradients)
        for level in range(settings.depth):
            column, below = self._levels.best(places, 2**level, settings.l2)
            tree.splits.append((column, below))
            places = places * 2 + (self._bins[column] > below)
            if level + 1 < settings.depth:
                self._levels.descend(places, 2 ** (level + 1))
        leaves = 2**settings.depth
        sums = sums_by_place(places, gradients, leaves)
        rows = sums_by_place(places, curvatures, leaves) + settings.l2 + TINY
        tree.values = settings.learning_rate * sums / rows
        return tree, places

    def _known_of(self, targets: NDArray[Any]) -> Floats:
        """Return what categories learn the means of, (statistics, rows)."""
        table = self._goal.table_of(targets)
        if self._goal.question == "classes" and len(table) == 2:
            return table[1:]
        most = np.argsort(-table.sum(axis=1), kind="stable")[:MOST_STATISTICS]
        return table if self._goal.question == "numbers" else table[np.sort(most)]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all arrays by the name of their buffer."""
        depth, leaves = self._settings.depth, 2**self._settings.depth
        splits = np.array([tree.splits for tree in self._trees], dtype=np.int64)
        splits = splits.reshape(len(self._trees), depth, 2)
        borders = [self._columns.borders[c][b] for c, b in splits.reshape(-1, 2).tolist()]
        values = np.array([tree.values.T for tree in self._trees], dtype=np.float32)
        return {
            "base": self._base.astype(np.float32),
            "columns": splits[:, :, 0].astype(np.int32),
            "borders": np.array(borders, dtype=np.float32).reshape(-1, depth),
            "values": values.reshape(-1, leaves, len(self._base)),
            "statistics": self._columns.statistics,
        }


@dataclass(slots=True)
class _Tree:
    """The column and the highest bin below the border, level by level; values (H, leaves)."""

    splits: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])
    values: Floats = field(default_factory=lambda: np.zeros((0, 0)))


class _Goal:
    """What is learned: the targets as a table (H, rows), their loss and its slopes."""

    def __init__(self, question: Question, head_size: int) -> None:
        self.question = question
        self._head_size = head_size

    def table_of(self, targets: NDArray[Any]) -> Floats:
        """Return the targets, (H, rows); classes as ones and zeros."""
        if self.question == "classes":
            return (np.arange(self._head_size)[:, None] == targets).astype(np.float64)
        return np.ascontiguousarray(targets.T, dtype=np.float64)

    def start(self, targets: Floats, weight: Floats | None) -> Floats:
        """Return what is answered without a tree, (H,)."""
        mean = np.average(targets, axis=1, weights=weight)
        if self.question == "numbers":
            return mean
        with np.errstate(divide="ignore"):
            if self.question == "classes":
                return np.log(mean).clip(_UNSEEN)
            return (np.log(mean) - np.log1p(-mean)).clip(-_SUREST, _SUREST)

    def slopes(
        self, outputs: Floats, targets: Floats, weight: Floats | None
    ) -> tuple[Floats, Floats]:
        """Return the downward gradients and the second derivatives of the loss, (H, rows)."""
        if self.question == "numbers":
            gradients, curvatures = targets - outputs, np.ones_like(targets)
        else:
            shares = self._shares(outputs)
            gradients, curvatures = targets - shares, shares * (1 - shares)
        if weight is None:
            return gradients, curvatures
        return gradients * weight, curvatures * weight

    def loss(self, outputs: Floats, targets: Floats, weight: Floats | None) -> float:
        """Return the mean loss."""
        if self.question == "numbers":
            losses = (targets - outputs) ** 2
        elif self.question == "labels":
            losses = np.logaddexp(0, outputs) - targets * outputs
        else:
            highest = outputs.max(axis=0)
            losses = np.log(np.exp(outputs - highest).sum(axis=0)) + highest
            losses = losses - (targets * outputs).sum(axis=0)
        losses = losses if losses.ndim == 1 else losses.mean(axis=0)
        return float(np.average(losses, weights=weight))

    def _shares(self, outputs: Floats) -> Floats:
        if self.question == "labels":
            return 1 / (1 + np.exp(-outputs))
        powers = np.exp(outputs - outputs.max(axis=0))
        return powers / powers.sum(axis=0)


class _Judge:
    """Follows the loss of the validation rows.

    Args:
        goal: The loss.
        columns: Their bins.
        val: Rows that decide when to stop.
        base: What is answered without a tree, (H,).
    """

    def __init__(self, goal: _Goal, columns: Columns, val: Rows, base: Floats) -> None:
        self._goal = goal
        self._bins = columns.bins(val[0])
        self._targets = goal.table_of(val[1])
        self._weight = val[2]
        self._outputs = np.repeat(base[:, None], len(val[0]), axis=1)
        self._count = 0
        self._lowest = goal.loss(self._outputs, self._targets, self._weight)
        self.best = 0

    def unimproved(self, tree: _Tree) -> int:
        """Add a tree; return how many came since the best number of trees, `best`."""
        places = np.zeros(self._outputs.shape[1], dtype=np.int64)
        for column, below in tree.splits:
            places = places * 2 + (self._bins[column] > below)
        self._outputs += tree.values[:, places]
        self._count += 1
        loss = self._goal.loss(self._outputs, self._targets, self._weight)
        if loss < self._lowest:
            self._lowest, self.best = loss, self._count
        return self._count - self.best
