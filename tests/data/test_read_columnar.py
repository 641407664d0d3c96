"""Parquet, Arrow, JSON lines and Excel."""

import datetime

import polars as pl
import pytest
import xlsxwriter

from deepwell.data.columnar import read_arrow, read_excel, read_json, read_parquet
from deepwell.data.settings import DataSettings
from deepwell.errors import ColumnError, FileFormatError

PLAIN = DataSettings()
FRAME = pl.DataFrame(
    {
        "rooms": [1, 2, None],
        "size": [1.5, float("nan"), 2.5],
        "town": ["Bonn", "12", None],
        "day": [datetime.date(2024, 1, 2)] * 3,
        "sold": [True, False, None],
    }
)
VALUES = {**FRAME.to_dict(as_series=False), "size": [1.5, None, 2.5]}
WRITERS = {
    "a.parquet": (FRAME.write_parquet, read_parquet),
    "a.arrow": (FRAME.write_ipc, read_arrow),
    "stream.arrow": (FRAME.write_ipc_stream, read_arrow),
    "a.jsonl": (FRAME.write_ndjson, read_json),
    "a.json": (FRAME.write_json, read_json),
    "a.xlsx": (FRAME.write_excel, read_excel),
}


def workbook(path, rows, *, sheets=1):
    book = xlsxwriter.Workbook(path)
    for number in range(sheets):
        sheet = book.add_worksheet(f"sheet{number}")
        for row, cells in enumerate(rows if number == 0 else []):
            sheet.write_row(row, 0, cells)
    book.close()
    return path


@pytest.mark.parametrize("name", WRITERS)
def test_values_come_back(tmp_path, name):
    write, read = WRITERS[name]
    write(tmp_path / name)
    frame = read(tmp_path / name, PLAIN).table.frame()
    if name == "a.xlsx":  # a workbook knows moments only
        frame = frame.with_columns(pl.col("day").cast(pl.Date))
    assert frame.to_dict(as_series=False) == VALUES
    assert frame["rooms"].dtype == pl.Int64


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "a.jsonl", "a.json", "a.xlsx"])
def test_damaged_files(tmp_path, name):
    write, read = WRITERS[name]
    write(tmp_path / name)
    path = tmp_path / f"cut_{name}"
    path.write_bytes((tmp_path / name).read_bytes()[:-30])
    with pytest.raises(FileFormatError, match=rf"cut_{name}"):
        read(path, PLAIN)


@pytest.mark.parametrize("read", [read_parquet, read_arrow, read_json, read_excel])
def test_another_format_is_named(tmp_path, read):
    path = tmp_path / "a"
    path.write_bytes(b"\x89PNG\r\n\x1a\n\0\0")
    with pytest.raises(FileFormatError, match="a PNG picture"):
        read(path, PLAIN)


@pytest.mark.parametrize("read", [read_parquet, read_arrow, read_json, read_excel])
def test_empty_file(tmp_path, read):
    (tmp_path / "a").touch()
    with pytest.raises(FileFormatError, match="is empty"):
        read(tmp_path / "a", PLAIN)


def test_plain_types(tmp_path):
    moment = datetime.datetime(2024, 1, 2, 12, tzinfo=datetime.UTC)
    pl.DataFrame(
        {
            "category": pl.Series(["a", "b"], dtype=pl.Categorical),
            "money": pl.Series([1, 2], dtype=pl.Decimal(10, 2)),
            "span": [datetime.timedelta(minutes=1), None],
            "zoned": pl.Series([moment] * 2).dt.convert_time_zone("Asia/Tokyo"),
            "clock": [datetime.time(12, 30), None],
            "nothing": pl.Series([None, None], dtype=pl.Null),
        }
    ).write_parquet(tmp_path / "a.parquet")
    frame = read_parquet(tmp_path / "a.parquet", PLAIN).table.frame()
    assert frame.dtypes == [
        *(pl.String, pl.Float64, pl.Float64, pl.Datetime("us"), pl.String, pl.String)
    ]
    assert frame["span"].to_list() == [60.0, None]
    assert frame["zoned"][0] == datetime.datetime(2024, 1, 2, 12)


@pytest.mark.parametrize("values", [[[1, 2]], [{"x": 1}], [b"raw"]])
def test_nested_columns_are_named_or_ignored(tmp_path, values):
    path = tmp_path / "a.parquet"
    pl.DataFrame({"n": [1], "deep": values}).write_parquet(path)
    with pytest.raises(ColumnError, match=r'"deep" holds .*--ignore deep'):
        read_parquet(path, PLAIN)
    table = read_parquet(path, DataSettings(ignore=("deep",))).table
    assert table.series("deep").dtype == pl.String


def test_infinity_and_no_rows(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame({"n": [1.0, float("-inf")]}).write_parquet(path)
    with pytest.raises(ColumnError, match=r'"n" holds an infinite value in row 2 of a\.parquet'):
        read_parquet(path, PLAIN)
    FRAME.clear().write_parquet(path)
    with pytest.raises(FileFormatError, match="columns and no rows"):
        read_parquet(path, PLAIN)


def test_declared_text_stays_text(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame({"zip": ["53113"] * 19 + ["K1A"]}).write_parquet(path)
    assert read_parquet(path, PLAIN).table.series("zip").dtype == pl.String


@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ('{"a": 1}\n{"a": \n', FileFormatError, "line 2 is not JSON"),
        ('{"a": 1}\n3\n', FileFormatError, "record 2 is not an object in braces"),
        ("[]", FileFormatError, "holds no records"),
        ("{}\n", FileFormatError, "has no columns"),
        ('{"a": 1}\n' * 19 + '{"a": "x"}\n', ColumnError, 'number in 19 of 20.*row 20.*"x"'),
        ('{"a": [1]}\n', ColumnError, '"a" holds a list'),
        ('{"a": 1}\n{"a": Infinity}\n', ColumnError, "infinite value in row 2"),
    ],
)
def test_bad_json(tmp_path, text, error, message):
    path = tmp_path / "a.jsonl"
    path.write_text(text)
    with pytest.raises(error, match=message):
        read_json(path, PLAIN)


def test_json_records_with_different_keys(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text('{"a": 1}\n\n{"b": "x", "a": 2.5}\n')
    table = read_json(path, PLAIN).table
    assert table.frame().to_dict(as_series=False) == {"a": [1.0, 2.5], "b": [None, "x"]}


def test_excel_reads_the_first_sheet_and_says_so(tmp_path):
    path = workbook(tmp_path / "a.xlsx", [["a", "b"], [1, "NA"], [], [2, 3.5]], sheets=3)
    reading = read_excel(path, PLAIN)
    assert reading.table.frame().to_dict(as_series=False) == {"a": [1, 2], "b": [None, 3.5]}
    assert "2 more" in reading.notes[0]


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([], FileFormatError, "is empty"),
        ([["a", "b"]], FileFormatError, "no rows"),
        ([["a", "a"], [1, 2]], ColumnError, 'several columns named "a"'),
        ([["a"], *[[1]] * 1500, ["abc"]], ColumnError, 'number in 1500 of 1501 rows.*"abc"'),
    ],
)
def test_bad_excel(tmp_path, rows, error, message):
    with pytest.raises(error, match=message):
        read_excel(workbook(tmp_path / "a.xlsx", rows), PLAIN)
