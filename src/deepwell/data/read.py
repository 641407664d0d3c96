"""Reading data: one door for every format, one table behind it."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl

from deepwell.data.columnar import read_arrow, read_excel, read_json, read_parquet
from deepwell.data.content import digest, endings, existing
from deepwell.data.delimited import read_delimited
from deepwell.data.frames import read_object
from deepwell.data.given_test import match_columns
from deepwell.data.idx import idx_files, is_idx, read_idx, read_idx_folder
from deepwell.data.images import read_images, read_unlabelled
from deepwell.data.npz import read_npz
from deepwell.data.picture_column import attach_pictures
from deepwell.data.pictures import SUFFIXES, resize_array
from deepwell.data.reading import ImageShape, Reading
from deepwell.data.settings import DataSettings
from deepwell.data.table import Table
from deepwell.errors import FileFormatError

_Reader = Callable[[Path, DataSettings], Reading]
_TEXT = (".csv", ".tsv", ".tab", ".txt", ".psv", ".dat", ".data")
_READERS: dict[str, _Reader] = {
    **dict.fromkeys(_TEXT, read_delimited),
    **dict.fromkeys((".parquet", ".pq"), read_parquet),
    **dict.fromkeys((".arrow", ".feather", ".ipc"), read_arrow),
    **dict.fromkeys((".jsonl", ".ndjson", ".json"), read_json),
    **dict.fromkeys((".xlsx", ".xls", ".xlsm", ".xlsb", ".ods"), read_excel),
    **dict.fromkeys((".npz", ".npy"), read_npz),
}
_PACKABLE = (*_TEXT, ".jsonl", ".ndjson", ".json")
_READABLE = (
    "CSV, TSV and other delimited text (.csv .tsv .txt, also .gz and .zst), Parquet (.parquet), "
    "Arrow (.arrow .feather), JSON lines (.jsonl .json), Excel (.xlsx .xls .ods), NumPy (.npz "
    ".npy), IDX (…-images-idx3-ubyte), and a folder of pictures with one subfolder a class"
)
_DEFAULT = DataSettings()


@dataclass(frozen=True, slots=True)
class Source:
    """Data as they were read, before anything is decided about them.

    Args:
        table: All columns, the target included; without the test part.
        test: The test part, if the data or the settings name one.
        name: Short name for a run folder, from the file name.
        path: Where the data came from; None for objects of Python.
        target: The target columns, where the format knows them (a folder of images: ``label``).
        digest: SHA-256 over the content, hexadecimal.
        notes: What a person should know, in words.
    """

    table: Table
    test: Table | None
    name: str
    path: Path | None
    target: tuple[str, ...] | None
    digest: str
    notes: tuple[str, ...] = ()


def read(data: object, settings: DataSettings = _DEFAULT, *, target: Sequence[str] = ()) -> Source:
    """Read data to learn from.

    Args:
        data: The path of a file or folder; a Polars or pandas frame; a dict of columns; an array
            or tensor; a pair (X, y); a Table.
        settings: How to read, and a test file.
        target: Target columns that the user named; they are never taken for pictures.

    Raises:
        FileFormatError: A file is missing, empty, damaged or of an unknown format.
        ColumnError: Doubled names, infinite values, numbers mixed with text.
        ImageError: A picture is broken, empty or enormous.

    Example:
        >>> source = read({"rooms": [3, 4], "price": [120.0, 180.0]})
        >>> source.table.names, source.name, len(source.digest)
        (['rooms', 'price'], 'data', 64)
    """
    path = existing(data) if isinstance(data, (str, Path)) else None
    reading = _read_one(data, settings, target)
    if settings.image_size is not None:
        reading = _resized(reading, settings.image_size)
    if settings.test is not None:
        reading = _with_test(reading, settings, target)
    return Source(
        table=reading.table,
        test=reading.test,
        name=short_name(path),
        path=path,
        target=reading.target,
        digest=reading.digest,
        notes=tuple(dict.fromkeys(reading.notes)),
    )


def read_table(
    data: object,
    settings: DataSettings = _DEFAULT,
    *,
    image_size: ImageShape | None = None,
) -> Table:
    """Read one table to predict for or to evaluate on.

    The target may be missing, and pictures need no class folders; of data with a train and a test
    part the test part is read.

    Args:
        data: As for `read`; also a single picture file.
        settings: How to read.
        image_size: (channels, height, width) that the network wants; pictures are brought to it.

    Raises:
        FileFormatError: A file is missing, empty, damaged or of an unknown format.
        ColumnError: Doubled names, infinite values, numbers mixed with text.
        ImageError: A picture is broken, empty or enormous.

    Example:
        >>> read_table([{"rooms": 3}, {"rooms": 5}]).series("rooms").to_list()
        [3, 5]
    """
    if isinstance(data, (str, Path)):
        path = existing(data)
        is_picture = path.is_file() and path.suffix.lower() in SUFFIXES
        if is_picture or (path.is_dir() and not idx_files(path)):
            return read_unlabelled(path, settings, image_size)
    reading = _read_one(data, settings, (), shape=image_size)
    table = reading.table if reading.test is None else reading.test
    return table if image_size is None else _reshaped(table, image_size)


def _read_one(
    data: object,
    settings: DataSettings,
    target: Sequence[str],
    *,
    shape: ImageShape | None = None,
) -> Reading:
    """Read a file, folder or object, and decode its columns of picture paths."""
    guarded = settings
    if target:
        kinds = {name: settings.kinds.get(name, "category") for name in target}
        guarded = settings.model_copy(update={"kinds": {**settings.kinds, **kinds}})
    if not isinstance(data, (str, Path)):
        return attach_pictures(read_object(data, settings), Path(), guarded, shape=shape)
    path = existing(data)
    if path.is_dir():
        return read_idx_folder(path) if idx_files(path) else read_images(path, settings, shape)
    if is_idx(path):
        return read_idx(path)
    reading = _reader(path)(path, settings)
    return attach_pictures(reading, path.parent, guarded, shape=shape)


def _reader(path: Path) -> _Reader:
    ending, packer = endings(path)
    if ending in SUFFIXES:
        raise FileFormatError(
            f'"{path}" is a single picture: give the folder with one subfolder a class, or a table '
            "with a column of picture paths."
        )
    if ending not in _READERS or (packer and ending not in _PACKABLE):
        said = f'The ending "{ending}{packer}"' if ending or packer else "A name without ending"
        raise FileFormatError(
            f'{said} of "{path}" tells no known format. Read can be: {_READABLE}.'
        )
    return _READERS[ending]


def _with_test(reading: Reading, settings: DataSettings, target: Sequence[str]) -> Reading:
    """Add the rows of the given test file, brought to the columns and sizes of the others."""
    path = str(settings.test)
    notes = list(reading.notes)
    if reading.test is not None:
        notes.append(f"The test part of the data was left out in favour of {path}.")
    # text stays text: codes such as 01067 must not become numbers in one file only
    words = [n for n, c in reading.table.columns.items() if c.dtype == pl.String]
    kinds = {**dict.fromkeys(words, "category"), **settings.kinds}
    same = settings.model_copy(update={"kinds": kinds})
    other = _read_one(path, same, target, shape=_image_shape(reading.table))
    notes += other.notes
    if other.test is not None:
        notes.append(f"Of {path}, the test part was left out.")
    test, said = match_columns(reading.table, other.table, path, settings)
    shape = _image_shape(reading.table)
    if shape is not None:
        test = _reshaped(test, shape)
    both = digest(f"{reading.digest}\n{other.digest}".encode())
    return replace(reading, test=test, digest=both, notes=notes + said)


def _image_shape(table: Table) -> ImageShape | None:
    """Return (channels, height, width) of the first image column, or None."""
    for column in table.columns.values():
        if isinstance(column, np.ndarray):
            _, height, width, channels = column.shape
            return channels, height, width
    return None


def _resized(reading: Reading, side: int) -> Reading:
    """Bring pictures that came as arrays to the size that the settings ask for."""
    shape = _image_shape(reading.table)
    if shape is None:
        return reading
    wanted = (shape[0], side, side)
    test = None if reading.test is None else _reshaped(reading.test, wanted)
    return replace(reading, table=_reshaped(reading.table, wanted), test=test)


def _reshaped(table: Table, shape: ImageShape) -> Table:
    for name, column in table.columns.items():
        if isinstance(column, np.ndarray):
            table = table.with_column(name, resize_array(column, shape))
    return table


def short_name(path: Path | None) -> str:
    """Return a name for a run folder: the file name without endings, or that of its folder.

    Example:
        >>> short_name(Path("shop/our houses.csv.gz"))
        'our-houses.csv.gz'
    """
    if path is None:
        return "data"
    resolved = path.resolve()
    stem = resolved.parent.name if is_idx(path) else resolved.name
    if path.is_file() and not is_idx(path):
        ending, packer = endings(path)
        stem = stem[: len(stem) - len(ending) - len(packer)]
    return re.sub(r"[^\w.-]+", "-", stem).strip("-.") or "data"
