"""The statistics of comparisons hold what they promise."""

from __future__ import annotations

import numpy as np
import pytest

from deepwell.evaluation.comparing.pairs import bootstrap_p, holm
from deepwell.evaluation.comparing.seeds import student
from deepwell.evaluation.intervals import Resamples, bootstrap
from deepwell.evaluation.looks import expected_gain, runs_sentence
from deepwell.evaluation.metrics import METRICS, value_of
from deepwell.evaluation.scored import Scored
from deepwell.types import Predictions


def equally_good(seed: int, models: int = 2, rows: int = 120) -> dict[str, Scored]:
    generator = np.random.default_rng(seed)
    truth = generator.normal(size=(rows, 1))
    shared = generator.normal(size=(rows, 1))
    return {
        str(i): Scored(
            "regression", truth, Predictions(truth + shared + generator.normal(size=(rows, 1)))
        )
        for i in range(models)
    }


def test_equal_models_are_called_different_in_about_one_of_twenty_cases() -> None:
    metric, alarms = METRICS["mae"], 0
    for seed in range(200):
        draws = bootstrap(equally_good(seed), [metric], Resamples(120, count=400, seed=seed))
        p = bootstrap_p(draws["0"]["mae"] - draws["1"]["mae"])
        alarms += p is not None and p < 0.05
    assert 2 <= alarms <= 21  # binomial(200, 0.05) lies there in 99.9 % of cases


def test_the_gain_by_choosing_is_what_choosing_gains() -> None:
    metric, rows, models = METRICS["mae"], 100, 6
    gained, estimated = [], []
    truth = np.sqrt(2) * np.sqrt(2 / np.pi)  # mean of |sum of two standard normals|
    for seed in range(60):
        scored = equally_good(seed, models, rows)
        values = np.array([value_of(metric, one) for one in scored.values()], dtype=float)
        gained.append(truth - values.min())
        draws = bootstrap(scored, [metric], Resamples(rows, count=200, seed=seed))
        stacked = np.stack([draws[name]["mae"] for name in scored])
        gain = expected_gain(stacked, values, is_higher_better=False)
        assert gain is not None
        estimated.append(gain)
    assert np.mean(gained) > 0.05
    assert 0.4 * np.mean(gained) < np.mean(estimated) < 1.2 * np.mean(gained)


def test_no_gain_where_one_model_is_far_better() -> None:
    draws = np.stack([np.random.default_rng(0).normal(size=500), np.full(500, 90.0)])
    gain = expected_gain(draws, np.array([0.0, 90.0]), is_higher_better=True)
    assert gain == pytest.approx(0.0, abs=1e-9)


def test_holm_equals_the_textbook_and_keeps_the_order() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]


def test_overlapping_trainings_widen_the_interval_over_seeds() -> None:
    plain, wide = (student([1.0, 2.0, 4.0], 0.95, ratio) for ratio in (0.0, 0.25))
    assert plain.high is not None
    assert wide.high is not None
    assert (wide.high - 7 / 3) / (plain.high - 7 / 3) == pytest.approx((1 + 0.75) ** 0.5)
    assert student([1.0], 0.95).low is None


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (None, "choosing the best of them is optimistic."),
        (0.0, "one is so far ahead, or they are so alike, that choosing the best is no luck."),
        (6.58e-12, "one is so far ahead, or they are so alike, that choosing the best is no luck."),
        (0.01, "choosing the best of them is optimistic by about 1.0 percentage points"),
    ],
)
def test_what_choosing_among_runs_gains_is_said_in_words(size: float | None, said: str):
    sentence = runs_sentence(METRICS["accuracy"], 3, size)
    assert sentence.startswith("This is run number 3 that was scored on these test rows; ")
    assert said in sentence


def test_a_gain_far_below_the_score_is_not_told_in_numbers() -> None:
    assert "no luck" in runs_sentence(METRICS["rmse"], 2, 1.7, 25_000.0)
    assert "by about 170 RMSE" in runs_sentence(METRICS["rmse"], 2, 170.0, 25_000.0)
