"""Reading piece by piece gives what reading at once gives, and names the row that is at fault."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from deepwell.data import DataSettings, Table, infer_schema, read
from deepwell.data import memory as memory_room
from deepwell.data.memory import is_streamable, needed_memory, wants_mapping
from deepwell.data.sides import MOST_ROWS, UNUSED, plan_sides
from deepwell.data.split import SplitSettings
from deepwell.data.stream import Stream
from deepwell.data.stream_parquet import ParquetStream
from deepwell.data.stream_text import TextStream
from deepwell.data.survey import RARE_ROWS, survey
from deepwell.errors import ColumnError, ConfigError, DeepwellError, FileFormatError, SplitError


def frame(rows: int = 300) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    town = rng.choice(["Rome", 'the "old" town', "a, b", "two\nlines"], rows)
    return pl.DataFrame(
        {
            "size": rng.normal(size=rows).round(3),
            "town": town,
            "day": pl.date_range(pl.date(2020, 1, 1), pl.date(2030, 1, 1), "1d", eager=True)[:rows],
            "open": rng.random(rows) < 0.5,
            "count": [None if i % 7 == 0 else i for i in range(rows)],
            "y": rng.normal(size=rows).round(3),
        }
    )


def collect(stream: Stream, targets: tuple[str, ...] = ("y",)) -> pl.DataFrame:
    survey(stream, targets, seed=0)
    parts = [stream.read(chunk.frame, chunk.locate).frame() for chunk in stream.chunks()]
    assert len(parts) > 1
    return pl.concat(parts, how="vertical_relaxed")


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".tsv"])
@pytest.mark.parametrize("breaks", ["\n", "\r\n"])
def test_text_in_blocks_is_the_text_at_once(tmp_path: Path, ending: str, breaks: str):
    path = tmp_path / f"a{ending}"
    text = frame().write_csv(separator="\t" if ending == ".tsv" else ",", line_terminator=breaks)
    data = text.encode()
    path.write_bytes(gzip.compress(data) if ending.endswith("gz") else data)
    whole = read(path)
    for block in (200, 1000):
        stream = TextStream(path, DataSettings(), block=block)
        assert collect(stream).equals(whole.table.frame())
    assert stream.digest() == whole.digest


def test_parquet_in_slices_is_parquet_at_once(tmp_path: Path):
    path = tmp_path / "a.parquet"
    frame().with_columns(pl.col("town").cast(pl.Categorical)).write_parquet(path)
    whole = read(path)
    stream = ParquetStream(path, DataSettings(), rows=77)
    assert collect(stream).equals(whole.table.frame())
    assert stream.digest() == whole.digest


def test_blank_lines_and_an_empty_tail_are_left_out(tmp_path: Path):
    path = tmp_path / "a.csv"
    lines = ["", "", "a,y,"] + [f"{i},{i / 2}," + ("\n" if i % 3 == 0 else "") for i in range(60)]
    path.write_text("\n".join(lines) + "\n\n")
    stream = TextStream(path, DataSettings(), block=40)
    assert collect(stream)["a"].to_list() == list(range(60))
    assert any("neither a name nor values" in note for note in stream.notes)


def _read_all(stream: Stream) -> None:
    for chunk in stream.chunks():
        stream.read(chunk.frame, chunk.locate)


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (250, 'Column "size".*holds "big"'),
        (251, 'Column "day".*line 253 .*holds "soon"'),
        (252, 'Column "open" holds true and false, but line 254 .*holds "maybe"'),
        (253, "line 255.*has 7 fields"),
    ],
)
def test_a_row_that_contradicts_the_sample_is_named(tmp_path: Path, row: int, said: str):
    path = tmp_path / "a.csv"
    good = frame().with_columns(pl.lit("Rome").alias("town"))
    good.write_csv(path)
    lines = path.read_text().split("\n")
    stream = TextStream(path, DataSettings(), block=900)
    survey(stream, ("y",), seed=0)
    cells = lines[row + 1].split(",")
    place, value = {250: (0, "big"), 251: (2, "soon"), 252: (3, "maybe"), 253: (5, "1,2")}[row]
    cells[place] = value
    lines[row + 1] = ",".join(cells)
    path.write_text("\n".join(lines))
    with pytest.raises(DeepwellError, match=said) as caught:
        _read_all(stream)
    assert f"line {row + 2}" in str(caught.value)
    assert "a.csv" in str(caught.value)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "nothing but blank lines"),
        (b"\n\n\n", "nothing but blank lines"),
        (b"a,b\n", "a header and no rows"),
        (b"a,a\n1,2\n", "several columns named"),
        ("a,b\n1,2\n".encode("utf-16"), "UTF-16"),
        (b"PAR1" + bytes(100), "Parquet file"),
    ],
)
def test_what_is_no_table_is_one_sentence(tmp_path: Path, content: bytes, said: str):
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises((FileFormatError, ColumnError), match=said):
        list(TextStream(path, DataSettings()).chunks())


def test_damaged_files_are_one_sentence(tmp_path: Path):
    packed = tmp_path / "a.csv.gz"
    packed.write_bytes(gzip.compress(frame().write_csv().encode())[:-300])
    with pytest.raises(FileFormatError, match="damaged"):
        list(TextStream(packed, DataSettings()).chunks())
    for name, content in (("b.parquet", b"PAR1 torn"), ("c.parquet", b"")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileFormatError, match="cannot be read as Parquet"):
            ParquetStream(tmp_path / name, DataSettings())
    pl.DataFrame({"a": []}).write_parquet(tmp_path / "d.parquet")
    with pytest.raises(FileFormatError, match="no rows"):
        ParquetStream(tmp_path / "d.parquet", DataSettings())


def test_the_sample_is_even_and_knows_rare_classes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    rows = 30_000
    y = np.where(np.arange(rows) >= rows - 30, "rare", "often")
    path = tmp_path / "a.parquet"
    pl.DataFrame({"x": np.arange(rows), "y": y}).write_parquet(path)
    monkeypatch.setattr("deepwell.data.survey.SAMPLE_ROWS", 3000)
    stream = ParquetStream(path, DataSettings(), rows=1000)
    found = survey(stream, ("y",), seed=3)
    ids = found.sample.ids
    assert found.num_rows == rows
    assert 3000 - 5 <= len(ids) <= 3000 + 45
    assert (np.diff(ids) > 0).all()
    np.testing.assert_array_equal(found.sample.series("x").to_numpy(), ids)
    tenths = np.bincount(ids // (rows // 10), minlength=10)
    assert tenths.min() > 200  # 300 expected, standard deviation 16
    assert (found.sample.series("y") == "rare").sum() >= RARE_ROWS
    again = survey(stream, ("y",), seed=3)
    other = survey(stream, ("y",), seed=4)
    np.testing.assert_array_equal(again.sample.ids, ids)
    assert not np.array_equal(other.sample.ids, ids)


def _table(rows: int, **columns: Any) -> Table:
    rng = np.random.default_rng(1)
    base = {"x": pl.Series(rng.normal(size=rows)), "y": pl.Series(rng.normal(size=rows))}
    return Table({**base, **{name: pl.Series(c) for name, c in columns.items()}})


def _sides(table: Table, **changes: object) -> tuple[NDArray[np.int8], str]:
    data = {name: changes.pop(name) for name in ("group", "time") if name in changes}
    schema = infer_schema(table, targets=["y"], settings=DataSettings.model_validate(data))
    settings = SplitSettings.model_validate(changes)
    rule = plan_sides(table, schema, settings, num_rows=len(table), seed=0)
    whole = rule.sides(table, schema)
    # the side of a row is the same in whatever piece it comes
    pieces = [
        rule.sides(table.take(np.arange(i, i + 500)), schema) for i in range(0, len(table), 500)
    ]
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    return whole, rule.reason


def test_copies_share_a_side_wherever_they_stand():
    table = _table(4000)
    twice = Table(
        {
            name: pl.concat([c, c.reverse()])
            for name, c in table.columns.items()
            if isinstance(c, pl.Series)
        }
    )
    sides, reason = _sides(twice)
    np.testing.assert_array_equal(sides[:4000], sides[4000:][::-1])
    assert np.abs(np.bincount(sides) / 8000 - [0.65, 0.15, 0.2]).max() < 0.03
    assert "hash of the inputs" in reason


def test_few_combinations_are_dealt_by_row():
    table = Table({"x": pl.Series(["a", "b"] * 2000), "y": pl.Series(np.arange(4000.0))})
    sides, reason = _sides(table)
    assert np.abs(np.bincount(sides) / 4000 - [0.65, 0.15, 0.2]).max() < 0.03
    assert "number of the row" in reason


def test_groups_stay_whole():
    household = [f"h{i % 400}" for i in range(4000)]
    sides, _ = _sides(_table(4000, household=household), group="household")
    by_group = pl.DataFrame({"h": household, "s": sides}).group_by("h").agg(pl.col("s").n_unique())
    assert by_group["s"].max() == 1
    assert len(np.unique(sides)) == 3


def test_the_latest_rows_are_the_test():
    when = np.random.default_rng(2).permutation(4000)
    sides, _ = _sides(_table(4000, when=when), time="when")
    assert when[sides == 0].max() < when[sides == 1].min()
    assert when[sides == 1].max() < when[sides == 2].min()
    assert np.bincount(sides).tolist() == [2600, 600, 800]
    with pytest.raises(SplitError, match="same time"):
        _sides(_table(1000, when=[1, 2] * 500), time="when")


def test_more_test_rows_than_are_needed_train_instead():
    table = _table(4000)
    schema = infer_schema(table, targets=["y"])
    many = MOST_ROWS * 100
    rule = plan_sides(table, schema, SplitSettings(), num_rows=many, seed=0)
    assert rule.shares == pytest.approx((0.01, 0.01))
    assert rule.notes
    by_time = infer_schema(
        _table(4000, when=np.arange(4000)), targets=["y"], settings=DataSettings(time="when")
    )
    table = _table(4000, when=np.arange(4000))
    rule = plan_sides(table, by_time, SplitSettings(), num_rows=many, seed=0)
    sides = rule.sides(table, by_time)
    assert (sides == UNUSED).sum() > 1000
    assert (sides[2700:] != 0).all()


def test_bad_shares_and_methods_are_refused():
    table = _table(1000)
    with pytest.raises(SplitError, match="below 1"):
        _sides(table, test=1.5)
    with pytest.raises(SplitError, match="leaves no rows"):
        _sides(table, test=0.5, val=0.5)
    with pytest.raises(SplitError, match="time column"):
        _sides(table, method="time")
    with pytest.raises(SplitError, match=r"data\.memory=resident"):
        _sides(table, method="stratified")


def test_the_choice_by_the_memory_that_is_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.csv"
    frame().write_csv(path)
    auto = DataSettings()
    assert wants_mapping(path, auto) == (False, "")
    needed = needed_memory(path)
    assert needed == pytest.approx(300 * 6 * memory_room.TEXT_CELL, rel=0.3)
    monkeypatch.setattr(memory_room, "SMALL", 0)
    monkeypatch.setattr(memory_room, "free_memory", lambda: 100 * needed)
    wanted, why = wants_mapping(path, auto)
    assert not wanted
    assert "kept in memory" in why
    monkeypatch.setattr(memory_room, "free_memory", lambda: needed)
    wanted, why = wants_mapping(path, auto)
    assert wanted
    assert "from the disk" in why
    assert wants_mapping(path, DataSettings(memory="resident")) == (False, "")
    assert wants_mapping({"x": [1]}, auto) == (False, "")
    for data in ({"x": [1]}, "a.xlsx"):
        assert not is_streamable(data)
        with pytest.raises(ConfigError, match="must be read at once"):
            wants_mapping(data, DataSettings(memory="mapped"))
    with pytest.raises(ConfigError, match="--test"):
        wants_mapping(path, DataSettings(memory="mapped", test="b.csv"))


def test_free_memory_is_known_here():
    free = memory_room.free_memory()
    assert free is None or free > 1 << 20
