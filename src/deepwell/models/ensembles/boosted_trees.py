"""Gradient-boosted trees as a module: grown by scikit-learn, stored and run as tensors.

The trees are grown once, by histograms (`grow`), and not by gradient descent. What comes out is
an ordinary module: it is stored as safetensors without pickle, runs on any device, and answers to
the last bit as scikit-learn does, but for the rounding of the final sum.

Layout: all trees lie side by side; a node is a place in flat tensors, and the right child follows
the left one. A walk starts at the roots and takes `depth` steps at once for all rows and trees;
leaves point to themselves. For many rows all splits are looked at and matrix products find the
leaves, which is faster and gives the same.

Shapes: numbers (batch, F), NaN for gaps, and categories (batch, C) → (batch, head_size).

Reference:
    Friedman: Greedy Function Approximation: A Gradient Boosting Machine (2001). Ke et al.:
    LightGBM (2017), whose histograms scikit-learn follows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from deepwell.config import Settings
from deepwell.errors import ModelError
from deepwell.models.ensembles.logarithm import Question, Rows
from deepwell.types import InputSpec

_PIECE = 2**21
"""Rows × trees, or rows × nodes, that are looked at at once."""
_DENSE_ROWS = 256
"""So many rows are worth the matrices of `_Paths`."""
_DENSE_LEAVES = 64
"""Trees of more leaves are walked: the matrices grow with their square."""


class BoostedTreesSettings(Settings):
    """How the trees are grown, and, once they are, how large they are."""

    iterations: int = Field(default=1000, ge=1)
    """Rounds of boosting, at the most."""
    learning_rate: float = Field(default=0.05, gt=0, le=1)
    """Share of each tree's answer that is added."""
    max_leaves: int = Field(default=31, ge=2)
    """Leaves of a tree, at the most."""
    min_leaf_rows: int = Field(default=20, ge=1)
    """Training rows in a leaf, at the least."""
    l2: float = Field(default=0.0, ge=0)
    """Pull of the leaves' values towards zero."""
    max_features: float = Field(default=1.0, gt=0, le=1)
    """Share of the columns that each split may choose from."""
    patience: int = Field(default=30, ge=1)
    """Rounds without improvement on the validation rows before growing stops."""
    log_targets: bool = False
    """Whether the trees learn the logarithm of the target: numbers above zero, some far above."""
    num_trees: int = Field(default=0, ge=0)
    """Trees in all; set by growing."""
    num_nodes: int = Field(default=0, ge=0)
    """Nodes of all trees; set by growing."""
    num_tables: int = Field(default=0, ge=0)
    """Splits by category; set by growing."""
    depth: int = Field(default=0, ge=0)
    """Steps from a root to the deepest leaf; set by growing."""


class BoostedTrees(nn.Module):
    """Trees whose answers are added up.

    Args:
        spec: Number and category blocks.
        head_size: Numbers that are returned for each row.
        settings: With the sizes that growing has set.

    Example:
        >>> spec = InputSpec(num_numbers=2)
        >>> BoostedTrees(spec, 1, BoostedTreesSettings())(torch.zeros(3, 2)).shape
        torch.Size([3, 1])
    """

    base: Tensor
    roots: Tensor
    outputs: Tensor
    columns: Tensor
    thresholds: Tensor
    left_children: Tensor
    values: Tensor
    tables: Tensor
    table_columns: Tensor
    zero: Tensor

    def __init__(self, spec: InputSpec, head_size: int, settings: BoostedTreesSettings) -> None:
        super().__init__()
        self._num_numbers = spec.num_numbers
        self._depth = settings.depth
        self._max_leaves = settings.max_leaves
        nodes, trees, tables = settings.num_nodes, settings.num_trees, settings.num_tables
        codes = max(spec.cardinalities, default=0)
        sizes: dict[str, tuple[tuple[int, ...], torch.dtype]] = {
            "base": ((head_size,), torch.float32),
            "roots": ((trees,), torch.int64),
            "outputs": ((trees,), torch.int64),
            "columns": ((nodes,), torch.int64),
            "thresholds": ((nodes,), torch.float32),
            "left_children": ((nodes,), torch.int64),
            "values": ((nodes,), torch.float32),
            "tables": ((tables, codes), torch.bool),
            "table_columns": ((tables,), torch.int64),
        }
        self._is_log = settings.log_targets
        if self._is_log:
            sizes["zero"] = ((head_size,), torch.float32)
        for name, (shape, dtype) in sizes.items():
            self.register_buffer(name, torch.zeros(shape, dtype=dtype))

    def forward(self, *blocks: Tensor) -> Tensor:
        """Return the sum of the trees' answers, (batch, head_size)."""
        rows = len(blocks[0])
        if not len(self.roots):
            return self._answers(self.base.expand(rows, -1).clone())
        is_dense = rows >= _DENSE_ROWS and self._max_leaves <= _DENSE_LEAVES
        paths = _Paths.of(self) if is_dense else None
        size = max(1, _PIECE // (len(self.columns) if is_dense else len(self.roots)))
        parts: list[Tensor] = []
        for start in range(0, max(rows, 1), size):
            features = self._features(tuple(block[start : start + size] for block in blocks))
            values = self._walk(features) if paths is None else paths.values_of(features)
            answers = self.base.expand(len(values), -1).clone()
            parts.append(answers.index_add_(1, self.outputs, values))
        return self._answers(torch.cat(parts))

    def _answers(self, sums: Tensor) -> Tensor:
        """Return what sums of leaves stand for, (batch, head_size)."""
        return sums.exp() + self.zero if self._is_log else sums

    def _features(self, blocks: tuple[Tensor, ...]) -> Tensor:
        """Return what splits look at, (2 F + tables, batch): gaps high, gaps low, tables."""
        parts: list[Tensor] = []
        if self._num_numbers:
            numbers = blocks[0].float().t()
            infinity = float("inf")
            parts += [
                torch.nan_to_num(numbers, nan=n, posinf=infinity, neginf=-infinity)
                for n in (infinity, -infinity)
            ]
        if len(self.tables):
            codes = blocks[-1].t().contiguous().index_select(0, self.table_columns)
            parts.append(1.0 - self.tables.float().gather(1, codes))
        return torch.cat(parts) if parts else blocks[-1].t().float()

    def _walk(self, features: Tensor) -> Tensor:
        """Go from the roots to the leaves; return the value of each row in each tree."""
        features = features.t()
        places = self.roots.expand(len(features), -1)
        for _ in range(self._depth):
            seen = features.gather(1, self.columns[places])
            is_right = ~(seen <= self.thresholds[places])
            places = self.left_children[places] + is_right
        return self.values[places]


@dataclass(frozen=True, slots=True)
class _Paths:
    """All trees as one batch of matrices, so that many rows need no walk.

    A leaf is reached if all splits above it went its way. With 1 for a split that leads to it by
    going left and -1 by going right, that is so where the sum over the splits that went left
    equals the number of its left turns.

    Args:
        columns: Of each split, (trees · splits,).
        thresholds: Of each split, (trees · splits, 1).
        turns: 1, -1 or 0 for leaf (down) and split (across), (trees, leaves, splits).
        wanted: Left turns of each leaf, (trees, leaves, 1).
        values: Of each leaf, (trees, 1, leaves).
    """

    columns: Tensor
    thresholds: Tensor
    turns: Tensor
    wanted: Tensor
    values: Tensor

    @classmethod
    def of(cls, trees: BoostedTrees) -> _Paths:
        """Follow all trees at once from their roots; smaller ones are filled up."""
        left, roots = trees.left_children, trees.roots
        nodes = torch.arange(len(left), device=left.device)
        tree = torch.searchsorted(roots, nodes, right=True) - 1
        is_leaf = left == nodes
        split, leaf = _places(~is_leaf, roots), _places(is_leaf, roots)
        turns = _turns(left, is_leaf, roots, split)
        splits, leaves = nodes[~is_leaf], nodes[is_leaf]
        size = (len(roots), int(leaf[leaves].max()) + 1, turns.shape[1])
        path = turns.new_zeros(size)
        path[tree[leaves], leaf[leaves]] = turns[leaves]
        wanted = turns.new_full(size[:2], float("inf"))
        wanted[tree[leaves], leaf[leaves]] = (turns[leaves] > 0).float().sum(dim=1)
        values = turns.new_zeros(size[:2])
        values[tree[leaves], leaf[leaves]] = trees.values[leaves]
        columns = left.new_zeros((size[0], size[2]))
        columns[tree[splits], split[splits]] = trees.columns[splits]
        thresholds = turns.new_zeros((size[0], size[2]))
        thresholds[tree[splits], split[splits]] = trees.thresholds[splits]
        return cls(
            columns.flatten(), thresholds.view(-1, 1), path, wanted[:, :, None], values[:, None]
        )

    def values_of(self, features: Tensor) -> Tensor:
        """Return the value of each row in each tree, (batch, trees)."""
        goes_left = (features.index_select(0, self.columns) <= self.thresholds).float()
        sums = self.turns @ goes_left.view(len(self.turns), -1, goes_left.shape[1])
        is_reached = (sums == self.wanted).float()
        return (self.values @ is_reached).squeeze(1).t()


def _places(is_one: Tensor, roots: Tensor) -> Tensor:
    """Number the splits, or the leaves, of each tree from 0."""
    before = is_one.long().cumsum(0) - is_one.long()
    sizes = torch.diff(roots, append=roots.new_tensor([len(is_one)]))
    return before - before[roots].repeat_interleave(sizes)


def _turns(left: Tensor, is_leaf: Tensor, roots: Tensor, split: Tensor) -> Tensor:
    """Return 1 or -1 for each node and each split above it, by the way that leads to the node."""
    most = int(split.max()) + 1
    turns = torch.zeros(len(left), most, device=left.device)
    level = roots
    while len(level):
        above = level[~is_leaf[level]]
        children = left[above]
        for child, turn in ((children, 1.0), (children + 1, -1.0)):
            turns[child] = turns[above]
            turns[child, split[above]] = turn
        level = torch.cat([children, children + 1])
    return turns


def build(spec: InputSpec, head_size: int, settings: BoostedTreesSettings) -> BoostedTrees:
    """Make room for trees of known sizes; see `BoostedTrees`.

    Raises:
        ModelError: There are pictures, or a column has more than 256 categories.
    """
    if spec.image_shape is not None:
        raise ModelError("boosted_trees reads tables, but this data has images: use cnn or mlp.")
    return BoostedTrees(spec, head_size, settings)


def grow(
    question: Question,
    spec: InputSpec,
    train: Rows,
    val: Rows | None,
    *,
    settings: BoostedTreesSettings,
    seed: int,
    head_size: int | None = None,
    seconds: float = math.inf,
) -> tuple[BoostedTrees, BoostedTreesSettings]:
    """Grow trees on encoded rows.

    Args:
        question: "numbers": targets (rows, K), squared error. "labels": targets 0 or 1, (rows,
            K), one logit each. "classes": class indices (rows,).
        spec: Of the inputs.
        train: Inputs (rows, F + C) with NaN for gaps and codes behind the numbers, targets, and
            weights or None.
        val: The same, to decide when to stop; None: all iterations are done.
        settings: How to grow. With `log_targets` the targets are logarithms already (see
            `logarithm`), and the trees answer what they are of, counted from their `zero`.
        seed: Of the choice of columns.
        head_size: Number of classes, where the training rows may lack some; None: as many as they
            hold, or as there are targets.
        seconds: How long growing may take; a few trees are grown in any case.

    Returns:
        The trees, and the settings with their sizes.

    Example:
        >>> x = np.linspace(0, 1, 200, dtype=np.float32)[:, None]
        >>> spec, few = InputSpec(num_numbers=1), BoostedTreesSettings(iterations=50)
        >>> trees, _ = grow("numbers", spec, (x, 3 * x, None), None, settings=few, seed=0)
        >>> bool(trees(torch.tensor([[0.9]])) > trees(torch.tensor([[0.1]])))
        True
    """
    from deepwell.models.ensembles.growing import grow_forests

    num_targets = int(train[1].max()) + 1 if question == "classes" else int(train[1].shape[1])
    forests = grow_forests(
        question,
        spec,
        train,
        val,
        settings=settings,
        seed=seed,
        head_size=num_targets if head_size is None else head_size,
        seconds=seconds,
    )
    if settings.log_targets:
        forests["zero"] = np.zeros_like(forests["base"])
    return _assemble(forests, spec, settings)


def _assemble(
    parts: dict[str, NDArray[Any]], spec: InputSpec, settings: BoostedTreesSettings
) -> tuple[BoostedTrees, BoostedTreesSettings]:
    grown = settings.model_copy(
        update={
            "num_trees": len(parts["roots"]),
            "num_nodes": len(parts["columns"]),
            "num_tables": len(parts["tables"]),
            "depth": int(parts["depth"]),
        }
    )
    trees = BoostedTrees(spec, len(parts["base"]), grown)
    with torch.no_grad():
        for name, buffer in trees.named_buffers():
            buffer.copy_(torch.from_numpy(np.ascontiguousarray(parts[name])))
    return trees, grown
