"""Delimited text: what is understood, and one clear sentence for what is not."""

import datetime
import gzip
import re
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from deepwell.data.delimited import read_delimited
from deepwell.data.records import quotes_pair, read_rows, split_records
from deepwell.data.settings import DataSettings
from deepwell.errors import ColumnError, FileFormatError


def pack_zstandard(data):
    """A Zstandard frame with one block as it is (RFC 8878), so that no packer is needed."""
    header = b"\x28\xb5\x2f\xfd\xa0" + len(data).to_bytes(4, "little")
    return header + (len(data) << 3 | 1).to_bytes(3, "little") + data


def load(folder, content, name="houses.csv", **settings):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_delimited(path, DataSettings(**settings))


def columns(reading):
    return reading.table.frame().to_dict(as_series=False)


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_delimiter_is_found(tmp_path, mark):
    reading = load(tmp_path, f"rooms{mark}price\n3{mark}1.5\n4{mark}2\n")
    assert columns(reading) == {"rooms": [3, 4], "price": [1.5, 2.0]}


def test_given_delimiter_wins(tmp_path):
    reading = load(tmp_path, "a:b,c\n1:x\n2:y\n", delimiter=":")
    assert columns(reading) == {"a": [1, 2], "b,c": ["x", "y"]}


def test_commas_in_text_do_not_hide_the_semicolon(tmp_path):
    reading = load(tmp_path, "text;label\nwell, good, fine;1\nbad;0\n")
    assert columns(reading) == {"text": ["well, good, fine", "bad"], "label": [1, 0]}


def test_one_column_of_text_may_hold_commas(tmp_path):
    assert columns(load(tmp_path, "review\nwell, good\nbad\n")) == {"review": ["well, good", "bad"]}


def test_quoted_fields_with_delimiters_newlines_and_quotes(tmp_path):
    reading = load(tmp_path, 'a,b\n"x, y","two\nlines"\n"say ""hi""",z\n')
    assert columns(reading) == {"a": ["x, y", 'say "hi"'], "b": ["two\nlines", "z"]}


def test_space_before_a_quote_is_ignored(tmp_path):
    assert columns(load(tmp_path, 'a,b\n1, "x, y"\n2,z\n'))["b"] == ["x, y", "z"]


def test_inch_marks_are_plain_characters(tmp_path):
    assert columns(load(tmp_path, 'a,b\n1,5" pipe\n2,"x"\n'))["b"] == ['5" pipe', "x"]


def test_tab_separated_text_keeps_unpaired_quotes_and_all_lines(tmp_path):
    reading = load(tmp_path, 'id\ttext\n1\t"To be\n2\tor not"\n3\tx\n', name="a.tsv")
    assert columns(reading)["text"] == ['"To be', 'or not"', "x"]
    assert "do not pair" in reading.notes[0]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(tmp_path, end):
    assert columns(load(tmp_path, end.join(["a,b", "1,2", "3,4", ""]))) == {
        "a": [1, 3],
        "b": [2, 4],
    }


def test_blank_lines_are_skipped(tmp_path):
    reading = load(tmp_path, "\n\na,b\n1,2\n\n   \n3,4\n\n\n")
    assert columns(reading) == {"a": [1, 3], "b": [2, 4]}


def test_last_empty_field_without_newline_counts(tmp_path):
    assert columns(load(tmp_path, "a,b\n1,2\n3,"))["b"] == [2, None]


def test_last_empty_field_of_a_tab_file_counts(tmp_path):
    assert columns(load(tmp_path, "a\tb\n1\t2\n3\t\n", name="a.tsv"))["b"] == [2, None]


@pytest.mark.parametrize(
    ("content", "note"),
    [
        ("\ufeffname,n\nZoë,1\n".encode(), None),
        ("name,n\nZoë,1\n".encode("cp1252"), "Windows-1252"),
        ("name,n\nZoë\x81,1\n".encode("latin-1"), "Latin-1"),
        ("name,n\nZoë,1\n".encode("utf-16"), "UTF-16"),
    ],
)
def test_encodings(tmp_path, content, note):
    reading = load(tmp_path, content)
    assert reading.table.names == ["name", "n"]
    assert columns(reading)["name"][0].startswith("Zoë")
    assert bool(reading.notes) == (note is not None)
    assert note is None or note in reading.notes[0]


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".zst", pack_zstandard)])
def test_packed_files(tmp_path, ending, pack):
    text = 'a,b\n1,"two\n\nlines"\n2,é\n'
    reading = load(tmp_path, pack(text.encode()), name=f"a.csv{ending}")
    assert columns(reading) == {"a": [1, 2], "b": ["two\n\nlines", "é"]}


@pytest.mark.parametrize(("ending", "pack"), [(".gz", gzip.compress), (".zst", pack_zstandard)])
def test_damaged_packed_files(tmp_path, ending, pack):
    packed = pack(b"a,b\n" + b"1,2\n" * 1000)
    with pytest.raises(FileFormatError, match=r"a\.csv.*is damaged and cannot be unpacked"):
        load(tmp_path, packed[:-8], name=f"a.csv{ending}")


def test_file_that_is_not_packed_as_it_says(tmp_path):
    with pytest.raises(FileFormatError, match=r"is not packed as its ending \.gz says"):
        load(tmp_path, "a,b\n1,2\n", name="a.csv.gz")


def test_types_over_the_whole_file(tmp_path):
    rows = "".join(f"{i},{i},true,2024-01-0{1 + i % 9},0{1000 + i % 9}\n" for i in range(300))
    reading = load(tmp_path, f"whole,broken,flag,day,zip\n{rows}300,0.5,FALSE,2024-02-01,01000\n")
    frame = reading.table.frame()
    assert frame.dtypes == [pl.Int64, pl.Float64, pl.Boolean, pl.Date, pl.String]
    assert frame["broken"][-1] == 0.5
    assert frame["zip"][0] == "01000"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2024-02-29", datetime.date(2024, 2, 29)),
        ("2024/02/29", datetime.date(2024, 2, 29)),
        ("29.02.2024", datetime.date(2024, 2, 29)),
        ("2024-02-29 13:05:01", datetime.datetime(2024, 2, 29, 13, 5, 1)),
        ("2024-02-29T13:05", datetime.datetime(2024, 2, 29, 13, 5)),
        ("2024-02-29T13:05:01Z", datetime.datetime(2024, 2, 29, 13, 5, 1)),
        ("2024-02-29T13:05:01+02:00", datetime.datetime(2024, 2, 29, 11, 5, 1)),
    ],
)
def test_dates(tmp_path, text, value):
    assert columns(load(tmp_path, f"n,when\n1,{text}\n2,\n"))["when"] == [value, None]


@pytest.mark.parametrize("word", ["", "NA", "N/A", "nan", "NaN", "null", "NULL", "?", " NA "])
def test_missing_everywhere(tmp_path, word):
    reading = load(tmp_path, f"number,text\n1,x\n{word},{word}\n2,y\n")
    assert columns(reading) == {"number": [1, None, 2], "text": ["x", None, "y"]}


def test_words_that_are_missing_only_among_numbers(tmp_path):
    reading = load(tmp_path, "number,text\n1,brick\nNone,None\n-,-\n")
    assert columns(reading) == {"number": [1, None, None], "text": ["brick", "None", "-"]}


def test_names_are_stripped_and_nameless_columns_named(tmp_path):
    assert load(tmp_path, " a ,,c\n1,2,3\n").table.names == ["a", "column_2", "c"]


def test_delimiter_at_the_end_of_each_line(tmp_path):
    reading = load(tmp_path, "a,b,\n1,2,\n3,4,\n")
    assert reading.table.names == ["a", "b"]
    assert "left out" in reading.notes[0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"is empty \(0 bytes\)"),
        (b"\n \n\n", "holds blank lines only"),
        (b"a,b\n", "has a header and no rows"),
        (b"a,b", "has a header and no rows"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "is not text.*PNG picture"),
        (b"PK\x03\x04abc", "is not text.*zip archive or an Excel workbook"),
        (b"a,b\n1,\0\n", "is not text.*binary"),
        (np.random.default_rng(1).bytes(300), "is not text"),
        (b"a,b\n1,2\n3\n", r"line 3 has 1 field where the header has 2"),
        (b'a,b\n1,"x\ny"\n\n3,4,5\n', r"line 5 has 3 fields where the header has 2"),
        (b'a,b\n1, "x"\n3,4,5\n', r"line 3 has 3 fields where the header has 2"),
        (b'a,b\n1,"x\n2,y,z\n', r"quotation mark in line 2 that is never closed"),
        (b"a:b\n1:2\n3:4\n", r'give --delimiter ":"'),
        (b"a b\n1 2\n3 4\n", r"give --delimiter space"),
        (b"Houses of 2024\na,b\n1,2\n", r"line 2 has 2 fields where the header has 1"),
    ],
)
def test_files_that_cannot_be_read(tmp_path, content, message):
    with pytest.raises(FileFormatError, match=message) as error:
        load(tmp_path, content)
    assert "houses.csv" in str(error.value)
    assert "\n" not in str(error.value)


def test_wrong_given_delimiter_names_the_right_one(tmp_path):
    with pytest.raises(FileFormatError, match=r'";" does not occur.*with "," it has 3 columns'):
        load(tmp_path, "a,b,c\n1,2,3\n", delimiter=";")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a,b,a\n1,2,3\n", 'several columns named "a"'),
        ("a, a\n1,2\n", 'several columns named "a"'),
        ("1.5,2.25,x\n1.5,2,y\n", "no header: its first line holds values such as 1.5, 2.25"),
        ("a,b\n1,2\n2,inf\n3,4\n", r'"b" holds an infinite value in line 3 of houses.csv \(row 2'),
        ("a,b\n1,2\n2,-Infinity\n", "infinite value in line 3"),
        ("a;b\n1;2\n1,5;3\n", r'"a" holds numbers with a comma, such as "1,5" in line 3'),
        ('a,b\n1,"1,234,567"\n', r'numbers with a comma, such as "1,234,567"'),
    ],
)
def test_columns_that_cannot_be_used(tmp_path, content, message):
    with pytest.raises(ColumnError, match=message):
        load(tmp_path, content)


def mixed(good, bad="abc"):
    return "id,age\n" + "".join(f"r{i},{i}\n" for i in range(good)) + f'"q\nq",{bad}\n'


def test_mixed_types_name_column_line_row_and_value(tmp_path):
    wanted = 'Column "age" is a number in 19 of 20 rows, but line 21 of houses.csv (row 20'
    with pytest.raises(ColumnError, match=re.escape(wanted)) as error:
        load(tmp_path, mixed(19))
    assert 'holds "abc"' in str(error.value)
    assert "--kind age=category" in str(error.value)


def test_mixed_dates(tmp_path):
    text = "n,day\n" + "1,2024-01-02\n" * 19 + "1,soon\n"
    with pytest.raises(ColumnError, match='"day" is a date in 19 of 20 rows, but line 21'):
        load(tmp_path, text)


@pytest.mark.parametrize(
    "settings", [{"kinds": {"age": "category"}}, {"kinds": {"age": "text"}}, {"ignore": ("age",)}]
)
def test_mixed_types_are_accepted_when_said_so(tmp_path, settings):
    reading = load(tmp_path, mixed(19), **settings)
    assert reading.table.series("age").to_list()[-2:] == ["18", "abc"]


def test_numbers_with_commas_are_text_when_said_so(tmp_path):
    reading = load(tmp_path, "a;b\n1;2\n1,5;3\n", kinds={"a": "text"})
    assert columns(reading)["a"] == ["1", "1,5"]


def test_few_numbers_make_a_text_column_unless_a_number_is_asked_for(tmp_path):
    text = "n,code\n1,12\n2,13\n3,b7\n"
    assert columns(load(tmp_path, text))["code"] == ["12", "13", "b7"]
    with pytest.raises(ColumnError, match=r'"code" is taken for a number, but line 4.*"b7"'):
        load(tmp_path, text, kinds={"code": "number"})


def test_infinity_in_an_ignored_column_is_accepted(tmp_path):
    assert columns(load(tmp_path, "a,b\n1,inf\n2,3\n", ignore=("b",)))["a"] == [1, 2]


def test_digest_is_that_of_the_file(tmp_path):
    one, two = load(tmp_path, "a,b\n1,2\n"), load(tmp_path, "a,b\n1,2\n", name="other.csv")
    assert one.digest == two.digest
    assert one.digest != load(tmp_path, "a,b\n1,3\n").digest


def test_fast_and_patient_reader_agree():
    random = np.random.default_rng(0)
    words = ["x", '"a,b"', '"c""d"', '"e\nf"', "", "7"]
    for _ in range(30):
        rows = [[words[i] for i in random.integers(0, len(words), 3)] for _ in range(8)]
        data = "\n".join(["a,b,c", *(",".join(["1", *row[:2]]) for row in rows)]).encode()
        assert quotes_pair(data, ",")
        fast, patient = split_records(data, ",", quoted=True), read_rows(data, ",")
        assert fast.fields.tolist() == [len(row) for row in patient.rows]
        lines = [data.count(b"\n", 0, start) + 1 for start in fast.starts.tolist()]
        assert lines == patient.lines


def test_real_files(data_dir: Path):
    adult = read_delimited(data_dir / "tabular" / "adult.csv", DataSettings()).table
    assert (len(adult), len(adult.names)) == (48842, 15)
    assert adult.series("workclass").null_count() == 2799
    ames = read_delimited(data_dir / "tabular" / "ames_houses.csv", DataSettings()).table
    assert "No_Alley_Access" in ames.series("Alley")
    bible = read_delimited(data_dir / "text/bible_kjv_luther1912.en-de.tsv.gz", DataSettings())
    assert len(bible.table) == 30967
