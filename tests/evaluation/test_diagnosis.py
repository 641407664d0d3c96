"""The measurements of the diagnosis, against cases whose answer is known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from deepwell.data.infer import infer_schema
from deepwell.data.table import Table
from deepwell.evaluation.diagnosis import Finding, Symptoms, examine
from deepwell.evaluation.diagnosis.growth import extrapolate, fit_power_law
from deepwell.evaluation.diagnosis.labels import Unseen, find_suspects, suspects_json
from deepwell.evaluation.diagnosis.measuring import floor_of_repeats
from deepwell.evaluation.diagnosis.resampling import split_squared_error, split_wrong_answers
from deepwell.evaluation.metrics import METRICS
from deepwell.evaluation.record import Record
from deepwell.tasks import Regression

SIZES = [100, 170, 290, 480, 800]


def losses(train: list[float], val: list[float]) -> list[dict[str, Any]]:
    pairs = enumerate(zip(train, val, strict=True), start=1)
    return [
        {
            "kind": "epoch",
            "epoch": epoch,
            "step": 10 * epoch,
            "learning_rate": 1e-3,
            "train": {"loss": t},
            "val": {"loss": v},
        }
        for epoch, (t, v) in pairs
    ]


def found(config: str = "", **facts: Any) -> dict[str, Finding]:
    measured = facts.pop("measured", {})
    record = Record(
        Path("runs/a b"), manifest={"data": {"path": "my houses.csv"}}, config=config, **facts
    )
    return {finding.name: finding for finding in examine(Symptoms(record, measured))}


def score(value: float, width: float = 0.01) -> dict[str, float]:
    return {"value": value, "low": value * (1 - width), "high": value * (1 + width)}


def evaluation(**metrics: float) -> dict[str, Any]:
    net = metrics.pop("net")
    return {
        "primary": "rmse",
        "metrics": {"rmse": score(net)},
        "baselines": {name: {"rmse": score(value)} for name, value in metrics.items()},
        "comparisons": [
            {"baseline": name, "outcome": "better" if net < value * 0.98 else "worse"}
            for name, value in metrics.items()
        ],
        "rows": {"train": 5000, "test": 1000},
    }


def test_nothing_known_nothing_found() -> None:
    assert found() == {}


def test_commands_can_be_typed() -> None:
    lines = losses([3.0, 2.0, 1.0], [3.0, 2.0, 1.0])
    finding = found("[engine]\nepochs = 3\n", lines=lines)["unconverged"]
    assert finding.action == (
        "deepwell train 'my houses.csv' --config 'runs/a b/config.toml' --set engine.epochs=6"
    )


def test_another_model_is_trained_on_the_same_rows() -> None:
    told = evaluation(net=9.0, constant=10.0, linear=5.0)
    config = """
    [data]
    time = "day"
    ignore = ["id"]
    memory = "resident"
    delimiter = "none"
    [split]
    test = 0.3
    val = 0.15
    """
    finding = found(config, evaluation=told)["linear_is_better"]
    assert finding.action == (
        "deepwell train 'my houses.csv' --model linear --time day --ignore id --set split.test=0.3"
    )


def test_a_late_fall_is_never_more_than_the_whole() -> None:
    lines = losses([3.0, 2.0, 1.5, 1.0], [2.3, 3.2, 2.9, 1.6])
    evidence = found("[engine]\nepochs = 4\n", lines=lines)["unconverged"].evidence
    assert evidence == (
        "The last epoch of 4 brought the validation loss from 2.9 to 1.6; before, it was higher "
        "than after the first epoch (2.3)."
    )


def test_trees_are_not_told_to_learn_otherwise_than_trees() -> None:
    told = evaluation(net=5.0, constant=10.0, linear=5.0)
    config = '[model]\nname = "boosted_trees"\nmax_leaves = 31\nmin_leaf_rows = 20\n'
    measured = {"scores": {"train": score(1.0)}}
    layers = {"model": "boosted_trees", "parameters": 0}
    finding = found(config, evaluation=told, measured=measured, layers=layers)["overfitting"]
    assert finding.title == "The trees know their training rows by heart."
    assert "model.max_leaves=15" in finding.action
    assert "weight_decay" not in finding.action


def test_a_race_says_on_which_model_it_was_measured() -> None:
    spread = {"kind": "squared", "networks": 6, "error": 4.0, "variance": 3.0, "bias": 1.0}
    facts = {"evaluation": evaluation(net=5.0, constant=10.0), "layers": {"model": "blend"}}
    measured = {"spread": spread, "stand_in": "mlp"}
    finding = found("time_limit = 20.0\n", measured=measured, race={"models": []}, **facts)[
        "variance"
    ]
    assert finding.evidence.startswith("Of the squared error of 6 models on resamples")
    assert finding.evidence.endswith("It was measured on mlp alone, which has the largest share.")
    assert finding.action.endswith("--set time_limit=40")


def test_a_first_step_that_uproots_all_weights_is_a_rate_too_high() -> None:
    told = evaluation(net=9.9, constant=10.0, boosting=3.0)
    measured = {"scores": {"train": score(9.9)}}
    looks = [
        {"kind": "health", "step": step, "layers": [{"name": n, "update": size} for n in "ab"]}
        for step, size in ((1, 6.8), (10, 0.09), (40, 0.02))
    ]
    lines = [*looks, *losses([5e6, 215.0, 0.6, 0.5], [500.0, 0.8, 0.5, 0.5])]
    names = found(evaluation=told, measured=measured, lines=lines)
    assert "In the first step the weights changed by 680" in names["rate_too_high"].evidence
    assert "engine.learning_rate=1.5e-06" in names["rate_too_high"].action
    assert "underfitting" not in names


def test_overfitting_needs_a_gap_beyond_the_intervals() -> None:
    told = evaluation(net=5.0, constant=10.0, boosting=5.0)
    assert "overfitting" in found(evaluation=told, measured={"scores": {"train": score(1.0)}})
    vague = {"value": 1.0, "low": 0.5, "high": 6.0}
    assert "overfitting" not in found(evaluation=told, measured={"scores": {"train": vague}})


TREES = '[model]\nname = "boosted_trees"\nmax_leaves = 31\nmin_leaf_rows = 20\n'


def test_trees_are_told_what_trees_know() -> None:
    measured = {"scores": {"train": score(1.0)}}
    worse = evaluation(net=5.0, constant=10.0, boosting=4.0)
    told = found(TREES, evaluation=worse, measured=measured)
    for name in ("overfitting", "boosting_is_better"):
        assert "network" not in " ".join(told[name].to_json().values())
        assert "engine." not in told[name].action
    assert told["overfitting"].severity == "warning"
    assert "--set model.max_leaves=15 --set model.min_leaf_rows=40" in told["overfitting"].action
    assert "--set model.learning_rate=0.1" in told["boosting_is_better"].action
    even = evaluation(net=5.0, constant=10.0, boosting=5.2)
    assert found(TREES, evaluation=even, measured=measured)["overfitting"].severity == "note"


def test_weak_trees_are_to_grow() -> None:
    told = evaluation(net=9.9, constant=10.0, boosting=3.0)
    finding = found(TREES, evaluation=told, measured={"scores": {"train": score(9.9)}})
    assert "--set model.max_leaves=62" in finding["underfitting"].action
    spread = {"kind": "squared", "error": 4.0, "variance": 3.0, "networks": 9}
    unsure = found(TREES, measured={"spread": spread})["variance"]
    assert "network" not in unsure.evidence + unsure.title + unsure.cause
    assert "model.max_leaves=15" in unsure.action


def test_overfitting_is_a_note_where_the_network_wins() -> None:
    told = evaluation(net=5.0, constant=10.0, boosting=6.0)
    finding = found(evaluation=told, measured={"scores": {"train": score(1.0)}})["overfitting"]
    assert finding.severity == "note"


def test_a_cause_silences_its_effects() -> None:
    told = evaluation(net=9.9, constant=10.0, boosting=3.0)
    measured = {"scores": {"train": score(9.9)}}
    assert found(evaluation=told, measured=measured)["underfitting"].severity == "problem"
    layers = [{"name": "a", "kind": "ReLU", "dead": 0.95}]
    look = {"kind": "health", "step": 1, "layers": layers}
    names = found(evaluation=told, measured=measured, lines=[look])
    assert "dead_units" in names
    assert "underfitting" not in names


@pytest.mark.parametrize(
    ("told", "name"),
    [
        (evaluation(net=10.0, constant=10.0, boosting=9.9), "noise_floor"),
        (evaluation(net=5.0, constant=10.0, boosting=4.0), "boosting_is_better"),
        (evaluation(net=5.0, constant=10.0, linear=4.0), "linear_is_better"),
    ],
)
def test_answers_beside_simple_models(told: dict[str, Any], name: str) -> None:
    assert name in found(evaluation=told)


def test_a_column_that_gives_the_answer_away_is_the_cause_of_what_follows() -> None:
    leaks = [
        {"column": "tax", "kind": "function", "severity": "leak", "sentence": '"tax" and y agree.'},
        {"column": "fee", "kind": "alone", "severity": "leak", "sentence": '"fee" is too good.'},
        {"column": "odd", "kind": "alone", "severity": "suspect", "sentence": "?"},
    ]
    told = found(
        "[data]\nignore = ['id']\n",
        data={"leaks": leaks},
        evaluation=evaluation(net=9.9, constant=10.0, boosting=3.0),
        measured={"scores": {"train": score(9.9)}},
    )
    assert set(told) == {"leak"}
    assert told["leak"].severity == "problem"
    assert '"tax" and y agree. The others: fee.' in told["leak"].evidence
    assert "data.ignore=['id', 'tax', 'fee']" in told["leak"].action.replace("'\"'\"'", "'")


def test_later_rows_that_no_model_answers_are_not_called_overfitting() -> None:
    measured = {"scores": {"train": score(7.0)}}
    told = evaluation(net=20.0, constant=28.0, linear=20.3)
    by_time = {"audit": {"method": "time"}}
    assert "overfitting" in found(evaluation=told, measured=measured)
    names = found(evaluation=told, measured=measured, data=by_time)
    assert "later_rows_differ" in names
    assert "overfitting" not in names
    told = evaluation(net=20.0, constant=28.0, linear=9.0)
    assert "later_rows_differ" not in found(evaluation=told, measured=measured, data=by_time)


def test_where_nothing_can_be_learned_no_other_model_is_recommended() -> None:
    told = found(evaluation=evaluation(net=10.5, constant=10.0, linear=9.95, boosting=9.9))
    assert set(told) == {"noise_floor"}


def test_inputs_that_rank_the_rows_are_not_called_noise() -> None:
    told = evaluation(net=10.0, constant=10.0, boosting=10.0)
    assert "noise_floor" in found(evaluation=told)
    told["baselines"]["boosting"]["roc_auc"] = {"value": 0.7, "low": 0.6, "high": 0.8}
    assert "noise_floor" not in found(evaluation=told)


def test_answers_that_a_threshold_chose_are_not_called_weak() -> None:
    told = evaluation(net=5.0, constant=10.0, boosting=3.0, linear=3.1)
    measured = {"scores": {"train": score(5.0)}}
    assert "underfitting" in found(evaluation=told, measured=measured)
    chosen = {**told, "decision": {"answers": {"before": {}, "after": {}}}}
    assert found(evaluation=chosen, measured=measured) == {}


def test_a_linear_network_behind_ridge_regression_is_told_to_train_on() -> None:
    told = evaluation(net=5.0, constant=10.0, linear=4.0)
    config = "[model]\nname = 'linear'\n[engine]\nepochs = 3\n"
    assert "engine.epochs=6" in found(config, evaluation=told)["linear_is_better"].action


def test_a_forgotten_class_is_named() -> None:
    told = {"confusion": {"labels": ["no", "yes"], "matrix": [[180, 0], [20, 0]]}}
    finding = found(evaluation=told)["class_imbalance"]
    assert '"yes"' in finding.title
    assert finding.action.endswith("--set task.class_weight=balanced")
    assert "class_imbalance" not in found("[task]\nclass_weight='balanced'\n", evaluation=told)


def test_a_bad_number_is_a_rate_too_high() -> None:
    status = {"state": "failed", "reason": "TrainingError: The loss is not a finite number."}
    finding = found("[engine]\nlearning_rate = 0.1\n", status=status)["rate_too_high"]
    assert finding.evidence == "The loss is not a finite number."
    assert "engine.learning_rate=0.01" in finding.action


@pytest.mark.parametrize(("update", "is_found"), [(2e-6, True), (5e-5, False)])
def test_a_rate_far_too_low_is_found_though_dropout_moves_the_loss(
    update: float, is_found: bool
) -> None:
    noisy = [1.22, 1.21, 1.2, 1.205, 1.21, 1.2, 1.21]
    layers = [{"name": name, "kind": "Linear", "update": update} for name in "abc"]
    looks = [{"kind": "health", "step": step, "layers": layers} for step in (1, 10, 40)]
    told = evaluation(net=1.3, constant=1.2, boosting=0.3)
    names = found(
        lines=[*looks, *losses(noisy, noisy)],
        evaluation=told,
        measured={"scores": {"train": score(1.3)}},
    )
    assert ("rate_too_low" in names) == is_found
    assert ("underfitting" in names) == (not is_found)


def test_power_law_is_recovered() -> None:
    sizes = np.array(SIZES, dtype=float)
    law = fit_power_law(sizes, 3 + 40 * sizes**-0.6)
    assert law.floor == pytest.approx(3, rel=1e-3)
    assert law.exponent == pytest.approx(0.6, abs=0.021)


def test_extrapolation_covers_the_truth_as_often_as_promised() -> None:
    generator, sizes = np.random.default_rng(0), np.array(SIZES, dtype=float)
    truth = 3 + 40 * sizes**-0.5
    hits = 0
    for seed in range(60):
        noise = generator.normal(0, 0.03, (3, 5)) + generator.normal(0, 0.02, (3, 1))
        told = extrapolate(SIZES, truth * (1 + noise), seed=seed)
        twice = told["more"][0]
        hits += twice["low"] <= 3 + 40 * 1600**-0.5 <= twice["high"]
    assert hits >= 50


def test_more_data_is_said_to_help_only_where_it_does() -> None:
    sizes = np.array(SIZES, dtype=float)
    told = evaluation(net=5.0, constant=10.0)
    for errors, name in ((40 * sizes**-0.5, "more_data"), (np.full(5, 3.0), "enough_data")):
        curve = extrapolate(SIZES, np.tile(errors, (3, 1)))
        assert name in found(evaluation=told, measured={"curve": curve})


def test_squared_error_is_split_into_what_was_put_in() -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(size=(4000, 1))
    answers = truth + 2.0 + generator.normal(0, 3.0, (6, 4000, 1))
    parts = split_squared_error(answers, truth)
    assert parts["bias"] == pytest.approx(4, rel=0.1)
    assert parts["variance"] == pytest.approx(9, rel=0.05)
    assert parts["bias"] + parts["variance"] == pytest.approx(parts["error"])


def test_wrong_answers_add_up() -> None:
    generator = np.random.default_rng(1)
    truth, answers = generator.integers(0, 3, 500), generator.integers(0, 3, (7, 500))
    parts = split_wrong_answers(answers, truth, 3)
    total = parts["bias"] + parts["variance"] - parts["luck"]
    assert total == pytest.approx(parts["error"])


def test_flipped_labels_are_suspects_and_others_are_not() -> None:
    generator = np.random.default_rng(2)
    truth = generator.integers(0, 4, 1000)
    sure = np.full((1000, 4), 0.02)
    sure[np.arange(1000), truth] = 0.94
    given = truth.copy()
    given[:100] = (truth[:100] + 1) % 4
    rows = Unseen(np.arange(1000), np.full(1000, "val"), given, sure)
    suspects = find_suspects(rows, ("a", "b", "c", "d"))
    assert {one.id for one in suspects} == set(range(100))
    told = suspects_json(rows, ("a", "b", "c", "d"))
    assert told is not None
    assert found(measured={"labels": told})["label_noise"].severity == "warning"


def test_unsure_mistakes_are_no_suspects() -> None:
    sure = np.tile([0.45, 0.55], (100, 1))
    rows = Unseen(np.arange(100), np.full(100, "val"), np.zeros(100, dtype=int), sure)
    assert find_suspects(rows, ("a", "b")) == []


def test_repeated_inputs_show_the_noise() -> None:
    generator = np.random.default_rng(3)
    x = np.repeat(np.arange(300), 3)
    frame = pl.DataFrame({"x": x * 0.7, "y": x + generator.normal(0, 2.0, 900)})
    table = Table.from_frame(frame)
    floor = floor_of_repeats(
        Regression(targets=("y",)), METRICS["rmse"], infer_schema(table, targets=["y"]), table
    )
    assert floor is not None
    assert floor["rows"] == 900
    assert floor["floor"] == pytest.approx(2.0, rel=0.1)


def test_a_network_that_has_not_learned_says_nothing_about_its_rows() -> None:
    told = evaluation(net=9.9, constant=10.0, boosting=3.0)
    spread = {"kind": "squared", "networks": 6, "error": 4.0, "variance": 0.4, "bias": 3.6}
    curve = extrapolate(SIZES, np.array([[9.9, 9.9, 9.8, 9.9, 9.9]]))
    measured = {"scores": {"train": score(9.8)}, "spread": spread, "curve": curve}
    config = '[model]\nname = "mlp"\nhidden_sizes = [1]\n'
    assert list(found(config, evaluation=told, measured=measured)) == ["underfitting"]


def test_weights_kept_from_before_the_overfitting_know_nothing_by_heart() -> None:
    lines = losses([0.6, 0.4, 0.2, 0.05, 0.02], [0.6, 0.5, 0.6, 0.9, 1.1])
    told = evaluation(net=9.0, constant=10.0, linear=7.0)
    measured = {"scores": {"train": score(9.5)}}
    finding = found(
        lines=lines, evaluation=told, measured=measured, result={"training": {"best_epoch": 2}}
    )
    assert "underfitting" not in finding
    heart = finding["overfitting"]
    assert heart.title == "Behind its best epoch the network learns its training rows by heart."
    assert heart.evidence == (
        "The validation loss rose by 80\u202f% while the training loss went on falling. "
        "The weights of epoch 2 of 5 were kept."
    )


def test_a_loss_that_doubles_near_zero_is_no_jump() -> None:
    lines = losses([0.6, 0.1, 0.002, 0.005, 0.004, 0.006, 0.001], [0.6] * 7)
    assert "rate_too_high" not in found(lines=lines)
    lines = losses([0.6, 0.1, 0.3, 0.09, 0.4, 0.08, 0.5], [0.6] * 7)
    assert "rate_too_high" in found(lines=lines)


def test_an_ensemble_of_a_named_network_is_not_given_time_that_it_does_not_use() -> None:
    told = evaluation(net=5.0, constant=10.0, boosting=3.0)
    config = 'time_limit = 90.0\nensemble = 5\n[model]\nname = "mlp"\nhidden_sizes = [64]\n'
    facts = {"evaluation": told, "layers": {"model": "blend"}}
    finding = found(config, measured={"scores": {"train": score(4.8)}}, **facts)["underfitting"]
    assert "time_limit" not in finding.action
    assert "model.hidden_sizes=[128]" in finding.action


def test_a_model_that_fits_its_rows_is_not_told_to_grow() -> None:
    told = evaluation(net=5.0, constant=10.0, linear=6.0)
    spread = {"kind": "squared", "networks": 6, "error": 4.0, "variance": 0.4, "bias": 3.6}
    config = '[model]\nname = "mlp"\nhidden_sizes = [64]\n'
    facts = {"evaluation": told}
    able = found(config, measured={"spread": spread, "scores": {"train": score(2.0)}}, **facts)
    assert able["bias"].action == ""
    assert "large enough" in able["bias"].cause
    weak = found(config, measured={"spread": spread, "scores": {"train": score(4.9)}}, **facts)
    assert "model.hidden_sizes=[128]" in weak["bias"].action


def test_labels_that_differ_by_chance_are_no_slips() -> None:
    suspect = {"id": 3, "given": "no", "likely": "yes", "probability": 0.97}
    labels = {"found": 34, "rows": {"val": 197, "test": 263}, "suspects": [suspect]}
    facts = {"evaluation": {"rows": {"train": 856}, "primary": "accuracy"}}
    alone = found(measured={"labels": labels}, **facts)["label_noise"]
    assert alone.severity == "warning"
    repeats = {"rows": 855, "floor": 0.177}
    lots = found(measured={"labels": labels, "repeats": repeats}, **facts)["label_noise"]
    assert lots.severity == "note"
    assert lots.title == "34 labels may be wrong."
