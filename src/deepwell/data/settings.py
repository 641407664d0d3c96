"""Settings of the data room: how a file is read, how columns become arrays."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator

from deepwell.config import Settings
from deepwell.data.schema import KindName


class DataSettings(Settings):
    """How data are read, and what the columns are for.

    Example:
        >>> DataSettings(kinds={"zip": "category"}, ignore=("id",)).kinds["zip"]
        'category'
        >>> DataSettings(delimiter="tab").delimiter == chr(9)
        True
    """

    kinds: dict[str, KindName] = Field(default_factory=dict[str, KindName])
    """Column → kind, where the inferred kind is not the right one."""
    ignore: tuple[str, ...] = ()
    """Columns that are neither checked nor learned from."""
    group: str | None = None
    """Column whose values must not be on both sides of a split."""
    time: str | None = None
    """Column by which the rows are ordered: the latest rows are the test set."""
    weight: str | None = None
    """Column with the weight of each row."""
    delimiter: str | None = None
    """Character between the fields of a text file; "tab" stands for the tabulator. None: found."""
    test: str | None = None
    """Path of a file with the test rows; the other file is then divided in train and val only."""
    image_size: int | None = Field(default=None, ge=8, le=1024)
    """Side of the pictures in pixels. None: chosen from the files, 224 at the most."""
    skip_broken: bool = False
    """Leave out pictures that cannot be read instead of stopping at the first."""

    memory: Literal["auto", "resident", "mapped"] = "auto"
    """All rows in memory, or encoded once to files that are read while training (CSV, Parquet,
    folders of pictures); "auto": by the size of the data and the memory that is free."""
    cache: str | None = None
    """Folder of the encoded rows of mapped data. None: "deepwell" in the user's cache folder."""

    @field_validator("delimiter")
    @classmethod
    def _one_character(cls, value: str | None) -> str | None:
        if value is None:
            return None
        value = {"tab": "\t", "\\t": "\t", "space": " "}.get(value.lower(), value)
        if len(value) != 1 or not value.isascii() or value in '"\r\n':
            raise ValueError('the delimiter is one character such as ";", or "tab"')
        return value


class EncodeSettings(Settings):
    """How columns become arrays."""

    categories: Literal["auto", "codes", "onehot", "ordinal", "target"] = "auto"
    """Categories as codes for embeddings; as one number for each value; as their place in order,
    −1 … 1; or as the mean target of their rows, for training rows without the row itself; "auto":
    one number for each value up to 64 values, where a learned vector would only lose something."""
    target_folds: int = Field(default=10, ge=2)
    """For categories = target: training rows are encoded by the means of the other folds."""
    target_smoothing: float = Field(default=10.0, ge=0, allow_inf_nan=False)
    """For categories = target: rows of the average target that are added to each value's own."""
    numbers: Literal["standard", "robust", "quantile", "raw"] = "robust"
    """Numbers to mean 0 and spread 1; by median and quartiles with outliers bent in smoothly; to a
    normal shape by rank; or as they are, gaps kept."""
    min_frequency: int = Field(default=2, ge=1)
    """Category values seen less often than this share one code."""
    max_categories: int = Field(default=255, ge=2)
    """A category keeps at the most this many values; the rarest share one code."""
    text_features: int = Field(default=1000, ge=1)
    """Number of words that a text column keeps, the most frequent ones."""
    text_ngrams: int = Field(default=1, ge=1, le=3)
    """Longest run of words that counts as one feature: 1 = words, 2 = also pairs."""
