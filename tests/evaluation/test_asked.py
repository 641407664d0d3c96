"""Costs of over- and underestimates, quantile loss: metrics that a setting asks for."""

import numpy as np
import polars as pl
import pytest
from sklearn.metrics import mean_pinball_loss

from deepwell.data import Schema, Table, infer_schema
from deepwell.errors import ConfigError
from deepwell.evaluation import METRICS, Baseline, EvaluationSettings, evaluate
from deepwell.evaluation.asked import check_asked, metrics_of, primary_of
from deepwell.evaluation.metrics import value_of
from deepwell.evaluation.scored import Scored
from deepwell.tasks import Binary, Regression, TaskSettings
from deepwell.types import Predictions

PRICES = Regression(targets=("price",))
TRUTH = np.array([[10.0], [20.0], [30.0], [40.0]])
ANSWERS = np.array([[12.0], [17.0], [30.0], [44.0]])


def scored() -> Scored:
    return Scored("regression", TRUTH, Predictions(ANSWERS))


def value(name: str, settings: EvaluationSettings, weight=None, task=PRICES) -> float | None:
    found = {metric.name: metric for metric in metrics_of(task, settings)}
    return value_of(found[name], scored(), weight)


def test_the_cost_by_hand_with_weights():
    settings = EvaluationSettings(cost_over=1, cost_under=5)
    assert value("cost", settings) == pytest.approx((2 + 15 + 0 + 4) / 4)
    weight = np.array([1.0, 3.0, 0.0, 1.0])
    assert value("cost", settings, weight) == pytest.approx((2 + 45 + 4) / 5)
    assert value("cost", EvaluationSettings(cost_under=2)) == pytest.approx((2 + 6 + 4) / 4)


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.9])
def test_quantile_loss_equals_scikit_learn(quantile: float):
    weight = np.array([1.0, 3.0, 0.5, 1.0])
    expected = mean_pinball_loss(TRUTH, ANSWERS, alpha=quantile, sample_weight=weight)
    assert value("pinball", EvaluationSettings(quantile=quantile), weight) == expected
    task = Regression(targets=("price",), settings=TaskSettings(loss="quantile", quantile=quantile))
    assert value("pinball", EvaluationSettings(), weight, task) == expected


def test_only_what_is_asked_is_shown():
    names = [metric.name for metric in metrics_of(PRICES, EvaluationSettings())]
    assert "cost" not in names
    assert "pinball" not in names
    named = metrics_of(PRICES, EvaluationSettings(success="cost < 3"))
    assert value_of(named[-1], scored()) == value_of(METRICS["mae"], scored())
    assert primary_of(PRICES, EvaluationSettings()).name == "rmse"


def test_the_verdict_is_given_by_the_cost():
    rows = {"size": list(range(80)), "price": [float(x % 17) for x in range(80)]}
    table = Table({name: pl.Series(values) for name, values in rows.items()})
    schema: Schema = infer_schema(table, targets=["price"])
    truth = PRICES.truth(table)
    high = Baseline("Too high", Predictions(truth + 2), 0.0, "")
    settings = EvaluationSettings(cost_over=1, cost_under=9, resamples=50)
    found = evaluate(
        PRICES,
        schema,
        test=table,
        predictions=Predictions(truth - 1),
        baselines={"linear": high},
        settings=settings,
    )
    assert found.primary == "cost"
    assert found.metrics["cost"].value == pytest.approx(9)
    assert found.comparisons[0].outcome == "worse"
    assert found.metrics["rmse"].value < found.baselines["linear"]["rmse"].value
    assert "cost" in found.verdict.lower()


@pytest.mark.parametrize(
    "given", [{"cost_over": 0, "cost_under": 0}, {"cost_over": -1}, {"quantile": 1.0}]
)
def test_senseless_costs_are_refused(given: dict[str, float]):
    with pytest.raises(ConfigError):
        EvaluationSettings.model_validate(given)


@pytest.mark.parametrize("given", [{"cost_over": 2}, {"quantile": 0.9}])
def test_classes_have_no_over_and_under(given: dict[str, float]):
    task = Binary(classes=["no", "yes"])
    with pytest.raises(ConfigError, match="for numbers, but the target is a class"):
        check_asked(task, EvaluationSettings.model_validate(given))
