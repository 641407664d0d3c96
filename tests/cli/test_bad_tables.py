"""Tables that cannot be learned from: one clear sentence, exit code 2, nothing written."""

import gzip
from pathlib import Path

import polars as pl
import pytest
import small_data
from command import Refuse, RunCli

ROWS = "".join(f"{i},{i * 7 % 11},{'ab'[i % 2]}\n" for i in range(40))
GOOD = "size,price,kind\n" + ROWS


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(b"", "empty", id="empty"),
        pytest.param(b"\n\n", "blank lines", id="only blank lines"),
        pytest.param(b"size,price,kind\n", "no rows|header", id="header only"),
        pytest.param(bytes(range(256)) * 20, "binary|not text", id="binary"),
        pytest.param(b"\x7fELF" + b"\0" * 500, "binary|not text", id="program"),
        pytest.param(b"PAR1" + b"\0" * 500, "Parquet|parquet|not text", id="parquet named csv"),
        pytest.param((GOOD + "1,2\n3,4,a\n").encode(), "row 4[12]|line 4[12]", id="ragged short"),
        pytest.param((GOOD + "1,2,a,9\n").encode(), "row 4[12]|line 4[12]", id="ragged long"),
        pytest.param(b"size,price,price\n1,2,3\n", '"price"', id="duplicate names"),
        pytest.param(b"size;price\n" + b"1;2\n" * 20, "", id="semicolons are found"),
        pytest.param(GOOD.encode("utf-16"), "", id="utf-16 is read"),
        pytest.param(GOOD.replace("9", '"9', 1).encode(), "line 8", id="open quote"),
    ],
)
def test_files_that_are_no_table(
    refuse: Refuse,
    run_cli: RunCli,
    tmp_path: Path,
    content: bytes,
    words: str,
) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    if words:
        refuse("train", "x.csv", "--target", "price", match=words)
        refuse("data", "inspect", "x.csv", "--target", "price", match=words)
    else:
        assert run_cli("data", "inspect", "x.csv").code == 0


def test_missing_file(refuse: Refuse, houses: Path) -> None:
    refuse("train", "housse.csv", "--target", "price", match=r'"housse.csv".*"houses.csv"')
    refuse("train", "no/where.csv", "--target", "price", match="no/where.csv")


@pytest.mark.parametrize("name", ["x.csv.gz", "x.csv.zst", "x.parquet", "x.arrow", "x.jsonl"])
def test_damaged_files_of_other_formats(refuse: Refuse, tmp_path: Path, name: str) -> None:
    content = gzip.compress(GOOD.encode())[:-30] if name.endswith(".gz") else b"this is none" * 9
    (tmp_path / name).write_bytes(content)
    refuse("train", name, "--target", "price", match=name)


@pytest.mark.parametrize("name", ["x.xlsx", "x.npz", "x.docx", "x"])
def test_files_of_unknown_or_broken_kind(refuse: Refuse, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"PK\x03\x04" + b"\1" * 300)
    refuse("train", name, "--target", "price", match=f'"?{name}')


def test_wrong_delimiter(refuse: Refuse, houses: Path) -> None:
    refuse(
        "train",
        houses,
        "--target",
        "price",
        "--delimiter",
        ";",
        match="delimiter|separat|';'|\";\"",
    )
    refuse("train", houses, "--target", "price", "--delimiter", ";;", match="one character")


def test_target_that_is_not_there(refuse: Refuse, houses: Path) -> None:
    refuse("train", houses, "--target", "prize", match='no column "prize". Did you mean "price"')
    refuse("train", houses, "--target", "price,Yer_Built", match='Did you mean "Year_Built"')
    refuse("train", houses, match="--target")
    refuse("data", "inspect", houses, "--target", "prize", match='Did you mean "price"')


@pytest.mark.parametrize(
    ("values", "words"),
    [
        pytest.param([""] * 60, "no value|missing", id="all missing"),
        pytest.param(["5"] * 60, "always 5", id="constant"),
        pytest.param(["yes"] * 60, "always yes", id="constant text"),
        pytest.param([f"name {i}" for i in range(60)], "identifier", id="unique"),
        pytest.param(["a", "b"] * 29 + ["a", "c"], r"single example \(c\)", id="single example"),
        pytest.param(["1.5"] * 30 + ["inf"] + ["2"] * 29, "infinit|inf", id="infinite"),
        pytest.param(["1", "2"] * 29 + ["oops", "4"], r"row 59|oops", id="mixed"),
        pytest.param([f"{i}e300" for i in range(60)], "too large to compute with", id="huge"),
        pytest.param([f"{i}e-300" for i in range(60)], "too small to compute with", id="tiny"),
        pytest.param([f"20{i + 10}-01-02" for i in range(60)], "different date", id="dates"),
        pytest.param(
            [f"c{i // 2}" for i in range(60)], "too few rows for every", id="tiny classes"
        ),
    ],
)
def test_targets_from_which_nothing_can_be_learned(
    refuse: Refuse, tmp_path: Path, values: list[str], words: str
) -> None:
    lines = [f"{i},{i * 7 % 13},{value}" for i, value in enumerate(values)]
    (tmp_path / "x.csv").write_text("\n".join(["a,b,y", *lines]) + "\n")
    refuse("train", "x.csv", "--target", "y", *small_data.FAST_OPTIONS, match=words)


def test_infinite_and_mixed_values_in_an_input_are_named(refuse: Refuse, tmp_path: Path) -> None:
    for bad, words in (("inf", '"a".*row 31|row 31.*"a"'), ("x7", '"a".*row 31|row 31.*"a"')):
        lines = [f"{bad if i == 30 else i / 7},{i % 9}" for i in range(60)]
        (tmp_path / "x.csv").write_text("\n".join(["a,y", *lines]) + "\n")
        refuse("train", "x.csv", "--target", "y", *small_data.FAST_OPTIONS, match=words)


@pytest.mark.parametrize("rows", [1, 4, 9])
def test_too_few_rows(refuse: Refuse, tmp_path: Path, rows: int) -> None:
    small_data.houses(rows).write_csv(tmp_path / "x.csv")
    are = "1 row is" if rows == 1 else f"{rows} rows are"
    refuse("train", "x.csv", "--target", "price", match=f"{are} too few to learn from")


def test_test_file_with_other_columns(refuse: Refuse, houses: Path, tmp_path: Path) -> None:
    test = small_data.houses(250).tail(50)
    test.rename({"Full_Bath": "Bath"}).write_csv(tmp_path / "t.csv")
    refuse(
        "train", houses, "--target", "price", "--test", "t.csv", match="lacks the column Full_Bath"
    )
    refuse("train", houses, "--target", "price", "--test", "no.csv", match="no.csv")
    test.head(0).write_csv(tmp_path / "t.csv")
    refuse("train", houses, "--target", "price", "--test", "t.csv", match="t.csv")


def test_class_in_the_test_that_training_never_saw(
    refuse: Refuse, run_cli: RunCli, tmp_path: Path
) -> None:
    frame = small_data.visitors().select("age", "clicks", "level")
    frame.filter(pl.col("level") != "high").head(120).write_csv(tmp_path / "train.csv")
    frame.tail(90).write_csv(tmp_path / "test.csv")
    refuse(
        *("train", "train.csv", "--target", "level", "--test", "test.csv"),
        *small_data.FAST_OPTIONS,
        match='In the test rows: .*"high"',
    )
    # a stored model says the same
    trained = run_cli("train", "train.csv", "-t", "level", "--name", "m", *small_data.FAST_OPTIONS)
    assert trained.code == 0, trained.err
    refuse("evaluate", "runs/m", "test.csv", match="high")


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (
            ["--kind", "Neighborhod=category"],
            'no column "Neighborhod".*Did you mean "Neighborhood"',
        ),
        (["--kind", "Neighborhood=number"], '"Neighborhood"'),
        (["--kind", "Neighborhood=word"], "number.*category"),
        (["--kind", "Neighborhood"], "--kind zip=category"),
        (["--ignore", "Ful_Bath"], 'Did you mean "Full_Bath"'),
        (["--group", "Ful_Bath"], 'Did you mean "Full_Bath"'),
        (["--time", "Yer_Built"], 'Did you mean "Year_Built"'),
        (["--weight", "Ful_Bath"], 'Did you mean "Full_Bath"'),
        (["--weight", "Neighborhood"], '"Neighborhood"'),
        (["--group", "price"], "price"),
        (["--weight", "price"], "price"),
        (["--group", "Central_Air"], "2 groups"),
        (["--ignore", "price"], "price"),
    ],
)
def test_roles_that_do_not_fit(refuse: Refuse, houses: Path, option: list[str], words: str) -> None:
    refuse("train", houses, "--target", "price", *option, match=words)


def test_no_input_is_left(refuse: Refuse, tmp_path: Path) -> None:
    pl.DataFrame({"y": [i * 1.5 for i in range(50)]}).write_csv(tmp_path / "x.csv")
    refuse("train", "x.csv", "--target", "y", match="No input column")


def test_text_that_is_not_utf8_is_read_or_refused_clearly(run_cli: RunCli, tmp_path: Path) -> None:
    text = "size,price,name\n" + "".join(f"{i},{i * 3 % 17},Köln\n" for i in range(40))
    (tmp_path / "x.csv").write_bytes(text.encode("latin-1"))
    outcome = run_cli("data", "inspect", "x.csv")
    assert (outcome.code == 0 and "Köln" in outcome.out) or (
        outcome.code == 2 and "UTF-8" in outcome.err
    )
