import itertools
import math
from collections.abc import Callable

import numpy as np
import pytest

from deepwell.errors import ConfigError, DataError
from deepwell.evaluation.recommendation import compare_lists, lists_by_user, score_lists


def _plain(relevant: list[bool], k: int) -> dict[str, float]:
    """The metrics of one list in a given order, straight from their definitions."""
    places = [place for place, is_taken in enumerate(relevant, start=1) if is_taken]
    shown = [place for place in places if place <= k]
    best = sum(1 / math.log2(1 + place) for place in range(1, min(len(places), k) + 1))
    return {
        "hit_rate": float(bool(shown)),
        "recall": len(shown) / len(places),
        "ndcg": sum(1 / math.log2(1 + place) for place in shown) / best,
        "mrr": 1 / places[0],
    }


def _over_all_orders(relevant: list[bool], scores: list[float], k: int) -> dict[str, float]:
    """The mean over all orders that agree with the scores."""
    orders = [
        [relevant[i] for i in order]
        for order in itertools.permutations(range(len(scores)))
        if all(scores[a] >= scores[b] for a, b in itertools.pairwise(order))
    ]
    results = [_plain(order, k) for order in orders]
    return {name: float(np.mean([one[name] for one in results])) for name in results[0]}


@pytest.mark.parametrize("k", [1, 2, 3, 10])
@pytest.mark.parametrize(
    "draw",
    [
        lambda generator, n: generator.permutation(n).astype(float),  # no ties
        lambda generator, n: generator.integers(0, 3, n).astype(float),  # some
        lambda generator, n: np.zeros(n),  # nothing else
    ],
)
def test_equals_the_mean_over_all_orders(
    k: int, draw: Callable[[np.random.Generator, int], np.ndarray]
) -> None:
    generator = np.random.default_rng(k)
    users, relevant, scores, expected = [], [], [], []
    for user in range(6):
        size = int(generator.integers(2, 7))
        taken = generator.random(size) < 0.4
        taken[int(generator.integers(size))] = True
        given = draw(generator, size)
        users += [user] * size
        relevant += taken.tolist()
        scores += given.tolist()
        expected.append(_over_all_orders(taken.tolist(), given.tolist(), k))
    mixed = generator.permutation(len(users))
    found = lists_by_user(
        np.array(users)[mixed], np.array(relevant)[mixed], np.array(scores)[mixed], k=k
    )
    assert found.users.tolist() == list(range(6))
    for name, values in found.values.items():
        np.testing.assert_allclose(values, [one[name] for one in expected], atol=1e-12)


def test_constant_scores_are_worth_chance() -> None:
    users, relevant = np.repeat(np.arange(50), 100), np.tile(np.arange(100) == 7, 50)
    results = score_lists(users, relevant, np.zeros(5000), k=10)
    assert results["hit_rate"].value == pytest.approx(0.1)
    assert results["recall"].value == pytest.approx(0.1)
    assert results["mrr"].value == pytest.approx(sum(1 / n for n in range(1, 101)) / 100)


def test_users_without_a_relevant_candidate_are_left_out() -> None:
    found = lists_by_user(["a", "a", "b", "b"], [True, False, False, False], [1, 0, 1, 0])
    assert found.users.tolist() == ["a"]


def test_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    held = 0
    for _ in range(100):
        ranks = generator.integers(0, 10, 80)  # hit rate at 3 is 0.3
        relevant = (np.arange(10) == ranks[:, None]).ravel()
        users, scores = np.repeat(np.arange(80), 10), np.tile(-np.arange(10.0), 80)
        found = score_lists(users, relevant, scores, k=3, resamples=200)["hit_rate"]
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.3 <= found.high
    assert 88 <= held <= 99


def test_pairs_are_compared_on_the_same_users() -> None:
    generator = np.random.default_rng(1)
    users = np.repeat(np.arange(40), 20)
    relevant = np.tile(np.arange(20) == 3, 40)
    noise = generator.random(800)
    scores = noise + 0.4 * relevant
    same = compare_lists(users, relevant, (scores, scores))["ndcg"]
    assert (same.difference, same.low, same.high) == (0.0, 0.0, 0.0)
    better = compare_lists(users, relevant, (scores, noise))["ndcg"]
    assert better.low is not None
    assert better.low > 0


@pytest.mark.parametrize(
    ("arguments", "k", "error", "message"),
    [
        ((["a"], [True], [0.1]), 0, ConfigError, "1 or more. Got: k=0"),
        ((["a"], [True, False], [0.1]), 1, DataError, "same length"),
        ((["a", "a"], [True, False], [0.1, math.nan]), 1, DataError, "candidate 1 is not a number"),
        ((["a"], [False], [0.1]), 1, DataError, "No candidate is relevant"),
        (([], [], []), 1, DataError, "No candidate is relevant"),
    ],
)
def test_misuse_is_explained(
    arguments: tuple[list[str], list[bool], list[float]],
    k: int,
    error: type[Exception],
    message: str,
) -> None:
    with pytest.raises(error, match=message):
        score_lists(*arguments, k=k)
