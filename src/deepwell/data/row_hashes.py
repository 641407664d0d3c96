"""One number a row, the same wherever the same inputs are read from."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.conform import parsed_columns
from deepwell.data.kinds.category import as_text
from deepwell.data.schema import Schema
from deepwell.data.table import Column, Table

Hashes = NDArray[np.uint64]
_GAP = np.uint64(0x9E3779B97F4A7C15)


def hash_rows(table: Table, schema: Schema) -> Hashes:
    """Return a 64-bit hash of the inputs of each row, shape (rows,).

    Values are hashed as their kind reads them, so 3 and 3.0 are the same, in whatever format the
    file is. It does not depend on the machine or on the versions of libraries.

    Args:
        table: Rows with all input columns.
        schema: Says which columns are inputs, and of which kind.

    Raises:
        ColumnError: Columns are missing, or a value does not fit its kind.

    Example:
        >>> from deepwell.data.infer import infer_schema
        >>> table = Table({"a": pl.Series([1, 2, 1]), "y": pl.Series([0.5, 0.6, 0.7])})
        >>> hashes = hash_rows(table, infer_schema(table, targets=["y"]))
        >>> bool(hashes[0] == hashes[2]), bool(hashes[0] == hashes[1])
        (True, False)
    """
    inputs = schema.inputs
    result = np.zeros(len(table), dtype=np.uint64)
    for spec, column in zip(inputs, parsed_columns(table, inputs), strict=True):
        if spec.kind == "category" and isinstance(column, pl.Series):
            column = as_text(spec.name, column)
        name = np.uint64(_of_bytes(spec.name.encode()))
        result = _mix(result * np.uint64(31) + _mix(_values(column) ^ name))
    return result


def _values(column: Column) -> Hashes:
    if not isinstance(column, pl.Series):
        return np.array([_of_bytes(row.tobytes()) for row in column], dtype=np.uint64)
    if column.dtype.is_temporal():
        column = column.cast(pl.Datetime("us")).to_physical()
    if column.dtype.is_numeric():
        # adding 0.0 makes -0.0 the same as 0.0
        numbers = column.cast(pl.Float64).fill_null(float("nan")).to_numpy() + 0.0
        bits = numbers.view(np.uint64)
        return np.where(np.isnan(numbers), _GAP, bits)
    texts = column.cast(pl.String)
    unique = texts.unique()
    hashes = [int(_GAP) if text is None else _of_bytes(text.encode()) for text in unique]
    coded = texts.replace_strict(unique, pl.Series(hashes, dtype=pl.UInt64))
    return coded.to_numpy()


def _of_bytes(content: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest(), "little")


def _mix(values: Hashes) -> Hashes:
    """Spread each bit over all others (the finaliser of SplitMix64); overflow is meant."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
