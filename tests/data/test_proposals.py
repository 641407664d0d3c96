"""Proposals: a group or a time is proposed on evidence only."""

import os
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepwell.data.infer import infer_schema
from deepwell.data.proposals import propose
from deepwell.data.read import read_table
from deepwell.data.settings import DataSettings
from deepwell.data.table import Table

RNG = np.random.default_rng(0)
ROWS = 1200
OWNERS = RNG.integers(0, 150, ROWS)
LEVEL = RNG.normal(size=150)
NOISE = RNG.normal(size=ROWS)


def proposals(columns: dict, **settings: object) -> tuple[str, ...]:
    table = Table({name: pl.Series(values) for name, values in columns.items()})
    return propose(table, infer_schema(table, targets=["y"], settings=DataSettings(**settings)))


@pytest.mark.parametrize("name", ["customer", "customer_id", "patientId", "user id", "id"])
def test_an_owner_whose_rows_agree_is_proposed(name: str) -> None:
    columns = {name: OWNERS, "x": NOISE, "y": LEVEL[OWNERS] + 0.5 * NOISE}
    (note,) = proposals(columns)
    assert note.startswith(f'The column "{name}" looks like a group: 150 values, 8')
    assert "answers that are alike (they explain" in note
    assert "--group" in note


def test_an_owner_whose_features_agree_is_proposed() -> None:
    towns = RNG.choice(["Bonn", "Ulm", "Jena"], 150)
    columns = {"patient": [f"p{o}" for o in OWNERS], "town": towns[OWNERS], "x": NOISE, "y": -NOISE}
    (note,) = proposals(columns)
    assert 'values of "town" that are alike (the same in 100 % of pairs, 3' in note


def test_without_evidence_or_name_or_if_named_nothing_is_proposed() -> None:
    assert proposals({"customer": OWNERS, "x": NOISE, "y": RNG.normal(size=ROWS)}) == ()
    alike = {"x": NOISE, "y": LEVEL[OWNERS]}
    assert proposals({"neighbourhood": OWNERS, **alike}) == ()
    assert proposals({"customer": OWNERS, **alike}, group="customer") == ()
    assert proposals({"customer_age": OWNERS, **alike}) == ()


def test_a_date_in_order_or_with_a_trend_is_proposed() -> None:
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2022, 12, 31), eager=True).head(1000)
    noise = RNG.normal(size=1000)
    (note,) = proposals({"day": days, "y": noise})
    assert "the rows are in its order" in note
    assert "--time day" in note
    mixed = RNG.permutation(1000)
    (note,) = proposals({"day": days.gather(mixed), "y": mixed / 300 + noise})
    assert '"y" rises along it (rank correlation 0.' in note
    assert proposals({"day": days.gather(mixed), "y": noise}) == ()


@pytest.mark.skipif("DEEPWELL_DATA" not in os.environ, reason="needs the shared data sets")
@pytest.mark.parametrize(
    ("name", "target"),
    [
        ("titanic", "survived"),
        ("adult", None),
        ("ames_houses", "Sale_Price"),
        ("diamonds", "price"),
        ("california_housing", None),
    ],
)
def test_nothing_silly_is_proposed_on_known_tables(name: str, target: str | None) -> None:
    table = read_table(Path(os.environ["DEEPWELL_DATA"]) / "tabular" / f"{name}.csv")
    assert propose(table, infer_schema(table, targets=[target or table.names[-1]])) == ()
