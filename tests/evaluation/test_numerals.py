"""Numbers for people."""

import math

import pytest

from deepwell.evaluation.numerals import (
    count,
    duration,
    metric_texts,
    number,
    percent,
    plural,
    shortened,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (-0.0, "0"),
        (7, "7"),
        (0.1 + 0.2, "0.3"),
        (999.96, "1,000"),
        (24312.7, "24,310"),
        (-24312.7, "−24,310"),
        (1.5e6, "1.5 million"),
        (2.25e9, "2.25 billion"),
        (1e15, "1 × 10¹⁵"),
        (-3.2e-7, "−3.2 × 10⁻⁷"),
        (math.nan, "–"),
        (math.inf, "–"),
        (None, "–"),
        ("12", "–"),
        (True, "–"),
    ],
)
def test_number(value: object, text: str):
    assert number(value) == text


def test_zero_has_no_sign():
    assert percent(-0.0001) == "0.0\u202f%"


@pytest.mark.parametrize(
    ("name", "metric", "texts"),
    [
        ("rmse", (0.5, 0.41, 0.6), ("0.5000", "0.4100 – 0.6000")),
        ("rmse", (2.5e6, 2e6, 3e6), ("2.5 million", "2 million – 3 million")),
        ("rmse", (1.2e-5, 1e-5, 2e-5), ("1.2 × 10⁻⁵", "1 × 10⁻⁵ – 2 × 10⁻⁵")),
        ("r2", (-0.002, -0.017, 0.015), ("−0.002", "−0.017 to 0.015")),
        ("accuracy", (1.0, 1.0, 1.0), ("100.0\u202f%", "")),
        ("accuracy", (0.5, None, None), ("50.0\u202f%", "")),
        ("own_metric", (12.0, 11.0, 13.5), ("12.00", "11.00 – 13.50")),
        ("rmse", (0.0, 0.0, 0.0), ("0", "")),
        ("rmse", (None, None, None), ("–", "")),
    ],
)
def test_metric_texts(name: str, metric: tuple[float | None, ...], texts: tuple[str, str]):
    assert metric_texts(name, dict(zip(("value", "low", "high"), metric, strict=True))) == texts


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.004, "under 0.01 s"), (59.97, "1 min 0 s"), (3599.7, "1 h 0 min")]
)
def test_duration_rolls_over(seconds: float, text: str):
    assert duration(seconds) == text


def test_words():
    assert count(True) == "–"
    assert plural(0, "row") == "0 rows"
    assert shortened("a\n  b", 10) == "a b"
    assert len(shortened("x" * 500, 41)) == 41
