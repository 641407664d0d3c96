"""Two-tower network: a user's vector and an item's vector, and how well they fit.

One tower turns what is known of the user (the columns named in the settings) into a vector, the
other turns all other columns, the item, into a vector. The output is their scalar product, a bias
of each side and one for all. As a tower sees its own columns only, the vectors of all items are
computed once and the best for a user are found by one product of matrices.

Shapes: categories (batch, C) and numbers (batch, F), divided → vectors (batch, outputs, size) of
user and item → (batch, outputs). Parameters of the defaults with users of 1,000 and items of 500
codes, one output: 51,614.

Reference:
    Yi et al.: Sampling-Bias-Corrected Neural Modeling for Large Corpus Item Recommendations,
    RecSys (2019), section 3. Without hidden layers: Koren, Bell, Volinsky: Matrix Factorization
    Techniques for Recommender Systems, Computer 42 (2009), eq. 3 and 4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from deepwell.config import Settings
from deepwell.errors import ConfigError, ModelError, did_you_mean, listing
from deepwell.models.base import Share, Width
from deepwell.models.basic.mlp import MLP
from deepwell.nn.activation import ActivationName
from deepwell.nn.embedding import CategoryEmbedding
from deepwell.nn.flat_input import FlatInput
from deepwell.nn.weighted_sum import WeightedSum
from deepwell.types import InputSpec


class TwoTowerSettings(Settings):
    """Which columns belong to the user, and the size of the towers."""

    user_columns: tuple[int | str, ...] = (0,)
    """The columns that describe the user: names, or places among the categories from 0 on. All
    others describe the item."""
    user_numbers: tuple[int, ...] = ()
    """Numbers that describe the user, by place from 0 on; columns with a name go above."""
    vector_size: Width = 32
    """Numbers in the vector of a user and of an item."""
    embedding_size: Width = 32
    """Numbers that stand for a category at the entrance of a tower."""
    hidden_sizes: tuple[Width, ...] = ()
    """Units of each hidden layer of a tower; []: one linear layer."""
    activation: ActivationName = "relu"
    """Activation after each hidden layer, by name."""
    embedding_dropout: Share = 0.5
    """Share of what enters a tower that is set to zero in training: against learning by heart,
    because most users and items have few rows."""
    dropout: Share = 0.0
    """Share of the hidden units that is set to zero in training."""


class Tower(nn.Module):
    """The vector and the bias of one side, from its own columns.

    Args:
        codes: Places of its category columns.
        numbers: Places of its columns of numbers.
        spec: All columns of both sides.
        head_size: Vectors, one for each output of the network.
        settings: Sizes and dropout.

    Shape:
        one tensor a block of `spec` → vectors (batch, head_size, size), bias (batch, head_size).
    """

    codes: Tensor
    numbers: Tensor

    def __init__(
        self,
        codes: Sequence[int],
        numbers: Sequence[int],
        *,
        spec: InputSpec,
        head_size: int,
        settings: TwoTowerSettings,
    ) -> None:
        super().__init__()
        self.head_size = head_size
        self.register_buffer("codes", torch.tensor(codes, dtype=torch.int64), persistent=False)
        self.register_buffer("numbers", torch.tensor(numbers, dtype=torch.int64), persistent=False)
        own = InputSpec(
            num_numbers=len(numbers),
            cardinalities=tuple(spec.cardinalities[place] for place in codes),
        )
        categories: nn.Module | None = None
        if codes:
            categories = CategoryEmbedding(own.cardinalities, size=settings.embedding_size)
        self.flatten = FlatInput(own, categories=categories)
        self.dropout = nn.Dropout(settings.embedding_dropout)
        self.body = MLP(
            self.flatten.out_features,
            out_features=head_size * settings.vector_size,
            hidden_sizes=settings.hidden_sizes,
            activation=settings.activation,
            dropout=settings.dropout,
        )
        self.bias = WeightedSum(own, head_size=head_size)

    def forward(self, *blocks: Tensor) -> tuple[Tensor, Tensor]:
        """Return vectors and biases."""
        own: list[Tensor] = []
        if len(self.numbers):
            own.append(blocks[0][:, self.numbers])
        if len(self.codes):
            own.append(blocks[-1][:, self.codes])
        entrance = self.dropout(self.flatten(*own))
        vectors = self.body(entrance).unflatten(1, (self.head_size, -1))
        return vectors, self.bias(*own)


class TwoTower(nn.Module):
    """The scalar product of a user's and an item's vector, and their biases.

    Args:
        spec: Numbers, categories or both.
        head_size: Outputs a row.
        settings: Which columns are the user's, sizes and dropout.

    Shape:
        one tensor a block → (batch, head_size).

    Raises:
        ConfigError: A place that does not exist, or a name instead of a place.
        ModelError: A side has no column.

    Reference:
        Yi et al.: Sampling-Bias-Corrected Neural Modeling (2019).

    Example:
        >>> network = TwoTower(InputSpec(cardinalities=(4, 6)), head_size=1)
        >>> pairs = torch.tensor([[1, 5], [3, 2]])
        >>> vectors, _ = network.user(pairs)
        >>> network(pairs).shape, vectors.shape
        (torch.Size([2, 1]), torch.Size([2, 1, 32]))
    """

    def __init__(
        self, spec: InputSpec, *, head_size: int, settings: TwoTowerSettings | None = None
    ) -> None:
        super().__init__()
        settings = settings or TwoTowerSettings()
        num_codes = len(spec.cardinalities)
        codes = _checked("user_columns", settings.user_columns, num_codes, "category columns")
        numbers = _checked("user_numbers", settings.user_numbers, spec.num_numbers, "numbers")
        item_codes = [place for place in range(num_codes) if place not in codes]
        item_numbers = [place for place in range(spec.num_numbers) if place not in numbers]
        if not (codes or numbers) or not (item_codes or item_numbers):
            side = "item" if codes or numbers else "user"
            raise ModelError(
                f"two_tower has no column for the {side}: user_columns names the columns of the "
                "user, and all others describe the item."
            )
        self.user = Tower(codes, numbers, spec=spec, head_size=head_size, settings=settings)
        self.item = Tower(
            item_codes, item_numbers, spec=spec, head_size=head_size, settings=settings
        )

    def forward(self, *blocks: Tensor) -> Tensor:
        """Return how well user and item of each row fit."""
        users, user_bias = self.user(*blocks)
        items, item_bias = self.item(*blocks)
        return (users * items).sum(dim=2) + user_bias + item_bias

    def scores(self, users: tuple[Tensor, ...], items: tuple[Tensor, ...]) -> Tensor:
        """Return the outputs for all pairs of some users and some items.

        Args:
            users: Rows with the users, one tensor a block; their item columns are not looked at.
            items: Rows with the items; their user columns are not looked at.

        Shape:
            U and I rows → (U, I, head_size).
        """
        user_vectors, user_bias = self.user(*users)
        item_vectors, item_bias = self.item(*items)
        products = torch.einsum("uhk,ihk->uih", user_vectors, item_vectors)
        return products + user_bias.unsqueeze(1) + item_bias.unsqueeze(0)


def _checked(name: str, given: Sequence[int | str], count: int, what: str) -> list[int]:
    """Return places of columns that exist, each once."""
    for place in given:
        if isinstance(place, str):
            raise ConfigError(
                f'{name} names "{place}", but only a training on a table knows names: '
                "give places from 0 on."
            )
        if not 0 <= place < count:
            hint = ""
            if name == "user_columns" and count == 0:
                hint = " Ids that are numbers become categories by --kind COLUMN=category."
            raise ConfigError(f"{name} has {place}, but there are {count} {what}.{hint}")
    return sorted({int(place) for place in given})


def placed(
    settings: TwoTowerSettings,
    codes: Mapping[str, int],
    features: Mapping[str, Sequence[int]],
) -> TwoTowerSettings:
    """Replace names of columns by places.

    Args:
        settings: With names, places or both.
        codes: Category column → place.
        features: Any other column → places of its numbers.

    Raises:
        ConfigError: There is no such column.

    Example:
        >>> settings = TwoTowerSettings(user_columns=("reader", "age"))
        >>> placed(settings, {"book": 0, "reader": 1}, {"age": [0]}).user_numbers
        (0,)
    """
    user_codes: list[int | str] = []
    user_numbers = list(settings.user_numbers)
    for column in settings.user_columns:
        if isinstance(column, int):
            user_codes.append(column)
        elif column in codes:
            user_codes.append(codes[column])
        elif column in features:
            user_numbers.extend(features[column])
        else:
            names = [*codes, *features]
            raise ConfigError(
                f'user_columns names "{column}", which is no input column.'
                f"{did_you_mean(column, names)} Known: {listing(names)}."
            )
    places = {"user_columns": tuple(user_codes), "user_numbers": tuple(user_numbers)}
    return settings.model_copy(update=places)


def build(spec: InputSpec, head_size: int, settings: TwoTowerSettings) -> nn.Module:
    """Make the network for a table."""
    return TwoTower(spec, head_size=head_size, settings=settings)
