from __future__ import annotations

import numpy as np
import pytest

from deepwell.evaluation.calibration import calibrate
from deepwell.evaluation.scored import Scored
from deepwell.types import Predictions


def binary(chances: list[float], truth: list[int]) -> Scored:
    positive = np.array(chances)
    answers = Predictions(
        (positive > 0.5).astype(np.int64), np.stack([1 - positive, positive], axis=1)
    )
    return Scored("binary", np.array(truth), answers)


def test_bins_of_the_positive_class_by_hand() -> None:
    found = calibrate(binary([0.1, 0.1, 0.8, 1.0], [0, 1, 1, 1]), num_bins=5)
    assert [(b.predicted, b.observed, b.count) for b in found.bins] == [
        pytest.approx((0.1, 0.5, 2)),
        pytest.approx((0.9, 1.0, 2)),
    ]
    assert found.error == pytest.approx((2 * 0.4 + 2 * 0.1) / 4)


def test_weights_count_like_repeated_rows() -> None:
    weighted = calibrate(binary([0.1, 0.8], [0, 0]), weight=np.array([3.0, 1.0]))
    repeated = calibrate(binary([0.1, 0.1, 0.1, 0.8], [0, 0, 0, 0]))
    assert weighted.error == pytest.approx(repeated.error)


def test_honest_probabilities_have_a_small_error() -> None:
    generator = np.random.default_rng(0)
    chances = generator.random(20_000)
    honest = (generator.random(20_000) < chances).astype(int)
    assert calibrate(binary(chances.tolist(), honest.tolist())).error < 0.02
    too_sure = np.clip((chances - 0.5) * 3 + 0.5, 0, 1)
    assert calibrate(binary(too_sure.tolist(), honest.tolist())).error > 0.1


def test_several_classes_use_the_predicted_class() -> None:
    chances = np.array([[0.7, 0.2, 0.1], [0.1, 0.2, 0.7]])
    scored = Scored("multiclass", np.array([0, 0]), Predictions(chances.argmax(axis=1), chances))
    found = calibrate(scored)
    assert [(b.observed, b.count) for b in found.bins] == [(0.5, 2)]
    assert found.error == pytest.approx(0.2)


def test_several_labels_are_taken_together() -> None:
    chances = np.array([[0.95, 0.15], [0.95, 0.15]])
    truth = np.array([[1, 0], [1, 0]])
    scored = Scored("multilabel", truth, Predictions((chances > 0.5).astype(np.int64), chances))
    found = calibrate(scored, weight=np.array([1.0, 2.0]))
    assert [(b.observed, b.count) for b in found.bins] == [(0.0, 2), (1.0, 2)]
    assert found.error == pytest.approx((0.15 + 0.05) / 2)


def test_numbers_have_no_calibration() -> None:
    assert calibrate(Scored("regression", np.ones((2, 1)), Predictions(np.ones((2, 1))))) is None
