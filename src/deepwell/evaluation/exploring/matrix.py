"""The rows as points: columns encoded as numbers, or what a network makes of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from deepwell.data.encoders import Encoders
from deepwell.data.schema import Schema
from deepwell.data.settings import EncodeSettings
from deepwell.data.table import Table
from deepwell.errors import DataError
from deepwell.evaluation.means import Floats

MOST_ROWS = 20_000
FEWEST_ROWS = 20


@dataclass(frozen=True)
class Matrix:
    """Points in a space whose directions are comparable.

    Args:
        values: Shape (rows, features), each feature centred; finite.
        names: Of the features.
        what: What the features are, in words.
    """

    values: Floats
    names: tuple[str, ...]
    what: str


def from_columns(table: Table, schema: Schema) -> Matrix:
    """Encode the input columns: numbers standardised, a feature a category value.

    Missing numbers become the mean with a feature that says so, as for a network.

    Args:
        table: The rows.
        schema: Which columns are inputs.

    Raises:
        DataError: There is no column that can be encoded, or all of them are constant.
    """
    pictures = [column.name for column in schema.inputs if column.kind == "image"]
    if pictures:
        raise DataError(
            f'Column "{pictures[0]}" holds pictures: pixels by themselves form no groups. Give '
            "--model RUN, a network trained on such pictures, to see how it groups them."
        )
    settings = EncodeSettings(categories="onehot", numbers="standard")
    encoders = Encoders.fit(table, schema, settings)
    values = encoders.encode(table)[0].astype(np.float64)
    columns = len(schema.inputs)
    what = f"{columns} column{'s' if columns != 1 else ''}, numbers standardised"
    return _centred(values, encoders.feature_names, what)


def from_embedding(values: NDArray[np.float32], what: str) -> Matrix:
    """Take what a network makes of the rows, each feature standardised.

    Args:
        values: Shape (rows, features).
        what: Where in the network it comes from.

    Raises:
        DataError: The features are all constant.
    """
    numbers = values.astype(np.float64)
    spread = numbers.std(axis=0)
    numbers = numbers / np.where(spread > 0, spread, 1.0)
    return _centred(numbers, [f"feature {i + 1}" for i in range(numbers.shape[1])], what)


def _centred(values: Floats, names: Sequence[str], what: str) -> Matrix:
    varies = np.ptp(values, axis=0) > 1e-12
    if not varies.any():
        raise DataError("All rows are alike in these columns: there is nothing to explore.")
    kept = values[:, varies]
    chosen = tuple(name for name, is_kept in zip(names, varies, strict=True) if is_kept)
    return Matrix(kept - kept.mean(axis=0), chosen, what)


def sample_rows(num_rows: int, seed: int, most: int = MOST_ROWS) -> NDArray[np.int64]:
    """Return the positions of the rows that are looked at, all or a sample of them.

    Raises:
        DataError: There are too few rows to form groups.
    """
    if num_rows < FEWEST_ROWS:
        raise DataError(f"Exploring needs {FEWEST_ROWS} rows or more. Got: {num_rows}.")
    if num_rows <= most:
        return np.arange(num_rows)
    return np.sort(np.random.default_rng(seed).choice(num_rows, most, replace=False))
