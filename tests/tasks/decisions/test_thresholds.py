"""Thresholds and costs against brute force."""

import numpy as np
import pytest
from sklearn.metrics import f1_score, precision_score, recall_score

from deepwell.errors import ConfigError
from deepwell.tasks.decisions import DecisionSettings
from deepwell.tasks.decisions.thresholds import (
    Rule,
    choose_threshold,
    cost_threshold,
    least_cost,
    parse_rule,
    read_cost,
    sweep,
)


def rows(seed: int, count: int = 60, *, has_ties: bool = True):
    rng = np.random.default_rng(seed)
    chances = rng.random(count)
    truth = rng.random(count) < chances
    truth[0] = True
    return (chances.round(1) if has_ties else chances), truth, rng.integers(1, 4, count) * 1.0


def brute(chances, truth, weight):
    """Every way to divide the rows by their probability, with its scores."""
    values = np.unique(chances)
    for threshold in [0.0, *(values[1:] + values[:-1]) / 2]:
        answers = chances >= threshold
        options = {"sample_weight": weight, "zero_division": 0}
        yield (
            precision_score(truth, answers, **options),
            recall_score(truth, answers, **options),
            f1_score(truth, answers, **options),
            int(answers.sum()),
        )


@pytest.mark.parametrize("seed", range(8))
def test_f1_equals_brute_force(seed):
    chances, truth, weight = rows(seed, has_ties=seed % 2 == 0)
    found = choose_threshold(Rule("f1"), sweep(chances, truth, weight))
    assert found.f1 == pytest.approx(max(f1 for _, _, f1, _ in brute(chances, truth, weight)))
    assert found.f1 == pytest.approx(
        f1_score(truth, chances >= found.threshold, sample_weight=weight)
    )


@pytest.mark.parametrize("seed", range(8))
def test_recall_gives_the_best_precision_that_keeps_it(seed):
    chances, truth, weight = rows(seed)
    found = choose_threshold(Rule("recall", 0.7), sweep(chances, truth, weight))
    best = max(p for p, r, _, _ in brute(chances, truth, weight) if r >= 0.7)
    assert found.recall >= 0.7
    assert found.precision == pytest.approx(best)
    answers = chances >= found.threshold
    assert recall_score(truth, answers, sample_weight=weight) == pytest.approx(found.recall)


@pytest.mark.parametrize("seed", range(8))
def test_precision_gives_the_best_recall_that_keeps_it(seed):
    chances, truth, weight = rows(seed)
    found = choose_threshold(Rule("precision", 0.75), sweep(chances, truth, weight))
    possible = [r for p, r, _, n in brute(chances, truth, weight) if p >= 0.75 and n >= 10]
    assert found.is_reached == bool(possible)
    if possible:
        assert found.recall == pytest.approx(max(possible))


def test_a_precision_that_is_not_reached_gives_the_best():
    chances = np.linspace(0.1, 0.9, 100)
    truth = np.arange(100) % 2 == 0
    truth[60:] = np.arange(40) % 4 != 0
    found = choose_threshold(Rule("precision", 0.99), sweep(chances, truth))
    assert not found.is_reached
    assert 0.7 < found.precision < 0.9
    assert precision_score(truth, chances >= found.threshold) == pytest.approx(found.precision)


def test_a_sweep_knows_any_threshold():
    chances, truth, weight = rows(0)
    swept = sweep(chances, truth, weight)
    for threshold in (0.0, 0.04, 0.1, 0.33, 0.37, 0.7, 0.98, 1.0, *swept.thresholds):
        answers = chances >= threshold
        options = {"sample_weight": weight, "zero_division": 0}
        precision, recall, f1 = swept.at(threshold)
        assert precision == pytest.approx(precision_score(truth, answers, **options))
        assert recall == pytest.approx(recall_score(truth, answers, **options))
        assert f1 == pytest.approx(f1_score(truth, answers, **options))


def test_neighbouring_floats_are_told_apart():
    low = 0.5
    high = np.nextafter(low, 1)
    swept = sweep(np.array([low, high]), np.array([False, True]))
    found = choose_threshold(Rule("f1"), swept)
    assert (np.array([low, high]) >= found.threshold).tolist() == [False, True]


def test_least_cost_is_the_argmin_of_the_expected_cost():
    rng = np.random.default_rng(0)
    chances = rng.dirichlet(np.ones(4), 200)
    cost = rng.uniform(1, 9, (4, 4)) * (1 - np.eye(4))
    expected = [
        min(range(4), key=lambda k: sum(p[j] * cost[j, k] for j in range(4))) for p in chances
    ]
    assert least_cost(chances, cost).tolist() == expected


def test_the_threshold_of_two_costs_is_the_same_rule():
    yes = np.linspace(0.001, 0.999, 400)
    for text in ("1,5", "7,2", "1.5,1.5"):
        cost = np.array(read_cost(text))
        by_cost = least_cost(np.stack([1 - yes, yes], axis=1), cost)
        assert np.array_equal(by_cost, (yes >= cost_threshold(cost)).astype(int))


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("auto", Rule("auto")),
        ("0.3", Rule("number", 0.3)),
        ("30%", Rule("number", 0.3)),
        (" F1 ", Rule("f1")),
        ("precision ≥ 90%", Rule("precision", 0.9)),
        ("recall>=.8", Rule("recall", 0.8)),
    ],
)
def test_rules_are_read(text, rule):
    assert parse_rule(text) == rule
    assert parse_rule(rule.text) == rule


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("cots", r'Did you mean "cost"'),
        ("precison>=0.9", r'Did you mean "precision"'),
        ("1.5", "must lie between 0 and 1"),
        ("90", "for 90 percent write 90%"),
        ("precision", "cannot be read"),
        ("precision<=0.9", "write the least precision that you accept"),
        ("recall>=80", "between 0 and 1, without the ends: for 80 percent write 80%"),
        ("", "Write a number between 0 and 1"),
        ("recall>=nan", "must lie between 0 and 1"),
    ],
)
def test_wrong_rules_are_explained(text, words):
    with pytest.raises(ConfigError, match=words):
        parse_rule(text)


@pytest.mark.parametrize(
    "text",
    ["", "1", "a,b", "1,2,3", "0,1;1,0,2", "0,1;inf,0", "0,-1;1,0", "0,0", "1,0", "2,1;1,2"],
)
def test_wrong_costs_are_explained(text):
    with pytest.raises(ConfigError, match=r"Give two costs|must cost more"):
        read_cost(text)


def test_settings_come_back_from_a_file():
    for given in (
        {"cost": "1,5"},
        {"threshold": 0.3},
        {"threshold": "precision >= 0.9", "coverage": 0.9, "per_class": True},
        {"cost": [[0, 1, 2], [1, 0, 1], [3, 3, 0]], "calibrate": "none"},
    ):
        settings = DecisionSettings.model_validate(given)
        assert DecisionSettings.model_validate(settings.plain()) == settings


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"threshold": "cost"}, "needs the costs"),
        ({"threshold": "f1", "cost": "1,5"}, "leave one of them out"),
        ({"per_class": True}, "give one, such as coverage = 0.9"),
        ({"coverage": 90}, "coverage"),
        ({"calibrate": "plat"}, "'platt'"),
        ({"treshold": "f1"}, 'Did you mean "threshold"'),
        ({"threshold": True}, "between 0 and 1"),
        ({"cost": 3}, "Give two costs"),
    ],
)
def test_wrong_settings_are_explained(given, words):
    with pytest.raises(ConfigError, match=words):
        DecisionSettings.model_validate(given)
