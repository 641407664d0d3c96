"""How networks for tables read a row: numbers embedded or not, categories one-hot or learned."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field
from torch import nn

from deepwell.config import Settings
from deepwell.errors import ModelError
from deepwell.nn.embedding import MixedCategories
from deepwell.nn.flat_input import FlatInput
from deepwell.nn.numeric import PeriodicNumbers, PeriodicReluNumbers, PiecewiseLinearNumbers
from deepwell.types import InputSpec

NumberEmbedding = Literal["none", "periodic", "periodic_relu", "piecewise"]


class TableInputSettings(Settings):
    """How columns of a table enter a network."""

    number_embedding: NumberEmbedding = "none"
    """Numbers as they are; as themselves and learned waves ("PBLD"); as learned waves cut at zero
    ("PLR"); or as piecewise-linear functions with bins ("PLE")."""
    number_size: Annotated[int, Field(ge=2)] | None = None
    """Numbers that stand for one embedded number; None: 4 for "periodic", 16 for the others."""
    num_bins: Annotated[int, Field(ge=2)] = 48
    """For "piecewise": bins of each number."""
    frequency_scale: Annotated[float, Field(gt=0)] = 0.1
    """For the periodic ones: how fine the waves are at the start."""
    one_hot_limit: Annotated[int, Field(ge=0)] = 64
    """Categories with at most this many values are one-hot, the others learned vectors."""
    embedding_size: Annotated[int, Field(ge=1)] | None = None
    """Numbers that stand for a category; None: more for columns with more values, up to 32."""


def table_input(spec: InputSpec, settings: TableInputSettings, name: str) -> FlatInput:
    """Make the part of a network that turns a row into one vector.

    Args:
        spec: What the network is fed.
        settings: How columns enter.
        name: The network, for the message.

    Raises:
        ModelError: There are pictures.
    """
    if spec.image_shape is not None:
        raise ModelError(f"{name} reads tables, but the data has images: use mlp, for example.")
    categories = None
    if spec.cardinalities:
        categories = MixedCategories(
            spec.cardinalities, one_hot_limit=settings.one_hot_limit, size=settings.embedding_size
        )
    numbers = number_embedding(spec.num_numbers, settings) if spec.num_numbers else None
    return FlatInput(spec, categories=categories, numbers=numbers)


def number_embedding(num_numbers: int, settings: TableInputSettings) -> nn.Module | None:
    """Make the embedding of numbers that the settings name, or None."""
    kind = settings.number_embedding
    size = settings.number_size or (4 if kind == "periodic" else 16)
    if kind == "periodic":
        return PeriodicNumbers(num_numbers, size=size, frequency_scale=settings.frequency_scale)
    if kind == "periodic_relu":
        return PeriodicReluNumbers(num_numbers, size=size, frequency_scale=settings.frequency_scale)
    if kind == "piecewise":
        return PiecewiseLinearNumbers(num_numbers, size=size, num_bins=settings.num_bins)
    return None


def chunks_of(spec: InputSpec, flatten: FlatInput) -> tuple[int, ...]:
    """Return how many neighbouring numbers of the joined vector stand for one column each."""
    chunks: list[int] = []
    for name, part in flatten.parts.items():
        plain = (1,) * spec.num_numbers if name == "numbers" else ()
        chunks += getattr(part, "chunks", plain)
    return tuple(chunks)
