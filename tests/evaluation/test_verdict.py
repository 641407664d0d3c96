from __future__ import annotations

import pytest

from deepwell.evaluation.intervals import Difference, Interval
from deepwell.evaluation.metrics import METRICS
from deepwell.evaluation.verdict import Comparison, compare, verdict

RMSE, ACCURACY = METRICS["rmse"], METRICS["accuracy"]
BETTER, WORSE, OPEN = (-1.0, -0.5), (0.5, 1.0), (-1.0, 1.0)


def against(baseline: str, difference: float, ends: tuple[float, float]) -> Comparison:
    low, high = (end * abs(difference) * 1.5 for end in ends)
    return compare(baseline, RMSE, Difference(difference, low, high))


@pytest.mark.parametrize(
    ("metric", "low", "high", "outcome"),
    [
        (RMSE, -2.0, -1.0, "better"),
        (RMSE, 1.0, 2.0, "worse"),
        (RMSE, -1.0, 1.0, "undecided"),
        (RMSE, -1.0, 0.0, "undecided"),
        (RMSE, 0.0, 0.0, "undecided"),
        (RMSE, None, None, "undecided"),
        (ACCURACY, 0.1, 0.2, "better"),
        (ACCURACY, -0.2, -0.1, "worse"),
    ],
)
def test_outcome_follows_the_direction(metric, low, high, outcome: str) -> None:
    middle = None if low is None else (low + high) / 2
    assert compare("linear", metric, Difference(middle, low, high)).outcome == outcome


def say(*comparisons: Comparison, task: str = "regression", metric=RMSE, score=None) -> str:
    return verdict(metric, score or Interval(24310.0, 22870.0, 25930.0), comparisons, task=task)


def test_wins_and_a_draw() -> None:
    text = say(
        against("constant", -52300.0, BETTER),
        against("linear", -3100.0, BETTER),
        against("boosting", 210.0, OPEN),
    )
    assert text == (
        "The network beats the mean by 52,300 and the linear model by 3,100 RMSE, both beyond "
        "the 95 % interval; against gradient boosting the difference of 210 RMSE is within "
        "the noise. "
        "Its RMSE is 24,300 (95 % interval 22,900 to 25,900)."
    )


def test_three_wins() -> None:
    names = ("constant", "linear", "boosting")
    text = say(*(against(name, -10.0, BETTER) for name in names))
    assert "the mean by 10, the linear model by 10 and gradient boosting by 10 RMSE" in text
    assert "all beyond the 95 % interval" in text


def test_losing_to_the_constant_is_said_first() -> None:
    worse = say(against("constant", 300.0, WORSE), against("linear", 5000.0, WORSE))
    assert worse.startswith(
        "The network does not beat the mean: it is worse by 300 RMSE, beyond the 95 % interval. "
        "The linear model beats the network by 5,000 RMSE, beyond the 95 % interval."
    )
    noise = say(against("constant", -300.0, OPEN))
    assert noise.startswith("The network does not beat the mean: the difference of 300 RMSE is")


def test_only_draws() -> None:
    text = say(against("linear", -30.0, OPEN), against("boosting", 40.0, OPEN))
    assert text.startswith(
        "Against the linear model and gradient boosting the differences of 30 and 40 RMSE are "
        "within the noise."
    )


def test_shares_are_told_in_percentage_points() -> None:
    paired = compare("constant", ACCURACY, Difference(0.1234, 0.10, 0.15))
    text = say(paired, task="binary", metric=ACCURACY, score=Interval(0.912, 0.9, 0.924))
    assert text == (
        "The network beats the most common class by 12.3 percentage points of accuracy, beyond "
        "the 95 % interval. Its accuracy is 91.2\u202f% (95 % interval 90.0\u202f% to 92.4\u202f%)."
    )


def test_without_baselines_or_without_a_value() -> None:
    assert say() == (
        "The network's RMSE is 24,300 (95 % interval 22,900 to 25,900); "
        "it was compared with no baseline."
    )
    text = verdict(METRICS["r2"], Interval(None, None, None), [], task="regression")
    assert text.startswith("The test rows cannot measure R²")


def test_a_difference_that_is_rounding_is_no_difference() -> None:
    text = say(against("constant", -52300.0, BETTER), against("linear", 6.58e-12, OPEN))
    assert "Between the network and the linear model there is no difference." in text
    assert "10⁻" not in text
    text = say(against("constant", 1e-9, OPEN))
    assert "does not beat the mean: there is no difference between them" in text
