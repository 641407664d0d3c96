"""A column that names the rows is known as such, also where whole rows were copied."""

from __future__ import annotations

import numpy as np
import polars as pl

from deepwell.data import Table, infer_schema, split

RNG = np.random.default_rng


def rows(names: list[str] | list[int], label: str = "house") -> Table:
    x = RNG(0).normal(size=100)
    data = pl.DataFrame({label: names, "a": x, "b": x**2, "y": RNG(1).normal(size=100)})
    return Table({name: data[name] for name in data.columns})


def with_copies(table: Table, places: list[int]) -> Table:
    return table.take([*range(len(table)), *places])


def test_copies_of_whole_rows_do_not_hide_an_identifier() -> None:
    names = [f"H{number:04d}" for number in range(100)]
    table = with_copies(rows(names), [3, 4, 5])
    schema = infer_schema(table, targets=["y"])
    assert schema["house"].role == "id"
    assert "copies of whole rows apart" in schema["house"].reason
    numbered = with_copies(rows(list(range(500, 600)), "house_id"), [3, 4, 5])
    assert infer_schema(numbered, targets=["y"])["house_id"].role == "id"


def test_rows_that_differ_only_in_the_identifier_are_then_copies() -> None:
    names = [f"H{number:04d}" for number in range(100)]
    table = with_copies(rows(names), [3, 4, 5, 10, 11])
    renamed = [*table.series("house")[:103], "H9998", "H9999"]
    table = table.with_column("house", pl.Series(renamed))
    copies = split(table, infer_schema(table, targets=["y"]), seed=0).copies
    assert copies.exact == 5


def test_a_name_that_several_different_rows_share_is_no_identifier() -> None:
    names = [f"H{number:04d}" for number in [*range(95), *range(5)]]
    assert infer_schema(rows(names), targets=["y"])["house"].role == "input"
