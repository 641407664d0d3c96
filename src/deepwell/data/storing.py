"""One pass over a large table: each row is divided, encoded and written to the disk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.blame import naming_rows
from deepwell.data.cells import Locate
from deepwell.data.check import rows_with_target
from deepwell.data.conform import conform
from deepwell.data.deal import TEST, TRAIN, VAL
from deepwell.data.encoders import Encoders
from deepwell.data.schema import Schema
from deepwell.data.sides import SideRule
from deepwell.data.stored import (
    Writers,
    folder_size,
    open_writers,
    read_note,
    read_table_again,
    stored_rows,
    whole_folder,
    write_note,
    write_table,
)
from deepwell.data.stream import Stream
from deepwell.data.table import Table
from deepwell.errors import DataError
from deepwell.types import StoredRows

_SMALL_CODES = ((256, "uint8"), (32768, "int16"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """How rows become what is stored.

    Args:
        schema: What the columns are.
        rule: Divides the rows.
        encoders: Fitted on a sample of the training rows.
        encode_targets: Turns the target columns into an array.
        facts: What else the stored rows depend on, as plain JSON: the task, the data's digest.
        num_rows: Rows of the whole, as the survey counted them.
    """

    schema: Schema
    rule: SideRule
    encoders: Encoders
    encode_targets: Callable[[Table], NDArray[Any]]
    facts: dict[str, Any]
    num_rows: int

    @property
    def key(self) -> str:
        """A name for what will be stored: the same only if all of it is the same."""
        state = {
            "facts": self.facts,
            "rule": asdict(self.rule),
            "encoders": self.encoders.to_json(),
            "columns": [[c.name, c.kind, c.role] for c in self.schema.columns],
            "polars": pl.__version__,  # its hash of a row may change
        }
        text = json.dumps(state, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredData:
    """A large table, divided and encoded.

    Args:
        rows: The encoded training rows.
        num_train: How many there are.
        num_rows: Rows of the whole, those without target or side included.
        val: Rows that decide when to stop, as they were read.
        test: Rows that are scored once, as they were read.
        folder: Where the training rows are.
        size: Bytes of the folder.
        is_reused: Whether it was there already.
    """

    rows: StoredRows
    num_train: int
    num_rows: int
    val: Table
    test: Table
    folder: Path
    size: int
    is_reused: bool


def store(stream: Stream, recipe: Recipe, root: Path) -> StoredData:
    """Divide and encode all rows, or find them from an earlier time.

    Args:
        stream: The data, settled.
        recipe: What shall be stored.
        root: Folder of all stored data; made if it is missing.

    Raises:
        DataError: A row that contradicts the sample; file, row and column are named.
        TaskError: A target value that cannot be learned.
        OutputError: No permission, or not enough space.
    """
    folder = root / recipe.key
    note = read_note(folder)
    is_reused = note is not None
    if note is None:
        with whole_folder(folder, needed=recipe.num_rows * _row_bytes(recipe)) as temporary:
            facts = _fill(temporary, stream, recipe)
            write_note(temporary, facts)
        note = read_note(folder)
    if note is None:
        raise DataError(f"{folder} was changed by somebody else while it was written: start again.")
    return StoredData(
        rows=stored_rows(folder, note),
        num_train=note["rows"],
        num_rows=recipe.num_rows,
        val=read_table_again(folder, "val"),
        test=read_table_again(folder, "test"),
        folder=folder,
        size=folder_size(note),
        is_reused=is_reused,
    )


@dataclass(slots=True)
class _Part:
    """What became of the rows of a chunk."""

    arrays: dict[str, NDArray[Any]]
    val: Table
    test: Table


def _fill(folder: Path, stream: Stream, recipe: Recipe) -> dict[str, Any]:
    layout = Layout.of(recipe.encoders)
    encode = partial(_encode, stream, recipe, layout)
    val: list[Table] = []
    test: list[Table] = []
    rows = 0
    with open_writers(folder) as writers:
        for chunk in stream.chunks():
            part = naming_rows(chunk, encode)
            _append(writers, part.arrays, layout)
            rows += len(part.arrays["ids.npy"])
            val.append(part.val)
            test.append(part.test)
    write_table(folder, "val", val)
    write_table(folder, "test", test)
    return {"rows": rows, "blocks": layout.blocks, "key": recipe.key}


def _encode(
    stream: Stream, recipe: Recipe, layout: Layout, frame: pl.DataFrame, locate: Locate, start: int
) -> _Part:
    table = stream.read(frame, locate)
    table = conform(Table(table.columns, ids=table.ids + start), recipe.schema)
    table = rows_with_target(table, recipe.schema)
    sides = recipe.rule.sides(table, recipe.schema)
    train = table if (sides == TRAIN).all() else table.take(sides == TRAIN)
    arrays = layout.split(recipe.encoders.encode(train))
    arrays["targets.npy"] = recipe.encode_targets(train)
    arrays["ids.npy"] = train.ids
    weight = recipe.schema.name_of("weight")
    if weight is not None:
        arrays["weight.npy"] = train.series(weight).cast(pl.Float32).to_numpy()
    val, test = table.take(sides == VAL), table.take(sides == TEST)
    for other in (val, test):
        recipe.encode_targets(other)  # refuses what nobody could score, and names its row
    return _Part(arrays, val, test)


def _append(writers: Writers, arrays: dict[str, NDArray[Any]], layout: Layout) -> None:
    for name, array in arrays.items():
        writers.append(name, array, layout.dtypes.get(name, str(array.dtype)))


@dataclass(frozen=True, slots=True)
class Layout:
    """Which files the input blocks are kept in.

    Columns that hold nothing but 0 and 1 are kept as bytes: a quarter of the room, and the same
    numbers once they are read.

    Args:
        names: Of the blocks.
        flags: Columns of the number block that are kept as bytes.
        numbers: Columns of the number block that are kept as floats.
        codes: Type of the file of category codes.
    """

    names: tuple[str, ...]
    flags: tuple[int, ...]
    numbers: tuple[int, ...]
    codes: str

    @classmethod
    def of(cls, encoders: Encoders) -> Layout:
        """Return the layout for fitted encoders."""
        flags: list[int] = []
        numbers: list[int] = []
        for column in encoders.columns:
            count = len(column.layout.features)
            begin = len(flags) + len(numbers)
            (flags if column.kind == "category" else numbers).extend(range(begin, begin + count))
        most = max(encoders.spec.cardinalities, default=0)
        codes = next((name for limit, name in _SMALL_CODES if most <= limit), "int32")
        return cls(encoders.spec.blocks, tuple(flags), tuple(numbers), codes)

    @property
    def dtypes(self) -> dict[str, str]:
        """File → type, where it is not that of the encoded array."""
        return {"flags.npy": "uint8", "categories.npy": self.codes}

    @property
    def blocks(self) -> list[dict[str, Any]]:
        """The files, type and order of columns of each block, as plain JSON."""
        return [self._block(name) for name in self.names]

    def _block(self, name: str) -> dict[str, Any]:
        if name != "numbers":
            dtype = "int64" if name == "categories" else "uint8"
            return {"files": [f"{name}.npy"], "dtype": dtype, "order": None}
        files = ["numbers.npy"] * bool(self.numbers) + ["flags.npy"] * bool(self.flags)
        places = np.argsort([*self.numbers, *self.flags]).tolist()
        order = None if places == sorted(places) else places
        return {"files": files, "dtype": "float32", "order": order}

    def split(self, arrays: tuple[NDArray[Any], ...]) -> dict[str, NDArray[Any]]:
        """Return file → rows for encoded blocks."""
        found: dict[str, NDArray[Any]] = {}
        for name, array in zip(self.names, arrays, strict=True):
            if name != "numbers":
                found[f"{name}.npy"] = array
                continue
            if self.numbers:
                found["numbers.npy"] = array[:, self.numbers] if self.flags else array
            if self.flags:
                found["flags.npy"] = array[:, self.flags]
        return found


def _row_bytes(recipe: Recipe) -> int:
    layout, spec = Layout.of(recipe.encoders), recipe.encoders.spec
    pixels = int(np.prod(spec.image_shape)) if spec.image_shape else 0
    codes = np.dtype(layout.codes).itemsize * len(spec.cardinalities)
    return 4 * len(layout.numbers) + len(layout.flags) + codes + pixels + 16
