"""What a person would say a column is."""

import datetime
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepwell.data.conform import conform
from deepwell.data.infer import infer_schema
from deepwell.data.schema import Schema
from deepwell.data.settings import DataSettings
from deepwell.data.table import Table
from deepwell.errors import ColumnError

RNG = np.random.default_rng(1)


def schema_of(targets: tuple[str, ...] = (), settings: dict | None = None, **columns) -> Schema:
    made = {
        name: values if isinstance(values, np.ndarray) else pl.Series(name, values)
        for name, values in columns.items()
    }
    return infer_schema(Table(made), targets=targets, settings=DataSettings(**(settings or {})))


WORDS = ["sunny", "large", "old", "kitchen", "garden", "quiet", "street", "new", "roof", "lake"]
SENTENCES = [" ".join(RNG.choice(WORDS, 7)) for _ in range(40)]


@pytest.mark.parametrize(
    ("values", "kind", "role", "reason"),
    [
        ([1, 2, 3, 2] * 10, "number", "input", "all 40 values are whole numbers"),
        (
            [0.5, None, 2.5, 2.0] * 10,
            "number",
            "input",
            "all 30 values that are present are numbers",
        ),
        ([0, 1, 1, 0] * 10, "boolean", "input", "all values are 0 or 1"),
        (
            ["a", "b", "c", "a"] * 10,
            "category",
            "input",
            "3 different texts in 40 rows, so a category",
        ),
        (["2024-01-01", "2024-05-01"] * 20, "date", "input", "all 40 values read as dates"),
        ([datetime.date(2024, 1, 1), None] * 20, "date", "input", "stored as dates"),
        (["1.5", "2", None, "7"] * 10, "number", "input", "texts that read as numbers"),
        (["01234", "99999"] * 20, "category", "input", "2 different texts"),
        (SENTENCES, "text", "input", "7 words on average"),
        ([5] * 40, "number", "ignored", 'every value is "5"'),
        (["x"] * 40, "category", "ignored", 'every value is "x"'),
        ([None] * 40, "number", "ignored", "all values are missing"),
        ([f"A-{i}" for i in range(40)], "text", "id", "every text differs and is one word"),
    ],
)
def test_kind_role_and_reason(values: list, kind: str, role: str, reason: str) -> None:
    column = schema_of(c=values)["c"]
    assert (column.kind, column.role) == (kind, role)
    assert reason in column.reason


@pytest.mark.parametrize(
    ("name", "values", "role"),
    [
        ("id", range(40), "id"),
        ("PassengerId", range(1, 41), "id"),
        ("row_number", range(1, 41), "id"),
        ("customer id", [int(x) for x in RNG.permutation(1000)[:40]], "id"),
        ("x", range(40), "input"),
        ("paid", range(40), "input"),
        ("id", [1, 2] * 20, "input"),
        ("id", [float(x) for x in range(40)], "input"),
    ],
)
def test_identifiers_need_a_name_and_different_whole_numbers(name: str, values, role: str) -> None:
    column = schema_of(**{name: list(values)})[name]
    assert column.role == role
    if role == "id":
        assert "looks like an identifier" in column.reason
        assert f"--kind {name}=number" in column.warnings[0]
    elif name == "x":
        assert "counts up" in column.warnings[0]


def test_an_identifier_is_kept_if_its_kind_is_set() -> None:
    column = schema_of(settings={"kinds": {"id": "number"}}, id=list(range(40)))["id"]
    assert (column.role, column.reason) == ("input", "kind set by you")


def test_a_value_beside_gaps_is_not_constant() -> None:
    assert schema_of(c=["x", None] * 20)["c"].role == "input"


def test_counts_summaries_and_warnings() -> None:
    schema = schema_of(
        gaps=[None, None, 1.0, 3.0] * 50,
        nans=[float("nan"), 2.0, 1.0, 3.0] * 50,
        same=["a"] * 199 + ["b"],
        american=["1/31/2024", "2/28/2024"] * 100,
    )
    assert (schema["gaps"].missing, schema["gaps"].distinct) == (100, 2)
    assert schema["gaps"].warnings == ("50 % missing",)
    assert schema["gaps"].summary == "1 … 3, mean 2"
    assert (schema["nans"].missing, schema["nans"].distinct) == (50, 3)
    assert schema["same"].warnings == ("one value in 99.5 % of rows", "1 value occurs once")
    assert schema["american"].warnings == ("looks like dates: write them as 2024-03-31",)
    assert schema.num_rows == 200


def test_pictures() -> None:
    pixels = RNG.integers(0, 256, (6, 4, 4, 1), dtype=np.uint8)
    pixels[3] = pixels[0]
    schema = schema_of(image=pixels, label=list("ababab"), targets=("label",))
    assert (schema["image"].kind, schema["image"].distinct) == ("image", 5)
    assert schema["image"].summary == "4 × 4 pixels, 1 channel"
    same = schema_of(image=np.zeros((6, 2, 2, 1), dtype=np.uint8))
    assert same["image"].role == "ignored"


def test_columns_of_unknown_types_are_left_out_but_cannot_be_a_target() -> None:
    schema = schema_of(lists=[[1], [2]], x=[1, 2])
    assert schema["lists"].role == "ignored"
    assert "List" in schema["lists"].reason
    with pytest.raises(ColumnError, match='"lists" cannot be the target'):
        schema_of(targets=("lists",), lists=[[1], [2]])


# what the user sets


def test_roles_are_set() -> None:
    schema = schema_of(
        targets=("y",),
        settings={"ignore": ("x",), "group": "g", "time": "t", "weight": "w"},
        x=[float("inf"), 2.0] * 20,
        y=[f"class {i % 3}" for i in range(40)],
        g=[f"person {i}" for i in range(40)],
        t=list(range(2000, 2040)),
        w=[0, 1] * 20,
    )
    assert [c.role for c in schema.columns] == ["ignored", "target", "group", "time", "weight"]
    assert (schema["y"].kind, schema["g"].kind, schema["w"].kind) == (
        *("category", "category", "number"),
    )
    assert schema["y"].reason.startswith("named as what to predict")


def test_targets_keep_their_kind() -> None:
    assert schema_of(targets=("y",), y=[7] * 20)["y"].role == "target"
    assert schema_of(targets=("y",), y=[1, 2, 3, 1] * 9)["y"].kind == "number"
    unique = [f"name {i}" for i in range(20)]
    assert schema_of(targets=("y",), y=unique)["y"].kind == "text"
    assert schema_of(targets=("y",), y=[*unique, "name 3"])["y"].kind == "category"
    assert schema_of(targets=("id",), id=list(range(20)))["id"].role == "target"


@pytest.mark.parametrize(
    ("targets", "settings", "message"),
    [
        (("prize",), {}, r'no column "prize".*Did you mean "price"'),
        ((), {"ignore": ("room",)}, r'no column "room".*Did you mean "rooms"'),
        ((), {"group": "rom"}, "no column"),
        ((), {"kinds": {"rums": "number"}}, r'no column "rums" \(--kind\)'),
        (("price", "price"), {}, "named twice"),
        (("price",), {"weight": "price"}, "named twice, as target and as weight"),
        ((), {"kinds": {"town": "number"}}, r'row 1 holds "Bonn" \(4 such values\)'),
        ((), {"time": "town"}, "must hold dates or numbers"),
        ((), {"weight": "rooms"}, r'"rooms": row 2 has no value'),
        ((), {"weight": "debt"}, r'"debt": row 3 is negative'),
        ((), {"weight": "zero"}, "all weights are 0"),
        ((), {"weight": "town"}, r"a number is expected.*name a column of numbers with --weight"),
    ],
)
def test_what_cannot_be_asked_for(targets: tuple[str, ...], settings: dict, message: str) -> None:
    with pytest.raises(ColumnError, match=message):
        schema_of(
            targets=targets,
            settings=settings,
            price=[1.0, 2.0, 3.0, 4.0],
            rooms=[1, None, 2, 2],
            debt=[1, 2, -1, 2],
            zero=[0, 0, 0, 0],
            town=["Bonn", "Bonn", "Ulm", "Ulm"],
        )


def test_an_unknown_kind_has_a_hint() -> None:
    settings = DataSettings.model_construct(
        kinds={"x": "categry"}, ignore=(), group=None, time=None, weight=None
    )
    with pytest.raises(ColumnError, match=r'Unknown kind "categry".*Did you mean "category"'):
        infer_schema(Table({"x": pl.Series([1, 2])}), targets=[], settings=settings)


def test_infinite_values_are_refused_unless_ignored() -> None:
    with pytest.raises(ColumnError, match='"x": row 2 is infinite'):
        schema_of(x=[1.0, float("-inf")])


def test_conform_reads_text_as_the_schema_says() -> None:
    table = Table(
        {
            "y": pl.Series(["1.5", "n/a", "2"]),
            "d": pl.Series(["2024-01-01"] * 2 + ["2024-01-02"]),
            "c": pl.Series(["a", "b", "a"]),
        },
        ids=np.array([4, 5, 6]),
    )
    changed = conform(table, infer_schema(table, targets=["y"]))
    assert changed.series("y").to_list() == [1.5, None, 2.0]
    assert changed.series("d").dtype == pl.Datetime("us")
    assert changed.series("c").to_list() == ["a", "b", "a"]
    assert changed.ids.tolist() == [4, 5, 6]


# real data


@pytest.mark.parametrize(
    ("name", "target", "numbers"),
    [
        ("ames_houses", "Sale_Price", 34),
        ("adult", "income", 6),
        ("diamonds", "price", 7),
        ("titanic", "survived", 0),
        ("california_housing", "MedHouseVal", 9),
    ],
)
def test_real_tables_are_seen_as_a_person_sees_them(
    data_dir: Path, name: str, target: str, numbers: int
) -> None:
    frame = pl.read_csv(data_dir / "tabular" / f"{name}.csv", infer_schema_length=None)
    schema = infer_schema(Table.from_frame(frame), targets=[target])
    kinds = [column.kind for column in schema.columns]
    assert kinds.count("number") == numbers
    assert kinds.count("category") == len(kinds) - numbers
    assert len(schema.inputs) == len(kinds) - 1


def test_zeros_and_ones_are_numbers_where_the_test_rows_hold_others():
    table = Table({"cars": pl.Series([0, 1, 0, 1]), "y": pl.Series([0, 1, 0, 1])})
    test = Table({"cars": pl.Series([0, 3]), "y": pl.Series([1, 2])})
    found = infer_schema(table, targets=["y"], test=test)
    assert (found["cars"].kind, found["y"].kind) == ("number", "boolean")
    assert "test rows" in found["cars"].reason
    assert infer_schema(table, targets=["y"], test=table)["cars"].kind == "boolean"
    decimal = Table({"cars": pl.Series([float("nan"), 0.5]), "y": pl.Series([1, 0])})
    assert infer_schema(table, targets=["y"], test=decimal)["cars"].kind == "number"
