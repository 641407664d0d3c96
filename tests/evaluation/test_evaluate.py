from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest

from deepwell.data.schema import ColumnSpec, Schema
from deepwell.data.table import Table
from deepwell.errors import ConfigError, DataError, TrainingError
from deepwell.evaluation.asked import Asked
from deepwell.evaluation.baselines import Baseline
from deepwell.evaluation.evaluate import evaluate
from deepwell.evaluation.intervals import Resamples, intervals, paired_difference
from deepwell.evaluation.metrics import METRICS, metrics_for
from deepwell.evaluation.scored import Scored
from deepwell.evaluation.settings import EvaluationSettings
from deepwell.tasks import Binary, Multiclass, Multilabel, Regression
from deepwell.tasks.decisions import DecisionSettings
from deepwell.types import Predictions

KEYS = {
    "task",
    "targets",
    "labels",
    "primary",
    "rows",
    "metrics",
    "titles",
    "by_target",
    "baselines",
    "baseline_titles",
    "baseline_seconds",
    "baseline_notes",
    "comparisons",
    "verdict",
    "success",
    "confusion",
    "calibration",
    "residuals",
    "mistakes",
}


def schema(targets: tuple[str, ...], **roles: str) -> Schema:
    specs = [ColumnSpec(name="x", kind="number", role="input", reason="")]
    specs += [ColumnSpec(name=n, kind="number", role="target", reason="") for n in targets]
    specs += [ColumnSpec(name=n, kind="category", role=r, reason="") for n, r in roles.items()]
    return Schema(tuple(specs), 150)


def prices(rows: int = 150) -> tuple[Regression, Table, Predictions, dict[str, Baseline]]:
    generator = np.random.default_rng(0)
    x = generator.normal(size=rows)
    price = 100 + 10 * x + generator.normal(size=rows)
    table = Table({"x": pl.Series(x), "price": pl.Series(price)})
    net = Predictions((100 + 10 * x)[:, None])
    rough = Predictions((100 + 9 * x + generator.normal(size=rows))[:, None])
    baselines = {
        "constant": Baseline("Mean", Predictions(np.full((rows, 1), 100.0)), 0.1, "One number."),
        "linear": Baseline("Ridge regression", rough, 0.2, "Penalty 1."),
    }
    return Regression(targets=("price",)), table, net, baselines


def as_json(evaluation) -> dict:
    state = evaluation.to_json()
    text = json.dumps(state, allow_nan=False)
    assert set(state) == KEYS
    return json.loads(text)


def test_regression() -> None:
    task, table, net, baselines = prices()
    settings = EvaluationSettings(success="rmse < 2", resamples=200)
    found = as_json(
        evaluate(
            task,
            schema(("price",)),
            test=table,
            predictions=net,
            baselines=baselines,
            model="mlp",
            settings=settings,
            seed=3,
        )
    )
    assert found["primary"] == "rmse"
    assert list(found["metrics"]) == ["rmse", "mae", "median_error", "r2"]
    assert found["titles"]["r2"] == "R²"
    draws = Resamples(150, count=200, seed=3)
    truth = task.truth(table)
    alone = intervals(Scored("regression", truth, net), metrics_for("regression"), draws)
    assert found["metrics"] == {name: one.to_json() for name, one in alone.items()}
    pair = paired_difference(
        METRICS["rmse"],
        truth,
        net,
        baselines["linear"].predictions,
        task="regression",
        resamples=draws,
    )
    assert found["comparisons"][1] == {
        "baseline": "linear",
        "metric": "rmse",
        "difference": pair.difference,
        "low": pair.low,
        "high": pair.high,
        "outcome": "better",
    }
    assert found["verdict"].startswith("The network beats the mean by ")
    assert found["success"]["met"] is True
    assert found["success"]["value"] == found["metrics"]["rmse"]["value"]
    assert found["baseline_titles"] == {"constant": "Mean", "linear": "Ridge regression"}
    assert found["baseline_seconds"] == {"constant": 0.1, "linear": 0.2}
    assert found["confusion"] is None
    assert found["calibration"] is None
    assert found["by_target"] is None
    assert found["residuals"][0]["actual"] == truth[:, 0].tolist()
    assert len(found["mistakes"]) == 24
    assert found["rows"] == {"test": 150}


def test_binary_with_weights() -> None:
    generator = np.random.default_rng(1)
    truth = generator.integers(0, 2, 150)
    chance = np.clip(0.5 * truth + 0.25 + 0.3 * generator.normal(size=150), 0.01, 0.99)
    table = Table({"x": pl.Series(chance), "y": pl.Series(np.where(truth == 1, "yes", "no"))})
    net = Predictions((chance > 0.5).astype(np.int64), np.stack([1 - chance, chance], axis=1))
    weight = generator.uniform(0.5, 2.0, 150)
    table = table.with_column("importance", pl.Series(weight))
    task = Binary(targets=("y",), classes=["no", "yes"])
    found = as_json(
        evaluate(
            task,
            schema(("y",), importance="weight"),
            test=table,
            predictions=net,
            baselines={},
        )
    )
    recall = METRICS["recall"]("binary", truth, net, weight)
    assert found["metrics"]["recall"]["value"] == pytest.approx(recall)
    assert found["metrics"]["recall"]["low"] < recall < found["metrics"]["recall"]["high"]
    assert found["confusion"]["labels"] == ["no", "yes"]
    matrix = np.array(found["confusion"]["matrix"])
    assert matrix[1, 0] == ((truth == 1) & (chance <= 0.5)).sum()
    assert matrix.sum() == 150
    assert sum(one["count"] for one in found["calibration"]["bins"]) == 150
    assert found["residuals"] is None
    assert found["success"] is None
    assert found["verdict"].startswith("The network's accuracy is ")
    assert found["labels"] == ["no", "yes"]


def test_multiclass_with_a_class_that_the_test_rows_do_not_have() -> None:
    truth = np.array([0, 1, 0, 1])
    chances = np.array([[0.8, 0.1, 0.1], [0.2, 0.7, 0.1], [0.3, 0.3, 0.4], [0.3, 0.6, 0.1]])
    table = Table({"x": pl.Series([1.0, 2, 3, 4]), "y": pl.Series(["a", "b", "a", "b"])})
    task = Multiclass(targets=("y",), classes=["a", "b", "c"])
    net = Predictions(chances.argmax(axis=1), chances)
    constant = Predictions(np.zeros(4, dtype=np.int64), np.tile([0.5, 0.4, 0.1], (4, 1)))
    found = as_json(
        evaluate(
            task,
            schema(("y",)),
            test=table,
            predictions=net,
            baselines={"constant": Baseline("Most common class", constant, 0.0, "")},
        )
    )
    assert found["confusion"]["matrix"] == [[1, 0, 1], [0, 2, 0], [0, 0, 0]]
    assert found["comparisons"][0]["outcome"] == "undecided"
    assert found["verdict"].startswith("The network does not beat the most common class")
    assert [one["id"] for one in found["mistakes"]] == [2]
    assert (task.truth(table) == truth).all()


def test_multilabel_and_several_numbers() -> None:
    truth = np.array([[0, 1], [1, 1], [0, 0], [1, 0]])
    columns = {name: pl.Series(truth[:, i] == 1) for i, name in enumerate(("a", "b"))}
    chances = np.array([[0.1, 0.9], [0.9, 0.2], [0.2, 0.2], [0.6, 0.7]])
    net = Predictions((chances > 0.5).astype(np.int64), chances)
    table = Table({"x": pl.Series([1.0, 2, 3, 4]), **columns})
    task = Multilabel(targets=("a", "b"))
    kinds = schema(("a", "b"))
    found = as_json(evaluate(task, kinds, test=table, predictions=net, baselines={}))
    assert found["primary"] == "f1"
    assert found["metrics"]["accuracy"]["value"] == 0.5
    assert found["metrics"]["hamming_loss"]["value"] == 0.25
    assert found["confusion"] is None
    numbers = Table({"x": pl.Series([1.0, 2, 3]), **{n: pl.Series([1.0, 2, 3]) for n in "ab"}})
    guess = Predictions(np.array([[1.0, 2], [2, 3], [3, 4]]))
    two = Regression(targets=("a", "b"))
    found = as_json(evaluate(two, kinds, test=numbers, predictions=guess, baselines={}))
    assert found["by_target"]["a"]["rmse"] == 0.0
    assert found["by_target"]["b"]["rmse"] == 1.0
    assert found["metrics"]["rmse"]["value"] == 0.5
    assert [one["target"] for one in found["residuals"]] == ["a", "b"]


def test_rows_of_a_group_are_drawn_together() -> None:
    task, table, _, _ = prices()
    off = np.repeat(np.random.default_rng(0).normal(size=15), 10)[:, None]
    shifted = Predictions(task.truth(table) + 5 * off)
    groups = table.with_column("street", pl.Series([f"s{i // 10}" for i in range(150)]))
    common = {"predictions": shifted, "baselines": {}}
    plain = evaluate(task, schema(("price",)), test=groups, **common).metrics["rmse"]
    kinds = schema(("price",), street="group")
    grouped = evaluate(task, kinds, test=groups, **common).metrics["rmse"]
    assert grouped.value == plain.value
    assert grouped.high - grouped.low > 1.5 * (plain.high - plain.low)


def test_large_tests_show_some_points_only() -> None:
    task, table, net, _ = prices(2500)
    found = evaluate(
        task,
        schema(("price",)),
        test=table,
        predictions=net,
        baselines={},
        settings=EvaluationSettings(resamples=50, mistakes=3),
    )
    points = found.residuals[0]
    assert len(points["actual"]) == len(points["predicted"]) == 2000
    known = dict(zip(task.truth(table)[:, 0].tolist(), net.values[:, 0].tolist(), strict=True))
    assert all(known[a] == p for a, p in zip(points["actual"], points["predicted"], strict=True))
    assert len(found.mistakes) == 3


def test_broken_input_is_explained() -> None:
    task, table, net, _ = prices()
    common = {"baselines": {}}
    kinds = schema(("price",))
    broken = net.values.copy()
    broken[4:6] = np.nan
    with pytest.raises(TrainingError, match="2 of 150 test rows with NaN or infinity"):
        evaluate(task, kinds, test=table, predictions=Predictions(broken), **common)
    empty = Predictions(np.zeros((0, 1)))
    with pytest.raises(DataError, match="no test row"):
        evaluate(task, kinds, test=table.take([]), predictions=empty, **common)
    roles = schema(("price",), importance="weight")
    for bad in (0.0, -1.0, np.nan):
        weighted = table.with_column("importance", pl.Series([bad] * 150))
        with pytest.raises(DataError, match="Row weights"):
            evaluate(task, roles, test=weighted, predictions=net, **common)
    wrong = EvaluationSettings(success="accuracy > 0.5")
    with pytest.raises(ConfigError, match="not one of regression"):
        evaluate(task, kinds, test=table, predictions=net, settings=wrong, **common)


def sold(rows: int = 400) -> tuple[Binary, Table, dict[str, Baseline], Predictions]:
    generator = np.random.default_rng(4)
    chance = generator.uniform(size=rows)
    truth = generator.uniform(size=rows) < chance
    table = Table({"x": pl.Series(chance), "sold": pl.Series(np.where(truth, "yes", "no"))})
    stated = np.stack([1 - chance, chance], axis=1)
    usual = np.tile([0.6, 0.4], (rows, 1))
    baselines = {
        "constant": Baseline("Most common class", Predictions(usual.argmax(1), usual), 0.1, ""),
        "linear": Baseline("Logistic regression", Predictions(stated.argmax(1), stated), 0.1, ""),
    }
    return (
        Binary(targets=("sold",), classes=["no", "yes"]),
        table,
        baselines,
        Predictions((chance >= 0.2).astype(np.int64), stated),
    )


def test_where_mistakes_have_a_price_all_models_answer_by_it_and_the_cost_decides():
    task, table, baselines, net = sold()
    asked = Asked(EvaluationSettings(resamples=200), DecisionSettings(cost="1,4"))
    found = evaluate(
        task, schema(("sold",)), test=table, predictions=net, baselines=baselines, settings=asked
    )
    truth = task.truth(table)
    alarms, misses = (net.values > truth).mean(), (net.values < truth).mean()
    assert found.primary == "cost"
    assert found.metrics["cost"].value == pytest.approx(alarms + 4 * misses)
    # the same probabilities answered by the same costs are the same answers
    assert found.baselines["linear"]["cost"].value == found.metrics["cost"].value
    # who always says yes pays for each no
    assert found.baselines["constant"]["cost"].value == pytest.approx((truth == 0).mean())
    assert found.baseline_titles["constant"] == "Cheapest constant answer"
    assert found.verdict.startswith("Between the network and the linear model there is no")
    assert "beats the cheapest constant answer by" in found.verdict


@pytest.mark.parametrize("rule", ["0.2", "f1", "recall>=0.9"])
def test_a_chosen_threshold_is_judged_by_what_no_threshold_moves(rule: str):
    task, table, baselines, net = sold()
    asked = Asked(EvaluationSettings(resamples=200), DecisionSettings(threshold=rule))
    found = evaluate(
        task, schema(("sold",)), test=table, predictions=net, baselines=baselines, settings=asked
    )
    assert found.primary == "average_precision"
    outcomes = {one.baseline: one.outcome for one in found.comparisons}
    assert outcomes == {"constant": "better", "linear": "undecided"}
