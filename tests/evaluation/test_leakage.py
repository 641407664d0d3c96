"""The search for leaks: planted ones are found, honest columns are left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray
from PIL import Image

from deepwell.data import DataSettings, Schema, infer_schema, read, split
from deepwell.data.picture_facts import picture_paths
from deepwell.data.table import Table
from deepwell.evaluation.leakage import Leak, find_leaks
from deepwell.tasks import Task, TaskSettings, formulate

REAL = {
    "titanic": "survived",
    "adult": "income",
    "diamonds": "price",
    "ames_houses": "Sale_Price",
    "california_housing": "MedHouseVal",
}
RNG = np.random.default_rng


def prepared(table: Table, target: str, **settings: Any) -> tuple[Task, Schema, Table]:
    """Return task, schema and training rows, as a training would have them."""
    schema = infer_schema(table, targets=target.split(","), settings=DataSettings(**settings))
    formulation = formulate(schema, table, TaskSettings())
    train = table.take(split(table, schema, seed=0, stratify=formulation.strata(table)).train)
    return formulation.fit(train, TaskSettings()), schema, train


def look(columns: dict[str, Any], target: str = "y", **settings: Any) -> dict[str, Leak]:
    """Return the findings that are more than notes, by column."""
    table = Table({name: pl.Series(name, values) for name, values in columns.items()})
    return serious(find_leaks(*prepared(table, target, **settings)))


def serious(leaks: tuple[Leak, ...]) -> dict[str, Leak]:
    return {leak.column: leak for leak in leaks if leak.severity != "note"}


def numbers(rows: int = 400) -> dict[str, NDArray[Any]]:
    """Return three honest columns and a target that half follows from them."""
    inputs = RNG(0).normal(size=(3, rows))
    target = inputs.sum(axis=0) + RNG(1).normal(size=rows)
    return {"a": inputs[0], "b": inputs[1], "c": inputs[2], "y": target}


def classes(rows: int = 400) -> dict[str, NDArray[Any]]:
    data = numbers(rows)
    return {**data, "y": np.where(data["y"] > 0, "yes", "no")}


def planted_in_numbers(y: NDArray[np.float64]) -> dict[str, tuple[NDArray[Any], str]]:
    rng, size = RNG(11), len(y)
    above = y > np.median(y)
    return {
        "copy": (y, "copy"),
        "scaled": (7 - 2.5 * y, "function"),
        "bent": (np.exp(y / y.std()), "function"),
        "rounded": (np.round(y / y.std() * 2), "function"),
        "rank": (np.argsort(np.argsort(y, kind="stable")), "function"),
        "flag": (np.where(above, "high", "low"), "function"),
        "half copy": (np.where(rng.random(size) < 0.5, np.nan, y), "copy"),
        "later": (y + 0.05 * y.std() * rng.normal(size=size), "alone"),
        "gaps": (np.where(above, rng.integers(0, 50, size) * 1.0, np.nan), "missing"),
    }


def planted_in_classes(y: NDArray[Any]) -> dict[str, tuple[NDArray[Any], str]]:
    rng, size = RNG(11), len(y)
    code = (y == np.unique(y)[1]).astype(int)
    case = [f"case {rng.integers(10**6)} was {('refused', 'granted')[k]} at once" for k in code]
    some = rng.integers(0, 50, size) * 1.0
    return {
        "copy": (y, "function"),
        "other words": (np.where(code, "paid", "no claim"), "function"),
        "amount": (np.where(code, rng.gamma(2, 100, size), 0.0), "alone"),
        "nearly": (np.where(rng.random(size) < 0.01, 1 - code, code), "alone"),
        "text": (np.array(case), "alone"),
        "gaps": (np.where(code, some, np.nan), "missing"),
        "most gaps": (np.where((code == 1) ^ (rng.random(size) < 0.03), some, np.nan), "missing"),
        "place": (np.argsort(np.argsort(code, kind="stable")), "counter"),
        "codes": (np.array([f"{'xy'[k]}{rng.integers(9)}" for k in code]), "function"),
    }


@pytest.mark.parametrize("name", planted_in_numbers(numbers()["y"]))
def test_a_leak_of_a_number_is_found_with_its_kind_and_nothing_else_is(name: str) -> None:
    data = numbers()
    planted, kind = planted_in_numbers(data["y"])[name]
    found = look({"planted": planted, **data})
    assert set(found) == {"planted"}
    leak = found["planted"]
    assert (leak.kind, leak.severity, leak.target) == (kind, "leak", "y")
    assert leak.action == "--ignore planted"
    assert leak.action in leak.sentence
    assert leak.metric == "r2"
    assert leak.score is not None
    assert leak.score.value is not None


@pytest.mark.parametrize("name", planted_in_classes(classes()["y"]))
def test_a_leak_of_a_class_is_found_with_its_kind_and_nothing_else_is(name: str) -> None:
    data = classes()
    planted, kind = planted_in_classes(data["y"])[name]
    found = look({"planted": planted, **data})
    assert set(found) == {"planted"}
    assert found["planted"].severity == "leak"
    assert found["planted"].kind == kind
    assert found["planted"].metric == "roc_auc"


def test_a_score_has_an_interval_and_stands_beside_what_all_others_reach() -> None:
    data = numbers()
    later = data["y"] + 0.05 * data["y"].std() * RNG(11).normal(size=400)
    leak = look({"later": later, **data})["later"]
    score, others = leak.score, leak.others
    assert score is not None
    assert others is not None
    assert score.low is not None
    assert score.value is not None
    assert score.high is not None
    assert 0.9 < score.low < score.value < score.high <= 1
    assert 0.4 < others < 0.8  # three quarters of the variance can be known
    assert leak.to_json()["score"]["low"] == score.low


def test_columns_that_add_up_to_the_target_are_named_together() -> None:
    registered, casual = RNG(0).poisson(40, 300), RNG(1).poisson(30, 300)
    rain = RNG(2).normal(size=300)
    found = look({"reg": registered, "cas": casual, "rain": rain, "y": registered + casual})
    assert found["reg"].kind == "sum"
    assert found["reg"].severity == "leak"
    assert found["reg"].action == "--ignore reg --ignore cas"


def test_a_number_of_the_row_is_named_in_a_sorted_file_only() -> None:
    data = classes()
    order = np.argsort(data["y"], kind="stable")
    in_order = {name: values[order] for name, values in data.items()}
    assert look({"ticket": np.arange(400) + 5000, **in_order})["ticket"].kind == "counter"
    assert not look({"ticket": np.arange(400) + 5000, **data})


def test_a_date_on_which_the_target_depends_asks_for_a_split_by_time() -> None:
    days = np.datetime64("2024-01-01") + np.arange(300).astype("timedelta64[D]")
    trend = np.arange(300) / 50 + RNG(0).normal(size=300)
    found = look({"day": days, "a": RNG(1).normal(size=300), "y": trend})
    assert (found["day"].severity, found["day"].action) == ("suspect", "--time day")


def test_the_order_of_the_rows_is_a_note() -> None:
    data = classes()
    order = np.argsort(data["y"], kind="stable")
    table = Table({name: pl.Series(name, values[order]) for name, values in data.items()})
    kinds = [(leak.kind, leak.severity) for leak in find_leaks(*prepared(table, "y"))]
    assert kinds == [("order", "note")]


def test_columns_that_say_the_same_are_a_note() -> None:
    data = numbers()
    town = RNG(3).choice(["Rome", "Oslo", "Lima"], 400)
    code = np.where(town == "Rome", 7, np.where(town == "Oslo", 3, 5))
    table = Table({n: pl.Series(n, v) for n, v in {**data, "town": town, "code": code}.items()})
    table = table.with_column("minus_a", pl.Series(-data["a"]))
    leaks = find_leaks(*prepared(table, "y"))
    assert {(leak.kind, leak.severity) for leak in leaks} == {("duplicate", "note")}
    assert {leak.action for leak in leaks} == {"--ignore code", "--ignore minus_a"}


def test_two_strong_columns_that_agree_are_no_leak() -> None:
    """Two honest measurements of one thing: each is strong, none far ahead of the other."""
    thing = RNG(0).normal(size=600)
    one, two = thing + 0.25 * RNG(1).normal(size=(2, 600))
    table = Table({"one": pl.Series(one), "two": pl.Series(two), "y": pl.Series(thing)})
    leaks = find_leaks(*prepared(table, "y"))
    assert [(leak.kind, leak.severity) for leak in leaks] == [("strong", "note")]


@pytest.mark.parametrize("spread", [0.2, 0.3, 0.4])
def test_a_single_strong_measurement_is_a_note_and_no_suspect(spread: float) -> None:
    """Experience tells the wage, speed the fuel: far ahead of all others, and no leak."""
    thing = RNG(0).normal(size=600)
    strong = thing + spread * RNG(1).normal(size=600)
    columns = {"strong": strong, "a": RNG(2).normal(size=600), "y": thing}
    table = Table({name: pl.Series(name, values) for name, values in columns.items()})
    leaks = find_leaks(*prepared(table, "y"))
    assert [(leak.kind, leak.severity, leak.column) for leak in leaks] == [
        ("strong", "note", "strong")
    ]
    assert leaks[0].others is not None
    assert "all others together reach" in leaks[0].sentence


@pytest.mark.parametrize("spread", [0.8, 1.0])
def test_a_single_strong_measurement_of_a_class_is_no_suspect(spread: float) -> None:
    code = RNG(0).integers(0, 2, 600)
    strong = code + spread / 2 * RNG(1).normal(size=600)
    answer = np.where(code, "yes", "no")
    assert not look({"strong": strong, "a": RNG(2).normal(size=600), "y": answer})


def test_a_column_that_repeats_the_target_in_most_rows_is_a_leak() -> None:
    data = numbers()
    is_wrong = RNG(3).random(400) < 0.1
    planted = np.where(is_wrong, data["y"].mean() + RNG(4).normal(size=400), 5 * data["y"])
    assert look({"planted": planted, **data})["planted"].severity != "note"


def test_a_strong_column_that_is_called_after_the_target_is_suspect() -> None:
    thing = RNG(0).normal(size=600)
    strong = thing + 0.3 * RNG(1).normal(size=600)
    columns = {"list_price": strong, "a": RNG(2).normal(size=600), "Sale_Price": thing}
    assert look(columns, "Sale_Price")["list_price"].severity == "suspect"


def test_a_coarse_function_of_the_target_is_worded_as_one() -> None:
    data = numbers()
    bands = look({"band": np.round(data["y"] * 2), **data})["band"]
    scaled = look({"scaled": 7 - 2 * data["y"], **data})["scaled"]
    assert "each of its values stands for a range of it" in bands.sentence
    assert "follow from each other in every row" in scaled.sentence


def test_noise_of_few_rows_and_many_columns_raises_nothing() -> None:
    noise = {f"x{i}": RNG(i).normal(size=40) for i in range(150)}
    assert not look({**noise, "y": RNG(999).normal(size=40)})
    assert not look({**noise, "y": RNG(999).choice(["a", "b"], 40)})


def test_a_leak_far_back_in_a_wide_table_is_found() -> None:
    data = classes(300)
    noise = {f"x{i}": RNG(i).normal(size=300) for i in range(250)}
    score = (data["y"] == "yes") + 0.2 * RNG(5).normal(size=300)
    assert set(look({**noise, "score": score, "y": data["y"]})) == {"score"}


def test_each_of_several_targets_is_looked_at() -> None:
    data = numbers()
    found = look(
        {**data, "z": RNG(7).normal(size=400), "double": 2 * RNG(7).normal(size=400)}, "y,z"
    )
    assert found["double"].target == "z"


def test_several_classes_and_gaps_in_one_of_them() -> None:
    data = numbers()
    kind = np.array(["a", "b", "c"])[RNG(4).integers(0, 3, 400)]
    gaps = np.where(kind == "b", np.nan, RNG(5).normal(size=400))
    leak = look({**data, "y": kind, "paid": gaps})["paid"]
    assert (leak.kind, leak.severity, leak.metric) == ("missing", "leak", "balanced_accuracy")
    assert 'rows of "b"' in leak.sentence


@pytest.mark.parametrize("clue", ["size", "format", "none"])
def test_picture_files_that_tell_the_class(tmp_path: Path, clue: str) -> None:
    for label in ("cats", "dogs"):
        (tmp_path / label).mkdir()
        for number in range(40):
            side = 40 if clue == "size" and label == "dogs" else 32
            suffix = "jpg" if clue == "format" and label == "dogs" else "png"
            pixels = RNG(number).integers(0, 255, (side, side), dtype=np.uint8)
            pixels[0, 0] = label == "dogs"
            Image.fromarray(pixels).save(tmp_path / label / f"{number}.{suffix}")
    source = read(tmp_path)
    task, schema, train = prepared(source.table, "label")
    paths = picture_paths(train, "image", source.path)
    assert paths is not None
    assert all(path.exists() for path in paths)
    found = serious(find_leaks(task, schema, train, pictures=paths))
    expected = {} if clue == "none" else {clue: ("picture", "leak")}
    assert {name: (leak.kind, leak.severity) for name, leak in found.items()} == expected


def test_names_of_picture_files_are_a_note(tmp_path: Path) -> None:
    names = [f"{('cat', 'dog')[i % 2]}.{i}.png" for i in range(60)]
    for index, name in enumerate(names):
        Image.fromarray(RNG(index).integers(0, 255, (8, 8), dtype=np.uint8)).save(tmp_path / name)
    rows = pl.DataFrame({"photo": names, "y": [name[:3] for name in names]})
    rows.write_csv(tmp_path / "rows.csv")
    source = read(tmp_path / "rows.csv")
    task, schema, train = prepared(source.table, "y")
    paths = picture_paths(train, "photo", source.path)
    leaks = find_leaks(task, schema, train, pictures=paths)
    assert [(leak.kind, leak.severity) for leak in leaks] == [("file name", "note")]


@pytest.mark.parametrize("name", REAL)
def test_nothing_is_raised_on_honest_real_data(data_dir: Path, name: str) -> None:
    table = read(data_dir / "tabular" / f"{name}.csv").table
    leaks = find_leaks(*prepared(table, REAL[name]))
    assert not serious(leaks)
    if name == "diamonds":
        assert 'carat" is strong' in leaks[0].sentence


@pytest.mark.slow  # some fifty searches in real data: 15 s
@pytest.mark.parametrize("name", REAL)
def test_every_leak_planted_in_real_data_is_found(data_dir: Path, name: str) -> None:
    table, target = read(data_dir / "tabular" / f"{name}.csv").table, REAL[name]
    truth = table.series(target)
    if truth.dtype.is_numeric():
        planted: Any = planted_in_numbers(truth.cast(pl.Float64).to_numpy())
    else:
        planted = planted_in_classes(truth.to_numpy())
    for what, (values, _) in planted.items():
        series = pl.Series(values)
        with_leak = table.with_column(
            "planted", series.fill_nan(None) if series.dtype.is_float() else series
        )
        found = serious(find_leaks(*prepared(with_leak, target)))
        assert {n: leak.severity for n, leak in found.items()} == {"planted": "leak"}, what
