"""Short trials before training: they find what they should, and leave no trace."""

import math
import time

import pytest
import torch
from engine_fakes import Classify, engine, mlp, same, table, train_rows, val_rows, weights
from torch import Tensor, nn

from deepwell.engine import TensorBatches, fit
from deepwell.engine.probing import batch_sizes
from deepwell.engine.probing.advice import next_action
from deepwell.engine.probing.batch_sizes import Trial, find_batch_size
from deepwell.engine.probing.memory import Watch, available
from deepwell.engine.probing.overfit import overfit_batch
from deepwell.engine.probing.profile import PHASES, profile
from deepwell.engine.probing.rates import find_rate
from deepwell.errors import ConfigError, TrainingError


def rows_of(size: int) -> TensorBatches:
    inputs, targets, _ = table(640)
    return TensorBatches((inputs,), targets, batch_size=size, shuffle=True, seed=3)


def test_the_rate_lies_below_divergence_and_is_useful():
    settings = engine(optimizer="sgd")
    test = find_rate(mlp(), Classify(), rows_of(32), settings=settings, seed=1)
    assert test.diverged is None or test.suggestion <= test.diverged / 10 * 1.05
    assert test.suggestion <= test.lowest / 3 * 1.05
    assert list(test.rates) == sorted(test.rates)
    assert len(test.rates) == len(test.losses) == len(test.smoothed)

    def loss_with(rate: float) -> float:
        chosen = engine(optimizer="sgd", epochs=3, learning_rate=rate, schedule="constant")
        history = fit(mlp(), Classify(), rows_of(32), settings=chosen).history
        return history[-1]["train"]["loss"]

    found = loss_with(test.suggestion)
    assert found < loss_with(test.suggestion / 30)
    assert math.isfinite(found)


def test_a_quadratic_diverges_where_theory_says():
    # w ← w − rate · 2·w: diverges from 1 on; the loss is the mean of w²
    class Square:
        score_names = ()

        def training_step(self, model: nn.Module, batch: object) -> tuple[object, Tensor]:
            from deepwell.types import Loss

            value = (model.weight**2).sum()
            return Loss(value, value.new_ones(())), model.weight.detach()

        def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
            return {}

    model = nn.Linear(1, 1, bias=False)
    nn.init.ones_(model.weight)
    settings = engine(optimizer="sgd")
    rows = TensorBatches((torch.ones(4, 1),), torch.ones(4, 1), batch_size=4)
    test = find_rate(model, Square(), rows, settings=settings, steps=300)
    assert test.diverged is not None
    assert 0.5 < test.diverged < 10
    assert test.suggestion < 1


def test_a_range_test_changes_nothing():
    def train(*, with_test: bool) -> tuple[nn.Module, Tensor]:
        model, rows = mlp(dropout=0.3), train_rows(weighted=True, augment=True)
        torch.manual_seed(11)
        if with_test:
            find_rate(model, Classify(), rows, settings=engine(), seed=5, steps=40)
        random = torch.get_rng_state()
        fit(
            model, Classify(), rows, val_batches=val_rows(), settings=engine(learning_rate=0.01),
            seed=5,
        )  # fmt: skip
        return model, random

    (one, random_one), (other, random_other) = train(with_test=True), train(with_test=False)
    assert same(weights(one), weights(other))
    assert torch.equal(random_one, random_other)


def test_a_search_without_a_rate_is_refused():
    with pytest.raises(ConfigError, match="searches the length of its step by itself"):
        find_rate(mlp(), Classify(), train_rows(), settings=engine(optimizer="lbfgs"))
    with pytest.raises(ConfigError, match="at least 40 steps"):
        find_rate(mlp(), Classify(), train_rows(), settings=engine(), steps=5)


def test_rows_from_which_nothing_can_be_learned_give_no_rate():
    rows = TensorBatches((torch.zeros(64, 6),), torch.arange(64) % 3, batch_size=63)
    with pytest.raises(TrainingError, match="fell at no learning rate"):
        find_rate(mlp(), Classify(), rows, settings=engine())


def test_batch_sizes_double_until_the_steps_of_an_epoch_run_out():
    model = mlp()
    before = weights(model)
    search = find_batch_size(model, Classify(), rows_of, rows=640, settings=engine())
    sizes = [trial.batch_size for trial in search.trials]
    assert sizes == [16, 32, 64][: len(sizes)]
    assert search.batch_size in sizes
    assert all(trial.rows_per_second > 0 for trial in search.trials)
    assert same(before, weights(model))


@pytest.mark.parametrize(
    ("trials", "chosen", "words"),
    [
        ([(16, 100.0), (32, 180.0), (64, None)], 32, "64 rows do not fit"),
        ([(16, 100.0), (32, 180.0), (64, 181.0), (128, 182.0)], 32, "not faster"),
        ([(16, 100.0)], 16, "more than 80% of the 1 KiB free"),
    ],
)
def test_the_choice_is_the_knee_of_what_fits(
    trials: list[tuple[int, float | None]], chosen: int, words: str
):
    done = [Trial(batch_size=s, rows_per_second=r, memory=600 if len(trials) == 1 else 1)
            for s, r in trials]  # fmt: skip
    why = batch_sizes._why_stop(done, 10**6, 1024)
    assert words in why
    assert batch_sizes._choose(done, why, 1024).batch_size == chosen


def test_a_card_that_runs_out_of_memory_is_caught(monkeypatch: pytest.MonkeyPatch):
    train = batch_sizes._train

    def small(model: nn.Module, task: object, batches: TensorBatches, **rest: object):
        if batches.batch_size > 16:
            raise torch.cuda.OutOfMemoryError("CUDA out of memory")
        return train(model, task, batches, **rest)

    monkeypatch.setattr(batch_sizes, "_train", small)
    search = find_batch_size(mlp(), Classify(), rows_of, rows=640, settings=engine())
    assert (search.batch_size, search.trials[-1].rows_per_second) == (16, None)
    with pytest.raises(ConfigError, match="takes all rows at once"):
        find_batch_size(
            mlp(), Classify(), rows_of, rows=640, settings=engine(optimizer="gradient_descent")
        )


def test_memory_is_seen_to_grow():
    watch = Watch(torch.device("cpu"))
    watch.begin()
    block = torch.ones(40_000_000)
    assert 100e6 < watch.peak() < 400e6
    del block
    free = available(torch.device("cpu"))
    assert free is None or free > 0


def test_a_network_that_can_learn_does():
    rows = train_rows(augment=True)
    result = overfit_batch(mlp(dropout=0.9), Classify(), rows, settings=engine(learning_rate=0.02))
    assert result.is_learned
    assert result.scores["accuracy"] == 1
    assert result.rows == 16
    assert result.advice == ()


def test_a_wrong_rate_is_told_from_a_network_that_cannot_learn():
    settings = engine(optimizer="sgd", learning_rate=0.005)
    result = overfit_batch(mlp(), Classify(), train_rows(), settings=settings, steps=300)
    assert result.is_learned
    assert result.rate == pytest.approx(0.05)
    assert "try --learning-rate 0.05" in result.advice[0]


@pytest.mark.parametrize("case", ["detached", "contradiction", "small"])
def test_a_network_that_cannot_learn_is_explained(case: str):
    inputs, targets, _ = table(32)

    class Detached(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(6, 4), nn.Linear(4, 3)

        def forward(self, inputs: Tensor) -> Tensor:
            return self.last(self.first(inputs).detach())

    model: nn.Module = mlp()
    words = "the inputs of another row"
    if case == "detached":
        model, words = Detached(), "parameters get no gradient (first."
        targets = torch.randint(0, 3, (32,), generator=torch.Generator().manual_seed(0))
    elif case == "contradiction":
        inputs = inputs[:1].expand(32, 6).clone()
    else:
        model, words = nn.Linear(6, 3), "too small"
        targets = torch.randint(0, 3, (32,), generator=torch.Generator().manual_seed(0))
    rows = TensorBatches((inputs,), targets, batch_size=32)
    result = overfit_batch(model, Classify(), rows, settings=engine(learning_rate=0.01), steps=60)
    assert not result.is_learned
    assert words in " ".join(result.advice)


@pytest.mark.parametrize(
    "changes", [{}, {"optimizer": "lbfgs"}, {"sharpness": 0.05}, {"accumulate": 3}]
)
def test_a_profile_accounts_for_all_of_a_step(changes: dict[str, object]):
    model, rows = mlp(), train_rows(augment=True)
    before = weights(model)
    found = profile(model, Classify(), rows, settings=engine(**changes), steps=4)
    assert set(found.phases) == set(PHASES)
    assert sum(found.phases.values()) == pytest.approx(1)
    assert all(share > 0 for share in found.phases.values())
    assert found.memory["parameters"] == 4 * (6 * 12 + 12 + 12 * 3 + 3)
    assert found.memory["activations"] > 0
    assert same(before, weights(model))
    if not changes:
        # products forward, for the weights backward, and for the inputs of the second layer
        assert found.flops == 2 * 16 * (2 * 6 * 12 + 3 * 12 * 3)
        assert found.memory["optimizer"] >= 2 * found.memory["gradients"]


@pytest.mark.parametrize(
    ("shares", "limit", "words"),
    [
        ({"data": 0.6, "forward": 0.2, "backward": 0.2}, 0.1, "60% of a step goes into the data"),
        ({"optimizer": 0.82, "forward": 0.1, "backward": 0.08}, 0.1, "82% of a step goes into"),
        ({"engine": 0.4, "forward": 0.3, "backward": 0.3}, 0.1, "counting and scores"),
        ({"forward": 0.4, "backward": 0.6}, 0.7, "only a smaller network"),
        ({"forward": 0.4, "backward": 0.6}, 0.2, "--batch-size 256"),
    ],
)
def test_the_next_action_follows_the_largest_part(
    shares: dict[str, float], limit: float, words: str
):
    from deepwell.engine.precision import choose_precision

    complete = {**dict.fromkeys(PHASES, 0.0), **shares}
    precision = choose_precision("fp32", torch.device("cpu"), mlp(), batch_rows=16)
    said = next_action(complete, share_of_limit=limit, settings=engine(), precision=precision)
    assert words in said


def test_augmentation_counts_as_data():
    def slow(inputs: tuple[Tensor, ...], generator: torch.Generator) -> tuple[Tensor, ...]:
        time.sleep(0.03)
        return inputs

    inputs, targets, _ = table()
    rows = TensorBatches((inputs,), targets, batch_size=16, augment=slow)
    found = profile(mlp(), Classify(), rows, settings=engine(), steps=5)
    assert found.phases["data"] > 0.3
    assert "into the data" in found.next_action
