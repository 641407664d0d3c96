"""Objects of Python: frames of Polars and pandas, dicts of columns, arrays, tensors, (X, y)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import polars as pl

from deepwell.data.arrays import array_columns, image_array, object_series, value_series
from deepwell.data.cells import refuse_mixed
from deepwell.data.column_names import clean_names
from deepwell.data.declared import row_of, tidy
from deepwell.data.reading import Reading
from deepwell.data.settings import DataSettings
from deepwell.data.table import Column, Table
from deepwell.errors import ColumnError, DataError, FileFormatError, listing

_EXPECTED = (
    "the path of a file or folder, a Polars or pandas frame, a dict of columns, a NumPy array, "
    "a tensor, or a pair (X, y)"
)


def read_object(data: object, settings: DataSettings) -> Reading:
    """Read an object of Python.

    Args:
        data: A Polars frame (also lazy), a pandas frame, a dict of columns, a list of records, an
            array or tensor, a pair (X, y), or a Table.
        settings: Kinds and ignored columns, whose values are not checked.

    Raises:
        DataError: Another type of object.
        FileFormatError: No columns or no rows.
        ColumnError: Doubled names, unequal lengths, nested or infinite values, numbers mixed
            with text.

    Example:
        >>> reading = read_object(([[1.0, 2.0], [3.0, 4.0]], ["a", "b"]), DataSettings())
        >>> reading.table.names, reading.target
        (['x0', 'x1', 'target'], ('target',))
    """
    target: tuple[str, ...] | None = None
    if isinstance(data, tuple):
        columns, notes, target = _pair(cast(tuple[object, ...], data))
    else:
        columns, notes = _columns(data)
    ids = data.ids if isinstance(data, Table) else None
    table = _checked(columns, settings, ids)
    return Reading(table, table_digest(table), target=target, notes=notes)


def table_digest(table: Table) -> str:
    """Return the SHA-256 over names, types and values, the same for the same content.

    Example:
        >>> one = table_digest(Table({"a": pl.Series([1, 2])}))
        >>> one == table_digest(Table({"a": pl.Series([1, 2])}))
        True
    """
    digest = hashlib.sha256()
    for name, column in table.columns.items():
        if isinstance(column, np.ndarray):
            digest.update(f"{name}\x1f{column.dtype}\x1f{column.shape}\x1e".encode())
            digest.update(np.ascontiguousarray(column).data)
            continue
        digest.update(f"{name}\x1f{column.dtype}\x1f{len(column)}\x1e".encode())
        digest.update(np.packbits(column.is_null().to_numpy()).tobytes())
        if column.dtype == pl.String:
            digest.update(column.str.len_bytes().fill_null(0).to_numpy().tobytes())
            digest.update("".join(column.drop_nulls().to_list()).encode())
        else:
            values = column.to_physical().fill_null(0 if column.dtype != pl.Boolean else False)
            digest.update(np.ascontiguousarray(values.to_numpy()).data)
    return digest.hexdigest()


def _checked(columns: dict[str, Column], settings: DataSettings, ids: Any) -> Table:
    """Check lengths, names and values; pictures pass, for `image_array` has checked them."""
    names = clean_names(columns, "The data")
    lengths = {name: len(column) for name, column in zip(names, columns.values(), strict=True)}
    if len(set(lengths.values())) > 1:
        shown = listing(f"{name} {length}" for name, length in lengths.items())
        raise ColumnError(f"All columns must have the same number of rows; they have: {shown}.")
    if not lengths or not next(iter(lengths.values())):
        what = "rows" if lengths else "columns"
        raise FileFormatError(f"The data have no {what}: there is nothing to learn from.")
    result: dict[str, Column] = {}
    for name, column in zip(names, columns.values(), strict=True):
        if isinstance(column, pl.Series):
            column = tidy(column.alias(name).to_frame(), settings, "the data").to_series()
            if column.dtype == pl.String:
                refuse_mixed(column, settings, row_of("the data"))
        result[name] = column
    return Table(result, ids=ids)


def _columns(data: object) -> tuple[dict[str, Column], list[str]]:
    """Return the columns of one object, and notes."""
    if isinstance(data, Table):
        dense = {n: image_array(c)[0] for n, c in data.columns.items() if isinstance(c, np.ndarray)}
        return {**data.columns, **dense}, []
    if isinstance(data, pl.LazyFrame):
        data = _collect(data)
    if isinstance(data, pl.DataFrame):
        return {column.name: column for column in data.iter_columns()}, []
    if isinstance(data, pl.Series):
        return {data.name or "x0": data}, []
    if _is_pandas(data, "DataFrame"):
        return _from_pandas(data), []
    if _is_pandas(data, "Series"):
        series = cast(Any, data)
        return _from_pandas(series.to_frame(series.name if series.name is not None else "x0")), []
    if isinstance(data, Mapping):
        return _from_mapping(cast(Mapping[Any, Any], data))
    return _from_array(data)


def _collect(frame: pl.LazyFrame) -> pl.DataFrame:
    try:
        return frame.collect()
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = (str(error).splitlines() or [""])[0].rstrip(".")
        raise DataError(f"The lazy frame cannot be collected: {reason}.") from error


def _is_pandas(data: object, name: str) -> bool:
    kinds = type(data).__mro__
    return any(k.__name__ == name and k.__module__.startswith("pandas") for k in kinds)


def _from_pandas(data: object) -> dict[str, Column]:
    frame = cast(Any, data)
    names = [str(name) for name in frame.columns]
    names = clean_names(names, "The frame")
    series = (frame.iloc[:, position] for position in range(len(names)))
    return {name: _pandas_series(name, s) for name, s in zip(names, series, strict=True)}


def _pandas_series(name: str, series: Any) -> pl.Series:
    """Make a column of a pandas series without pyarrow, by way of NumPy or value by value."""
    dtype = series.dtype
    if isinstance(dtype, np.dtype) and dtype.kind in "biufmM":
        return value_series(name, series.to_numpy())
    if getattr(dtype, "tz", None) is not None:
        return value_series(name, series.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy())
    if getattr(dtype, "kind", "O") == "f":
        return value_series(name, series.to_numpy(dtype=np.float64, na_value=np.nan))
    return object_series(name, series.astype(object).tolist())


def _from_mapping(data: Mapping[Any, Any]) -> tuple[dict[str, Column], list[str]]:
    """Read a dict of columns; a dict of single values is one row."""
    if data and not any(
        hasattr(value, "__len__") and not isinstance(value, (str, bytes)) for value in data.values()
    ):
        data = {name: [value] for name, value in data.items()}
    columns: dict[str, Column] = {}
    notes: list[str] = []
    for key, value in data.items():
        more, said = _named(str(key), value)
        if more.keys() & columns.keys():
            raise ColumnError(
                f'The data have several columns named "{key}": give each its own name.'
            )
        columns.update(more)
        notes += said
    return columns, notes


def _named(name: str, value: Any) -> tuple[dict[str, Column], list[str]]:
    """Return the column or columns that one entry of a dict stands for."""
    if isinstance(value, pl.Series):
        return {name: value.alias(name)}, []
    if _is_pandas(value, "Series"):
        return {name: _pandas_series(name, value)}, []
    if isinstance(value, (str, bytes)) or not hasattr(value, "__len__"):
        raise ColumnError(
            f'Column "{name}" is a single value ({value!r:.40}) beside columns of several rows: '
            "give one value for each row."
        )
    if isinstance(value, (list, tuple, range)) and not _is_grid(value):
        return {name: object_series(name, list(cast("list[Any]", value)))}, []
    array, first = _as_array(value)
    if array.ndim == 1:
        return {name: value_series(name, array)}, []
    if array.ndim in (3, 4):
        images, notes = image_array(array, channels_first=first)
        return {name: images}, notes
    return array_columns(array, prefix=f"{name}_", channels_first=first)


def _is_grid(values: Any) -> bool:
    """Return whether a list holds arrays or tensors, which are stacked, not plain values."""
    return len(values) > 0 and all(hasattr(value, "ndim") and value.ndim for value in values)


def _from_array(data: object) -> tuple[dict[str, Column], list[str]]:
    if isinstance(data, list):
        rows = cast("list[Any]", data)
        if rows and all(isinstance(row, Mapping) for row in rows):
            names = dict.fromkeys(key for row in rows for key in row)
            return _from_mapping({name: [row.get(name) for row in rows] for name in names})
    array, first = _as_array(data)
    return array_columns(array, channels_first=first)


def _as_array(data: object) -> tuple[np.ndarray[Any, Any], bool]:
    """Return an array and whether pictures in it have their channels first (tensors of torch)."""
    thing = cast(Any, data)
    if all(hasattr(thing, name) for name in ("detach", "cpu", "numpy")):
        tensor = thing.detach().cpu()
        narrow = str(tensor.dtype) in ("torch.bfloat16", "torch.float16")
        return np.asarray((tensor.float() if narrow else tensor).numpy()), True
    if isinstance(data, np.ndarray) or hasattr(data, "__array__"):
        return np.asarray(thing), False
    if isinstance(data, (list, tuple)):
        return _stacked(cast("list[Any]", data))
    raise DataError(
        f"Data of the type {type(data).__name__} cannot be read: {_EXPECTED} is expected."
    )


def _stacked(values: list[Any]) -> tuple[np.ndarray[Any, Any], bool]:
    """Return nested lists, or a list of arrays or tensors, as one array."""
    first = False
    if _is_grid(values):
        parts = [_as_array(value) for value in values]
        first = parts[0][1]
        values = [part for part, _ in parts]
    try:
        array = np.asarray(values)
        if array.dtype.kind == "U" and not all(isinstance(v, str) for v in values):
            array = np.asarray(values, dtype=object)  # numbers beside text keep their types
    except ValueError:
        raise DataError(
            "The rows of the list differ in length: each row needs the same columns."
        ) from None
    return array, first


def _pair(data: tuple[object, ...]) -> tuple[dict[str, Column], list[str], tuple[str, ...]]:
    """Read (X, y): the columns of X, and `target` (or `target_0`, `target_1`, …) from y."""
    if len(data) != 2:
        raise DataError(
            f"A tuple of {len(data)} objects cannot be read: a pair (X, y) is expected."
        )
    columns, notes = _columns(data[0])
    answers, _ = _columns(data[1])
    if any(isinstance(column, np.ndarray) for column in answers.values()):
        raise DataError("y must have one value for each row (or one column for each target).")
    several = len(answers) > 1
    targets = {f"target_{i}" if several else "target": c for i, c in enumerate(answers.values())}
    taken = targets.keys() & columns.keys()
    if taken:
        raise ColumnError(
            f"X already has a column named {listing(sorted(taken))}: rename it, or give one frame "
            "and the name of its target."
        )
    rows, values = (len(next(iter(part.values()), ())) for part in (columns, answers))
    if rows != values:
        raise ColumnError(f"X has {rows} rows and y has {values}: they must belong together.")
    named = {name: cast(pl.Series, column).alias(name) for name, column in targets.items()}
    return {**columns, **named}, notes, tuple(targets)
