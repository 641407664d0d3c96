"""A folder of pictures piece by piece: each piece is decoded when it is read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import polars as pl

from deepwell.data.cells import Locate
from deepwell.data.images import PictureList, list_pictures
from deepwell.data.pictures import read_pictures
from deepwell.data.reading import ImageShape
from deepwell.data.settings import DataSettings
from deepwell.data.stream import Chunk
from deepwell.data.table import Table

ROWS = 512
"""Pictures that are decoded at once, in several threads."""


class PictureStream:
    """A folder with one subfolder a class, without a test part.

    Args:
        path: The folder.
        settings: `image_size`, `skip_broken`.

    Raises:
        FileFormatError: There are no pictures in it.
        DataError: There are fewer than two classes.
    """

    def __init__(self, path: Path, settings: DataSettings) -> None:
        self.path = path
        self.target: tuple[str, ...] | None = ("label",)
        self._settings = settings
        self._found: PictureList = list_pictures(path)
        self.notes = list(self._found.notes)
        self._shape: ImageShape | None = None

    def digest(self) -> str:
        """Return the SHA-256 over names and contents of all files."""
        digest = hashlib.sha256()
        for file in self._found.files:
            name = file.relative_to(self.path).as_posix()
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{name}\x1f{content}\x1e".encode("utf-8", "surrogateescape"))
        return digest.hexdigest()

    def chunks(self) -> Iterator[Chunk]:
        """Return labels and names of the files; `read` decodes them."""
        files, labels = self._found.files, self._found.labels
        for start in range(0, len(files), ROWS):
            part = slice(start, start + ROWS)
            names = [str(file.relative_to(self.path)) for file in files[part]]
            frame = pl.DataFrame(
                {"label": labels[part], "file": names},
                schema={"label": pl.String, "file": pl.String},
            )
            yield Chunk(frame, start, _place(names))

    def settle(self, sample: pl.DataFrame, locate: Locate) -> Table:
        """Decode a sample, and remember the size of its pictures for all others."""
        table, notes = self._decode(sample, None)
        self.notes += notes
        _, height, width, channels = np.asarray(table["image"]).shape
        self._shape = (int(channels), int(height), int(width))
        return table

    def read(self, frame: pl.DataFrame, locate: Locate) -> Table:
        """Decode pictures to the size that was settled."""
        return self._decode(frame, self._shape)[0]

    def _decode(self, frame: pl.DataFrame, shape: ImageShape | None) -> tuple[Table, list[str]]:
        files = [self.path / name for name in frame["file"]]
        pictures = read_pictures(files, self._settings, shape)
        kept = frame[pictures.good.tolist()]
        columns = {"image": pictures.images, "label": kept["label"], "file": kept["file"]}
        return Table(columns, ids=pictures.good), pictures.notes


def _place(names: list[str]) -> Locate:
    return lambda row: f"the picture {names[row]}"
