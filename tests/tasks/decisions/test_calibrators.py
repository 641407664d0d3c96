"""Calibrators find what was done to honest probabilities, and agree with scikit-learn's."""

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from deepwell.tasks.decisions.calibrators import (
    CALIBRATORS,
    Isotonic,
    Platt,
    Temperature,
    calibrator_from_json,
    compare_calibrators,
    from_net_inputs,
    log_loss,
    net_inputs,
)

ROWS = 4000


def honest(task: str, seed: int = 0, width: int = 4):
    """Net inputs, and truths drawn from their probabilities."""
    rng = np.random.default_rng(seed)
    size = 1 if task == "binary" else width
    margins = rng.normal(0, 2, (ROWS, size))
    chances = from_net_inputs(task, margins)
    if task == "multiclass":
        truth = (rng.random(ROWS)[:, None] > chances.cumsum(axis=1)).sum(axis=1)
    elif task == "binary":
        truth = (rng.random(ROWS) < chances[:, 1]).astype(np.int64)
    else:
        truth = (rng.random(chances.shape) < chances).astype(np.int64)
    return margins, truth


def spoiled(task: str, factor: float, shift: float = 0.0):
    margins, truth = honest(task)
    return from_net_inputs(task, margins * factor + shift), truth


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_temperature_recovers_a_known_one(task, factor):
    stated, truth = spoiled(task, factor)
    found = Temperature.fit(task, stated, truth, np.ones(ROWS))
    assert 1 / found.slopes == pytest.approx(factor, rel=0.1)
    answers = [
        p > 0.5 if task == "multilabel" else p.argmax(axis=1) for p in (stated, found(stated))
    ]
    assert np.array_equal(*answers)


def test_platt_recovers_slope_and_intercept_of_two_classes():
    stated, truth = spoiled("binary", 2.0, 1.0)
    found = Platt.fit("binary", stated, truth, np.ones(ROWS))
    assert found.slopes[0] == pytest.approx(0.5, abs=0.05)
    assert found.intercepts[0] == pytest.approx(-0.5, abs=0.1)


def test_platt_takes_the_bias_of_several_classes_away():
    margins, truth = honest("multiclass")
    biased = from_net_inputs("multiclass", margins + np.array([2.0, 0.0, 0.0, -2.0]))
    found = Platt.fit("multiclass", biased, truth, np.ones(ROWS))
    assert found.intercepts - found.intercepts.mean() == pytest.approx([-2, 0, 0, 2], abs=0.3)
    honest_loss = log_loss(
        "multiclass", from_net_inputs("multiclass", margins), truth, np.ones(ROWS)
    )
    assert log_loss("multiclass", found(biased), truth, np.ones(ROWS)) <= honest_loss


class Stated(ClassifierMixin, BaseEstimator):
    """Its decision is the only column of X."""

    def fit(self, X, y):
        self.classes_ = np.unique(y)
        return self

    def decision_function(self, X):
        return X[:, 0]

    def predict(self, X):
        return self.classes_[(X[:, 0] > 0).astype(int)]


@pytest.mark.parametrize(("method", "kind"), [("sigmoid", Platt), ("isotonic", Isotonic)])
def test_two_classes_equal_scikit_learn(method, kind):
    stated, truth = spoiled("binary", 2.5, 0.7)
    margins = net_inputs("binary", stated)
    model = FrozenEstimator(Stated().fit(margins, truth))
    peer = CalibratedClassifierCV(model, method=method, ensemble=False)
    peer.fit(margins, truth)
    found = kind.fit("binary", stated, truth, np.ones(ROWS))(stated)[:, 1]
    # the staircase is drawn over net inputs there and over probabilities here, both at the rows
    room = 1 / (ROWS + 2)
    expected = peer.predict_proba(margins)[:, 1]
    expected = expected if kind is Platt else expected.clip(room, 1 - room)
    assert found == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_isotonic_rises_and_stays_inside(task):
    stated, truth = spoiled(task, 3.0)
    found = Isotonic.fit(task, stated, truth, np.ones(ROWS))
    for x, y in found.stairs:
        assert (np.diff(x) > 0).all()
        assert (np.diff(y) >= 0).all()
    calibrated = found(stated)
    assert ((calibrated > 0) & (calibrated < 1)).all()
    if task != "multilabel":
        assert calibrated.sum(axis=1) == pytest.approx(1)
    assert log_loss(task, calibrated, truth, np.ones(ROWS)) < log_loss(
        task, stated, truth, np.ones(ROWS)
    )


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_weights_count_like_repeated_rows(task):
    stated, truth = spoiled(task, 2.0)
    stated, truth = stated[:300], truth[:300]
    weight = np.random.default_rng(0).integers(1, 4, 300)
    repeated = np.repeat(np.arange(300), weight)
    weighted = Temperature.fit(task, stated, truth, weight.astype(float))
    plain = Temperature.fit(task, stated[repeated], truth[repeated], np.ones(len(repeated)))
    assert weighted.slopes == pytest.approx(plain.slopes, rel=1e-5)


@pytest.mark.parametrize("name", list(CALIBRATORS))
@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_the_unit_of_the_weights_does_not_matter(task, name):
    stated, truth = spoiled(task, 2.0)
    weight = np.random.default_rng(0).uniform(0.5, 2, ROWS)
    small = CALIBRATORS[name].fit(task, stated, truth, weight)(stated)
    large = CALIBRATORS[name].fit(task, stated, truth, 1000 * weight)(stated)
    assert small == pytest.approx(large, abs=1e-6)
    unweighted = CALIBRATORS[name].fit(task, stated, truth, np.ones(ROWS))(stated)
    assert np.abs(small - unweighted).max() > 1e-4


@pytest.mark.parametrize("name", list(CALIBRATORS))
@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_json_gives_the_same_probabilities(task, name):
    stated, truth = spoiled(task, 2.0)
    fitted = CALIBRATORS[name].fit(task, stated, truth, np.ones(ROWS))
    again = calibrator_from_json(task, fitted.to_json())
    assert np.array_equal(again(stated), fitted(stated))
    assert again.words == fitted.words


@pytest.mark.parametrize("task", ["binary", "multiclass", "multilabel"])
def test_probabilities_of_zero_and_one_stay_finite(task):
    stated = np.array([[0.0, 1.0], [1.0, 0.0], [0.4, 0.6], [0.7, 0.3]] * 20)
    truth = np.array([1, 0, 0, 1] * 20)
    if task == "multilabel":
        truth = np.stack([1 - truth, truth], axis=1)
    for kind in CALIBRATORS.values():
        found = kind.fit(task, stated, truth, np.ones(80))(stated)
        assert np.isfinite(found).all()
        assert ((found >= 0) & (found <= 1)).all()


def test_separated_rows_give_a_finite_slope():
    stated = np.repeat([[0.9, 0.1], [0.1, 0.9]], 40, axis=0)
    truth = np.repeat([0, 1], 40)
    found = Temperature.fit("binary", stated, truth, np.ones(80))
    assert np.isfinite(found.slopes).all()
    assert found(stated)[0, 0] > 0.99


def test_the_contest_finds_the_right_one_and_leaves_honest_probabilities_alone():
    names = ("temperature", "platt", "isotonic")
    for factor, shift, best in ((3.0, 0.0, {"temperature", "platt"}), (1.0, 2.0, {"platt"})):
        stated, truth = spoiled("binary", factor, shift)
        contest = compare_calibrators(names, "binary", stated, truth, np.ones(ROWS))
        assert contest.best in best
    noise = from_net_inputs("binary", honest("binary")[0])
    wins = 0
    for seed in range(20):
        truth = (np.random.default_rng(seed).random(ROWS) < noise[:, 1]).astype(int)
        rows = slice(0, 200)
        contest = compare_calibrators(names, "binary", noise[rows], truth[rows], np.ones(200))
        wins += contest.best is not None
    assert wins < 10
