"""The two ends of a prediction: data of any shape come in, the same with answers goes out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl

from deepwell.data.read import read_table
from deepwell.data.reading import ImageShape
from deepwell.data.schema import KindName, Schema
from deepwell.data.settings import DataSettings
from deepwell.data.table import Column, Table


def read_inputs(data: Any, schema: Schema, image_shape: ImageShape | None) -> tuple[Table, Any]:
    """Read data as the training data were read.

    Args:
        data: A path, a frame, a dictionary of columns or of one row, a list of records, an array,
            a Table.
        schema: Which columns are inputs, and of which kinds.
        image_shape: (channels, height, width) of the training pictures, or None.

    Returns:
        The table for the encoders, and the frame beside which the answers are put: what was
        given, if it was a frame, else the scalar columns of the table.

    Raises:
        DataError: The data cannot be read.
    """
    if isinstance(data, Table):
        return data, data.frame()
    if isinstance(data, pl.LazyFrame):
        data = data.collect()
    inputs: dict[str, KindName] = {column.name: column.kind for column in schema.inputs}
    others = [column.name for column in schema.columns if column.name not in inputs]
    others += [name for name in column_names(data) if name not in inputs]
    settings = DataSettings(kinds=inputs, ignore=tuple(dict.fromkeys(others)))
    table = read_table(data, settings, image_size=image_shape)
    is_frame = isinstance(data, pl.DataFrame) or is_pandas(data)
    frame = data if is_frame else _given_names(table, data).frame()
    return _with_pictures_named(table, schema), frame


def column_names(data: Any) -> list[str]:
    """Return the column names of an object that has some, stripped as reading strips them."""
    if isinstance(data, pl.DataFrame) or is_pandas(data):
        return [str(name).strip() for name in data.columns]
    if isinstance(data, Mapping):
        return [str(name).strip() for name in cast(Mapping[Any, Any], data)]
    if isinstance(data, list):
        records = [r for r in cast(list[Any], data) if isinstance(r, Mapping)]
        return [str(name).strip() for record in records for name in record]
    return []


def is_pandas(data: object) -> bool:
    """Say whether data is a pandas frame, without importing pandas."""
    kind = type(data)
    return kind.__module__.partition(".")[0] == "pandas" and kind.__name__ == "DataFrame"


def _given_names(table: Table, data: Any) -> Table:
    """Give the paths of pictures their name back, which the decoded pictures have taken."""
    if not isinstance(data, (str, Path)) or not Path(data).is_file():
        return table
    columns: dict[str, Column] = {}
    pictures = ""
    for name, column in table.columns.items():
        is_kept = pictures and name.rstrip("_") in ("file", f"{pictures}_file")
        columns[pictures if is_kept else name] = column
        pictures = name if isinstance(column, np.ndarray) else ""
    return Table(columns, ids=table.ids)


def _with_pictures_named(table: Table, schema: Schema) -> Table:
    """Name the only column of pictures as in training: a folder of pictures has no such name."""
    wanted = [c.name for c in schema.inputs if c.kind == "image" and c.name not in table]
    found = [name for name, column in table.columns.items() if isinstance(column, np.ndarray)]
    if len(wanted) != 1 or len(found) != 1:
        return table
    columns = {wanted[0] if n == found[0] else n: c for n, c in table.columns.items()}
    return Table(columns, ids=table.ids)


def attach(frame: Any, answers: Mapping[str, pl.Series]) -> Any:
    """Return the frame with the answers as further columns.

    Example:
        >>> attach(pl.DataFrame({"rooms": [3]}), {"prediction": pl.Series([9.5])}).columns
        ['rooms', 'prediction']
    """
    if is_pandas(frame):
        return frame.assign(**{name: series.to_numpy() for name, series in answers.items()})
    columns = [series.alias(name) for name, series in answers.items()]
    polars = cast(pl.DataFrame, frame)
    return polars.with_columns(columns) if polars.width else pl.DataFrame(columns)
