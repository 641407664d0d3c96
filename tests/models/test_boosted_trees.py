"""Grown trees answer as scikit-learn's own, whatever the columns hold."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

from deepwell.errors import ConfigError
from deepwell.models.ensembles import boosted_trees, growing
from deepwell.models.ensembles.boosted_trees import BoostedTrees, BoostedTreesSettings, grow
from deepwell.models.ensembles.borders import bins_of, borders_of, rounded_down
from deepwell.models.ensembles.logarithm import logarithm
from deepwell.types import InputSpec

SPEC = InputSpec(num_numbers=4, cardinalities=(5, 300, 3))
"""300 codes are too many for sets of codes: they are compared as numbers."""
FEW = BoostedTreesSettings(iterations=12, max_leaves=8, learning_rate=0.2, patience=3)
ROWS = 400


def inputs(rows: int = ROWS, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    numbers = rng.normal(size=(rows, 4)).astype(np.float32)
    numbers[rng.random(numbers.shape) < 0.1] = np.nan
    numbers[:, 3] = np.nan  # a column without any value
    codes = np.stack([rng.integers(0, size, rows) for size in SPEC.cardinalities], axis=1)
    codes[codes[:, 0] == 4, 0] = 1  # a code that training never sees
    return np.concatenate([numbers, codes.astype(np.float32)], axis=1)


def answer(trees: BoostedTrees, rows: NDArray[np.float32]) -> NDArray[np.float32]:
    numbers, codes = torch.from_numpy(rows[:, :4]), torch.from_numpy(rows[:, 4:]).long()
    with torch.inference_mode():
        return trees(numbers, codes).numpy()


def signal(rows: NDArray[np.float32]) -> NDArray[np.float64]:
    filled = np.nan_to_num(rows, nan=-1.0).astype(float)
    return 2 * filled[:, 0] * filled[:, 1] + (filled[:, 4] == 2) + 0.01 * filled[:, 5]


def peer(kind: Any, x: NDArray[Any], y: NDArray[Any], **held_out: Any) -> Any:
    model = kind(
        max_iter=FEW.iterations,
        learning_rate=FEW.learning_rate,
        max_leaf_nodes=FEW.max_leaves,
        n_iter_no_change=FEW.patience,
        early_stopping=bool(held_out),
        categorical_features=[False] * 3 + [True, False, True],
        random_state=0,
    )
    return model.fit(seen(x), y, **held_out)


def seen(x: NDArray[Any]) -> NDArray[Any]:
    """Return what scikit-learn is shown: bins in place of numbers with many values."""
    x = x.copy()
    for column in range(3):
        values, borders = x[:, column], borders_of(inputs()[:, column])
        x[:, column] = np.where(np.isnan(values), values, bins_of(values, borders))
    return np.delete(x, 3, axis=1)


def other_rows() -> NDArray[np.float32]:
    """Return rows with gaps elsewhere and with codes that training never saw."""
    rows = inputs(seed=1)
    rows[:20, 4] = 4
    rows[20:40, 3] = 0.5
    return rows


@pytest.mark.parametrize("way", ["dense", "walk"])
def test_numbers(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(boosted_trees, "_DENSE_ROWS", 1 if way == "dense" else 10**9)
    monkeypatch.setattr(boosted_trees, "_PIECE", 5_000)
    x, new = inputs(), other_rows()
    y = np.stack([signal(x), -3 * signal(x)], axis=1)
    trees, grown = grow("numbers", SPEC, (x, y, None), None, settings=FEW, seed=0)
    for target in range(2):
        model = peer(HistGradientBoostingRegressor, x, y[:, target])
        assert answer(trees, new)[:, target] == pytest.approx(model.predict(seen(new)), abs=1e-5)
    assert grown.num_trees == 24
    assert grown.num_tables > 0


def test_labels_with_early_stopping_and_weights() -> None:
    x, val = inputs(), inputs(seed=2)
    noise = np.random.default_rng(0).normal(0, 3, ROWS)
    y, y_val = (signal(rows) + noise > 0.5 for rows in (x, val))
    weight = np.random.default_rng(3).uniform(0.5, 2, ROWS)
    model = peer(
        HistGradientBoostingClassifier,
        x,
        y,
        X_val=seen(val),
        y_val=y_val,
        sample_weight=weight,
        sample_weight_val=weight,
    )
    many = FEW.model_copy(update={"iterations": 100})
    columns = y[:, None].astype(np.float32), y_val[:, None].astype(np.float32)
    trees, grown = grow(
        "labels", SPEC, (x, columns[0], weight), (val, columns[1], weight), settings=many, seed=0
    )
    model.set_params(max_iter=100).fit(
        seen(x), y, weight, X_val=seen(val), y_val=y_val, sample_weight_val=weight
    )
    assert 0 < grown.num_trees == model.n_iter_ < 100
    raw = model.decision_function(seen(other_rows()))
    assert answer(trees, other_rows())[:, 0] == pytest.approx(raw, abs=1e-5)


def test_classes() -> None:
    x = inputs()
    y = np.digitize(signal(x), [-1, 1])
    trees, _ = grow("classes", SPEC, (x, y, None), None, settings=FEW, seed=0)
    raw = peer(HistGradientBoostingClassifier, x, y).decision_function(seen(other_rows()))
    assert np.abs(answer(trees, other_rows()) - raw).max() < 1e-5


@pytest.mark.parametrize("kept", [[0, 2, 3], [1, 3], [2]])
def test_classes_without_a_training_row(kept: list[int]) -> None:
    x = inputs()
    y = np.asarray(kept)[np.digitize(signal(x), [-1, 1][: len(kept) - 1])]
    val = (x, np.arange(ROWS) % 4, None)
    trees, _ = grow("classes", SPEC, (x, y, None), val, settings=FEW, seed=0, head_size=4)
    chances = torch.from_numpy(answer(trees, x)).softmax(dim=1).numpy()
    assert chances[:, kept].sum(axis=1) == pytest.approx(1.0, abs=1e-3)
    assert (chances.argmax(axis=1) == y).mean() > 0.8
    if len(kept) == 2:
        model = peer(
            HistGradientBoostingClassifier,
            x,
            y,
            X_val=seen(x)[np.isin(val[1], kept)],
            y_val=val[1][np.isin(val[1], kept)],
        )
        assert chances[:, 3] == pytest.approx(model.predict_proba(seen(x))[:, 1], abs=1e-5)


def test_a_label_that_is_always_yes_needs_no_trees() -> None:
    x = inputs()
    y = np.stack([np.ones(ROWS), signal(x) > 0], axis=1).astype(np.float32)
    trees, grown = grow("labels", SPEC, (x, y, None), (x, y, None), settings=FEW, seed=0)
    assert answer(trees, other_rows())[:, 0].tolist() == [10.0] * ROWS
    assert grown.num_trees <= FEW.iterations


def test_numbers_only_and_codes_only() -> None:
    x = inputs()
    y = signal(x)[:, None]
    few = InputSpec(num_numbers=3)
    trees, _ = grow("numbers", few, (x[:, :3], y, None), None, settings=FEW, seed=0)
    assert trees(torch.from_numpy(x[:, :3])).shape == (ROWS, 1)
    codes = InputSpec(cardinalities=(5, 300, 3))
    trees, _ = grow("numbers", codes, (x[:, 4:], y, None), None, settings=FEW, seed=0)
    one, all_ = (trees(torch.from_numpy(x[:n, 4:]).long()) for n in (1, ROWS))
    assert torch.equal(one[0], all_[0])


def test_no_rows_and_no_trees() -> None:
    empty = BoostedTrees(SPEC, 2, BoostedTreesSettings())
    assert answer(empty, inputs(3)).tolist() == [[0.0, 0.0]] * 3
    x = inputs()
    trees, _ = grow("numbers", SPEC, (x, signal(x)[:, None], None), None, settings=FEW, seed=0)
    assert answer(trees, x[:0]).shape == (0, 1)


def test_thresholds_are_rounded_so_that_32_bit_numbers_fall_as_64_bit_ones_do() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=1000).astype(np.float32)
    for threshold in rng.choice(values, 50).astype(np.float64) + rng.normal(0, 1e-9, 50):
        rounded = rounded_down(np.array(threshold))
        assert ((values <= rounded) == (values.astype(np.float64) <= threshold)).all()


def test_the_logarithm_of_the_target_is_learned_as_scikit_learn_learns_it() -> None:
    x = inputs()
    price = np.exp(signal(x) / 3)
    mean, std = price.mean(), price.std()
    scaled = ((price - mean) / std)[:, None]
    zero = np.array([-mean / std])
    logs = FEW.model_copy(update={"log_targets": True})
    rows = logarithm((x, scaled, None), zero)
    trees, grown = grow("numbers", SPEC, rows, None, settings=logs, seed=0)
    trees.zero.copy_(torch.from_numpy(zero))
    theirs = peer(HistGradientBoostingRegressor, x, np.log(price))
    expected = np.exp(theirs.predict(seen(x)))
    np.testing.assert_allclose(answer(trees, x)[:, 0] * std + mean, expected, rtol=2e-6)
    empty = BoostedTrees(SPEC, 1, grown)
    empty.load_state_dict(trees.state_dict())
    assert np.array_equal(answer(empty, x), answer(trees, x))


def test_what_has_no_logarithm_is_refused() -> None:
    rows = (inputs(4), np.array([[0.0], [1.0], [2.0], [3.0]]), None)
    with pytest.raises(ConfigError, match="targets above zero"):
        logarithm(rows, np.zeros(1))


def test_growing_ends_in_time_with_a_few_trees_at_least() -> None:
    x = inputs()
    many = FEW.model_copy(update={"iterations": 100_000, "patience": 100_000})
    rows = (x, signal(x)[:, None], None)
    began = time.monotonic()
    trees, _ = grow("numbers", SPEC, rows, rows, settings=many, seed=0, seconds=1.0)
    assert time.monotonic() - began < 20
    assert growing.PROBE < len(trees.roots) < many.iterations
    fewest, _ = grow("numbers", SPEC, rows, rows, settings=many, seed=0, seconds=0.0)
    assert len(fewest.roots) == growing.PROBE


def test_time_enough_changes_nothing() -> None:
    x = inputs()
    some = FEW.model_copy(update={"iterations": 60})
    rows = (x, signal(x)[:, None], None)
    free, timed = (
        grow("numbers", SPEC, rows, rows, settings=some, seed=0, seconds=seconds)[0]
        for seconds in (float("inf"), 1e6)
    )
    assert np.array_equal(answer(free, x), answer(timed, x))
