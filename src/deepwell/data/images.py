"""A folder of pictures: one subfolder a class, and perhaps `train` and `test` above them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl

from deepwell.data.pictures import SUFFIXES, Pictures, read_pictures
from deepwell.data.reading import ImageShape, Reading
from deepwell.data.settings import DataSettings
from deepwell.data.table import Table
from deepwell.errors import DataError, FileFormatError, ImageError, listing

_TRAIN = ("train", "training")
_VAL = ("val", "valid", "validation", "dev")
_TEST = ("test", "testing")


@dataclass(slots=True)
class _Found:
    """Picture files, the class of each ("" outside a class folder), and what was passed over."""

    files: list[Path] = field(default_factory=list[Path])
    labels: list[str] = field(default_factory=list[str])
    empty: list[str] = field(default_factory=list[str])
    foreign: int = 0


def read_images(folder: Path, settings: DataSettings, shape: ImageShape | None = None) -> Reading:
    """Read a folder with one subfolder a class.

    Subfolders `train` and `test` (also `training`, `testing`) hold the class folders of the two
    parts; pictures in `val`, `valid`, `validation` or `dev` join the training part, for the
    validation rows are divided from it later. A class folder may have folders of its own.

    Args:
        folder: The top folder.
        settings: `image_size`, `skip_broken`.
        shape: (channels, height, width) that other pictures have; None: chosen.

    Returns:
        A table with the columns `image` (uint8), `label` (text) and `file` (path below the
        folder), and the test part if there is one.

    Raises:
        FileFormatError: There are no pictures in it.
        DataError: There are fewer than two classes.
        ImageError: A picture is broken, empty or enormous.
    """
    parts = _parts(folder)
    if parts is None:
        found = [_find([folder])]
    else:
        found = [_find(parts[0]), *([_find(parts[1])] if parts[1] else [])]
    _refuse_classless(folder, found[0])
    notes = _leave_out_loose(found)
    if parts is not None and len(parts[0]) > 1:
        notes.append(
            f"The pictures in {listing(p.name for p in parts[0][1:])} joined the train part."
        )
    files = [path for part in found for path in part.files]
    pictures = read_pictures(files, settings, shape)
    table, digest = _table(folder, files, [x for p in found for x in p.labels], pictures)
    border = len(found[0].files)
    is_train = pictures.good < border
    notes += _passed_over(found) + pictures.notes
    if len(found) == 1:
        return Reading(table, digest, target=("label",), notes=notes)
    train, test = table.take(is_train), _renumbered(table.take(~is_train))
    if not len(train) or not len(test):
        raise ImageError(f'"{folder}": no picture of one of the parts can be read.')
    return Reading(train, digest, test=test, target=("label",), notes=notes)


@dataclass(frozen=True, slots=True)
class PictureList:
    """Picture files of one part, not opened yet.

    Args:
        files: In a stable order.
        labels: The class of each.
        notes: What was passed over, in words.
    """

    files: list[Path]
    labels: list[str]
    notes: list[str]


def has_test_part(folder: Path) -> bool:
    """Return whether a folder holds its test pictures apart."""
    parts = _parts(folder)
    return parts is not None and bool(parts[1])


def list_pictures(folder: Path) -> PictureList:
    """Find the pictures of a folder without a test part, and open none of them.

    Raises:
        FileFormatError: There are no pictures in it.
        DataError: There are fewer than two classes.
    """
    parts = _parts(folder)
    found = _find([folder] if parts is None else parts[0])
    _refuse_classless(folder, found)
    notes = _leave_out_loose([found])
    if parts is not None and len(parts[0]) > 1:
        notes.append(
            f"The pictures in {listing(p.name for p in parts[0][1:])} joined the train part."
        )
    return PictureList(found.files, found.labels, notes + _passed_over([found]))


def read_unlabelled(path: Path, settings: DataSettings, shape: ImageShape | None = None) -> Table:
    """Read one picture, or a folder with or without class subfolders, to be predicted.

    If the folder has a train and a test part, the test part is read. Pictures directly in the
    folder have no label; without any class folder there is no column `label`.

    Args:
        path: A picture file or a folder.
        settings: `image_size`, `skip_broken`.
        shape: (channels, height, width) that the network wants.

    Raises:
        FileFormatError: There are no pictures in it.
        ImageError: A picture is broken, empty or enormous.
    """
    if path.is_file():
        found, folder = _Found([path], [""]), path.parent
    else:
        parts = _parts(path)
        found, folder = _find([path] if parts is None else (parts[1] or parts[0])), path
    if not found.files:
        raise _no_pictures(path)
    pictures = read_pictures(found.files, settings, shape)
    table, _ = _table(folder, found.files, found.labels, pictures)
    return table if any(found.labels) else table.without(["label"])


def holds_pictures(folder: Path) -> bool:
    """Return whether there is a picture in the folder or below."""
    return any(
        Path(name).suffix.lower() in SUFFIXES
        for _, _, names in os.walk(folder)
        for name in names
        if not name.startswith(".")
    )


def _parts(folder: Path) -> tuple[list[Path], list[Path]] | None:
    """Return the folders of the train part and of the test part, or None if there are no parts."""
    by_name = {path.name.lower(): path for path in _subfolders(folder)}
    train = [by_name[name] for name in _TRAIN if name in by_name]
    val = [by_name[name] for name in _VAL if name in by_name]
    test = [by_name[name] for name in _TEST if name in by_name]
    return (train + val, test) if train and (val or test) else None


def _subfolders(folder: Path) -> list[Path]:
    paths = (path for path in folder.iterdir() if not path.name.startswith("."))
    return sorted(path for path in paths if path.is_dir())


def _find(folders: Iterable[Path]) -> _Found:
    """Find the pictures below folders whose subfolders are classes, in a stable order."""
    found = _Found()
    for folder in folders:
        for path in sorted(folder.iterdir()):
            if path.is_file():
                _add(found, path, "")
        for subfolder in _subfolders(folder):
            before = len(found.files)
            for place, names, files in os.walk(subfolder):
                names[:] = sorted(name for name in names if not name.startswith("."))
                for name in sorted(files):
                    _add(found, Path(place) / name, subfolder.name)
            if len(found.files) == before:
                found.empty.append(subfolder.name)
    return found


def _add(found: _Found, path: Path, label: str) -> None:
    if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES:
        found.foreign += 1
    else:
        found.files.append(path)
        found.labels.append(label)


def _refuse_classless(folder: Path, found: _Found) -> None:
    classes = sorted({label for label in found.labels if label})
    if not found.files:
        raise _no_pictures(folder)
    if len(classes) < 2:
        what = "pictures and no class folders"
        if classes:
            what = f'only one class folder with pictures ("{classes[0]}")'
        raise DataError(
            f'"{folder}" has {what}: at least two are expected, one subfolder a class, '
            "for example cats/ and dogs/."
        )


def _leave_out_loose(parts: list[_Found]) -> list[str]:
    """Leave out pictures that lie outside the class folders."""
    loose = 0
    for found in parts:
        kept = [i for i, label in enumerate(found.labels) if label]
        loose += len(found.labels) - len(kept)
        found.files = [found.files[i] for i in kept]
        found.labels = [found.labels[i] for i in kept]
    return [f"{loose} pictures outside the class folders were left out."] if loose else []


def _no_pictures(folder: Path) -> FileFormatError:
    tables = sorted(p.name for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    hint = f" Give one of its files instead: {listing(tables, limit=5)}." if tables else ""
    return FileFormatError(
        f'The folder "{folder}" holds no pictures: subfolders with pictures, one a class, '
        f"are expected.{hint}"
    )


def _passed_over(found: list[_Found]) -> list[str]:
    notes: list[str] = []
    empty = list(dict.fromkeys(name for part in found for name in part.empty))
    if empty:
        notes.append(f"Class folders without pictures were left out: {listing(empty)}.")
    foreign = sum(part.foreign for part in found)
    if foreign:
        notes.append(f"{foreign} hidden files or files that are no pictures were left out.")
    return notes


def _table(
    folder: Path, files: list[Path], labels: list[str], pictures: Pictures
) -> tuple[Table, str]:
    """Return the table of the decoded pictures, and the digest over names and contents."""
    good = pictures.good.tolist()
    names = [files[i].relative_to(folder).as_posix() for i in good]
    digest = hashlib.sha256()
    for name, content in zip(names, pictures.digests, strict=True):
        digest.update(f"{name}\x1f{content}\x1e".encode("utf-8", "surrogateescape"))
    shown = [name.encode("utf-8", "replace").decode() for name in names]
    columns = {
        "image": pictures.images,
        "label": pl.Series("label", [labels[i] or None for i in good], dtype=pl.String),
        "file": pl.Series("file", shown, dtype=pl.String),
    }
    return Table(columns), digest.hexdigest()


def _renumbered(table: Table) -> Table:
    """Return the rows with ids from 0: the test part is a table of its own."""
    return Table(table.columns)
