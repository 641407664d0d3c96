"""Slices: what is planted is found, noise is not; groups are compared with their best-off one."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from deepwell.data.infer import infer_schema
from deepwell.data.schema import Schema
from deepwell.data.table import Table
from deepwell.errors import ColumnError, DataError
from deepwell.evaluation.intervals import Resamples
from deepwell.evaluation.metrics import METRICS
from deepwell.evaluation.scored import Scored
from deepwell.evaluation.slicing import check_columns, fairness, find_slices
from deepwell.evaluation.slicing.bins import bin_column
from deepwell.evaluation.slicing.fairness_words import NO_VERDICT
from deepwell.tasks import Binary, Regression
from deepwell.types import Predictions

ROWS = 800


def made_up(seed: int, groups: NDArray[np.int64] | None = None) -> tuple[Table, Schema, Scored]:
    """Rows whose errors have nothing to do with the columns; with groups they share both."""
    generator = np.random.default_rng(seed)
    units = np.arange(ROWS) if groups is None else groups
    number = int(units.max()) + 1
    city = generator.choice(list("abcdef"), number)[units]
    age = generator.normal(size=number)[units]
    other = generator.exponential(size=ROWS)
    truth = 3 * age + other
    error = generator.standard_t(3, ROWS) + generator.standard_t(4, number)[units]
    columns = {"city": city, "age": age, "other": other, "y": truth}
    table = Table({name: pl.Series(values) for name, values in columns.items()})
    scored = Scored("regression", truth[:, None], Predictions((truth + error)[:, None]))
    return table, infer_schema(table, targets=["y"]), scored


@pytest.mark.parametrize("is_grouped", [False, True])
def test_noise_is_no_finding(is_grouped: bool) -> None:
    groups = np.repeat(np.arange(ROWS // 8), 8) if is_grouped else None
    alarms = 0
    for seed in range(60):
        table, schema, scored = made_up(seed, groups)
        found = find_slices(schema, table, scored, groups=groups, seed=seed + 10_000)
        assert found["searched"] > 20
        alarms += bool(found["found"])
    assert alarms <= 9  # binomial(60, 0.05) exceeds it in 0.1 % of cases


def test_a_planted_pair_is_found_and_told_with_its_interval() -> None:
    table, schema, scored = made_up(1)
    is_bad = (table.series("city") == "b").to_numpy() & (table.series("age") > 0).to_numpy()
    values = scored.values + 12.0 * is_bad[:, None]
    found = find_slices(schema, table, Scored("regression", scored.truth, Predictions(values)))
    worst = found["found"][0]
    assert worst["columns"]["city"] == "b"
    assert worst["low"] < worst["difference"] < worst["high"]
    assert worst["low"] > 3
    assert worst["p"] <= 0.05
    assert worst["value"] == pytest.approx(worst["rest"] + worst["difference"])
    assert "city = b" in worst["sentence"]
    assert "elsewhere" in worst["sentence"]


def test_too_few_rows_are_not_searched() -> None:
    table, schema, scored = made_up(1)
    part = Scored("regression", scored.truth[:30], Predictions(scored.values[:30]))
    found = find_slices(schema, table.take(range(30)), part)
    assert found["found"] == []
    assert "too few" in found["sentence"]


def test_bins_name_every_row_once() -> None:
    days = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 4, 9), "1d", eager=True)
    table = Table(
        {"day": days, "n": pl.Series([None, *range(99)]), "c": pl.Series(list("ab") * 50)}
    )
    day, number, category = (
        bin_column(table, name, kind)
        for name, kind in (("day", "date"), ("n", "number"), ("c", "category"))
    )
    assert day is not None
    assert number is not None
    assert category is not None
    assert np.bincount(day.codes).tolist() == [20] * 5
    assert day.labels[0] == "up to 2024-01-20"
    assert number.labels[-1] == "missing"
    assert np.bincount(number.codes)[-1] == 1
    assert category.labels == ("a", "b")


def people(rows: int = 1000) -> tuple[Binary, Schema, Table, Scored]:
    generator = np.random.default_rng(2)
    sex = generator.choice(["f", "m"], rows)
    truth = (generator.random(rows) < 0.5).astype(np.int64)
    chance = np.clip(0.5 + 0.3 * (truth - 0.5) + 0.25 * (sex == "m") - 0.1, 0.01, 0.99)
    chance = np.clip(chance + 0.15 * generator.normal(size=rows), 0.01, 0.99)
    table = Table(
        {
            "sex": pl.Series(sex),
            "x": pl.Series(generator.normal(size=rows)),
            "y": pl.Series(np.where(truth == 1, "yes", "no")),
        }
    )
    answers = Predictions((chance > 0.5).astype(np.int64), np.stack([1 - chance, chance], 1))
    task = Binary(targets=("y",), classes=["no", "yes"], weights=None)
    return task, infer_schema(table, targets=["y"]), table, Scored("binary", truth, answers)


def test_rates_of_groups_are_those_of_their_rows() -> None:
    task, schema, table, scored = people()
    found = fairness(
        task,
        schema,
        table,
        scored,
        columns=["sex"],
        metric=METRICS["accuracy"],
        draws=Resamples(1000, count=200),
    )
    (column,) = found["columns"]
    is_woman = (table.series("sex") == "f").to_numpy()
    rates = {rate["name"]: rate for rate in column["rates"]}
    own = next(v for v in rates["selection_rate"]["values"] if v["group"] == "f")
    assert own["value"] == pytest.approx(scored.values[is_woman].mean())
    assert rates["selection_rate"]["reference"] == "m"
    other = scored.values[~is_woman].mean()
    assert own["difference"]["value"] == pytest.approx(own["value"] - other)
    assert own["difference"]["high"] < 0
    assert own["ratio"]["value"] == pytest.approx(own["value"] / other)
    found_rate = next(v for v in rates["true_positive_rate"]["values"] if v["group"] == "f")
    women_yes = is_woman & (scored.truth == 1)
    assert found_rate["value"] == pytest.approx(scored.values[women_yes].mean())
    assert rates["false_positive_rate"]["reference"] == "f"
    assert any("four fifths" in sentence for sentence in column["sentences"])
    assert any("Equalised odds" in sentence for sentence in column["sentences"])
    assert "just" in NO_VERDICT


def test_numbers_get_error_and_bias_and_small_groups_get_nothing() -> None:
    table, schema, scored = made_up(3)
    city = table.series("city").to_list()
    city[:5] = ["rare"] * 5
    table = table.with_column("city", pl.Series(city))
    is_a = (table.series("city") == "a").to_numpy()
    high = Scored("regression", scored.truth, Predictions(scored.values + 6.0 * is_a[:, None]))
    found = fairness(
        Regression(targets=("y",)),
        schema,
        table,
        high,
        columns=["city"],
        metric=METRICS["rmse"],
        draws=Resamples(ROWS, count=200),
    )["columns"][0]
    bias = next(rate for rate in found["rates"] if rate["name"] == "bias")
    own = next(value for value in bias["values"] if value["group"] == "a")
    assert own["value"] == pytest.approx((high.values - high.truth)[is_a].mean())
    assert own["low"] > 3
    rare = next(group for group in found["groups"] if group["name"] == "rare")
    assert rare["is_small"]
    assert rare["score"] is None
    assert all(value["group"] != "rare" for rate in found["rates"] for value in rate["values"])


@pytest.mark.parametrize(
    ("name", "error", "match"),
    [("sexx", ColumnError, 'mean "sex"'), ("y", DataError, "is the target")],
)
def test_columns_that_form_no_groups_are_refused(
    name: str, error: type[Exception], match: str
) -> None:
    _, schema, table, _ = people(60)
    with pytest.raises(error, match=match):
        check_columns(schema, table, [name])
