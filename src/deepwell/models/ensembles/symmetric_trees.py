"""Symmetric trees as a module: boosted trees that ask the same question on each level.

All nodes of one level split the same column at the same border, so a tree of depth D is a table
of 2ᴰ answers, and D comparisons find the place in it. Such trees bend less after chance than
trees that may grow anywhere, and err elsewhere than those: together they are better than either.

They are grown once (`grow`), not by gradient descent. A category stands for the mean of the
targets of its rows, drawn towards the mean of all. While growing, a row's own target must not
tell, nor those of rows that learn from it: each row sees the mean of the rows before it in a
random order ("ordered target statistics").

Shapes: numbers (batch, F), NaN for gaps, and categories (batch, C) → (batch, head_size). Parameters
are none; T trees of depth D hold T (2 D + 2ᴰ H) numbers.

Reference:
    Prokhorenkova et al.: CatBoost, Unbiased Boosting with Categorical Features (2018), for the
    statistics. Kohavi: Bottom-Up Induction of Oblivious Read-Once Decision Graphs (1994).
"""

from __future__ import annotations

import math
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
"""Rows × trees that are looked at at once."""


class SymmetricTreesSettings(Settings):
    """How the trees are grown, and, once they are, how many there are."""

    iterations: int = Field(default=1500, ge=1)
    """Trees, at the most."""
    learning_rate: float = Field(default=0.06, gt=0, le=1)
    """Share of each tree's answer that is added."""
    depth: int = Field(default=6, ge=1, le=10)
    """Questions of a tree; it has two to this power leaves."""
    l2: float = Field(default=3.0, ge=0)
    """Pull of the leaves' values towards zero, in rows."""
    patience: int = Field(default=50, ge=1)
    """Trees without improvement on the validation rows before growing stops."""
    log_targets: bool = False
    """Whether the trees learn the logarithm of the target: numbers above zero, some far above."""
    num_trees: int = Field(default=0, ge=0)
    """Trees that were grown; set by growing."""
    num_statistics: int = Field(default=0, ge=0)
    """Numbers that stand for a category; set by growing."""


class SymmetricTrees(nn.Module):
    """Trees of one question a level, whose answers are added up.

    Args:
        spec: Number and category blocks.
        head_size: H, numbers that are returned for each row.
        settings: With the sizes that growing has set.

    Example:
        >>> spec = InputSpec(num_numbers=2)
        >>> SymmetricTrees(spec, 1, SymmetricTreesSettings())(torch.zeros(3, 2)).shape
        torch.Size([3, 1])
    """

    base: Tensor
    columns: Tensor
    borders: Tensor
    values: Tensor
    statistics: Tensor
    zero: Tensor

    def __init__(self, spec: InputSpec, head_size: int, settings: SymmetricTreesSettings) -> None:
        super().__init__()
        self._num_numbers = spec.num_numbers
        self._num_categories = len(spec.cardinalities)
        self._is_log = settings.log_targets
        trees, depth, count = settings.num_trees, settings.depth, settings.num_statistics
        codes = max(spec.cardinalities, default=0)
        sizes: dict[str, tuple[tuple[int, ...], torch.dtype]] = {
            "base": ((head_size,), torch.float32),
            "columns": ((trees, depth), torch.int32),
            "borders": ((trees, depth), torch.float32),
            "values": ((trees, 2**depth, head_size), torch.float32),
            "statistics": ((self._num_categories, codes, count), torch.float32),
        }
        if self._is_log:
            sizes["zero"] = ((head_size,), torch.float32)
        for name, (shape, dtype) in sizes.items():
            self.register_buffer(name, torch.zeros(shape, dtype=dtype))

    def forward(self, *blocks: Tensor) -> Tensor:
        """Return the sum of the trees' answers, (batch, head_size)."""
        rows = len(blocks[0])
        sums = self.base.expand(rows, -1)
        if len(self.columns):
            size = max(1, _PIECE // len(self.columns))
            parts = [
                self._sums(self._features([block[start : start + size] for block in blocks]))
                for start in range(0, max(rows, 1), size)
            ]
            sums = sums + torch.cat(parts)
        return sums.exp() + self.zero if self._is_log else sums.clone()

    def _features(self, blocks: list[Tensor]) -> Tensor:
        """Return what the trees ask about, (features, batch): numbers, then statistics."""
        parts: list[Tensor] = []
        if self._num_numbers:
            lowest, infinity = float("-inf"), float("inf")
            numbers = blocks[0].float().t()
            parts.append(torch.nan_to_num(numbers, nan=lowest, posinf=infinity, neginf=lowest))
        if self._num_categories and self.statistics.shape[2]:
            codes = blocks[-1].t()
            found = [table[code] for table, code in zip(self.statistics, codes, strict=True)]
            parts += [one.t() for one in found]
        return torch.cat(parts) if parts else blocks[0].float().t()

    def _sums(self, features: Tensor) -> Tensor:
        """Return the sum of the answers of all trees, (batch, head_size)."""
        trees = len(self.values)
        places = torch.arange(trees, device=features.device)[:, None].expand(-1, features.shape[1])
        for column, border in zip(self.columns.t(), self.borders.t(), strict=True):
            places = places * 2 + (features.index_select(0, column) > border[:, None])
        return self.values.flatten(0, 1)[places.t()].sum(dim=1)


def build(spec: InputSpec, head_size: int, settings: SymmetricTreesSettings) -> SymmetricTrees:
    """Make room for trees of known sizes; see `SymmetricTrees`.

    Raises:
        ModelError: There are pictures.
    """
    if spec.image_shape is not None:
        raise ModelError("symmetric_trees reads tables, but this data has images: use cnn or mlp.")
    return SymmetricTrees(spec, head_size, settings)


def grow(
    question: Question,
    spec: InputSpec,
    train: Rows,
    val: Rows | None,
    *,
    settings: SymmetricTreesSettings,
    seed: int,
    head_size: int,
    seconds: float = math.inf,
) -> tuple[SymmetricTrees, SymmetricTreesSettings]:
    """Grow trees on encoded rows; the arguments are those of `boosted_trees.grow`.

    Example:
        >>> x = np.linspace(0, 1, 200, dtype=np.float32)[:, None]
        >>> spec, few = InputSpec(num_numbers=1), SymmetricTreesSettings(iterations=50)
        >>> rows = (x, 3 * x, None)
        >>> trees, _ = grow("numbers", spec, rows, None, settings=few, seed=0, head_size=1)
        >>> bool(trees(torch.tensor([[0.9]])) > trees(torch.tensor([[0.1]])))
        True
    """
    from deepwell.models.ensembles.symmetric_growing import Growth

    growth = Growth(question, spec, train, settings=settings, seed=seed, head_size=head_size)
    growth.run(val, seconds=seconds)
    parts: dict[str, NDArray[Any]] = growth.arrays()
    grown = settings.model_copy(
        update={
            "num_trees": len(parts["columns"]),
            "num_statistics": parts["statistics"].shape[2],
        }
    )
    if settings.log_targets:
        parts["zero"] = np.zeros(head_size)
    trees = SymmetricTrees(spec, head_size, grown)
    with torch.no_grad():
        for name, buffer in trees.named_buffers():
            buffer.copy_(torch.from_numpy(np.ascontiguousarray(parts[name])))
    return trees, grown
