"""Several answers to a row: what they say together is what the definitions say."""

import math

import numpy as np
import polars as pl
import pytest

from deepwell.tasks import Regression, TaskSettings
from deepwell.tasks.classification import Multiclass
from deepwell.tasks.decisions import (
    CrossConformal,
    Decision,
    DecisionSettings,
    Draws,
    Known,
    fit_decision,
    promise_by_folds,
)
from deepwell.tasks.decisions.draws import fit_noise, is_ratio, summarise
from deepwell.types import Predictions

ENSEMBLE = Draws(source="ensemble", count=4)


def prices(**settings) -> Regression:
    return Regression(targets=("price",), mean=[2.0], std=[3.0], settings=TaskSettings(**settings))


def outputs(count=4, rows=50, width=1, seed=0):
    return np.random.default_rng(seed).normal(size=(count, rows, width)).astype(np.float32)


def test_numbers_have_the_mean_and_the_spread_of_the_draws():
    drawn = outputs()
    found = summarise(prices(), drawn, ENSEMBLE)
    assert found.values == pytest.approx(drawn.mean(axis=0) * 3 + 2, abs=1e-5)
    assert found.spread == pytest.approx(drawn.std(axis=0, ddof=1) * 3, rel=1e-5)


def test_variances_that_the_networks_state_are_added():
    drawn = outputs(width=2)
    found = summarise(prices(loss="gaussian_nll"), drawn, ENSEMBLE)
    stated = np.exp(drawn[:, :, 1:]).mean(axis=0)
    expected = 3 * np.sqrt(drawn[:, :, :1].var(axis=0, ddof=1) + stated)
    assert found.spread == pytest.approx(expected, rel=1e-5)


def test_with_a_logarithm_the_spread_grows_with_the_answer():
    task = prices(target_transform="log")
    found = summarise(task, outputs(), ENSEMBLE)
    logs = outputs() * 3
    relative = found.spread / found.values
    assert relative == pytest.approx(logs.std(axis=0, ddof=1), rel=1e-4)
    assert is_ratio(task)


def test_disagreement_is_nothing_where_all_say_the_same_and_1_where_they_contradict():
    task = Multiclass(targets=("c",), classes=["a", "b"])
    same = np.tile(np.array([[2.0, -1.0]], dtype=np.float32), (4, 3, 1))
    opposed = np.array([[[40.0, -40.0]], [[-40.0, 40.0]]], dtype=np.float32)
    assert summarise(task, same, ENSEMBLE).disagreement == pytest.approx(0, abs=1e-6)
    two = Draws(source="ensemble", count=2)
    assert summarise(task, opposed, two).disagreement == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("transform", ["none", "log"])
def test_noise_is_what_the_draws_leave_open(transform):
    rng = np.random.default_rng(1)
    task = prices(target_transform=transform)
    values, rows = np.full((20_000, 1), 50.0), 20_000
    errors = rng.normal(0, 0.5, (rows, 1))
    truth = values * np.exp(errors) if transform == "log" else values + errors
    spread = np.full((rows, 1), 0.3 * (50 if transform == "log" else 1))
    (noise,) = fit_noise(task, Predictions(values, spread=spread), truth, np.ones(rows))
    assert noise == pytest.approx(0.4, abs=0.01)


def test_an_interval_of_draws_is_as_wide_as_their_spread_and_keeps_its_promise():
    rng, task = np.random.default_rng(2), prices()
    spread = rng.uniform(0.1, 3, (4000, 1))
    known = Known(
        Predictions(np.zeros((4000, 1)), spread=spread), spread * rng.normal(size=(4000, 1))
    )
    rows = [
        Known(Predictions(np.zeros((2000, 1)), spread=spread[part]), known.truth[part])
        for part in (slice(0, 2000), slice(2000, 4000))
    ]
    asked = DecisionSettings(uncertainty="ensemble")
    decision = fit_decision(task, rows[0], asked, apart=rows[1], draws=ENSEMBLE)
    assert decision.draws is not None
    assert decision.draws.noise[0] < 0.3
    columns = decision.columns(task, decision.apply(known.predictions))
    assert list(columns) == ["std", "low", "high"]
    width = (columns["high"] - columns["low"]).to_numpy()
    assert np.corrcoef(width, spread[:, 0])[0, 1] > 0.99
    inside = pl.Series(known.truth[:, 0]).is_between(columns["low"], columns["high"])
    assert inside.mean() == pytest.approx(0.9, abs=0.02)


def test_quantiles_are_widened_to_the_promise():
    rng, task = np.random.default_rng(3), prices(loss="quantile", quantiles=(0.1, 0.5, 0.9))
    scale = rng.uniform(0.5, 2, (2000, 1))
    stated = np.stack([-0.3 * scale, 0 * scale, 0.3 * scale], axis=2)  # too narrow
    rows = Known(Predictions(stated[:, :, 1], quantiles=stated), scale * rng.normal(size=(2000, 1)))
    decision = fit_decision(task, rows, DecisionSettings(uncertainty="quantiles"), apart=rows)
    assert decision.conformal is not None
    assert decision.conformal.kind == "quantiles"
    low, high = decision.conformal.intervals(rows.predictions)
    assert ((rows.truth >= low) & (rows.truth <= high)).mean() == pytest.approx(0.9, abs=0.005)
    again = Decision.from_json(decision.to_json())
    assert again == decision


def test_the_promise_of_the_folds_goes_through_json_and_calibrates_the_parts():
    rng = np.random.default_rng(4)
    task = Multiclass(targets=("c",), classes=["a", "b", "c"])
    parts = []
    for _ in range(3):
        logits = rng.normal(size=(60, 3))
        chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        truth = np.array([rng.choice(3, p=p) for p in chances])
        parts.append(Known(Predictions(chances.argmax(axis=1), chances), truth))
    asked = DecisionSettings(coverage=0.8, per_class=True)
    decision = promise_by_folds(task, Decision(task="multiclass", size=3), parts, asked)
    assert isinstance(decision.conformal, CrossConformal)
    assert decision.draws == Draws(source="folds", count=3)
    new = np.stack([part.predictions.probabilities[:20] for part in parts])
    answer = Predictions(new.mean(axis=0).argmax(axis=1), new.mean(axis=0), parts=new)
    again = Decision.from_json(decision.to_json())
    first, second = (one.columns(task, one.apply(answer))["set"] for one in (decision, again))
    assert first.to_list() == second.to_list()
    # by the definition: a class is in the set unless too few of its own rows were as far away
    sets = decision.conformal.sets(answer)
    scores, fold = decision.conformal.scores[:, 0], decision.conformal.fold
    for row in range(20):
        for k in range(3):
            own = decision.conformal.classes == k
            far = sum(scores[i] >= 1 - new[fold[i], row, k] for i in np.flatnonzero(own))
            is_in = (far + 1) / (own.sum() + 1) > 1 - 0.8
            assert sets[row, k] == (is_in or answer.probabilities[row].argmax() == k)


def test_too_few_rows_of_folds_promise_nothing_and_say_so():
    task = prices()
    parts = [Known(Predictions(np.zeros((4, 1))), np.ones((4, 1))) for _ in range(2)]
    plain = Decision(task="regression", size=1)
    found = promise_by_folds(task, plain, parts, DecisionSettings(coverage=0.9))
    assert found.conformal is None
    assert found.draws is None
    assert "needs at least 9 rows" in found.notes[0]


def test_many_scores_are_thinned_to_a_fair_part():
    rng = np.random.default_rng(5)
    halves = [rng.normal(size=(15_000, 1)) for _ in range(2)]
    found = CrossConformal.of_numbers([np.zeros_like(h) for h in halves], halves, 0.9)
    assert found.rows == 10_000
    assert found.fold.mean() == pytest.approx(0.5, abs=0.03)
    answers = Predictions(np.zeros((3, 1)), parts=np.zeros((2, 3, 1)))
    low, high = found.intervals(answers)
    assert high == pytest.approx(1.645, abs=0.05)
    assert low == pytest.approx(-high)


@pytest.mark.parametrize(
    "change", [{"source": "guess"}, {"count": 0}, {"noise": [math.nan]}, {"noise": [-1]}]
)
def test_damaged_draws_are_refused(change):
    with pytest.raises(ValueError, match="draws have"):
        Draws.from_json({**ENSEMBLE.to_json(), **change})
