"""Categories as vectors."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

LARGEST_VECTOR = 32


def embedding_size(cardinality: int) -> int:
    """Return how many numbers stand for a category of a column with so many codes.

    The rule of fastai, 1.6 n^0.56, rounded up to a power of two so that columns of similar size
    share one table; at most 32, and not more than it takes to tell the known values apart.

    Example:
        >>> [embedding_size(codes) for codes in (2, 3, 5, 26, 1000)]
        [1, 2, 4, 16, 32]
    """
    wanted = min(1.6 * cardinality**0.56, cardinality - 1, LARGEST_VECTOR)
    size = 1
    while size < wanted:
        size *= 2
    return size


class OneHot(nn.Module):
    """Categories as zeros with a one at the place of the value; an unknown value is all zeros.

    Args:
        cardinalities: For each column, how many codes it has (code 0 = unknown included).

    Shape:
        codes (batch, C), int64 → (batch, sum of (cardinality − 1)), float32.

    Example:
        >>> OneHot((3, 4))(torch.tensor([[2, 0]])).tolist()
        [[0.0, 1.0, 0.0, 0.0, 0.0]]
    """

    columns: Tensor
    values: Tensor
    one: Tensor

    def __init__(self, cardinalities: Sequence[int]) -> None:
        super().__init__()
        places = [(column, code) for column, n in enumerate(cardinalities) for code in range(1, n)]
        self.out_features = len(places)
        self.register_buffer("columns", torch.tensor([c for c, _ in places]), persistent=False)
        self.register_buffer("values", torch.tensor([v for _, v in places]), persistent=False)
        # a floating-point buffer follows the network to other precisions
        self.register_buffer("one", torch.ones(()), persistent=False)

    def forward(self, codes: Tensor) -> Tensor:
        """Compare each code with each value of its column."""
        return (codes[:, self.columns] == self.values).to(self.one.dtype)


class CategoryEmbedding(nn.Module):
    """A learned vector for each value of each category column, joined to one vector a row.

    Columns whose vectors have the same size share one table, so that many columns cost a few
    look-ups. Code 0 (missing or never seen) starts as zeros in every column and moves only if
    training rows hold it; a code beyond the table is treated as 0.

    Args:
        cardinalities: For each column, how many codes it has (code 0 included).
        size: Numbers a vector, for all columns. Default: `embedding_size` of each column.

    Shape:
        codes (batch, C), int64 → (batch, out_features): columns with small vectors first.

    Reference:
        Guo, Berkhahn: Entity Embeddings of Categorical Variables (2016).

    Example:
        >>> embedding = CategoryEmbedding((5, 3))
        >>> embedding.out_features
        6
        >>> embedding(torch.tensor([[0, 0]])).count_nonzero().item()
        0
    """

    def __init__(self, cardinalities: Sequence[int], *, size: int | None = None) -> None:
        super().__init__()
        columns_by_size: dict[int, list[int]] = {}
        for column, cardinality in enumerate(cardinalities):
            vector_size = embedding_size(cardinality) if size is None else size
            columns_by_size.setdefault(vector_size, []).append(column)
        self.tables = nn.ModuleList(
            _StackedTable(columns, [cardinalities[column] for column in columns], vector_size)
            for vector_size, columns in sorted(columns_by_size.items())
        )
        self.out_features = sum(
            vector_size * len(columns) for vector_size, columns in columns_by_size.items()
        )

    def forward(self, codes: Tensor) -> Tensor:
        """Look the codes up."""
        return torch.cat([table(codes) for table in self.tables], dim=1)


class _StackedTable(nn.Embedding):
    """The vectors of several columns, one below the other in one weight."""

    columns: Tensor
    cardinalities: Tensor
    offsets: Tensor

    def __init__(self, columns: list[int], cardinalities: list[int], size: int) -> None:
        super().__init__(sum(cardinalities), size)
        starts = [sum(cardinalities[:place]) for place in range(len(cardinalities))]
        self.register_buffer("columns", torch.tensor(columns), persistent=False)
        self.register_buffer("cardinalities", torch.tensor(cardinalities), persistent=False)
        self.register_buffer("offsets", torch.tensor(starts), persistent=False)
        # a vector is as long as a one-hot code: 1
        with torch.no_grad():
            self.weight.mul_(size**-0.5)
            self.weight[starts] = 0.0

    def forward(self, input: Tensor) -> Tensor:
        codes = input[:, self.columns]
        # without this a code beyond its column would read the rows of the next one
        codes = torch.where(codes < self.cardinalities, codes, 0)
        return super().forward(codes + self.offsets).flatten(1)


class MixedCategories(nn.Module):
    """Columns of few values as one-hot codes, columns of many as learned vectors.

    A learned vector of a few numbers only loses something where a column has few values; a one-hot
    code of many values has too many weights for its rows.

    Args:
        cardinalities: For each column, how many codes it has (code 0 included).
        one_hot_limit: Columns with at most this many known values are one-hot.
        size: Numbers a learned vector. Default: `embedding_size` of each column.

    Shape:
        codes (batch, C), int64 → (batch, out_features): one-hot columns first.

    Example:
        >>> mixed = MixedCategories((3, 40), one_hot_limit=8, size=5)
        >>> mixed(torch.tensor([[1, 7]])).shape, mixed.chunks
        (torch.Size([1, 7]), (2, 5))
    """

    few: Tensor
    many: Tensor

    def __init__(
        self, cardinalities: Sequence[int], *, one_hot_limit: int, size: int | None = None
    ) -> None:
        super().__init__()
        few = [column for column, n in enumerate(cardinalities) if n - 1 <= one_hot_limit]
        many = [column for column in range(len(cardinalities)) if column not in set(few)]
        self.register_buffer("few", torch.tensor(few, dtype=torch.long), persistent=False)
        self.register_buffer("many", torch.tensor(many, dtype=torch.long), persistent=False)
        self.one_hot = OneHot([cardinalities[column] for column in few]) if few else None
        vectors = [cardinalities[column] for column in many]
        self.embedding = CategoryEmbedding(vectors, size=size) if many else None
        sizes = sorted(embedding_size(n) if size is None else size for n in vectors)
        self.chunks = (*(cardinalities[column] - 1 for column in few), *sizes)
        self.out_features = sum(self.chunks)

    def forward(self, codes: Tensor) -> Tensor:
        """Return both side by side."""
        parts: list[Tensor] = []
        if self.one_hot is not None:
            parts.append(self.one_hot(codes[:, self.few]))
        if self.embedding is not None:
            parts.append(self.embedding(codes[:, self.many]))
        return parts[0] if len(parts) == 1 else torch.cat(parts, dim=1)
