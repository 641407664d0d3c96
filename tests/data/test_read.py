"""One door for all formats: finding files, test files, sources."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from deepwell.data.read import read, read_table
from deepwell.data.settings import DataSettings
from deepwell.errors import ColumnError, ConfigError, DeepwellError, FileFormatError


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_source_of_a_file(tmp_path):
    path = write(tmp_path / "My houses.v2.csv", "rooms,price\n3,100\n4,120\n")
    source = read(str(path))
    assert source.name == "My-houses.v2"
    assert source.path == path
    assert (source.target, source.test, source.notes) == (None, None, ())
    assert source.table.names == ["rooms", "price"]
    assert source.digest == read(path).digest


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("hauses.csv", 'Did you mean "houses.csv"'),
        ("none/houses.csv", "folder .*none does not exist"),
        ("houses.docx", r'ending "\.docx".*Parquet'),
        ("houses", "without ending.*Excel"),
        ("houses.parquet.gz", r'ending "\.parquet\.gz"'),
    ],
)
def test_files_that_are_not_found_or_not_known(tmp_path, name, message):
    write(tmp_path / "houses.csv", "a,b\n1,2\n")
    for other in ("houses.docx", "houses", "houses.parquet.gz"):
        write(tmp_path / other, "a,b\n1,2\n")
    for function in (read, read_table):
        with pytest.raises(FileFormatError, match=message):
            function(str(tmp_path / name))


@pytest.mark.parametrize("path", ["", "https://example.org/a.csv", "a\0b.csv"])
def test_paths_that_are_none(path):
    with pytest.raises(FileFormatError):
        read(path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_no_permission(tmp_path):
    path = write(tmp_path / "a.csv", "a,b\n1,2\n")
    path.chmod(0)
    with pytest.raises(FileFormatError, match="permission"):
        read(path)


def test_given_test_file(tmp_path):
    train = write(tmp_path / "a.csv", "zip,size,day,y\n01067,1,2024-01-02,u\n01068,2.5,,v\n")
    test = write(tmp_path / "t.csv", "y,more,day,zip,size\nv,1,2024-03-01,99999,4\n")
    source = read(train, DataSettings(test=str(test)))
    assert source.test is not None
    assert source.test.frame().schema == source.table.frame().schema
    assert source.test.names == ["zip", "size", "day", "y"]
    assert source.test.series("zip").to_list() == ["99999"]
    assert "more" in source.notes[0]
    assert source.digest != read(train).digest


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rooms\n3\n", "lacks the column price"),
        ("rooms,prize\n3,1\n", 'Did you mean "prize"'),
        ("rooms,price\nmany,1\n", 'Column "rooms" holds numbers, but .* has "many" in row 1'),
    ],
)
def test_test_file_with_other_columns(tmp_path, text, message):
    train = write(tmp_path / "a.csv", "rooms,price\n3,100\n4,120\n")
    test = write(tmp_path / "t.csv", text)
    with pytest.raises(ColumnError, match=message):
        read(train, DataSettings(test=str(test)))


def test_ignored_column_may_be_missing_in_the_test_file(tmp_path):
    train = write(tmp_path / "a.csv", "id,n\n3,100\n4,120\n")
    test = write(tmp_path / "t.csv", "n\n7\n")
    source = read(train, DataSettings(test=str(test), ignore=("id",)))
    assert source.test is not None
    assert source.test.series("id").to_list() == [None]


def test_table_to_predict_may_lack_the_target(tmp_path):
    path = write(tmp_path / "a.csv", "rooms\n3\n")
    assert read_table(path).series("rooms").to_list() == [3]
    assert read_table({"rooms": [3]}).series("rooms").to_list() == [3]


def test_size_of_pictures_in_arrays():
    images = np.zeros((2, 6, 6), np.uint8)
    assert read(images, DataSettings(image_size=12)).table["image"].shape == (2, 12, 12, 1)
    assert read_table(images, image_size=(3, 4, 5))["image"].shape == (2, 4, 5, 3)


@pytest.mark.parametrize(
    ("given", "meant"), [("tab", "\t"), ("\\t", "\t"), (";", ";"), (None, None)]
)
def test_delimiter_setting(given, meant):
    assert DataSettings(delimiter=given).delimiter == meant


@pytest.mark.parametrize("given", ["", ",,", '"', "\n", "é"])
def test_wrong_delimiter_setting(given):
    with pytest.raises(ConfigError, match="one character"):
        DataSettings(delimiter=given)


def test_garbage_never_raises_anything_but_our_errors(tmp_path):
    random = np.random.default_rng(3)
    endings = [
        *("csv", "tsv", "csv.gz", "csv.zst", "parquet", "arrow", "jsonl", "json"),
        *("xlsx", "npz", "npy", "png", "idx"),
    ]
    for ending in endings:
        for size in (1, 7, 200):
            path = tmp_path / f"a{size}.{ending}"
            path.write_bytes(random.bytes(size))
            with pytest.raises(DeepwellError):
                read_table(path)


def test_import_loads_neither_torch_nor_pillow():
    code = (
        "import sys, deepwell.data.read;"
        "print([m for m in ('torch', 'PIL', 'pandas', 'sklearn', 'fastexcel') if m in sys.modules])"
    )
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": path}
    )
    assert done.stdout.strip() == "[]", done.stderr
