from __future__ import annotations

import pytest

from deepwell.errors import ConfigError
from deepwell.evaluation.success import check_success, parse_success


@pytest.mark.parametrize(
    ("text", "task", "expected"),
    [
        ("rmse < 25000", "regression", ("rmse", "<", 25000.0)),
        ("rmse<=25,000.5", "regression", ("rmse", "<=", 25000.5)),
        ("mae ≤ 2.5e4", "regression", ("mae", "<=", 25000.0)),
        ("r2 > -.5", "regression", ("r2", ">", -0.5)),
        ("ACCURACY ≥ 0.9", "binary", ("accuracy", ">=", 0.9)),
        ("recall >= 90 %", "multiclass", ("recall", ">=", 0.9)),
        ("log_loss < 0.3", "multilabel", ("log_loss", "<", 0.3)),
    ],
)
def test_reads(text: str, task: str, expected: tuple[str, str, float]) -> None:
    found = parse_success(text, task)
    assert (found.metric, found.operator, found.threshold) == expected
    assert found.expression == text


@pytest.mark.parametrize(
    ("text", "task", "message"),
    [
        ("rsme < 5", "regression", 'Did you mean "rmse"'),
        ("accuracy > 0.9", "regression", "not one of regression"),
        ("rmse < 5", "binary", "not one of binary"),
        ("rmse", "regression", "cannot be read"),
        ("rmse == 5", "regression", "cannot be read"),
        ("rmse < five", "regression", "cannot be read"),
        ("rmse < 1e", "regression", "cannot be read"),
        ("rmse < nan", "regression", "cannot be read"),
        ("rmse < inf", "regression", "cannot be read"),
        ("", "regression", "cannot be read"),
        ("0.1 < rmse < 0.5", "regression", "cannot be read"),
        ("accuracy >= 90", "binary", "between 0 and 1. Write 0.9 or 90%"),
        ("accuracy <= 0.9", "binary", "higher accuracy is better, so write >="),
        ("rmse > 5", "regression", "lower rmse is better, so write <="),
    ],
)
def test_refuses(text: str, task: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_success(text, task)


def test_the_edge_is_met_only_where_it_is_included() -> None:
    assert parse_success("accuracy >= 0.9", "binary").check(0.9)["met"]
    assert not parse_success("accuracy > 0.9", "binary").check(0.9)["met"]
    assert parse_success("rmse <= 5", "regression").check(5.0)["met"]
    assert not parse_success("rmse < 5", "regression").check(5.0)["met"]


def test_an_undefined_value_is_no_success() -> None:
    outcome = parse_success("roc_auc > 0.5", "binary").check(None)
    assert outcome["met"] is False
    assert outcome["value"] is None


def test_a_cost_of_classes_needs_prices():
    check_success("cost < 0.4", "binary", has_prices=True)
    check_success("cost < 3", "regression", has_prices=False)
    with pytest.raises(ConfigError, match="--cost 1,5"):
        check_success("cost < 0.4", "multiclass", has_prices=False)
