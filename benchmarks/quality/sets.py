"""The sets of the comparison, and how they are divided."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import polars as pl

Metric = Literal["rmse", "mae", "auc"]


@dataclass(frozen=True, slots=True)
class Set:
    """A table with a question.

    Args:
        name: For programs and people.
        file: In the folder of data sets.
        target: The column to predict.
        metric: What is compared: "rmse" and "mae" shall be low, "auc" high.
    """

    name: str
    file: str
    target: str
    metric: Metric

    @property
    def is_classes(self) -> bool:
        """Whether classes are predicted."""
        return self.metric == "auc"


SETS = {
    one.name: one
    for one in (
        Set("ames", "tabular/ames_houses.csv", "Sale_Price", "rmse"),
        Set("diamonds", "tabular/diamonds.csv", "price", "rmse"),
        Set("california", "tabular/california_housing.csv", "MedHouseVal", "mae"),
        Set("adult", "tabular/adult.csv", "income", "auc"),
    )
}


def divide(data: Path, one: Set, number: int, folder: Path) -> tuple[Path, Path]:
    """Write the rows for training and the test rows: the first fifth of a permutation.

    Args:
        data: Folder of the data sets.
        one: The set.
        number: Seed of the permutation, `numpy.random.default_rng(number).permutation`.
        folder: Where to write two CSV files.
    """
    frame = pl.read_csv(data / one.file, infer_schema_length=None)
    order = np.random.default_rng(number).permutation(len(frame))
    count = len(frame) // 5
    train, test = folder / "train.csv", folder / "test.csv"
    frame[order[count:]].write_csv(train)
    frame[order[:count]].write_csv(test)
    return train, test
