"""Parquet, Arrow and Feather, JSON and JSON lines, Excel: read by Polars, checked by us."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import polars as pl

from deepwell.data.cells import refuse_mixed, type_cells
from deepwell.data.column_names import clean_names
from deepwell.data.content import digest, load, signature, unpack
from deepwell.data.declared import row_of, tidy
from deepwell.data.encoding import to_utf8
from deepwell.data.reading import Reading
from deepwell.data.settings import DataSettings
from deepwell.data.table import Table
from deepwell.errors import ColumnError, DeepwellError, FileFormatError

Result = TypeVar("Result")


def read_parquet(path: Path, settings: DataSettings) -> Reading:
    """Read a Parquet file.

    Raises:
        FileFormatError: Not a Parquet file, damaged, or without rows.
        ColumnError: Nested columns, infinite values.
    """
    data = load(path)
    frame = _guard(path, "Parquet", data, lambda: pl.read_parquet(io.BytesIO(data)))
    return _declared(path, frame, settings, data)


def read_arrow(path: Path, settings: DataSettings) -> Reading:
    """Read an Arrow IPC file (Feather version 2), or a stream of it.

    Raises:
        FileFormatError: Not an Arrow file, damaged, or without rows.
        ColumnError: Nested columns, infinite values.
    """
    data = load(path)
    read = pl.read_ipc if data.startswith(b"ARROW1") else pl.read_ipc_stream
    frame = _guard(path, "Arrow", data, lambda: read(io.BytesIO(data)))
    return _declared(path, frame, settings, data)


def read_json(path: Path, settings: DataSettings) -> Reading:
    """Read JSON lines (one record a line) or a JSON list of records.

    Raises:
        FileFormatError: Not JSON (the line is named), or without rows.
        ColumnError: Nested columns, numbers mixed with text.
    """
    raw = load(path)
    data, notes = to_utf8(unpack(raw, path), path)
    records = _json_records(data, path)
    keys = list(dict.fromkeys(key for record in records for key in record))
    columns = [_json_column(key, [record.get(key) for record in records]) for key in keys]
    frame = tidy(pl.DataFrame(columns), settings, path.name)
    for column in frame.iter_columns():
        values = [record.get(column.name) for record in records]
        if column.dtype == pl.String and len({type(v) for v in values if v is not None}) > 1:
            refuse_mixed(column, settings, row_of(path.name))
    return Reading(Table.from_frame(frame), digest(raw), notes=notes)


def _json_records(data: bytes, path: Path) -> list[dict[str, Any]]:
    text = data.decode()
    if text.lstrip().startswith("["):
        records = _json_value(text, path, line=None)
    else:
        lines = enumerate(text.split("\n"), start=1)
        records = [_json_value(line, path, number) for number, line in lines if line.strip()]
    if not records:
        raise FileFormatError(f'"{path}" holds no records: there is nothing to learn from.')
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise FileFormatError(
                f'"{path}": record {number} is not an object in braces: '
                'each record must look like {"rooms": 3, "price": 120}.'
            )
    return records


def _json_value(text: str, path: Path, line: int | None) -> Any:
    try:
        return json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        number = line or (error.lineno if isinstance(error, json.JSONDecodeError) else 1)
        reason = error.msg if isinstance(error, json.JSONDecodeError) else "nested too deeply"
        raise FileFormatError(
            f'"{path}": line {number} is not JSON ({reason.lower()}): '
            "one object in braces on each line is expected."
        ) from None


def _json_column(name: str, values: list[Any]) -> pl.Series:
    """Make a column; values of several types become text, so that the odd one can be named."""
    present = {type(value) for value in values if value is not None}
    if present <= {int, float}:
        small = all(abs(value) < 2**63 for value in values if isinstance(value, int))
        dtype = pl.Int64 if present == {int} and small else pl.Float64
        return pl.Series(name, values, dtype=dtype, strict=False)
    if len(present) > 1 and not present & {list, dict}:
        values = [None if v is None else str(v) for v in values]
    elif present & {list, dict}:
        values = [None if v is None else [json.dumps(v)] for v in values]
    return pl.Series(name, values)


def read_excel(path: Path, settings: DataSettings) -> Reading:
    """Read the first sheet of an Excel or OpenDocument workbook, header in its first row.

    Raises:
        FileFormatError: Not a workbook, damaged, empty or without rows.
        ColumnError: Doubled names, numbers mixed with text, infinite values.
    """
    data = load(path)
    names, frame, notes = _guard(path, "an Excel workbook", data, lambda: _first_sheet(data, path))
    frame.columns = clean_names(names, path.name)
    frame = frame.filter(~pl.all_horizontal(pl.all().is_null()))
    frame = tidy(frame, settings, path.name)
    frame = type_cells(frame, settings, row_of(path.name))
    frame = frame.with_columns([_whole(c) for c in frame.iter_columns() if c.dtype == pl.Float64])
    return Reading(Table.from_frame(frame), digest(data), notes=notes)


def _whole(column: pl.Series) -> pl.Series:
    """Return integers if the numbers are whole: a workbook stores 3 as 3.0."""
    whole = column.cast(pl.Int64, strict=False)
    return whole if (whole == column).all() and column.count() else column


def _first_sheet(data: bytes, path: Path) -> tuple[list[str], pl.DataFrame, list[str]]:
    import fastexcel

    book = fastexcel.read_excel(data)
    first = book.sheet_names[0]
    header = book.load_sheet(0, header_row=None, n_rows=1, dtypes="string").to_polars()
    if header.height == 0:
        raise FileFormatError(f'The first sheet ("{first}") of "{path}" is empty.')
    sheet = book.load_sheet(0, header_row=None, skip_rows=1, schema_sample_rows=None)
    names = ["" if cell is None else str(cell) for cell in header.row(0)]
    frame = sheet.to_polars()
    if frame.width == 0:
        frame = pl.DataFrame(schema={f"column_{i}": pl.String for i in range(len(names))})
    notes: list[str] = []
    if len(book.sheet_names) > 1:
        others = len(book.sheet_names) - 1
        notes.append(f'Only the first sheet ("{first}") was read; {others} more were left out.')
    return names, frame, notes


def _declared(path: Path, frame: pl.DataFrame, settings: DataSettings, data: bytes) -> Reading:
    return Reading(Table.from_frame(tidy(frame, settings, path.name)), digest(data))


def _guard(path: Path, what: str, data: bytes, read: Callable[[], Result]) -> Result:
    """Run a reader of another library; whatever it raises becomes one sentence."""
    try:
        return read()
    except DeepwellError:
        raise
    except pl.exceptions.DuplicateError as error:
        raise ColumnError(
            f"{path.name} has several columns of the same name: give each its own name."
        ) from error
    except Exception as error:
        known = signature(data)
        is_other = known is not None and what.split()[-1] not in known
        found = f"it is {known}" if is_other else "it is damaged or cut short"
        raise FileFormatError(
            f'"{path}" cannot be read as {what}: {found}; copy or save it again.'
        ) from error
