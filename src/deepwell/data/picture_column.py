"""A column of picture paths in a table: the pictures are decoded, the paths kept beside them."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl

from deepwell.data.pictures import SUFFIXES, read_pictures
from deepwell.data.reading import ImageShape, Reading
from deepwell.data.settings import DataSettings
from deepwell.data.table import Column, Table
from deepwell.errors import ColumnError, ImageError

_MOSTLY = 0.5
_PROBE = 1000


def attach_pictures(
    reading: Reading,
    folder: Path,
    settings: DataSettings,
    *,
    shape: ImageShape | None = None,
) -> Reading:
    """Decode the columns of a table that hold paths of pictures.

    A column of text is one if more than half of its values end like a picture file and at least
    one such file exists, below the folder of the table or the working directory; or if it is
    said to be one (``--kind photo=image``). Its name stays with the pictures; the paths move to a
    column `file` (or ``<name>_file`` if that name is taken).

    Args:
        reading: The table as it was read.
        folder: The folder of the table's file.
        settings: Kinds, ignored columns, `image_size`, `skip_broken`.
        shape: (channels, height, width) that a trained network wants.

    Returns:
        The same reading if there is no such column.

    Raises:
        ImageError: A picture is missing, broken or enormous; the rows are left out with
            `skip_broken`.
    """
    for name, column in reading.table.columns.items():
        if not isinstance(column, pl.Series) or name in settings.ignore:
            continue
        if settings.kinds.get(name) == "image":
            _refuse_values(column)
        elif name in settings.kinds or not names_pictures(column):
            continue
        elif not _any_there(column, folder):
            note = f'Column "{name}" looks like paths of pictures, but none of them was found.'
            reading = replace(reading, notes=[*reading.notes, note])
            continue
        reading = _decode(reading, name, folder, settings, shape)
    return reading


def _refuse_values(column: pl.Series) -> None:
    if column.dtype != pl.String:
        raise ColumnError(
            f'Column "{column.name}" was said to hold pictures, but it holds values of the type '
            f"{column.dtype}: paths of picture files are expected."
        )


def names_pictures(column: pl.Series) -> bool:
    """Return whether most values of a column end like the name of a picture file."""
    if column.dtype != pl.String:
        return False
    probe = column.drop_nulls().head(_PROBE)
    pattern = "|".join(suffix.removeprefix(".") for suffix in sorted(SUFFIXES))
    endings = probe.str.tail(5).str.to_lowercase().str.contains(rf"\.({pattern})$")
    return int(endings.sum()) > _MOSTLY * len(probe)


def _any_there(column: pl.Series, folder: Path) -> bool:
    paths = column.drop_nulls().head(_PROBE).unique(maintain_order=True)
    return any(_locate(path, folder).is_file() for path in paths)


def _locate(path: str, folder: Path) -> Path:
    """Return where the file is: as given, below the table's folder, or below the working folder."""
    beside = folder / Path(path).expanduser()
    return beside if beside.exists() else Path(path).expanduser()


def _decode(
    reading: Reading, name: str, folder: Path, settings: DataSettings, shape: ImageShape | None
) -> Reading:
    table = reading.table
    paths = table.series(name)
    notes = list(reading.notes)
    if paths.null_count():
        table, paths = _without_gaps(table, name, settings, notes)
    unique = paths.unique(maintain_order=True)
    files = [_locate(path, folder) for path in unique]
    pictures = read_pictures(files, settings, shape)
    place = np.full(len(files), -1, dtype=np.int64)
    place[pictures.good] = np.arange(len(pictures.good))
    order = {path: position for position, path in enumerate(unique)}
    rows = place[[order[path] for path in paths]]
    if (rows < 0).any():
        notes.append(f"Rows left out because their picture cannot be read: {(rows < 0).sum()}.")
        table = table.take(rows >= 0)
        rows = rows[rows >= 0]
    is_identity = len(rows) == len(pictures.images) and bool((np.diff(rows) == 1).all())
    images = pictures.images if is_identity else pictures.images[rows]
    digest = hashlib.sha256("\n".join([reading.digest, *pictures.digests]).encode()).hexdigest()
    notes += [f'Column "{name}" holds paths of pictures, which were decoded.', *pictures.notes]
    return Reading(_with_images(table, name, images), digest, notes=notes, target=reading.target)


def _without_gaps(
    table: Table, name: str, settings: DataSettings, notes: list[str]
) -> tuple[Table, pl.Series]:
    """Leave out rows without a path if broken pictures may be skipped; else refuse them."""
    missing = table.series(name).is_null()
    if not settings.skip_broken or missing.all():
        raise ImageError(
            f'Column "{name}" holds paths of pictures, but row {(missing.arg_max() or 0) + 1} of '
            f"the data has none ({missing.sum()} in all): add the path or remove the row, "
            "or pass --skip-broken to leave such rows out."
        )
    notes.append(f'Rows left out because "{name}" names no picture: {missing.sum()}.')
    table = table.take(~missing.to_numpy())
    return table, table.series(name)


def _with_images(table: Table, name: str, images: np.ndarray) -> Table:
    """Put the pictures in place of their paths, and the paths after them under another name."""
    kept = "file" if "file" not in table else f"{name}_file"
    while kept in table:
        kept += "_"
    columns: dict[str, Column] = {}
    for key, column in table.columns.items():
        columns[key] = images if key == name else column
        if key == name:
            columns[kept] = table.series(name).alias(kept)
    return Table(columns, ids=table.ids)
