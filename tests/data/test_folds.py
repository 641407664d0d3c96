"""Folds hold each row out once, and nothing that belongs together crosses them."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from deepwell.data import Schema, Table, infer_schema
from deepwell.data.folds import folds
from deepwell.data.settings import DataSettings
from deepwell.data.split import SplitSettings
from deepwell.errors import SplitError

ROWS = 120


def rows(**more: list[object]) -> Table:
    rng = np.random.default_rng(0)
    columns: dict[str, object] = {"x": rng.normal(size=ROWS), "z": rng.normal(size=ROWS), **more}
    return Table(pl.DataFrame({**columns, "y": rng.normal(size=ROWS)}).to_dict(as_series=True))


def schema_of(table: Table, **settings: str) -> Schema:
    return infer_schema(table, targets=["y"], settings=DataSettings.model_validate(settings))


def divide(table: Table, schema: Schema, count: int = 5, **more: object) -> list[NDArray[np.int64]]:
    stratify = more.get("stratify")
    return folds(
        table,
        schema,
        SplitSettings(),
        count=count,
        seed=3,
        stratify=stratify if isinstance(stratify, np.ndarray) else None,
    )


@pytest.mark.parametrize("count", [2, 5, 7])
def test_each_row_is_held_out_once(count: int) -> None:
    table = rows()
    parts = divide(table, schema_of(table), count)
    assert sorted(np.concatenate(parts).tolist()) == list(range(ROWS))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    again = divide(table, schema_of(table), count)
    assert all(np.array_equal(a, b) for a, b in zip(parts, again, strict=True))


def test_classes_keep_their_shares() -> None:
    table = rows()
    classes = np.repeat([0, 1, 2], [80, 30, 10])
    parts = divide(table, schema_of(table), stratify=classes)
    for part in parts:
        assert np.abs(np.bincount(classes[part], minlength=3) - [16, 6, 2]).max() <= 1


def test_groups_and_copies_stay_together() -> None:
    table = rows(house=[f"h{i // 4}" for i in range(ROWS)])
    parts = divide(table, schema_of(table, group="house"))
    fold = np.empty(ROWS, dtype=int)
    for number, part in enumerate(parts):
        fold[part] = number
    assert (fold.reshape(-1, 4) == fold.reshape(-1, 4)[:, :1]).all()
    doubled = table.take(np.repeat(np.arange(60), 2))
    schema = schema_of(doubled)
    sides = [set((part // 2).tolist()) for part in divide(doubled, schema)]
    assert sum(map(len, sides)) == 60


def test_too_much_is_refused() -> None:
    table = rows(house=[f"h{i // 60}" for i in range(ROWS)], day=list(range(ROWS)))
    with pytest.raises(SplitError, match=r"at least 2\. Got: 1"):
        divide(table, schema_of(table), 1)
    with pytest.raises(SplitError, match=r"121 folds need at least 121 rows, and there are 120"):
        divide(table, schema_of(table), ROWS + 1)
    with pytest.raises(SplitError, match="groups"):
        divide(table, schema_of(table, group="house"), 5)
    with pytest.raises(SplitError, match="the future would teach the past"):
        divide(table, schema_of(table, time="day"))
