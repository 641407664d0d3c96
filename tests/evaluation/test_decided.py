"""What a decision is worth, on rows that it has not seen, and how the report tells it."""

import numpy as np
import pytest

from deepwell.evaluation.calibration import calibrate
from deepwell.evaluation.decided import judge_decision, share
from deepwell.evaluation.decided_words import classes_below, decided_lines, shortfall
from deepwell.evaluation.scored import Scored
from deepwell.tasks import Binary, Multiclass, Regression
from deepwell.tasks.decisions import Decision, DecisionSettings, Known, fit_decision
from deepwell.types import Predictions

BINARY = Binary(classes=["no", "yes"])


def too_sure(count: int, seed: int) -> Known:
    rng = np.random.default_rng(seed)
    margins = rng.normal(-1, 2, (count, 1)).astype(np.float32)
    truth = (rng.random(count) < BINARY.decode(margins).probabilities[:, 1]).astype(np.int64)
    return Known(BINARY.decode(3 * margins), truth)


def judged(given: dict, count: int = 4000):
    rows, apart, test = (too_sure(count, seed) for seed in range(3))
    decision = fit_decision(BINARY, rows, DecisionSettings.model_validate(given), apart=apart)
    return decision, test, judge_decision(decision, BINARY, test.truth, test.predictions)


def test_probabilities_before_and_after_equal_the_metrics():
    decision, test, found = judged({})
    pair = {"before": test.predictions, "after": decision.apply(test.predictions)}
    for name, predictions in pair.items():
        stated = predictions.probabilities[:, 1]
        of = found["probabilities"][name]
        assert of["brier"] == pytest.approx(((stated - test.truth) ** 2).mean())
        of_truth = np.where(test.truth == 1, stated, 1 - stated)
        assert of["log_loss"] == pytest.approx(-np.log(of_truth).mean())
        assert of["ece"] == calibrate(Scored("binary", test.truth, predictions)).error
    assert found["probabilities"]["after"]["ece"] < 0.03 < found["probabilities"]["before"]["ece"]
    assert found["calibrator"].startswith("temperature 2.")
    assert found["answers"] is None


def test_costs_fall_and_are_those_of_the_test_rows():
    decision, test, found = judged({"cost": "1,5"})
    after = decision.apply(test.predictions).values
    misses, alarms = ((test.truth == 1) & (after == 0)).mean(), ((test.truth == 0) & after).mean()
    assert found["answers"]["after"]["cost"] == pytest.approx(alarms + 5 * misses)
    assert found["answers"]["after"]["cost"] < found["answers"]["before"]["cost"]
    assert found["answers"]["thresholds"] == [pytest.approx(1 / 6)]
    assert found["answers"]["after"]["recall"] == pytest.approx(after[test.truth == 1].mean())


def test_the_curve_passes_through_the_chosen_point():
    decision, _, found = judged({"threshold": "recall>=0.8"})
    chosen = found["curve"]["chosen"]
    assert chosen["threshold"] == decision.thresholds[0]
    assert chosen["recall"] == pytest.approx(found["answers"]["after"]["recall"])
    assert chosen["precision"] == pytest.approx(found["answers"]["after"]["precision"])
    assert chosen["recall"] == pytest.approx(0.8, abs=0.04)
    assert len(found["curve"]["threshold"]) <= 150


def test_coverage_is_counted_over_all_and_in_each_class():
    decision, test, found = judged({"coverage": 0.9, "per_class": True})
    sets = decision.conformal.sets(decision.apply(test.predictions))
    inside = sets[np.arange(len(test)), test.truth]
    coverage = found["coverage"]
    assert coverage["reached"]["value"] == pytest.approx(inside.mean())
    for index, label in enumerate(("no", "yes")):
        part = coverage["parts"][label]
        assert part["value"] == pytest.approx(inside[test.truth == index].mean())
        assert part["low"] - 0.02 < 0.9 < part["high"] + 0.02
    assert coverage["size"] == pytest.approx(sets.sum(axis=1).mean())
    assert 0 < coverage["single"] < 1


def test_intervals_of_several_targets():
    task = Regression(targets=("price", "rent"))
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(900, 2))
    answers = Predictions(truth + rng.normal(size=(900, 2)) * [1.0, 5.0])
    rows = Known(Predictions(answers.values[:450]), truth[:450])
    decision = fit_decision(task, rows, DecisionSettings(coverage=0.8), apart=rows)
    new = Predictions(answers.values[450:])
    found = judge_decision(decision, task, truth[450:], new)["coverage"]
    assert found["parts"]["rent"]["width"] > 3 * found["parts"]["price"]["width"]
    for part in (found["reached"], *found["parts"].values()):
        assert part["value"] == pytest.approx(0.8, abs=0.06)


def coverage_of(inside: int, new: int, rows: int, kind: str = "classes") -> dict:
    reached = share(np.arange(new) < inside)
    parts = {"no": reached, "yes": share(np.arange(40) < 20)}
    return {"promised": 0.9, "kind": kind, "rows": rows, "reached": reached, "parts": parts}


def test_a_miss_is_chance_only_as_far_as_the_calibration_rows_explain_it():
    rng = np.random.default_rng(0)
    rows, task = 150, Regression(targets=("y",))
    truth = rng.normal(size=(rows, 1))
    known = Known(Predictions(np.zeros((rows, 1))), truth)
    for wider, fewest, most in ((1.0, 0.0, 0.06), (1.5, 0.9, 1.0)):
        found = []
        for _ in range(200):
            apart = Known(known.predictions, rng.normal(size=(rows, 1)))
            decision = fit_decision(task, known, DecisionSettings(coverage=0.9), apart=apart)
            new = wider * rng.normal(size=(400, 1))
            fresh = judge_decision(decision, task, new, Predictions(np.zeros((400, 1))))
            found.append(fresh["coverage"]["is_short"])
        assert fewest <= np.mean(found) <= most


def test_a_shortfall_is_told_as_what_it_is():
    by_chance, moved = coverage_of(340, 400, 150), coverage_of(300, 400, 150)
    assert "as chance may have it with 150 calibration rows" in shortfall(by_chance)
    assert "these rows differ" in shortfall({**moved, "is_short": True})
    assert shortfall(coverage_of(361, 400, 150)) == ""
    assert "folds promise 80" in shortfall(coverage_of(340, 400, 150, "cross_classes"))


@pytest.mark.parametrize("kind", ["classes", "cross_classes"])
def test_classes_without_the_promise_are_named(kind: str):
    one = coverage_of(380, 400, 150, kind)
    assert "(yes 50.0" in classes_below(one)
    assert any("--per-class" in line for line in decided_lines({"coverage": {**one, "size": 1.2}}))
    assert classes_below({**one, "per_class": True}) == ""


def test_nothing_to_say_is_none():
    rows = too_sure(10, 0)
    plain = Decision(task="binary", size=2)
    assert judge_decision(None, BINARY, rows.truth, rows.predictions) is None
    assert judge_decision(plain, BINARY, rows.truth, rows.predictions) is None


def test_the_interval_of_a_share_covers_it():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(500):
        found = share(rng.random(80) < 0.9)
        hits += found["low"] <= 0.9 <= found["high"]
    assert 0.92 < hits / 500 < 0.98


def test_several_classes_are_judged_by_cost():
    task = Multiclass(classes=["a", "b", "c"])
    rng = np.random.default_rng(0)
    stated = rng.dirichlet(np.ones(3), 300)
    truth = (rng.random(300)[:, None] > stated.cumsum(axis=1)).sum(axis=1)
    rows = Known(Predictions(stated.argmax(axis=1), stated), truth)
    cost = [[0, 1, 1], [1, 0, 1], [9, 9, 0]]
    decision = fit_decision(task, rows, DecisionSettings(cost=cost))
    found = judge_decision(decision, task, truth, rows.predictions)
    assert found["curve"] is None
    assert found["answers"]["after"]["cost"] < found["answers"]["before"]["cost"]
