"""Promises are kept: coverage over many draws, within the bounds of chance.

With n rows held apart the coverage of one draw is Beta(k, n + 1 - k) with k = ⌈(n + 1) · coverage⌉;
so the mean over the draws is k / (n + 1), and its standard error is known.
"""

import math

import numpy as np
import pytest

from deepwell.errors import TaskError
from deepwell.tasks.decisions.bounds import Conformal
from deepwell.tasks.decisions.conformal import (
    class_bounds,
    class_scores,
    class_sets,
    cross_intervals,
    cross_sets,
    fewest_rows,
    is_covered,
    number_intervals,
    quantile_scores,
    residual_scores,
    score_bound,
)
from deepwell.types import Predictions

DRAWS, APART, NEW = 400, 99, 400


def expected_range(coverage: float, apart: int = APART, new: int = NEW, draws: int = DRAWS):
    """Mean coverage and four standard errors of the mean over the draws."""
    k = math.ceil((apart + 1) * coverage - 1e-9)
    mean = k / (apart + 1)
    variance = mean * (1 - mean) * (1 / (apart + 2) + 1 / new)
    return mean, 4 * math.sqrt(variance / draws)


def classes(rng: np.random.Generator, count: int):
    """Probabilities of a network that is wrong about how sure it is, and the truth."""
    margins = rng.normal(0, 1.5, (count, 5)) + np.array([1.0, 0, 0, 0, -1])
    chances = np.exp(margins) / np.exp(margins).sum(axis=1, keepdims=True)
    truth = (rng.random(count)[:, None] > chances.cumsum(axis=1)).sum(axis=1).clip(max=4)
    stated = chances**3 / (chances**3).sum(axis=1, keepdims=True)
    return stated, truth


@pytest.mark.parametrize("coverage", [0.8, 0.9])
def test_sets_keep_their_promise_over_many_draws(coverage):
    rng = np.random.default_rng(0)
    reached = []
    for _ in range(DRAWS):
        stated, truth = classes(rng, APART + NEW)
        bounds = class_bounds(stated[:APART], truth[:APART], coverage)
        new = 1 - stated[APART:] <= bounds  # without the likeliest class, which only adds to it
        reached.append(is_covered(new, truth[APART:]).mean())
    mean, slack = expected_range(coverage)
    assert np.mean(reached) == pytest.approx(mean, abs=slack)


def test_sets_keep_their_promise_in_each_class():
    rng = np.random.default_rng(1)
    hits, plain, rows = np.zeros(5), np.zeros(5), np.zeros(5)
    for _ in range(60):
        stated, truth = classes(rng, 1500 + NEW)
        parts = stated[:1500], truth[:1500]
        new, of_new = stated[1500:], truth[1500:]
        for found, bounds in (
            (hits, class_bounds(*parts, 0.9, per_class=True)),
            (plain, class_bounds(*parts, 0.9)),
        ):
            inside = is_covered(1 - new <= bounds, of_new)
            found += np.bincount(of_new, weights=inside, minlength=5)
        rows += np.bincount(of_new, minlength=5)
    slack = 4 * np.sqrt(0.09 / rows + 0.09 / (60 * 30))
    assert (np.abs(hits / rows - 0.9) < slack + 0.02).all()
    assert (hits / rows > 0.9 - slack).all()
    assert (plain / rows).min() < 0.8  # one bound for all leaves rare classes behind


def test_the_likeliest_class_is_always_in_the_set():
    stated = np.full((3, 4), 0.25)
    assert class_sets(stated, np.full(4, 0.1)).sum(axis=1).tolist() == [1, 1, 1]


@pytest.mark.parametrize("kind", ["absolute", "normalised", "ratio"])
def test_intervals_keep_their_promise_over_many_draws(kind):
    rng = np.random.default_rng(2)
    reached, widths = [], []
    for _ in range(DRAWS):
        values = rng.uniform(1, 10, (APART + NEW, 1))
        spread = values / 3 if kind == "normalised" else None
        truth = values * np.exp(rng.normal(0, 0.3, values.shape))
        rows = Predictions(values[:APART], spread=None if spread is None else spread[:APART])
        fitted = Conformal.of_numbers(rows, truth[:APART], 0.9, is_ratio=kind == "ratio")
        assert fitted.kind == kind
        new = Predictions(values[APART:], spread=None if spread is None else spread[APART:])
        low, high = fitted.intervals(new)
        reached.append(((truth[APART:] >= low) & (truth[APART:] <= high)).mean())
        widths.append((high - low).mean())
    mean, slack = expected_range(0.9)
    assert np.mean(reached) == pytest.approx(mean, abs=slack)
    assert 0 < np.mean(widths) < 12


def test_widened_quantiles_keep_their_promise():
    rng = np.random.default_rng(3)
    reached = []
    for _ in range(DRAWS):
        x = rng.uniform(0, 1, APART + NEW)
        truth = x + rng.normal(0, 0.1 + x)
        low, high = x - 0.1, x + 0.1 + x  # quantiles that are far too narrow
        scores = quantile_scores(low[:APART], high[:APART], truth[:APART])
        room = score_bound(scores, 0.9)
        new = truth[APART:]
        reached.append(((new >= low[APART:] - room) & (new <= high[APART:] + room)).mean())
    mean, slack = expected_range(0.9)
    assert np.mean(reached) == pytest.approx(mean, abs=slack)


def test_cross_intervals_and_sets_keep_their_promise():
    rng = np.random.default_rng(4)
    folds, count = 5, 60
    inside_numbers, inside_sets, sizes = [], [], []
    for _ in range(150):
        truth = rng.normal(3, 1, count)
        fold = np.arange(count) % folds
        # the "network" of a fold is the mean of the other rows
        means = np.array([truth[fold != k].mean() for k in range(folds)])
        residuals = np.abs(truth - means[fold])
        new = rng.normal(3, 1, 50)
        low, high = cross_intervals(residuals, fold, np.repeat(means[:, None], 50, axis=1), 0.9)
        inside_numbers.append(((new >= low) & (new <= high)).mean())
        classes_of = rng.choice(3, count, p=[0.6, 0.3, 0.1])
        shares = np.stack(
            [np.bincount(classes_of[fold != k], minlength=3) / (fold != k).sum() for k in range(5)]
        )
        shares = shares + rng.normal(0, 1e-6, shares.shape)
        stated = shares[fold] + rng.normal(0, 0.05, (count, 3))
        fresh = rng.choice(3, 50, p=[0.6, 0.3, 0.1])
        of_fold = shares[:, None] + rng.normal(0, 0.05, (folds, 50, 3))
        sets = cross_sets(class_scores(stated, classes_of), fold, of_fold, 0.8)
        inside_sets.append(is_covered(sets, fresh).mean())
        sizes.append(sets.sum(axis=1).mean())
    assert 0.88 < np.mean(inside_numbers) < 0.93
    assert 0.78 < np.mean(inside_sets) < 0.86
    assert np.mean(sizes) < 2.5


def test_cross_intervals_equal_their_definition():
    rng = np.random.default_rng(5)
    residuals, fold = rng.random(30), rng.integers(0, 3, 30)
    answers = rng.normal(size=(3, 4))
    low, high = cross_intervals(residuals, fold, answers, 0.8)
    for row in range(4):
        ends = sorted(answers[f, row] - r for f, r in zip(fold, residuals, strict=True))
        tops = sorted(answers[f, row] + r for f, r in zip(fold, residuals, strict=True))
        assert low[row] == pytest.approx(ends[math.floor(0.2 * 31 + 1e-9) - 1])
        assert high[row] == pytest.approx(tops[math.ceil(0.8 * 31 - 1e-9) - 1])


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95, 0.99, 2 / 3])
def test_the_fewest_rows_are_exactly_enough(coverage):
    least = fewest_rows(coverage)
    assert math.isfinite(score_bound(np.arange(least) * 1.0, coverage))
    assert math.isinf(score_bound(np.arange(least - 1) * 1.0, coverage))


def test_too_few_rows_are_refused_with_their_number():
    stated, truth = classes(np.random.default_rng(6), 200)
    with pytest.raises(
        TaskError, match=r"0\.9 needs at least 9 rows that were held apart\. Got: 8"
    ):
        Conformal.of_classes(stated[:8], truth[:8], 0.9)
    truth[truth == 4] = 3
    with pytest.raises(TaskError, match=r"9 rows .* of each class\. Got: 0 of moose"):
        Conformal.of_classes(
            stated, truth, 0.9, per_class=True, labels=("cat", "dog", "cow", "ant", "moose")
        )


def test_residuals_and_intervals_agree():
    values = np.array([[1.0, 4.0], [2.0, 8.0]])
    truth = np.array([[1.5, 2.0], [1.0, 16.0]])
    for spread, is_ratio in ((None, False), (values * 2, False), (None, True)):
        scores = residual_scores(values, truth, spread, is_ratio=is_ratio)
        low, high = number_intervals(values, scores, spread, is_ratio=is_ratio)
        touches = np.isclose(low, truth) | np.isclose(high, truth)
        assert touches.all()
