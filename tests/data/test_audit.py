"""The audit: what it counts is what is there, and its verdict says so."""

import json

import numpy as np
import polars as pl
import pytest

from deepwell.data.audit import GivenTest, audit
from deepwell.data.conform import conform
from deepwell.data.infer import infer_schema
from deepwell.data.settings import DataSettings
from deepwell.data.split import SplitSettings, split
from deepwell.data.table import Table
from deepwell.errors import ColumnError, SplitError


def people(rows: int = 200) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    return pl.DataFrame(
        {
            "x": rng.normal(size=rows),
            "z": rng.normal(size=rows),
            "w": rng.normal(size=rows),
            "who": [f"p{row % 40}" for row in range(rows)],
            "when": [f"2024-01-{1 + row % 28:02d}" for row in range(rows)],
            "y": rng.choice(["no", "yes"], rows, p=[0.7, 0.3]),
        }
    )


def audited(frame: pl.DataFrame, method: str = "auto", **settings: object) -> dict:
    table = Table.from_frame(frame)
    schema = infer_schema(table, targets=["y"], settings=DataSettings(**settings))
    table = conform(table, schema)
    return audit(table, schema, split(table, schema, SplitSettings(method=method), seed=0))


def test_kept_copies_are_counted_with_examples() -> None:
    frame = people()
    rounded = frame.head(9).with_columns(pl.selectors.numeric().round(2))
    found = audited(pl.concat([frame, frame.tail(6), rounded]), ignore=("who", "when"))
    copies = found["copies"]
    assert (copies["exact"], copies["near"], copies["crossing"], copies["groups"]) == (6, 9, 0, 15)
    assert {"rows": [0, 206]}.items() <= copies["examples"][0].items()
    assert {pair["what"] for pair in copies["examples"]} == {
        *("rows, with numbers rounded", "every input"),
    }
    for pair in copies["examples"]:
        assert pair["sides"][0] == pair["sides"][1]
    assert found["verdict"] == (
        "Split checked: 15 copies of other rows were found (9 of them changed), and none is on "
        "another side than its row."
    )
    assert json.loads(json.dumps(found)) == found


def test_examples_of_copies_are_called_by_their_identifier_or_their_text() -> None:
    frame = people().drop("who", "when").with_row_index("file")
    frame = frame.with_columns(file=pl.format("a/{}.png", "file")).reverse()
    copied = frame.head(3).with_columns(file=pl.format("b/{}.png", pl.int_range(3)))
    pair = audited(pl.concat([frame, copied]))["copies"]["examples"][0]
    assert pair["rows"] == [0, 200]
    assert pair["names"] == ["a/199.png", "b/0.png"]
    words = [f"row number {i} said something else {i * i} times over" for i in range(200)]
    told = people().select("y").with_columns(text=pl.Series(words))
    pair = audited(pl.concat([told, told.head(1)]))["copies"]["examples"][0]
    assert pair["names"][0] == pair["names"][1] == "row number 0 said something else 0 times over"


def test_time_decides_over_copies_and_says_so() -> None:
    frame = people()
    early = frame.head(50).with_columns(when=pl.lit("2024-02-20"))
    found = audited(pl.concat([frame, early]), time="when", ignore=("who",))
    assert found["time"]["ordered"]
    assert found["time"]["ends"]["test"][1] == "2024-02-20 00:00:00"
    assert found["copies"]["crossing"] == 50
    assert "50 on another side than their row, because time decides." in found["verdict"]
    assert found["verdict"].endswith('begins after the one before it ends, by "when".')


def test_groups_are_checked_whatever_the_method() -> None:
    kept = audited(people(), group="who", ignore=("when",))
    assert (kept["group"]["values"], kept["group"]["crossing"]) == (40, 0)
    mixed = audited(people(), "random", group="who", ignore=("when",))
    assert mixed["group"]["crossing"] > 20
    assert 'values of "who" are on several sides' in mixed["verdict"]


def test_shares_of_the_classes_are_those_of_the_sides() -> None:
    found = audited(people(), ignore=("who", "when"))["classes"]
    assert [row["class"] for row in found] == ["no", "yes"]
    for side in ("train", "val", "test"):
        assert sum(row[side] for row in found) == pytest.approx(1)
    assert found[0]["train"] == pytest.approx(found[0]["test"], abs=0.03)


def test_rows_of_a_given_test_are_part_of_the_check() -> None:
    table = Table.from_frame(people())
    settings = DataSettings(group="who", ignore=("when",))
    schema = infer_schema(table, targets=["y"], settings=settings)
    splits = split(table, schema, seed=0, has_test=True)
    given = GivenTest(rows=table.take([0, 1]), left_out=4, near=1)
    found = audit(table, schema, splits, given=given)
    assert found["group"]["crossing"] == 2
    assert "4 training rows were copies of test rows and are left out" in found["verdict"]
    assert "test" in found["classes"][0]


def test_times_of_several_zones_are_put_in_utc() -> None:
    rng = np.random.default_rng(0)
    hours = rng.permutation(48)
    zones = ["Z", "+05:00", "-03:30"]
    texts = []
    for index, hour in enumerate(hours):
        ahead = (0, 300, -210)[index % 3]
        local = np.datetime64("2024-03-10T00:00") + np.timedelta64(int(hour) * 60 + ahead, "m")
        texts.append(f"{local}{zones[index % 3]}")
    frame = pl.DataFrame({"t": texts, "x": rng.normal(size=48), "y": rng.normal(size=48)})
    table = Table.from_frame(frame)
    schema = infer_schema(table, targets=["y"], settings=DataSettings(time="t"))
    for rows in (table, conform(table, schema)):
        splits = split(rows, schema, seed=0)
        assert hours[splits.train].max() < hours[splits.val].min()
        assert hours[splits.val].max() < hours[splits.test].min()
    aware = table.with_column(
        "t",
        conform(table, schema)
        .series("t")
        .dt.replace_time_zone("UTC")
        .dt.convert_time_zone("Asia/Tokyo"),
    )
    assert split(aware, schema, seed=0).test.tolist() == splits.test.tolist()
    broken = table.with_column("t", pl.Series([texts[0][:-1], *texts[1:]]))
    with pytest.raises(ColumnError, match=r"row 1 has none .* give all of them a zone, or none"):
        conform(broken, schema)


def test_one_group_that_covers_everything_is_refused() -> None:
    frame = people().with_columns(who=pl.lit("everyone"))
    with pytest.raises(SplitError, match=r'"who" has 1 group, .* name a column that divides'):
        audited(frame, group="who")
