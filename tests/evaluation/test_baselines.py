"""The simple models, fitted through the real encoders."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from deepwell.data.infer import infer_schema
from deepwell.data.schema import Schema
from deepwell.data.settings import DataSettings
from deepwell.data.table import Table
from deepwell.errors import ConfigError
from deepwell.evaluation.baselines import applicable, fit_baselines
from deepwell.evaluation.baselines.baseline import choose_rows
from deepwell.evaluation.baselines.features import small_pixels
from deepwell.evaluation.metrics import METRICS
from deepwell.evaluation.settings import EvaluationSettings
from deepwell.tasks import Task, TaskSettings, formulate


def homes(rows: int = 240, seed: int = 0) -> Table:
    """A price that is linear in size and town and has a step that only trees see."""
    generator = np.random.default_rng(seed)
    size, age = generator.uniform(30, 200, rows), generator.uniform(0, 100, rows)
    town = generator.choice(["York", "Bath", "Hull"], rows)
    price = 10 * size + 400.0 * (town == "Bath") + 500.0 * ((age > 40) & (age < 60))
    price += generator.normal(0, 20, rows)
    gaps = np.where(generator.random(rows) < 0.1, np.nan, age)
    columns = {
        "size": pl.Series(size),
        "age": pl.Series(gaps, nan_to_null=True),
        "town": pl.Series(town),
        "price": pl.Series(price),
        "rent": pl.Series(price / 50 + generator.normal(0, 1, rows)),
        "dear": pl.Series(np.where(price > 1500, "yes", "no")),
        "large": pl.Series(np.where(size > 120, "yes", "no")),
        "band": pl.Series(np.array(["low", "mid", "high"])[np.digitize(price, [900, 1800])]),
    }
    return Table(columns)


TARGETS = {
    "regression": ("price",),
    "regression of two": ("price", "rent"),
    "binary": ("dear",),
    "multiclass": ("band",),
    "multilabel": ("dear", "large"),
}
ALL = {name for names in TARGETS.values() for name in names}


def question(table: Table, targets: tuple[str, ...]) -> tuple[Task, Schema, Table, Table]:
    others = tuple(name for name in table.names if name in ALL - set(targets))
    schema = infer_schema(table, targets=targets, settings=DataSettings(ignore=others))
    train, test = table.take(range(180)), table.take(range(180, len(table)))
    return formulate(schema, table, TaskSettings()).fit(train, TaskSettings()), schema, train, test


@pytest.mark.parametrize("case", TARGETS)
def test_each_task_gets_three_better_and_better_baselines(case: str) -> None:
    task, schema, train, test = question(homes(), TARGETS[case])
    found = fit_baselines(task, schema, train, test)
    assert list(found) == ["constant", "linear", "boosting"]
    truth = task.truth(test)
    metric = METRICS["rmse" if task.name == "regression" else "log_loss"]
    scores = {name: metric(task.name, truth, one.predictions) for name, one in found.items()}
    assert scores["linear"] < 0.6 * scores["constant"]
    assert scores["boosting"] < scores["constant"]
    for one in found.values():
        assert one.predictions.values.shape == truth.shape
        assert one.seconds >= 0
        assert one.note.endswith(".")
        if task.name != "regression":
            assert one.predictions.probabilities.shape == (len(test), len(task.labels))
            assert one.predictions.values.dtype == np.int64
        if task.name in ("binary", "multiclass"):
            np.testing.assert_allclose(one.predictions.probabilities.sum(axis=1), 1)


def test_constant_is_the_weighted_mean_and_the_weighted_majority() -> None:
    settings = EvaluationSettings(baselines="constant")
    weight = np.r_[np.full(90, 9.0), np.full(90, 1.0)]
    task, schema, train, test = question(homes(), ("price",))
    found = fit_baselines(task, schema, train, test, settings=settings, weight=weight)
    mean = np.average(task.truth(train)[:, 0], weights=weight)
    np.testing.assert_allclose(found["constant"].predictions.values, mean)
    table = homes().with_column("dear", pl.Series(["yes"] * 90 + ["no"] * 150))
    task, schema, train, test = question(table, ("dear",))
    found = fit_baselines(task, schema, train, test, settings=settings, weight=weight)
    assert (found["constant"].predictions.values == 1).all()
    np.testing.assert_allclose(found["constant"].predictions.probabilities[0], [0.1, 0.9])


def test_weights_reach_the_linear_model_and_the_trees() -> None:
    # a quarter of the rows says the opposite; without weight they do not count
    table = homes()
    answers = np.array(table.series("large").to_list())
    is_liar = np.arange(240) % 4 == 0
    answers[is_liar] = np.where(answers[is_liar] == "yes", "no", "yes")
    task, schema, train, test = question(table.with_column("large", pl.Series(answers)), ("large",))
    weight = np.where(is_liar[:180], 1e-6, 1.0)
    honest = test.take(~is_liar[180:])
    found = fit_baselines(task, schema, train, honest, weight=weight)
    for name in ("linear", "boosting"):
        score = METRICS["log_loss"](task.name, task.truth(honest), found[name].predictions)
        assert score < 0.25, name


def test_same_seed_same_answers_whatever_the_test_rows() -> None:
    task, schema, train, test = question(homes(), ("band",))
    first = fit_baselines(task, schema, train, test, seed=3)
    again = fit_baselines(task, schema, train, test.take([0, 5]), seed=3)
    for name, one in first.items():
        np.testing.assert_allclose(
            one.predictions.probabilities[[0, 5]], again[name].predictions.probabilities
        )


def test_pictures_are_averaged_and_answered_by_a_linear_model() -> None:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 3, 120)
    images = generator.integers(0, 60, (120, 70, 40, 3), dtype=np.uint8)
    for row, answer in enumerate(truth):
        images[row, :, 10 * answer : 10 * answer + 10, answer] += 40
    table = Table({"image": images, "label": pl.Series(np.array(["a", "b", "c"])[truth])})
    schema = infer_schema(table, targets=("label",), settings=DataSettings())
    task = formulate(schema, table, TaskSettings()).fit(table, TaskSettings())
    assert applicable(schema) == ("constant", "linear")
    train, test = table.take(range(90)), table.take(range(90, 120))
    found = fit_baselines(task, schema, train, test)
    assert list(found) == ["constant", "linear"]
    accuracy = METRICS["accuracy"](task.name, task.truth(test), found["linear"].predictions)
    assert accuracy > 0.9
    with pytest.raises(ConfigError, match="for tables, but these data hold pictures"):
        applicable(schema, EvaluationSettings(baselines=("boosting",)))


def test_small_pixels_are_block_means() -> None:
    images = np.arange(64 * 34, dtype=np.uint8).reshape(1, 1, 64, 34)
    small = small_pixels(images).reshape(32, 17)
    expected = images[0, 0].reshape(32, 2, 17, 2).mean(axis=(1, 3)) / 127.5 - 1
    np.testing.assert_allclose(small, expected, atol=1e-6)
    as_they_are = small_pixels(images[:, :, :28, :28])
    np.testing.assert_allclose(as_they_are[0, :28], images[0, 0, 0, :28] / 127.5 - 1, atol=1e-6)


def test_settings_choose_the_baselines() -> None:
    task, schema, train, test = question(homes(), ("price",))
    none = EvaluationSettings(baselines="none")
    assert fit_baselines(task, schema, train, test, settings=none) == {}
    one = EvaluationSettings(baselines=("linear",))
    assert list(fit_baselines(task, schema, train, test, settings=one)) == ["linear"]
    with pytest.raises(ConfigError, match="baselines"):
        EvaluationSettings(baselines="forest")


def test_hard_cases_neither_warn_nor_fail() -> None:
    generator = np.random.default_rng(0)
    table = Table(
        {
            "empty_in_train": pl.Series([None] * 180 + [1.0] * 60),
            "x": pl.Series(generator.normal(size=240) * 1e6),
            "town": pl.Series([f"t{i % 30}" for i in range(180)] + ["new"] * 60),
            "kind": pl.Series(["a", "b"] * 89 + ["a", "c"] + ["a", "b"] * 30),
        }
    )
    task, schema, train, test = question(table, ("kind",))
    assert len(task.labels) == 3
    for one in fit_baselines(task, schema, train, test).values():
        assert np.isfinite(one.predictions.probabilities).all()
    only = Table({"x": table["x"], "y": pl.Series([5.0] * 179 + [6.0] * 61)})
    task, schema, train, test = question(only, ("y",))
    for one in fit_baselines(task, schema, train, test).values():
        assert np.isfinite(one.predictions.values).all()


def test_limits_of_work_are_kept_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    task, schema, train, test = question(homes(), ("band",))
    module = "deepwell.evaluation.baselines."
    monkeypatch.setattr(module + "boosting.WORK", 1.0)
    monkeypatch.setattr(module + "boosting.FEWEST_ROWS", 60)
    monkeypatch.setattr(module + "linear.ITERATIVE_WORK", 1.0)
    monkeypatch.setattr(module + "linear.FEWEST_ROWS", 60)
    monkeypatch.setattr(module + "linear.FEWEST_ITERATIONS", 2)
    monkeypatch.setattr(module + "linear.NEWTON_WORK", 0.0)
    found = fit_baselines(task, schema, train, test)
    for name in ("linear", "boosting"):
        assert "of the 180 training rows to save time." in found[name].note
    assert "Stopped after 2 iterations" in found["linear"].note


def test_chosen_rows_hold_each_class() -> None:
    truth = np.r_[np.zeros(1000, dtype=int), [1, 2, 2, 2]]
    rows = choose_rows(truth, 50, seed=0, task="multiclass")
    assert 50 <= len(rows) <= 56
    assert set(truth[rows]) == {0, 1, 2}
    assert len(np.unique(rows)) == len(rows)
