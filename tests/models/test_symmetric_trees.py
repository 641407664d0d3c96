"""Symmetric trees: as scikit-learn's where both grow the same trees, and what is their own."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier, GradientBoostingRegressor

from deepwell.errors import ModelError
from deepwell.models.ensembles import (
    symmetric_columns,
    symmetric_growing,
    symmetric_levels,
    symmetric_trees,
)
from deepwell.models.ensembles.borders import bins_of, borders_of
from deepwell.models.ensembles.logarithm import logarithm
from deepwell.models.ensembles.symmetric_growing import Growth
from deepwell.models.ensembles.symmetric_trees import SymmetricTrees, SymmetricTreesSettings, grow
from deepwell.types import InputSpec

SPEC = InputSpec(num_numbers=3, cardinalities=(4, 60))
FEW = SymmetricTreesSettings(iterations=20, learning_rate=0.3, depth=3, patience=5)
STUMPS = SymmetricTreesSettings(iterations=30, learning_rate=0.2, depth=1, l2=0.0)
ROWS = 500


def inputs(rows: int = ROWS, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(rows, 3)).round(1)
    numbers[rng.random(numbers.shape) < 0.1] = np.nan
    codes = np.stack([rng.integers(0, size, rows) for size in SPEC.cardinalities], axis=1)
    return np.concatenate([numbers, codes], axis=1).astype(np.float32)


def signal(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    filled = np.nan_to_num(rows, nan=-1.0).astype(float)
    return filled[:, 0] * filled[:, 1] + 2 * (filled[:, 3] == 2) + 0.05 * filled[:, 4]


def answer(trees: SymmetricTrees, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    with torch.inference_mode():
        return trees(torch.from_numpy(rows[:, :3]), torch.from_numpy(rows[:, 3:]).long()).numpy()


def numbers_only(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.nan_to_num(rows[:, :3], nan=-9.0)


def grow_numbers(question: Any, x: Any, y: Any, weight: Any = None) -> NDArray[np.float32]:
    spec = InputSpec(num_numbers=3)
    trees, _ = grow(question, spec, (x, y, weight), None, settings=STUMPS, seed=0, head_size=1)
    return trees(torch.from_numpy(x)).numpy()[:, 0]


def test_stumps_are_those_of_gradient_boosting() -> None:
    """Trees of one level are the same whether or not they are symmetric."""
    x = numbers_only(inputs())
    y = signal(inputs())
    peer = GradientBoostingRegressor(n_estimators=30, learning_rate=0.2, max_depth=1).fit(x, y)
    assert grow_numbers("numbers", x, y[:, None]) == pytest.approx(peer.predict(x), abs=1e-5)


def test_stumps_for_labels_are_those_of_gradient_boosting() -> None:
    x = numbers_only(inputs())
    y = signal(inputs()) > 1
    peer = GradientBoostingClassifier(n_estimators=30, learning_rate=0.2, max_depth=1).fit(x, y)
    ours = grow_numbers("labels", x, y[:, None].astype(np.float32))
    assert ours == pytest.approx(peer.decision_function(x), abs=1e-5)


def test_two_classes_are_as_one_label() -> None:
    x, y = inputs(), (signal(inputs()) > 1).astype(np.int64)
    few = FEW.model_copy(update={"l2": 0.0})
    one, _ = grow("labels", SPEC, (x, y[:, None], None), None, settings=few, seed=0, head_size=1)
    # a step of Newton on either of two logits moves their difference twice as far
    half = few.model_copy(update={"learning_rate": few.learning_rate / 2})
    two, _ = grow("classes", SPEC, (x, y, None), None, settings=half, seed=0, head_size=2)
    logits = answer(two, x)
    assert logits[:, 1] - logits[:, 0] == pytest.approx(answer(one, x)[:, 0], abs=1e-4)


def test_the_best_question_of_a_level_is_found() -> None:
    x, y = numbers_only(inputs()), signal(inputs())
    two = SymmetricTreesSettings(iterations=1, learning_rate=1.0, depth=2, l2=0.5)
    rows, spec = (x, y[:, None], None), InputSpec(num_numbers=3)
    trees, _ = grow("numbers", spec, rows, None, settings=two, seed=0, head_size=1)
    residuals = y - y.mean()
    splits = [(c, b) for c in range(3) for b in borders_of(x[:, c])]

    def gain(asked: list[Any]) -> float:
        places = sum((x[:, c] > b) * 2**n for n, (c, b) in enumerate(asked))
        parts = [residuals[places == place] for place in range(2 ** len(asked))]
        return sum(part.sum() ** 2 / (len(part) + 0.5) for part in parts)

    first = max(splits, key=lambda split: gain([split]))
    second = max(splits, key=lambda split: gain([first, split]))
    chosen = list(zip(trees.columns[0].tolist(), trees.borders[0].tolist(), strict=True))
    assert chosen == [(c, float(b)) for c, b in (first, second)]


@pytest.mark.parametrize("group", [1, 2**17])
def test_the_module_answers_as_the_growth_counted(
    group: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Codes that are common know their whole mean, so training rows are answered as new ones."""
    monkeypatch.setattr(symmetric_levels, "_GROUP", group)
    monkeypatch.setattr(symmetric_columns, "COMMON", 1)
    monkeypatch.setattr(symmetric_trees, "_PIECE", 5_000)
    x, targets = inputs(), np.stack([signal(inputs()), -signal(inputs())], axis=1)
    growth = Growth("numbers", SPEC, (x, targets, None), settings=FEW, seed=0, head_size=2)
    outputs = np.repeat(growth._base[:, None], ROWS, axis=1)
    growth.run(None)
    for tree in growth._trees:
        places = np.zeros(ROWS, dtype=np.int64)
        for column, below in tree.splits:
            places = places * 2 + (growth._bins[column] > below)
        outputs += tree.values[:, places]
    rows = (x, targets, None)
    trees, grown = grow("numbers", SPEC, rows, None, settings=FEW, seed=0, head_size=2)
    assert answer(trees, x) == pytest.approx(outputs.T, abs=1e-5)
    empty = SymmetricTrees(SPEC, 2, grown)
    empty.load_state_dict(trees.state_dict())
    assert np.array_equal(answer(empty, x), answer(trees, x))
    assert np.array_equal(answer(trees, x[:1]), answer(trees, x)[:1])


def test_whole_weights_are_repetitions() -> None:
    x, y = numbers_only(inputs()), signal(inputs())[:, None]
    weight = np.random.default_rng(0).integers(1, 4, ROWS)
    repeated = np.repeat(np.arange(ROWS), weight)
    weighted = grow_numbers("numbers", x, y, weight.astype(float))
    assert weighted[repeated] == pytest.approx(
        grow_numbers("numbers", x[repeated], y[repeated]), abs=1e-5
    )


def test_rare_categories_see_the_rows_before_them_only() -> None:
    codes = np.array([1, 0, 1, 1, 0])
    known = np.array([[1.0, 2.0, 3.0, 6.0, 8.0]])
    order = np.array([3, 0, 1, 2, 4])
    means = symmetric_columns.OrderedMeans(known, None, order, 3)
    prior = known.mean()
    expected = [(6 + prior) / 2, prior, (6 + 1 + prior) / 3, prior, (2 + prior) / 2]
    assert means.before(codes)[0].tolist() == pytest.approx(expected)
    of_all = [(10 + prior) / 3, (10 + prior) / 4, prior]
    assert means.of_all(codes)[:, 0].tolist() == pytest.approx(of_all)


def test_a_category_without_meaning_hardly_spoils_the_answers() -> None:
    """Means that hold a row's own target would be believed: the error would be 1.11."""
    errors: list[float] = []
    for seed in range(3):
        rng = np.random.default_rng(seed)
        x = np.zeros((2 * ROWS, 5), dtype=np.float32)
        x[:, 4] = rng.integers(0, 60, 2 * ROWS)  # 8 rows of each among the training rows
        y = rng.normal(0, 1, (2 * ROWS, 1))
        train = (x[:ROWS], y[:ROWS], None)
        trees, _ = grow("numbers", SPEC, train, None, settings=FEW, seed=0, head_size=1)
        errors.append(((answer(trees, x[ROWS:]) - y[ROWS:]) ** 2).mean() / y[ROWS:].var())
    assert np.mean(errors) < 1.05


def test_gaps_have_a_side_of_their_own() -> None:
    x = np.full((ROWS, 3), np.nan, dtype=np.float32)
    x[:200, 0] = np.random.default_rng(0).normal(size=200)
    x[200, 0], x[201, 0] = np.inf, -np.inf
    y = np.isnan(x[:, :1]).astype(float)
    y[201] = 1.0  # the lowest there is counts as a gap
    spec = InputSpec(num_numbers=3)
    once = SymmetricTreesSettings(iterations=1, depth=1, l2=0.0, learning_rate=1.0)
    trees, _ = grow("numbers", spec, (x, y, None), None, settings=once, seed=0, head_size=1)
    assert trees(torch.from_numpy(x)).numpy() == pytest.approx(y, abs=1e-6)


def test_classes_without_a_training_row_and_validation_rows_of_them() -> None:
    x = inputs()
    y = np.digitize(signal(x), [-1, 1]) + (signal(x) > 1)  # never class 2
    val = (x, np.arange(ROWS) % 4, None)
    trees, _ = grow("classes", SPEC, (x, y, None), val, settings=FEW, seed=0, head_size=4)
    assert answer(trees, x).shape == (ROWS, 4)
    trees, _ = grow("classes", SPEC, (x, y, None), None, settings=FEW, seed=0, head_size=4)
    chances = torch.from_numpy(answer(trees, x)).softmax(dim=1).numpy()
    assert chances[:, 2].max() < 1e-3
    assert (chances.argmax(axis=1) == y).mean() > 0.8


def test_nothing_to_ask_about() -> None:
    x, y = np.ones((ROWS, 5), dtype=np.float32), signal(inputs())[:, None]
    trees, grown = grow("numbers", SPEC, (x, y, None), None, settings=FEW, seed=0, head_size=1)
    assert grown.num_trees == 0
    assert answer(trees, x)[:, 0] == pytest.approx(np.full(ROWS, y.mean()), abs=1e-6)
    ones = np.ones((ROWS, 1), dtype=np.float32)
    rows = (inputs(), ones, None)
    trees, _ = grow("labels", SPEC, rows, rows, settings=FEW, seed=0, head_size=1)
    assert answer(trees, x)[:, 0] == pytest.approx(np.full(ROWS, 10.0), abs=0.1)
    assert answer(trees, x[:0]).shape == (0, 1)


def test_the_logarithm_is_learned_and_the_number_answered() -> None:
    x = inputs()
    price = np.exp(signal(x) / 2)
    mean, std = price.mean(), price.std()
    scaled, zero = ((price - mean) / std)[:, None], np.array([-mean / std])
    logs = FEW.model_copy(update={"log_targets": True})
    rows = logarithm((x, scaled, None), zero)
    trees, _ = grow("numbers", SPEC, rows, None, settings=logs, seed=0, head_size=1)
    trees.zero.copy_(torch.from_numpy(zero))
    plain = (x, np.log(price / std)[:, None], None)
    theirs, _ = grow("numbers", SPEC, plain, None, settings=FEW, seed=0, head_size=1)
    expected = np.exp(answer(theirs, x)[:, 0]) * std
    np.testing.assert_allclose(answer(trees, x)[:, 0] * std + mean, expected, rtol=1e-4)


def test_validation_rows_and_the_time_end_the_growth() -> None:
    x, val = inputs(), inputs(seed=1)
    noise = np.random.default_rng(0).normal(0, 1, (2, ROWS, 1))
    train = (x, signal(x)[:, None] + noise[0], None)
    held_out = (val, signal(val)[:, None] + noise[1], None)
    many = FEW.model_copy(update={"iterations": 5_000})
    trees, grown = grow("numbers", SPEC, train, held_out, settings=many, seed=0, head_size=1)
    assert 0 < grown.num_trees < 1_000
    fewer = many.model_copy(update={"iterations": grown.num_trees})
    again, _ = grow("numbers", SPEC, train, None, settings=fewer, seed=0, head_size=1)
    assert np.array_equal(answer(again, val), answer(trees, val))
    began = time.monotonic()
    trees, grown = grow(
        "numbers", SPEC, train, None, settings=many, seed=0, head_size=1, seconds=0.0
    )
    assert grown.num_trees == symmetric_growing.FEWEST
    assert time.monotonic() - began < 10


def test_pictures_are_refused() -> None:
    with pytest.raises(ModelError, match="symmetric_trees reads tables"):
        symmetric_trees.build(InputSpec(image_shape=(1, 8, 8)), 1, FEW)


def test_bins_share_out_the_roots_of_the_counts() -> None:
    """Values in a long tail have bins of their own, which bins of equal counts would not give."""
    values = np.concatenate([np.zeros(9_000), np.arange(1, 1_001)]).astype(np.float32)
    borders = borders_of(values, most_bins=64)
    assert len(borders) <= 63
    assert len(np.unique(bins_of(values, borders))) == len(borders) + 1
    assert (borders > 100).sum() > 50
    even = np.quantile(values, np.linspace(0, 1, 65)[1:-1])
    assert (even > 100).sum() < 10
