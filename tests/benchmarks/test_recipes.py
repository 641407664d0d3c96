from typing import Any

import pytest
from recipes.recipe import Gate, Recipe, load, names
from recipes.results import page
from recipes.running import judge, scores

from deepwell.errors import ConfigError


def one(rmse: float, linear: float, outcome: str) -> dict[str, Any]:
    return {
        "seed": 0,
        "model": "mlp",
        "rows": {"train": 6, "val": 2, "test": 2},
        "metrics": {"rmse": {"value": rmse}},
        "baselines": {"linear": {"rmse": {"value": linear}}},
        "outcomes": {"linear": {"outcome": outcome}},
        "minutes": 2.0,
        "training_seconds": 30.0,
    }


RUNS = [one(10.0, 20.0, "better"), one(14.0, 20.0, "better"), one(12.0, 8.0, "undecided")]


@pytest.mark.parametrize("name", names())
def test_recipes_name_settings_that_exist(name: str):
    recipe = load(name)
    assert len(set(recipe.seeds)) == len(recipe.seeds)
    assert recipe.settings.seed == 0, "the seeds of the recipe decide"
    has_top = any(gate.high is not None and gate.value == recipe.metric for gate in recipe.gates)
    assert has_top, "a score that is too good must fail"


def test_only_named_settings_are_handed_on():
    assert load("houses_default").overrides == {"target": ("price",)}
    assert load("fashion_default").overrides == {}
    lecture = load("fashion_lecture").overrides
    assert lecture["model"] == {"name": "mlp", "preset": "lecture"}
    assert "patience" not in lecture["engine"]


def test_unknown_recipe_is_suggested():
    with pytest.raises(ConfigError, match='Did you mean "houses_default"'):
        load("house_default")


def test_unknown_setting_is_named():
    fields = {"title": "t", "data": "d", "seeds": [1], "metric": "rmse"}
    gates = [{"value": "rmse", "low": 1.0, "high": 2.0}]
    with pytest.raises(ConfigError, match=r"settings\.engine\.epoch"):
        Recipe.model_validate({**fields, "gates": gates, "settings": {"engine": {"epoch": 5}}})


@pytest.mark.parametrize(
    "gate",
    [
        {"value": "rmse", "low": 1.0},
        {"value": "rmse", "low": 2.0, "high": 1.0},
        {"better_than": "linear"},
        {"value": "rmse", "low": 1.0, "high": 2.0, "better_than": "linear", "least_better": 1},
    ],
)
def test_half_a_gate_is_refused(gate: dict[str, Any]):
    with pytest.raises(ConfigError):
        Gate.model_validate(gate)


@pytest.mark.parametrize(
    ("low", "high", "passed", "suspicious"),
    [(11, 13, True, False), (13, 14, False, True), (5, 11, False, False)],
)
def test_range_fails_at_both_ends(low: float, high: float, passed: bool, suspicious: bool):
    judged = judge(Gate(value="rmse", low=low, high=high), RUNS)
    assert judged["passed"] is passed
    assert ("too good" in judged["found"]) is suspicious


def test_range_over_a_baseline_divides_the_means():
    assert judge(Gate(value="rmse", over="linear", low=0.74, high=0.76), RUNS)["passed"]
    assert not judge(Gate(value="rmse", over="linear", low=0.5, high=0.74), RUNS)["passed"]


def test_verdicts_are_counted():
    assert judge(Gate(better_than="linear", least_better=2), RUNS)["passed"]
    assert not judge(Gate(better_than="linear", least_better=3), RUNS)["passed"]
    worse = [*RUNS, one(12.0, 8.0, "worse")]
    assert not judge(Gate(better_than="linear", least_better=2), worse)["passed"]
    assert judge(Gate(better_than="linear", least_better=2, most_worse=1), worse)["passed"]
    assert not judge(Gate(better_than="boosting", least_better=2), RUNS)["passed"]
    assert judge(Gate(better_than="linear", least_better=3), RUNS[:2])["passed"], "fewer seeds"


def test_scores_have_mean_and_spread():
    network, linear = scores(RUNS, "rmse")
    assert (network["name"], network["mean"], network["spread"]) == ("mlp", 12.0, 2.0)
    assert network["outcomes"] == {}
    assert (linear["mean"], linear["outcomes"]["better"]) == (16.0, 2)


def test_page_shows_each_seed_and_each_gate():
    versions = dict.fromkeys(("deepwell", "python", "torch", "numpy", "scikit-learn"), "1")
    result = {
        "recipe": "houses",
        "title": "Houses",
        "data": "examples/houses.csv",
        "metric": "rmse",
        "seeds": [1, 2, 3],
        "passed": False,
        "gates": [judge(Gate(better_than="linear", least_better=3), RUNS)],
        "scores": scores(RUNS, "rmse"),
        "runs": RUNS,
        "date": "2026-01-01T00:00:00",
        "commit": "abc",
        "hardware": {"processor": "a processor", "cores": 2},
        "versions": versions,
        "threads": 2,
        "load": 0.1,
    }
    text = page([result])
    assert "## houses: Houses – **failed**" in text
    assert "| **mlp** (the network) | 12 ± 2 | 10 | 14 | 12 |  |" in text
    assert "| linear | 16 ± 6.928 | 20 | 20 | 8 | 2 · 1 · 0 |" in text
    assert "2 better, 1 undecided, 0 worse: **failed**" in text
