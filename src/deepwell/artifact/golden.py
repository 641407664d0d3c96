"""Golden rows: a few raw rows and what the network must answer for them.

They are stored as the training table had them, before any encoding, so that on loading the whole
way is proved: reading back, encoding, network. Where an answer differs by more than the
tolerance, the model is not the one that was saved, and loading stops.

The tolerance is for float32 on another machine: processors add up in another order, which moves
an answer by some 1e-6 of the largest one. A wrong scaling, a swapped column or a lost weight
moves it by far more than 1e-4.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.table import Column, Table

RELATIVE = 1e-4
ABSOLUTE = 1e-5

_PLAIN = {
    str(kind): kind
    for kind in (
        *(pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32, pl.UInt64),
        *(pl.Boolean, pl.String, pl.Null),
    )
}
_FLOATS = {str(kind): kind for kind in (pl.Float32, pl.Float64)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Golden:
    """A few raw rows with their expected outputs.

    Args:
        rows: The input columns, as the training table had them.
        outputs: What the network returned, float32 (rows, head_size).
        relative: Allowed difference as a share of the largest absolute output.
        absolute: Allowed difference beside that.
    """

    rows: Table
    outputs: NDArray[np.float32]
    relative: float = RELATIVE
    absolute: float = ABSOLUTE

    def difference(self, outputs: NDArray[np.float32]) -> str | None:
        """Say in words how outputs differ from the expected ones, or None if they agree.

        Example:
            >>> rows = Table({"rooms": pl.Series([3])})
            >>> golden = Golden(rows=rows, outputs=np.ones((1, 1), np.float32))
            >>> golden.difference(np.full((1, 1), 1.00001, np.float32))
            >>> golden.difference(np.full((1, 1), 2, np.float32))
            'row 1 gives 2 instead of 1 (output 1; allowed difference 0.00011)'
        """
        if outputs.shape != self.outputs.shape:
            return f"the outputs have shape {outputs.shape} instead of {self.outputs.shape}"
        if not outputs.size:
            return None
        allowed = self.absolute + self.relative * float(np.abs(self.outputs).max())
        gap = np.abs(outputs.astype(np.float64) - self.outputs)
        gap[~np.isfinite(outputs)] = np.inf
        row, column = (int(i) for i in np.unravel_index(int(gap.argmax()), gap.shape))
        if gap[row, column] <= allowed:
            return None
        return (
            f"row {row + 1} gives {outputs[row, column]:.6g} instead of "
            f"{self.outputs[row, column]:.6g} (output {column + 1}; "
            f"allowed difference {allowed:.2g})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return a plain dictionary that `from_json` reads."""
        return {
            "columns": {name: column_to_json(c) for name, c in self.rows.columns.items()},
            "outputs": [[float(value) for value in row] for row in self.outputs],
            "tolerance": {"relative": self.relative, "absolute": self.absolute},
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Golden:
        """Rebuild the rows from `to_json`."""
        columns = {name: column_from_json(c) for name, c in state["columns"].items()}
        return cls(
            rows=Table(columns),
            outputs=np.array(state["outputs"], dtype=np.float32),
            relative=float(state["tolerance"]["relative"]),
            absolute=float(state["tolerance"]["absolute"]),
        )


def pick_rows(table: Table, names: list[str], count: int = 5) -> Table:
    """Return `count` rows spread evenly over the table, with these columns, as they come back.

    Args:
        table: Training rows.
        names: The input columns.
        count: How many rows; fewer if the table is shorter.
    """
    positions = np.unique(np.linspace(0, len(table) - 1, min(count, len(table))).astype(np.int64))
    few = table.take(positions)
    # to JSON and back, so that the expected outputs are those of the rows that will be read
    return Table({name: column_from_json(column_to_json(few[name])) for name in names})


def column_to_json(column: Column) -> dict[str, Any]:
    """Write a few values of one column as plain JSON: numbers, text, ISO dates, PNG pictures.

    Example:
        >>> column_to_json(pl.Series([date(2024, 2, 29), None]))
        {'type': 'Date', 'values': ['2024-02-29', None]}
    """
    if not isinstance(column, pl.Series):
        return _pictures_to_json(column)
    dtype = column.dtype
    if isinstance(dtype, pl.Decimal):
        column, dtype = column.cast(pl.Float64), pl.Float64()
    name = str(dtype)
    if name in _PLAIN:
        return {"type": name, "values": column.to_list()}
    if name in _FLOATS:
        return {"type": name, "values": [_number_to_json(value) for value in column]}
    if isinstance(dtype, pl.Date):
        return {"type": "Date", "values": [v and v.isoformat() for v in column]}
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone:
            column = column.dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        values = [v and v.isoformat() for v in column]
        return {
            "type": "Datetime",
            "unit": dtype.time_unit,
            "zone": dtype.time_zone,
            "values": values,
        }
    if isinstance(dtype, pl.Duration | pl.Time):
        unit = dtype.time_unit if isinstance(dtype, pl.Duration) else "ns"
        return {
            "type": type(dtype).__name__,
            "unit": unit,
            "values": column.to_physical().to_list(),
        }
    return {"type": "String", "values": [None if v is None else str(v) for v in column]}


def column_from_json(state: Mapping[str, Any]) -> Column:
    """Rebuild the values of one column from `column_to_json`."""
    kind, values = str(state["type"]), cast(list[Any], state["values"])
    if kind == "Picture":
        return _pictures_from_json(state)
    if kind in _PLAIN:
        return pl.Series(values, dtype=_PLAIN[kind])
    if kind in _FLOATS:
        numbers = [None if value is None else float(value) for value in values]
        return pl.Series(numbers, dtype=_FLOATS[kind])
    if kind == "Date":
        days = [None if value is None else date.fromisoformat(value) for value in values]
        return pl.Series(days, dtype=pl.Date)
    if kind in ("Duration", "Time"):  # a number of steps of their unit
        dtype = pl.Time() if kind == "Time" else pl.Duration(state["unit"])
        return pl.Series(values, dtype=pl.Int64).cast(dtype)
    if kind != "Datetime":
        raise ValueError(f'unknown type of column "{kind}"')
    moments = [None if value is None else datetime.fromisoformat(value) for value in values]
    column = pl.Series(moments, dtype=pl.Datetime(state["unit"]))
    zone = state["zone"]
    return column.dt.replace_time_zone("UTC").dt.convert_time_zone(zone) if zone else column


def _number_to_json(value: float | None) -> float | str | None:
    """JSON has neither NaN nor infinity: they are written as text, which `float` reads."""
    return value if value is None or math.isfinite(value) else str(value)


def _pictures_to_json(pictures: NDArray[Any]) -> dict[str, Any]:
    from PIL import Image

    values: list[str] = []
    for picture in pictures:  # (height, width, channels)
        height, width, channels = picture.shape
        # any other number of channels than grey and colour is laid side by side as grey
        flat = picture if channels == 3 else picture.reshape(height, width * channels)
        stream = io.BytesIO()
        Image.fromarray(np.ascontiguousarray(flat)).save(stream, format="PNG")
        values.append(base64.b64encode(stream.getvalue()).decode("ascii"))
    return {"type": "Picture", "shape": list(pictures.shape[1:]), "values": values}


def _pictures_from_json(state: Mapping[str, Any]) -> NDArray[np.uint8]:
    from PIL import Image

    height, width, channels = (int(size) for size in state["shape"])
    size = (width, height) if channels == 3 else (width * channels, height)
    pictures: list[NDArray[np.uint8]] = []
    for value in state["values"]:
        with Image.open(io.BytesIO(base64.b64decode(value)), formats=["PNG"]) as picture:
            if picture.size != size:  # seen in the header, before anything is decoded
                raise ValueError(f"a picture has size {picture.size} instead of {size}")
            pixels = np.asarray(picture, dtype=np.uint8)
        pictures.append(pixels.reshape(height, width, channels))
    return np.stack(pictures) if pictures else np.empty((0, height, width, channels), np.uint8)
