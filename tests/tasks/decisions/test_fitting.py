"""Decisions as a whole: learned, applied, written in words, and back from JSON."""

import json
from dataclasses import replace

import numpy as np
import pytest

from deepwell.errors import ConfigError, TaskError
from deepwell.tasks import Binary, Multiclass, Multilabel, Regression, TaskSettings
from deepwell.tasks.decisions import (
    Decision,
    DecisionSettings,
    Known,
    check_decision,
    fit_decision,
    needs_rows,
)
from deepwell.types import Predictions

TASKS = {
    "binary": Binary(classes=["no", "yes"]),
    "multiclass": Multiclass(classes=["cat", "cow", "dog"]),
    "multilabel": Multilabel(targets=("wet", "cold")),
    "regression": Regression(targets=("price", "rent")),
}
COST = ((0.0, 1.0, 2.0), (1.0, 0.0, 2.0), (9.0, 9.0, 0.0))
ASKED = [
    ("binary", {"calibrate": "platt", "threshold": "f1", "coverage": 0.9, "per_class": True}),
    ("binary", {"calibrate": "isotonic", "cost": "1,4"}),
    ("binary", {"calibrate": "temperature", "threshold": "recall>=0.8"}),
    ("multiclass", {"calibrate": "isotonic", "cost": COST, "coverage": 0.8}),
    ("multiclass", {"calibrate": "platt", "coverage": 0.8}),
    ("multilabel", {"calibrate": "isotonic", "threshold": "f1"}),
    ("multilabel", {"calibrate": "platt"}),
    ("multilabel", {"calibrate": "temperature", "cost": "1,3"}),
    ("regression", {"coverage": 0.9}),
]


def known(name: str, count: int = 400, seed: int = 0) -> Known:
    """Outputs of a network that is too sure of itself, with truths."""
    rng, task = np.random.default_rng(seed), TASKS[name]
    if name == "regression":
        outputs = rng.normal(size=(count, 2)).astype(np.float32)
        return Known(task.decode(outputs), outputs + rng.normal(0, 0.3, outputs.shape))
    outputs = rng.normal(0, 1.5, (count, task.head_size)).astype(np.float32)
    chances = task.decode(outputs).probabilities
    if name == "multilabel":
        truth = (rng.random(chances.shape) < chances).astype(np.int64)
    else:
        truth = (rng.random(count)[:, None] > chances.cumsum(axis=1)).sum(axis=1)
        truth = truth.clip(max=chances.shape[1] - 1)
    return Known(task.decode(3 * outputs), truth)


@pytest.mark.parametrize(("name", "given"), ASKED)
def test_json_gives_the_same_answers(name, given):
    task, new = TASKS[name], known(name, seed=1).predictions
    decision = fit_decision(task, known(name), DecisionSettings.model_validate(given))
    again = Decision.from_json(json.loads(json.dumps(decision.to_json(), allow_nan=False)))
    assert again.fits(task)
    first, second = decision.apply(new), again.apply(new)
    assert np.array_equal(first.values, second.values)
    if first.probabilities is not None:
        assert np.array_equal(first.probabilities, second.probabilities)
    columns = [one.columns(task, first) for one in (decision, again)]
    assert list(columns[0]) == list(columns[1])
    assert all(columns[0][key].equals(columns[1][key]) for key in columns[0])
    assert decision.notes == again.notes
    assert decision.notes


@pytest.mark.parametrize("name", ["binary", "multiclass", "multilabel"])
def test_by_default_probabilities_get_better_and_no_answer_changes(name):
    rows = known(name)
    decision = fit_decision(TASKS[name], rows)
    after = decision.apply(rows.predictions)
    assert decision.calibrator.name == "temperature"
    assert np.array_equal(after.values, rows.predictions.values)
    top = rows.predictions.probabilities.max(axis=1)
    assert after.probabilities.max(axis=1).mean() < top.mean()
    assert "cross-validation" in decision.notes[0]


def test_honest_probabilities_are_left_alone_and_it_is_said():
    rng = np.random.default_rng(2)
    yes = rng.random(300)
    truth = (np.arange(300) % 2 == 0).astype(np.int64)
    stated = np.where(truth == 1, 0.5 + yes * 1e-9, 0.5)
    rows = Known(Predictions(truth, np.stack([1 - stated, stated], axis=1)), rng.permutation(truth))
    decision = fit_decision(TASKS["binary"], rows)
    assert decision.is_plain
    assert "left as they are" in decision.notes[0]


def test_a_threshold_decides_the_answers():
    rows = known("binary")
    settings = DecisionSettings(threshold="0.2", calibrate="none")
    found = fit_decision(TASKS["binary"], rows, settings).apply(rows.predictions)
    assert np.array_equal(found.values, (rows.predictions.probabilities[:, 1] >= 0.2).astype(int))
    rows = known("multilabel")
    decision = fit_decision(TASKS["multilabel"], rows, DecisionSettings(threshold="f1"))
    assert len(decision.thresholds) == 2
    assert 'Threshold of "wet"' in " ".join(decision.notes)


def test_costs_of_several_classes_move_answers_to_the_dear_class():
    rows = known("multiclass")
    decision = fit_decision(TASKS["multiclass"], rows, DecisionSettings(cost=COST))
    after = decision.apply(rows.predictions)
    assert (after.values == 2).sum() > (rows.predictions.values == 2).sum()
    costs = [np.array(COST)[rows.truth, p.values].mean() for p in (rows.predictions, after)]
    assert costs[1] < costs[0]


def test_an_unreachable_precision_says_the_best():
    rng = np.random.default_rng(0)
    stated = rng.random(200)
    rows = Known(
        Predictions(np.zeros(200, int), np.stack([1 - stated, stated], axis=1)),
        (rng.random(200) < 0.4).astype(np.int64),
    )
    settings = DecisionSettings(threshold="precision>=0.99", calibrate="none")
    decision = fit_decision(TASKS["binary"], rows, settings)
    (note,) = decision.notes
    words = 'precision >= 0.99 of "yes" is not reached on the validation rows; the best is 0'
    assert note.startswith(words)
    assert f"at threshold {decision.thresholds[0]:.3g}, which is used" in note


@pytest.mark.parametrize(
    ("name", "given", "count", "words"),
    [
        ("binary", {"calibrate": "platt"}, 49, "needs at least 50 validation rows, there are 49"),
        ("binary", {"threshold": "f1"}, 20, r"No threshold by f1: .* The likelier answer is given"),
        ("multiclass", {"coverage": 0.95}, 18, r"needs at least 19 rows .* Got: 18"),
        ("regression", {"coverage": 0.95}, 18, r"needs at least 19 rows .* Got: 18"),
    ],
)
def test_too_few_rows_give_none_and_say_so(name, given, count, words):
    settings = DecisionSettings.model_validate({"calibrate": "none", **given})
    decision = fit_decision(TASKS[name], known(name, count), settings)
    assert decision.is_plain
    with pytest.raises(TaskError, match=words):
        raise TaskError(" ".join(decision.notes))


def test_a_rare_class_gives_no_promise_for_each_class():
    rows = known("multiclass")
    rows.truth[rows.truth == 2] = 1
    settings = DecisionSettings(coverage=0.9, per_class=True)
    decision = fit_decision(TASKS["multiclass"], rows, settings)
    assert decision.conformal is None
    assert "of each class. Got: 0 of dog." in decision.notes[-1]


def test_rows_of_one_class_or_broken_outputs_give_none():
    rows = known("binary")
    one = Known(rows.predictions, np.ones_like(rows.truth))
    decision = fit_decision(TASKS["binary"], one, DecisionSettings(threshold="f1"))
    assert decision.is_plain
    assert "same answer" in decision.notes[0]
    broken = Known(Predictions(rows.truth, rows.predictions.probabilities * np.nan), rows.truth)
    decision = fit_decision(TASKS["binary"], broken, DecisionSettings(threshold="f1"))
    assert decision.is_plain
    assert "NaN" in decision.notes[0]


def test_columns_of_sets_and_intervals():
    rows = known("multiclass", 60)
    decision = fit_decision(TASKS["multiclass"], rows, DecisionSettings(coverage=0.9))
    sets = decision.columns(TASKS["multiclass"], decision.apply(rows.predictions))["set"]
    assert {part for one in sets for part in one.split("|")} == {"cat", "cow", "dog"}
    assert (sets.str.len_chars() > 0).all()
    rows = known("regression")
    decision = fit_decision(TASKS["regression"], rows, DecisionSettings(coverage=0.9))
    columns = decision.columns(TASKS["regression"], rows.predictions)
    assert list(columns) == ["low_price", "low_rent", "high_price", "high_rent"]
    assert (columns["low_rent"] < columns["high_rent"]).all()


@pytest.mark.parametrize("given", [{"threshold": "0.05"}, {"cost": "1,30"}])
def test_a_set_holds_the_answer_also_where_that_is_the_unlikely_one(given):
    rows = known("binary")
    settings = DecisionSettings.model_validate({**given, "coverage": 0.6})
    decision = fit_decision(TASKS["binary"], rows, settings, apart=known("binary", seed=1))
    after = decision.apply(rows.predictions)
    sets = decision.conformal.sets(after)
    assert (after.values != after.probabilities.argmax(axis=1)).any()
    assert sets[np.arange(len(rows)), after.values].all()


def test_a_promise_says_how_close_so_few_rows_come():
    rows, apart = known("binary"), known("binary", 150, seed=1)
    settings = DecisionSettings(coverage=0.9)
    decision = fit_decision(TASKS["binary"], rows, settings, apart=apart)
    assert "With so many rows a training ends between 84.8 and 94.3 %" in decision.notes[-1]
    each = settings.model_copy(update={"per_class": True})
    decision = fit_decision(TASKS["binary"], rows, each, apart=apart)
    assert f"With the {min(np.bincount(apart.truth))} rows of the rarest" in decision.notes[-1]


def test_notes_name_the_rows_that_they_are_about():
    rows = replace(known("binary"), noun="left-out row")
    settings = DecisionSettings(calibrate="platt", threshold="f1")
    first, second = fit_decision(TASKS["binary"], rows, settings).notes
    assert "on 400 left-out rows)" in first
    assert second.endswith("on the left-out rows.")


def test_the_spread_of_a_network_makes_intervals_of_different_width():
    settings = TaskSettings(loss="gaussian_nll")
    task = Regression(targets=("price",), mean=[10.0], std=[2.0], settings=settings)
    rng = np.random.default_rng(0)
    outputs = rng.normal(size=(200, 2)).astype(np.float32)
    predictions = task.decode(outputs)
    assert predictions.spread == pytest.approx(2 * np.exp(outputs[:, 1:] / 2))
    truth = predictions.values + predictions.spread * rng.normal(size=(200, 1))
    decision = fit_decision(task, Known(predictions, truth), DecisionSettings(coverage=0.9))
    low, high = decision.conformal.intervals(predictions)
    assert decision.conformal.kind == "normalised"
    assert ((high - low) / predictions.spread).std() == pytest.approx(0, abs=1e-9)


def test_a_logarithmic_target_has_intervals_that_grow_with_the_answer():
    settings = TaskSettings(target_transform="log")
    task = Regression(targets=("price",), settings=settings)
    rows = known("regression")
    values = np.exp(rows.predictions.values[:, :1])
    decision = fit_decision(
        task, Known(Predictions(values), values * 2), DecisionSettings(coverage=0.9)
    )
    low, high = decision.conformal.intervals(Predictions(values))
    assert low == pytest.approx(values / 2)
    assert high == pytest.approx(values * 2)


@pytest.mark.parametrize(
    ("name", "given", "words"),
    [
        ("regression", {"threshold": "f1"}, r"decide\.threshold is for classes"),
        ("regression", {"cost": "1,2"}, r"evaluation\.cost_over"),
        ("regression", {"calibrate": "platt"}, r"decide\.calibrate is for classes"),
        ("regression", {"coverage": 0.9, "per_class": True}, r"per_class is for classes"),
        ("multiclass", {"threshold": "f1"}, r"needs two classes .* --cost"),
        ("multiclass", {"cost": "1,2"}, r"2 classes, but there are 3: .* order cat, cow, dog"),
        ("binary", {"cost": COST}, r"3 classes, but there are 2"),
        ("multilabel", {"cost": COST}, r"two costs"),
        ("multilabel", {"coverage": 0.9}, r"several labels have no sets"),
    ],
)
def test_what_a_task_does_not_have_is_refused_before_training(name, given, words):
    with pytest.raises(TaskError, match=words):
        check_decision(DecisionSettings.model_validate(given), TASKS[name])


def test_without_validation_rows_nothing_can_be_asked():
    with pytest.raises(ConfigError, match=r"split\.val above 0"):
        needs_rows(DecisionSettings(threshold="f1"))
    needs_rows(DecisionSettings(cost="1,2"))


@pytest.mark.parametrize(
    "change",
    [
        {"thresholds": [0.1, 0.2]},
        {"cost": [[0.0, 1.0]]},
        {"conformal": {"kind": "classes", "coverage": 0.9, "bounds": [0.5], "rows": 9}},
        {"calibrator": {"name": "temperature", "slopes": [], "intercepts": [0.0]}},
        {"calibrator": {"name": "magic"}},
        {"rule": "f7"},
    ],
)
def test_a_damaged_decision_is_refused(change):
    state = Decision(task="binary", size=2, rule="0.3", thresholds=(0.3,)).to_json()
    with pytest.raises((ValueError, KeyError)):
        Decision.from_json({**state, **change})
