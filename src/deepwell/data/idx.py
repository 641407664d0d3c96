"""IDX files, the format of MNIST: a picture file beside a label file, plain or packed."""

from __future__ import annotations

import math
import re
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.arrays import image_array
from deepwell.data.content import digest, load, unpack
from deepwell.data.reading import Reading
from deepwell.data.table import Table
from deepwell.errors import DataError, FileFormatError

_UBYTE = 0x08
_NAME = re.compile(r"(images|labels)[-.]idx[13][-.]?ubyte(\.gz)?$", re.IGNORECASE)
_TRAIN = ("train",)
_TEST = ("t10k", "test")


def is_idx(path: Path) -> bool:
    """Return whether a file is IDX by its name.

    Example:
        >>> is_idx(Path("train-images-idx3-ubyte.gz")), is_idx(Path("train.csv"))
        (True, False)
    """
    return bool(_NAME.search(path.name)) or path.name.lower().endswith((".idx", ".idx.gz"))


def idx_files(folder: Path) -> list[Path]:
    """Return the IDX files directly in a folder."""
    return sorted(path for path in folder.iterdir() if path.is_file() and is_idx(path))


def read_idx(path: Path) -> Reading:
    """Read a file of pictures and, if it lies beside it, the file of their labels.

    Args:
        path: The picture file or the label file, named as MNIST does
            (``train-images-idx3-ubyte.gz`` and ``train-labels-idx1-ubyte.gz``).

    Returns:
        Columns `image` (uint8) and, where there are labels, `label` (integers).

    Raises:
        FileFormatError: Not IDX, cut short, or no pictures.
        DataError: There is another number of labels than of pictures.
    """
    images_path = _partner(path, "images") or path
    raw = load(images_path)
    pixels = parse_idx(unpack(raw, images_path), images_path)
    if pixels.ndim not in (3, 4) or 0 in pixels.shape:
        raise FileFormatError(
            f'"{images_path}" holds an array of the shape {pixels.shape}, not pictures: '
            "rows × height × width is expected."
        )
    images, notes = image_array(pixels)
    labels_path = _partner(images_path, "labels")
    if labels_path is None:
        return Reading(Table({"image": images}), digest(raw), notes=notes)
    raw_labels = load(labels_path)
    labels = parse_idx(unpack(raw_labels, labels_path), labels_path)
    if labels.ndim != 1 or len(labels) != len(images):
        raise DataError(
            f'"{labels_path}" has {len(labels)} labels and "{images_path}" {len(images)} pictures: '
            "they must belong together."
        )
    table = Table({"image": images, "label": pl.Series("label", labels.astype(np.int64))})
    both = digest(f"{digest(raw)}\n{digest(raw_labels)}".encode())
    return Reading(table, both, target=("label",), notes=notes)


def read_idx_folder(folder: Path) -> Reading:
    """Read a folder with the four files of MNIST: the pairs `train-…` and `t10k-…`.

    Raises:
        FileFormatError: There is no pair to learn from, or a file is damaged.
    """
    images = [path for path in idx_files(folder) if "images" in path.name.lower()]
    train = _first(images, _TRAIN) or next((p for p in images if not _starts(p, _TEST)), None)
    test = _first(images, _TEST)
    chosen = train or test
    if chosen is None:
        raise FileFormatError(
            f'The folder "{folder}" has no IDX file of pictures such as train-images-idx3-ubyte.gz.'
        )
    reading = read_idx(chosen)
    if reading.target is None:
        raise FileFormatError(
            f'The labels of "{chosen}" are missing: '
            f'"{_swap(chosen.name, "labels")}" is expected beside it.'
        )
    if train is None or test is None:
        return reading
    other = read_idx(test)
    if other.table.names != reading.table.names:
        raise FileFormatError(
            f'The labels of "{test}" are missing: '
            f'"{_swap(test.name, "labels")}" is expected beside it.'
        )
    both = digest(f"{reading.digest}\n{other.digest}".encode())
    return Reading(reading.table, both, other.table, reading.target, reading.notes)


def _starts(path: Path, starts: tuple[str, ...]) -> bool:
    return path.name.lower().startswith(starts)


def _first(paths: list[Path], starts: tuple[str, ...]) -> Path | None:
    return next((path for path in paths if _starts(path, starts)), None)


def _swap(name: str, wanted: str) -> str:
    other, digit, old = ("images", "3", "1") if wanted == "images" else ("labels", "1", "3")
    current = "labels" if wanted == "images" else "images"
    return name.replace(current, other).replace(f"idx{old}", f"idx{digit}")


def _partner(path: Path, wanted: str) -> Path | None:
    """Return the picture file of a label file, or the reverse, packed or not."""
    if wanted in path.name:
        return path
    name = _swap(path.name, wanted)
    if name == path.name:
        return None
    plain = name.removesuffix(".gz")
    candidates = (path.with_name(name), path.with_name(plain), path.with_name(f"{plain}.gz"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def parse_idx(data: bytes, path: Path) -> NDArray[np.uint8]:
    r"""Return the array of an IDX file: two zero bytes, type, dimensions, sizes, values.

    Raises:
        FileFormatError: Wrong first bytes, another type than unsigned bytes, or cut short.

    Reference:
        http://yann.lecun.com/exdb/mnist/, "The IDX file format".

    Example:
        >>> parse_idx(b"\0\0\x08\x01\0\0\0\x02ab", Path("a")).tolist()
        [97, 98]
    """
    if len(data) < 4 or data[:2] != b"\0\0" or data[3] == 0:
        raise FileFormatError(
            f'"{path}" is not an IDX file: its first bytes are {data[:4].hex(" ")}, '
            "00 00 08 03 (pictures) or 00 00 08 01 (labels) is expected."
        )
    if data[2] != _UBYTE:
        raise FileFormatError(
            f'"{path}" holds values of the IDX type 0x{data[2]:02x}: '
            "unsigned bytes (0x08) are expected."
        )
    start = 4 + 4 * data[3]
    sizes = np.frombuffer(data[4:start], dtype=">u4") if len(data) >= start else ()
    shape = tuple(int(size) for size in sizes)
    promised = start + math.prod(shape)
    if not shape or len(data) != promised:
        raise FileFormatError(
            f'"{path}" is damaged: its header promises {promised} bytes, {len(data)} are there; '
            "copy it again."
        )
    return np.frombuffer(data, dtype=np.uint8, offset=start).reshape(shape)
