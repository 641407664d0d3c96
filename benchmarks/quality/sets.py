"""The sets of the comparison, and how they are divided.

Four sets have goals of their own. The others are gathered (`gather.py`); defaults may be chosen on
those for development, and the rest is held out for the final number. The rule: within each kind of
question, sorted by name, every second set (the 2nd, the 4th, ...) is held out.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np
import polars as pl

from benchmarks.quality.gathered import Kind, sources

Metric = Literal["rmse", "mae", "auc", "log_loss"]
Role = Literal["goal", "development", "held out"]

MOST_ROWS = 20_000  # of a gathered set, so that every contender has time for all of them


@dataclass(frozen=True, slots=True)
class Set:
    """A table with a question.

    Args:
        name: For programs and people.
        file: In the folder of data sets, or of gathered sets.
        target: The column to predict.
        metric: What is compared: "auc" shall be high, all others low.
        role: "goal" (has goals of its own), "development" (defaults may be chosen on it), or
            "held out" (for the final number only).
    """

    name: str
    file: str
    target: str
    metric: Metric
    role: Role = "goal"

    @property
    def is_higher_better(self) -> bool:
        """Whether a high score is good."""
        return self.metric == "auc"


def _gathered() -> Iterator[Set]:
    for kind in get_args(Kind):
        asked = sorted((s for s in sources() if s.metric == kind), key=lambda source: source.name)
        for number, source in enumerate(asked):
            role: Role = "held out" if number % 2 else "development"
            yield Set(source.name, f"{source.name}.csv", source.target, source.metric, role)


SETS = {
    one.name: one
    for one in (
        Set("ames", "tabular/ames_houses.csv", "Sale_Price", "rmse"),
        Set("diamonds", "tabular/diamonds.csv", "price", "rmse"),
        Set("california", "tabular/california_housing.csv", "MedHouseVal", "mae"),
        Set("adult", "tabular/adult.csv", "income", "auc"),
        *_gathered(),
    )
}


def divide(data: Path, one: Set, number: int, folder: Path) -> tuple[Path, Path]:
    """Write the rows for training and the test rows: the first fifth of a permutation.

    Of a gathered set with more than 20,000 rows, 20,000 are taken first, by permutation 0.

    Args:
        data: Folder of the data sets or, for a gathered set, of those.
        one: The set.
        number: Seed of the permutation, `numpy.random.default_rng(number).permutation`.
        folder: Where to write two CSV files.
    """
    frame = pl.read_csv(data / one.file, infer_schema_length=None)
    if one.role != "goal" and len(frame) > MOST_ROWS:
        frame = frame[np.random.default_rng(0).permutation(len(frame))[:MOST_ROWS]]
    order = np.random.default_rng(number).permutation(len(frame))
    count = len(frame) // 5
    train, test = folder / "train.csv", folder / "test.csv"
    frame[order[count:]].write_csv(train)
    frame[order[:count]].write_csv(test)
    return train, test
