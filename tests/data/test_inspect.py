"""The rows that the command line shows."""

import polars as pl

from deepwell.data.infer import infer_schema
from deepwell.data.inspect import inspect
from deepwell.data.table import Table


def test_each_column_is_described() -> None:
    table = Table(
        {
            "id": pl.Series(range(20)),
            "rooms": pl.Series([3, None, 4, 5] * 5),
            "town": pl.Series(["Bonn", "Ulm"] * 10),
            "price": pl.Series([float(x) for x in range(20)]),
        }
    )
    schema = infer_schema(table, targets=["price"])
    rows = inspect(table, schema)
    assert [row.name for row in rows] == table.names
    rooms = rows[1]
    assert (rooms.kind, rooms.role, rooms.missing, rooms.distinct) == (
        "number",
        "input",
        "5 (25 %)",
        3,
    )
    assert (rooms.summary, rooms.example) == ("3 … 5, mean 4", "3")
    assert rooms.warnings == "25 % missing"
    assert rows[2].missing == ""
    assert [row.role for row in inspect(table, schema, by_role=True)] == [
        *("target", "input", "input", "id"),
    ]
