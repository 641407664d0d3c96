"""Every metric against scikit-learn or a formula written out, with and without row weights."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from sklearn import metrics as sk

from deepwell.errors import ConfigError
from deepwell.evaluation.metrics import METRICS, by_target, metric_for, metrics_for, values_of
from deepwell.evaluation.scored import Scored
from deepwell.types import Predictions

TOLERANCE = 1e-10


def classes(rows: int, width: int, seed: int = 0) -> tuple[np.ndarray, Predictions]:
    """Truth and answers of a fair classifier; rounded scores give many ties."""
    generator = np.random.default_rng(seed)
    truth = generator.integers(0, width, rows)
    scores = generator.normal(size=(rows, width))
    scores[np.arange(rows), truth] += 1.0
    powers = np.exp(scores.round(1))
    probabilities = powers / powers.sum(axis=1, keepdims=True)
    return truth, Predictions(probabilities.argmax(axis=1), probabilities)


def labels(rows: int = 150, width: int = 4) -> tuple[np.ndarray, Predictions]:
    generator = np.random.default_rng(1)
    truth = (generator.random((rows, width)) < 0.4).astype(np.int64)
    chances = (0.5 * truth + 0.7 * generator.random((rows, width))).round(2) / 1.2
    return truth, Predictions((chances > 0.5).astype(np.int64), chances)


def weights(rows: int, is_weighted: bool) -> np.ndarray | None:
    return np.random.default_rng(2).uniform(0.1, 3.0, rows) if is_weighted else None


def ours(task: str, truth: np.ndarray, answers: Predictions, weight: np.ndarray | None) -> dict:
    metrics = metrics_for(task)
    together = values_of(metrics, Scored(task, truth, answers), weight)
    alone = {metric.name: metric(task, truth, answers, weight) for metric in metrics}
    assert together == alone
    return together


@pytest.mark.parametrize("is_weighted", [False, True])
@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("rows", [60, 61])
def test_regression_equals_scikit_learn(rows: int, targets: int, is_weighted: bool) -> None:
    generator = np.random.default_rng(3)
    truth = generator.normal(size=(rows, targets)) * [1.0, 1e5, 1e-3][:targets] + 1e4
    guess = truth + generator.normal(size=truth.shape) * truth.std(axis=0)
    weight = weights(rows, is_weighted)
    expected = {
        "rmse": sk.root_mean_squared_error(truth, guess, sample_weight=weight),
        "mae": sk.mean_absolute_error(truth, guess, sample_weight=weight),
        "median_error": sk.median_absolute_error(truth, guess, sample_weight=weight),
        "r2": sk.r2_score(truth, guess, sample_weight=weight),
    }
    found = ours("regression", truth, Predictions(guess), weight)
    assert found == pytest.approx(expected, rel=TOLERANCE)
    of_each = by_target(truth, Predictions(guess), weight)
    assert np.mean([one["rmse"] for one in of_each]) == pytest.approx(found["rmse"])
    assert of_each[0]["r2"] == pytest.approx(
        sk.r2_score(truth[:, 0], guess[:, 0], sample_weight=weight), rel=1e-9
    )


@pytest.mark.parametrize("is_weighted", [False, True])
def test_binary_equals_scikit_learn(is_weighted: bool) -> None:
    truth, answers = classes(200, 2)
    weight = weights(200, is_weighted)
    values, chance = answers.values, answers.probabilities[:, 1]
    plain = {"y_true": truth, "y_pred": values, "sample_weight": weight}
    expected = {
        "accuracy": sk.accuracy_score(**plain),
        "balanced_accuracy": sk.balanced_accuracy_score(**plain),
        "precision": sk.precision_score(**plain),
        "recall": sk.recall_score(**plain),
        "specificity": sk.recall_score(**plain, pos_label=0),
        "f1": sk.f1_score(**plain),
        "mcc": sk.matthews_corrcoef(**plain),
        "log_loss": sk.log_loss(truth, answers.probabilities, sample_weight=weight),
        "brier": sk.brier_score_loss(truth, chance, sample_weight=weight),
        "roc_auc": sk.roc_auc_score(truth, chance, sample_weight=weight),
        "average_precision": sk.average_precision_score(truth, chance, sample_weight=weight),
    }
    assert ours("binary", truth, answers, weight) == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_multiclass_equals_scikit_learn(is_weighted: bool) -> None:
    truth, answers = classes(200, 5)
    weight = weights(200, is_weighted)
    plain = {"y_true": truth, "y_pred": answers.values, "sample_weight": weight}
    macro = {**plain, "average": "macro", "zero_division": 0}
    per_class = sk.multilabel_confusion_matrix(**plain)
    expected = {
        "accuracy": sk.accuracy_score(**plain),
        "balanced_accuracy": sk.balanced_accuracy_score(**plain),
        "precision": sk.precision_score(**macro),
        "recall": sk.recall_score(**macro),
        "specificity": np.mean([m[0, 0] / m[0].sum() for m in per_class]),
        "f1": sk.f1_score(**macro),
        "mcc": sk.matthews_corrcoef(**plain),
        "log_loss": sk.log_loss(truth, answers.probabilities, sample_weight=weight),
        "brier": sk.brier_score_loss(truth, answers.probabilities, sample_weight=weight),
        "roc_auc": sk.roc_auc_score(
            truth, answers.probabilities, multi_class="ovr", sample_weight=weight
        ),
        "average_precision": sk.average_precision_score(
            truth, answers.probabilities, sample_weight=weight
        ),
    }
    assert ours("multiclass", truth, answers, weight) == pytest.approx(expected, abs=TOLERANCE)


@pytest.mark.parametrize("is_weighted", [False, True])
def test_multilabel_equals_scikit_learn(is_weighted: bool) -> None:
    truth, answers = labels()
    weight = weights(len(truth), is_weighted)
    plain = {"y_true": truth, "y_pred": answers.values, "sample_weight": weight}
    macro = {**plain, "average": "macro", "zero_division": 0}
    columns = range(truth.shape[1])

    def over_labels(score: object) -> float:
        pairs = [(truth[:, i], answers.values[:, i]) for i in columns]
        return np.mean([score(*pair, sample_weight=weight) for pair in pairs])

    expected = {
        "accuracy": sk.accuracy_score(**plain),
        "hamming_loss": sk.hamming_loss(**plain),
        "precision": sk.precision_score(**macro),
        "recall": sk.recall_score(**macro),
        "specificity": np.mean(
            [m[0, 0] / m[0].sum() for m in sk.multilabel_confusion_matrix(**plain)]
        ),
        "f1": sk.f1_score(**macro),
        "balanced_accuracy": over_labels(sk.balanced_accuracy_score),
        "mcc": over_labels(sk.matthews_corrcoef),
        "log_loss": np.mean(
            [
                sk.log_loss(truth[:, i], answers.probabilities[:, i], sample_weight=weight)
                for i in columns
            ]
        ),
        "brier": np.mean(
            [
                sk.brier_score_loss(truth[:, i], answers.probabilities[:, i], sample_weight=weight)
                for i in columns
            ]
        ),
        "roc_auc": sk.roc_auc_score(truth, answers.probabilities, sample_weight=weight),
        "average_precision": sk.average_precision_score(
            truth, answers.probabilities, sample_weight=weight
        ),
    }
    assert ours("multilabel", truth, answers, weight) == pytest.approx(expected, abs=TOLERANCE)


def test_macro_counts_a_class_that_is_only_predicted_as_scikit_learn_does() -> None:
    truth, answers = np.array([0, 0, 1, 1]), np.array([0, 3, 1, 0])
    probabilities = np.full((4, 5), 0.1)
    probabilities[np.arange(4), answers] = 0.6
    found = ours("multiclass", truth, Predictions(answers, probabilities), None)
    macro = {"average": "macro", "zero_division": 0}
    assert found["precision"] == pytest.approx(sk.precision_score(truth, answers, **macro))
    assert found["recall"] == pytest.approx(sk.recall_score(truth, answers, **macro))
    assert found["f1"] == pytest.approx(sk.f1_score(truth, answers, **macro))
    # classes 2, 3 and 4 are not in the truth: they have no ranking to average
    of_seen = [sk.roc_auc_score(truth == k, probabilities[:, k]) for k in (0, 1)]
    assert found["roc_auc"] == pytest.approx(np.mean(of_seen))


def test_undefined_is_none_and_silent() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        no_positive = ours(
            "binary",
            np.zeros(4, dtype=np.int64),
            Predictions(np.zeros(4, dtype=np.int64), np.array([[0.9, 0.1]] * 4)),
            None,
        )
        one_row = ours("regression", np.array([[3.0]]), Predictions(np.array([[4.0]])), None)
    for name in ("precision", "recall", "f1", "roc_auc", "average_precision"):
        assert no_positive[name] is None, name
    assert no_positive["accuracy"] == 1.0
    assert no_positive["mcc"] == 0.0
    assert one_row == {"rmse": 1.0, "mae": 1.0, "median_error": 1.0, "r2": None}
    json.dumps([no_positive, one_row], allow_nan=False)


def test_precision_without_a_positive_prediction_is_zero() -> None:
    truth = np.array([0, 1, 1])
    answers = Predictions(np.zeros(3, dtype=np.int64), np.array([[0.7, 0.3]] * 3))
    found = ours("binary", truth, answers, None)
    assert (found["precision"], found["recall"], found["f1"]) == (0.0, 0.0, 0.0)
    assert found["roc_auc"] == 0.5


def test_r2_of_a_constant_far_from_zero_is_undefined() -> None:
    truth = np.full((5, 1), 1e9 + 0.1)
    assert METRICS["r2"]("regression", truth, Predictions(truth + 1.0)) is None


def test_a_sure_and_wrong_answer_has_a_finite_log_loss() -> None:
    answers = Predictions(np.array([1]), np.array([[0.0, 1.0]]))
    assert METRICS["log_loss"]("binary", np.array([0]), answers) == pytest.approx(36.04, abs=0.01)


def test_predictions_without_probabilities_have_fewer_metrics() -> None:
    names = [metric.name for metric in metrics_for("binary", has_probabilities=False)]
    assert "roc_auc" not in names
    assert "log_loss" not in names
    answers = Predictions(np.array([0, 1, 1]))
    assert METRICS["f1"]("binary", np.array([0, 1, 0]), answers) == pytest.approx(2 / 3)


def test_wrong_names_are_explained() -> None:
    with pytest.raises(ConfigError, match='Did you mean "rmse"'):
        metric_for("rmsee", "regression")
    with pytest.raises(ConfigError, match=r"not one of regression\. Use one of: rmse"):
        metric_for("accuracy", "regression")


def test_every_metric_says_what_it_is() -> None:
    for name, metric in METRICS.items():
        assert metric.name == name
        assert metric.title[0].isupper()
        assert metric.tasks
