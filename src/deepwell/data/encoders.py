"""Encoders: what was learned from the training rows to turn columns into arrays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.data.conform import require_columns
from deepwell.data.kinds import KINDS, Blocks, Layout, State
from deepwell.data.kinds.category import category_codes, with_flag
from deepwell.data.roles import kind_name
from deepwell.data.schema import KindName, Schema
from deepwell.data.settings import EncodeSettings
from deepwell.data.table import Column, Table
from deepwell.data.target_encoding import answers_of, encode_out_of_fold, fit_means
from deepwell.errors import ColumnError, ConfigError, DataError, listing
from deepwell.types import InputSpec

FORMAT = 1

Targets = NDArray[np.float32] | NDArray[np.int64]
"""Targets as a task encodes them: numbers (rows, T), or class indices (rows,)."""


@dataclass(frozen=True, slots=True)
class FittedColumn:
    """One input column and what its kind learned from it."""

    name: str
    kind: KindName
    state: State

    @property
    def layout(self) -> Layout:
        """Which arrays the column gives."""
        return KINDS[self.kind].layout(self.name, self.state)

    def parse(self, table: Table) -> Column:
        """Read the column of a table as its kind."""
        return KINDS[self.kind].parse(self.name, table[self.name])

    def encode(self, column: Column, targets: Targets | None = None) -> Blocks:
        """Turn what `parse` gave into arrays; with targets, those of the training rows."""
        kind = KINDS[self.kind]
        if targets is not None and self.state.get("mode") == "target":
            codes = category_codes(column, self.state)
            numbers = encode_out_of_fold(codes, answers_of(targets), self.state)
            return with_flag(numbers, column, self.state)
        return kind.encode(column, self.state)


@dataclass(frozen=True, slots=True)
class Encoders:
    """Turns tables into the arrays that a network is fed; fitted on training rows only.

    Args:
        columns: One fitted column for each input of the schema, in the order of the file.

    Example:
        >>> import polars as pl
        >>> from deepwell.data.infer import infer_schema
        >>> table = Table({"size": pl.Series([1.0, 2.0, 3.0]), "y": pl.Series([1.0, 2.0, 4.0])})
        >>> schema = infer_schema(table, targets=["y"])
        >>> encoders = Encoders.fit(table, schema)
        >>> encoders.spec.num_numbers, encoders.feature_names
        (1, ('size',))
        >>> encoders.encode(table)[0].round(2).tolist()
        [[-0.949999988079071], [0.0], [0.949999988079071]]
    """

    columns: tuple[FittedColumn, ...]

    @classmethod
    def fit(
        cls,
        table: Table,
        schema: Schema,
        settings: EncodeSettings | None = None,
        *,
        targets: Targets | None = None,
    ) -> Encoders:
        """Learn from the input columns of the training rows.

        Args:
            table: Training rows only: whatever is learned here must not know val or test rows.
            schema: Says which columns are inputs and of which kind.
            settings: How columns become arrays.
            targets: Of the same rows, as the task encodes them; for categories = target only.

        Raises:
            DataError: No input column is left, or nothing in them can be encoded.
            ConfigError: Categories are to be encoded by targets, and there are none.
            ColumnError: More than one column of pictures, or a column is missing.
        """
        settings = settings or EncodeSettings()
        names = [column.name for column in schema.inputs]
        if not names:
            raise DataError("No input column is left to learn from.")
        pictures = [column.name for column in schema.inputs if column.kind == "image"]
        if len(pictures) > 1:
            raise ColumnError(
                f"A network takes one column of pictures, but there are {len(pictures)}: "
                f"{listing(pictures)}. Ignore the others with --ignore."
            )
        require_columns(table, names)
        fitted: list[FittedColumn] = []
        for spec in schema.inputs:
            kind = KINDS[spec.kind]
            column = kind.parse(spec.name, table[spec.name])
            state = kind.fit(column, settings)
            if state.get("mode") == "target":
                state |= _fit_means(column, state, settings, targets)
            fitted.append(FittedColumn(spec.name, spec.kind, state))
        encoders = cls(tuple(fitted))
        if not encoders.spec.blocks:
            raise DataError(
                f"The input columns ({listing(names)}) hold nothing that can be encoded."
            )
        return encoders

    @classmethod
    def join(cls, parts: Sequence[Encoders]) -> Encoders:
        """Put encoders side by side: their number and category blocks follow each other.

        Pictures are not doubled: the first encoding of a column of pictures is that of all.
        """
        columns: list[FittedColumn] = []
        pictures: set[str] = set()
        for column in (column for part in parts for column in part.columns):
            if column.kind == "image":
                if column.name in pictures:
                    continue
                pictures.add(column.name)
            columns.append(column)
        return cls(tuple(columns))

    @property
    def spec(self) -> InputSpec:
        """Which blocks of arrays there are, and how large."""
        layouts = [column.layout for column in self.columns]
        images = [layout.image_shape for layout in layouts if layout.image_shape is not None]
        return InputSpec(
            num_numbers=sum(len(layout.features) for layout in layouts),
            cardinalities=tuple(
                layout.cardinality for layout in layouts if layout.cardinality is not None
            ),
            image_shape=images[0] if images else None,
        )

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the columns of the number block."""
        return tuple(name for column in self.columns for name in column.layout.features)

    @property
    def features_of(self) -> dict[str, list[int]]:
        """Column → places of its features in the number block; columns without any are left out."""
        owners = [column.name for column in self.columns for _ in column.layout.features]
        places: dict[str, list[int]] = {}
        for place, owner in enumerate(owners):
            places.setdefault(owner, []).append(place)
        return places

    @property
    def category_names(self) -> tuple[str, ...]:
        """Names of the columns of the category block."""
        return tuple(
            column.name for column in self.columns if column.layout.cardinality is not None
        )

    @property
    def image_mean(self) -> tuple[float, ...] | None:
        """Mean of each channel over the training pictures, from 0 to 1; None without pictures."""
        return self._image_moment("mean")

    @property
    def image_std(self) -> tuple[float, ...] | None:
        """Standard deviation of each channel, on the scale of `image_mean`."""
        return self._image_moment("std")

    def _image_moment(self, moment: str) -> tuple[float, ...] | None:
        for column in self.columns:
            if column.kind == "image":
                return tuple(column.state[moment])
        return None

    def encode(self, table: Table) -> tuple[NDArray[Any], ...]:
        """Turn rows into arrays, one for each block of `spec.blocks`, in that order.

        Returns:
            numbers float32 (rows, features); categories int64 (rows, columns); images uint8
            (rows, channels, height, width), contiguous.

        Raises:
            ColumnError: Columns are missing (all are named), or a value does not fit its kind
                (column, row and value are named).
        """
        return self._join(table, None)

    def encode_training(self, table: Table, targets: Targets) -> tuple[NDArray[Any], ...]:
        """Turn the rows of `fit` into arrays to learn from.

        As `encode`, but categories that are encoded by targets do not see the target of their own
        row, see `deepwell.data.target_encoding`.

        Args:
            table: The training rows.
            targets: Of the same rows, as the task encodes them.

        Raises:
            ColumnError: As in `encode`.
        """
        return self._join(table, targets)

    def _join(self, table: Table, targets: Targets | None) -> tuple[NDArray[Any], ...]:
        require_columns(table, [column.name for column in self.columns])
        spec = self.spec
        numbers = np.empty((len(table), spec.num_numbers), dtype=np.float32)
        categories = np.empty((len(table), len(spec.cardinalities)), dtype=np.int64)
        images: NDArray[np.uint8] | None = None
        feature = code = 0
        # the members of a blend read the same columns, each in its own way
        uses = Counter((column.name, column.kind) for column in self.columns)
        parsed: dict[tuple[str, KindName], Column] = {}
        for column in self.columns:
            key = column.name, column.kind
            if key not in parsed:
                parsed[key] = column.parse(table)
            uses[key] -= 1
            blocks = column.encode(parsed[key] if uses[key] else parsed.pop(key), targets)
            if blocks.numbers is not None:
                width = blocks.numbers.shape[1]
                numbers[:, feature : feature + width] = blocks.numbers
                feature += width
            if blocks.categories is not None:
                categories[:, code] = blocks.categories
                code += 1
            if blocks.images is not None:
                images = blocks.images
        arrays = {"numbers": numbers, "categories": categories, "images": images}
        return tuple(array for name in spec.blocks if (array := arrays[name]) is not None)

    def to_json(self) -> dict[str, Any]:
        """Return what was learned as plain JSON, without NaN."""
        columns = [{"name": c.name, "kind": c.kind, "state": c.state} for c in self.columns]
        return {"format": FORMAT, "columns": columns}

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Encoders:
        """Rebuild the encoders from `to_json`; they give the same arrays, bit for bit.

        Raises:
            DataError: Written by a newer version.
        """
        if state["format"] > FORMAT:
            raise DataError("These encoders were written by a newer Deepwell: update it.")
        return cls(
            tuple(
                FittedColumn(c["name"], kind_name(c["name"], c["kind"]), dict(c["state"]))
                for c in state["columns"]
            )
        )


def _fit_means(
    column: Column, state: State, settings: EncodeSettings, targets: Targets | None
) -> State:
    if targets is None:
        raise ConfigError(
            'encode.categories = "target" needs the targets of the training rows: '
            "Encoders.fit(table, schema, settings, targets=…)."
        )
    return fit_means(category_codes(column, state), answers_of(targets), settings)
