"""NumPy files: .npz with pictures or columns, and .npy with one array. Pickles are refused."""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.data.content import digest, load
from deepwell.data.frames import read_object
from deepwell.data.reading import Reading
from deepwell.data.settings import DataSettings
from deepwell.data.table import Column, Table
from deepwell.errors import FileFormatError, listing

_INPUTS = ("x", "images", "image", "data", "features", "inputs")
_TARGETS = ("y", "labels", "label", "target", "targets")
_PARTS = {
    "train": ("x_train", "train_images", "train_x", "train_data", "images_train"),
    "test": ("x_test", "test_images", "test_x", "test_data", "images_test"),
    "val": ("x_val", "val_images", "val_x", "x_valid", "valid_images", "images_val"),
}
_ANSWERS = {
    "train": ("y_train", "train_labels", "train_y", "labels_train"),
    "test": ("y_test", "test_labels", "test_y", "labels_test"),
    "val": ("y_val", "val_labels", "val_y", "y_valid", "valid_labels", "labels_val"),
}
_BROKEN = (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile, zlib.error)
Arrays = dict[str, NDArray[Any]]


def read_npz(path: Path, settings: DataSettings) -> Reading:
    """Read an .npz or .npy file.

    Understood: `x` and `y` (or `images` and `labels`, `data` and `target`), with or without
    ``_train``, ``_val`` and ``_test`` (`val` joins the training part); else arrays of the same
    length, each a column or several. Pictures become `image` and `label`, tables of numbers
    ``x0``, ``x1``, … and `target`.

    Args:
        path: The file.
        settings: Kinds and ignored columns, whose values are not checked.

    Raises:
        FileFormatError: Not a NumPy file, damaged, holding pickled objects, or without arrays
            that belong together.
    """
    data = load(path)
    arrays = _arrays(data, path)
    if set(arrays) == {""}:
        reading = read_object(arrays[""], settings)
        return Reading(reading.table, digest(data), notes=reading.notes)
    parts = _parts(arrays)
    if "train" in parts:
        return _in_parts(parts, settings, digest(data))
    if "all" in parts:
        return _in_parts({"train": parts["all"]}, settings, digest(data))
    lengths = {len(array) for array in arrays.values() if array.ndim}
    if len(lengths) != 1 or any(array.ndim == 0 for array in arrays.values()):
        shown = listing(f"{name} {array.shape}" for name, array in arrays.items())
        raise FileFormatError(
            f'"{path}" has no arrays x and y (or x_train, y_train, x_test, y_test), nor columns of '
            f"one length; it has: {shown}."
        )
    reading = read_object(arrays, settings)
    return Reading(reading.table, digest(data), notes=reading.notes)


def _arrays(data: bytes, path: Path) -> Arrays:
    """Load all arrays, never an object: pickles could run code."""
    try:
        loaded = np.load(io.BytesIO(data), allow_pickle=False)
        if isinstance(loaded, np.ndarray):
            return {"": loaded}
        return {name: loaded[name] for name in loaded.files}
    except _BROKEN as error:
        if "pickle" in str(error).lower() and (data[:2] == b"PK" or data[:6] == b"\x93NUMPY"):
            raise FileFormatError(
                f'"{path}" holds pickled Python objects, which are not opened because they can run '
                "code: save the arrays with plain types (numbers or text)."
            ) from error
        raise FileFormatError(
            f'"{path}" cannot be read as a NumPy file: it is damaged or another format.'
        ) from error


def _parts(arrays: Arrays) -> dict[str, tuple[NDArray[Any], NDArray[Any] | None]]:
    """Return (inputs, answers) of each part: all, or train, val and test."""
    lower = {name.lower(): array for name, array in arrays.items()}

    def pick(names: tuple[str, ...]) -> NDArray[Any] | None:
        return next((lower[name] for name in names if name in lower), None)

    wanted = {"all": (_INPUTS, _TARGETS)} | {n: (_PARTS[n], _ANSWERS[n]) for n in _PARTS}
    found: dict[str, tuple[NDArray[Any], NDArray[Any] | None]] = {}
    for part, (inputs, answers) in wanted.items():
        array = pick(inputs)
        if array is not None and array.ndim:
            found[part] = (array, pick(answers))
    return found


def _in_parts(
    parts: dict[str, tuple[NDArray[Any], NDArray[Any] | None]], settings: DataSettings, content: str
) -> Reading:
    inputs, answers = parts["train"]
    notes: list[str] = []
    if "val" in parts:
        more, more_answers = parts["val"]
        if more.shape[1:] == inputs.shape[1:] and (answers is None) == (more_answers is None):
            inputs = np.concatenate([inputs, more])
            if answers is not None and more_answers is not None:
                answers = np.concatenate([answers, more_answers])
            notes.append("The validation part joined the train part.")
    reading = _one(inputs, answers, settings)
    test = _one(*parts["test"], settings).table if "test" in parts else None
    if test is not None and test.names != reading.table.names:
        raise FileFormatError(
            f"The test part has the columns {listing(test.names)}, the train part "
            f"{listing(reading.table.names)}: they must be the same."
        )
    return Reading(reading.table, content, test, reading.target, notes + reading.notes)


def _one(inputs: NDArray[Any], answers: NDArray[Any] | None, settings: DataSettings) -> Reading:
    """Read one part; answers to pictures are called `label`."""
    if answers is None:
        return read_object(inputs, settings)
    reading = read_object((inputs, answers), settings)
    if "image" not in reading.table or reading.target != ("target",):
        return reading
    columns: dict[str, Column] = {
        "label" if name == "target" else name: column
        for name, column in reading.table.columns.items()
    }
    return Reading(Table(columns), reading.digest, None, ("label",), reading.notes)
