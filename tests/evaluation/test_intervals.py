from __future__ import annotations

import numpy as np
import pytest

from deepwell.evaluation.intervals import (
    Difference,
    Resamples,
    affordable,
    around,
    bootstrap,
    intervals,
    paired_difference,
    percentiles,
)
from deepwell.evaluation.metrics import METRICS, metrics_for, value_of
from deepwell.evaluation.scored import Scored
from deepwell.types import Predictions


def numbers(rows: int, seed: int = 0, noise: float = 1.0) -> tuple[np.ndarray, Predictions]:
    generator = np.random.default_rng(seed)
    truth = generator.normal(size=(rows, 1))
    return truth, Predictions(truth + noise * generator.normal(size=(rows, 1)))


def classes(task: str, rows: int) -> tuple[np.ndarray, Predictions]:
    generator = np.random.default_rng(5)
    width = {"binary": 2, "multiclass": 4, "multilabel": 3}[task]
    chances = generator.dirichlet(np.ones(width), rows).round(2) + 0.001
    if task == "multilabel":
        truth = (generator.random((rows, width)) < 0.3).astype(np.int64)
        return truth, Predictions((chances > 0.5).astype(np.int64), chances)
    chances /= chances.sum(axis=1, keepdims=True)
    return generator.integers(0, width, rows), Predictions(chances.argmax(axis=1), chances)


@pytest.mark.parametrize("task", ["regression", "binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_equals_a_slow_bootstrap_of_the_same_draws(task: str, is_weighted: bool) -> None:
    truth, answers = numbers(12) if task == "regression" else classes(task, 12)
    weight = np.random.default_rng(6).uniform(0.5, 2.0, 12) if is_weighted else None
    resamples = Resamples(12, count=40, seed=1)
    metrics = metrics_for(task)
    fast = bootstrap({"net": Scored(task, truth, answers)}, metrics, resamples, weight)["net"]
    counts = np.concatenate(list(resamples), axis=1).astype(int)
    assert counts.shape == (12, 40)
    for draw in range(40):
        rows = np.repeat(np.arange(12), counts[:, draw])
        chances = None if answers.probabilities is None else answers.probabilities[rows]
        scored = Scored(task, truth[rows], Predictions(answers.values[rows], chances))
        for metric in metrics:
            slow = value_of(metric, scored, None if weight is None else weight[rows])
            expected = np.nan if slow is None else slow
            np.testing.assert_allclose(
                fast[metric.name][draw], expected, atol=1e-10, err_msg=metric.name
            )


def test_coverage_of_the_mean_absolute_error() -> None:
    truth_of_all = np.sqrt(2 / np.pi)
    inside = 0
    for seed in range(200):
        truth, answers = numbers(80, seed)
        scored = Scored("regression", truth, answers)
        draws = Resamples(80, count=300, seed=seed)
        found = intervals(scored, [METRICS["mae"]], draws)["mae"]
        inside += found.low <= truth_of_all <= found.high
    assert 180 <= inside <= 198


def test_draws_are_repeatable_and_are_draws_with_replacement() -> None:
    draws = Resamples(50, count=30, seed=4)
    first, second = (np.concatenate(list(draws), axis=1) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (first.sum(axis=0) == 50).all()
    assert first.max() > 1
    other = np.concatenate(list(Resamples(50, count=30, seed=5)), axis=1)
    assert (first != other).any()


def test_many_pieces_are_as_good_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = np.concatenate(list(Resamples(40, count=25, seed=0)), axis=1)
    monkeypatch.setattr("deepwell.evaluation.intervals.CELLS", 120)
    pieces = list(Resamples(40, count=25, seed=0))
    assert len(pieces) == 9
    np.testing.assert_array_equal(np.concatenate(pieces, axis=1), whole)


def test_groups_are_drawn_whole_and_widen_the_interval() -> None:
    generator = np.random.default_rng(0)
    groups = np.repeat(np.arange(30), 20)
    truth = np.zeros((600, 1))
    # all rows of a group are wrong by the same amount
    answers = Predictions(np.repeat(generator.normal(size=30), 20)[:, None])
    scored = Scored("regression", truth, answers)
    by_row = intervals(scored, [METRICS["mae"]], Resamples(600, count=400))["mae"]
    whole = Resamples(600, count=400, groups=groups)
    by_group = intervals(scored, [METRICS["mae"]], whole)["mae"]
    counts = next(iter(whole))
    assert (counts[:20] == counts[0]).all()
    assert by_group.high - by_group.low > 3 * (by_row.high - by_row.low)


def test_the_paired_interval_is_narrower_than_the_single_ones() -> None:
    truth, answers = numbers(200)
    slightly_worse = Predictions(truth + 1.1 * (answers.values - truth))
    metric = METRICS["rmse"]
    pair = paired_difference(metric, truth, answers, slightly_worse, task="regression")
    single = intervals(Scored("regression", truth, answers), [metric], Resamples(200))["rmse"]
    assert pair.low < pair.difference < pair.high < 0
    assert pair.high - pair.low < (single.high - single.low) / 2
    back = paired_difference(metric, truth, slightly_worse, answers, task="regression")
    assert back == Difference(-pair.difference, -pair.high, -pair.low)


def test_rare_classes_give_an_interval_only_if_most_draws_have_them() -> None:
    truth = np.array([1] + [0] * 30)
    chances = np.linspace(0.9, 0.1, 31)
    answers = Predictions((chances > 0.5).astype(np.int64), np.stack([1 - chances, chances], 1))
    found = intervals(Scored("binary", truth, answers), [METRICS["roc_auc"]], Resamples(31))
    assert found["roc_auc"].value == 1.0
    assert found["roc_auc"].low == 1.0  # 64 % of the draws hold the row
    assert percentiles(np.array([np.nan, np.nan, 1.0])) == (None, None)
    assert around(None, np.ones(10)).low is None


def test_large_tests_get_fewer_draws_but_never_less_than_200() -> None:
    truth, answers = numbers(30)
    scored = Scored("regression", truth, answers)
    assert affordable(1000, scored, metrics_for("regression")) == 1000

    class Large(Scored):
        def __len__(self) -> int:
            return 10**9

    large = Large("regression", truth, answers)
    assert affordable(1000, large, metrics_for("regression")) == 200
    assert affordable(100, large, metrics_for("regression")) == 100
