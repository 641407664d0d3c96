"""Gradient-boosted trees as a module: grown by scikit-learn, stored and run as tensors.

The trees are grown once, by histograms (`grow`), and not by gradient descent. What comes out is
an ordinary module: it is stored as safetensors without pickle, runs on any device, and answers to
the last bit as scikit-learn does, but for the rounding of the final sum.

Layout: all trees lie side by side; a node is a place in flat tensors, and the right child follows
the left one. A walk starts at the roots and takes `depth` steps at once for all rows and trees;
leaves point to themselves.

Shapes: numbers (batch, F), NaN for gaps, and categories (batch, C) → (batch, head_size).

Reference:
    Friedman: Greedy Function Approximation: A Gradient Boosting Machine (2001). Ke et al.:
    LightGBM (2017), whose histograms scikit-learn follows.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field
from torch import Tensor, nn

from deepwell.config import Settings
from deepwell.errors import ModelError
from deepwell.types import InputSpec

_PIECE = 2**22
"""Places of a walk at once: rows × trees."""


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

    def __init__(self, spec: InputSpec, head_size: int, settings: BoostedTreesSettings) -> None:
        super().__init__()
        self._num_numbers = spec.num_numbers
        self._depth = settings.depth
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
        for name, (shape, dtype) in sizes.items():
            self.register_buffer(name, torch.zeros(shape, dtype=dtype))

    def forward(self, *blocks: Tensor) -> Tensor:
        """Return the sum of the trees' answers, (batch, head_size)."""
        rows = len(blocks[0])
        piece = max(1, _PIECE // max(1, len(self.roots)))
        if rows > piece:
            parts = [self(*(b[i : i + piece] for b in blocks)) for i in range(0, rows, piece)]
            return torch.cat(parts)
        answers = self.base.expand(rows, -1).clone()
        if len(self.roots):
            leaves = self._walk(self._features(blocks))
            answers.index_add_(1, self.outputs, self.values[leaves])
        return answers

    def _features(self, blocks: tuple[Tensor, ...]) -> Tensor:
        """Return what splits look at, (batch, 2 F + tables): gaps high, gaps low, tables."""
        parts: list[Tensor] = []
        if self._num_numbers:
            numbers = blocks[0].float()
            infinity = float("inf")
            parts += [
                torch.nan_to_num(numbers, nan=n, posinf=infinity, neginf=-infinity)
                for n in (infinity, -infinity)
            ]
        if len(self.tables):
            codes = blocks[-1].index_select(1, self.table_columns)
            goes_left = self.tables.gather(1, codes.t()).t()
            parts.append(1.0 - goes_left.float())
        return torch.cat(parts, dim=1) if parts else blocks[-1].float()

    def _walk(self, features: Tensor) -> Tensor:
        """Return the leaf of each row in each tree, (batch, trees)."""
        places = self.roots.expand(len(features), -1)
        for _ in range(self._depth):
            seen = features.gather(1, self.columns[places])
            is_right = ~(seen <= self.thresholds[places])
            places = self.left_children[places] + is_right
        return places


def build(spec: InputSpec, head_size: int, settings: BoostedTreesSettings) -> BoostedTrees:
    """Make room for trees of known sizes; see `BoostedTrees`.

    Raises:
        ModelError: There are pictures, or a column has more than 256 categories.
    """
    if spec.image_shape is not None:
        raise ModelError("boosted_trees reads tables, but this data has images: use cnn or mlp.")
    return BoostedTrees(spec, head_size, settings)


Question = Literal["numbers", "labels", "classes"]


def grow(
    question: Question,
    spec: InputSpec,
    train: tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None],
    val: tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None] | None,
    *,
    settings: BoostedTreesSettings,
    seed: int,
) -> tuple[BoostedTrees, BoostedTreesSettings]:
    """Grow trees on encoded rows.

    Args:
        question: "numbers": targets (rows, K), squared error. "labels": targets 0 or 1, (rows,
            K), one logit each. "classes": class indices (rows,).
        spec: Of the inputs.
        train: Inputs (rows, F + C) with NaN for gaps and codes behind the numbers, targets, and
            weights or None.
        val: The same, to decide when to stop; None: all iterations are done.
        settings: How to grow.
        seed: Of the choice of columns.

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

    forests = grow_forests(question, spec, train, val, settings=settings, seed=seed)
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
