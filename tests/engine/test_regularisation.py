"""Penalties, limits, clipping, noise, mixing, sharpness, averaging: each against its formula."""

import pytest
import torch
from engine_fakes import (
    Classify,
    Listener,
    engine,
    mlp,
    same,
    table,
    timeless,
    train_rows,
    val_rows,
    weights,
)
from torch import Tensor, nn

from deepwell.engine import TensorBatches, fit
from deepwell.engine.mixing import MixedBatch, Mixing
from deepwell.engine.options import RegularisationSettings
from deepwell.errors import ConfigError
from deepwell.types import Batch, Loss


class Weighing(Classify):
    """The task of the other tests with a loss of its own, as every task of the house has."""

    def loss(self, outputs: Tensor, targets: Tensor, weight: Tensor | None) -> Loss:
        losses = nn.functional.cross_entropy(outputs, targets, reduction="none")
        if weight is None:
            return Loss(losses.sum(), losses.new_full((), len(losses)))
        return Loss((losses * weight).sum(), weight.sum())


def _double_rows(size: int = 16) -> TensorBatches:
    inputs, targets, weight = table()
    return TensorBatches((inputs.double(),), targets, weight=weight, batch_size=size)


def _one_step(**changes: object) -> tuple[nn.Module, nn.Module, Tensor, Tensor]:
    """A network after one step of plain descent with rate 1, and one before it."""
    inputs, targets, _ = table(16)
    settings = engine(epochs=1, optimizer="sgd", learning_rate=1.0, schedule="constant", **changes)
    model, before = mlp(), mlp()
    fit(model, Classify(), TensorBatches((inputs,), targets, batch_size=16), settings=settings)
    return model, before, inputs, targets


def test_elastic_net_is_the_derivative_of_the_formula():
    model, before, inputs, targets = _one_step(regularisation={"l1": 0.01, "l2": 0.1})
    loss = nn.functional.cross_entropy(before(inputs), targets)
    for name, p in before.named_parameters():
        if name.endswith("weight"):
            loss = loss + 0.01 * p.abs().sum() + 0.5 * 0.1 * p.square().sum()
    loss.backward()
    for name, p in before.named_parameters():
        assert p.grad is not None
        torch.testing.assert_close(model.get_parameter(name), p - p.grad)


def test_penalty_is_counted_once_a_step_and_not_in_the_shown_loss():
    results = []
    for size, accumulate in ((64, 1), (16, 4)):
        model = mlp().double()
        settings = engine(
            optimizer="sgd", learning_rate=0.1, accumulate=accumulate,
            regularisation={"l1": 0.01, "l2": 0.1},
        )  # fmt: skip
        fit(model, Classify(), _double_rows(size), settings=settings)
        results.append(weights(model))
    for name, large in results[0].items():
        torch.testing.assert_close(results[1][name], large, rtol=1e-6, atol=1e-6)
    still = engine(epochs=1, optimizer="sgd", learning_rate=1e-30)
    plain = fit(mlp(), Classify(), train_rows(), settings=still)
    still = engine(epochs=1, optimizer="sgd", learning_rate=1e-30, regularisation={"l2": 5.0})
    penalised = fit(mlp(), Classify(), train_rows(), settings=still)
    assert plain.history[0]["train"] == penalised.history[0]["train"]


def test_max_norm_limits_the_weights_into_each_unit():
    model, *_ = _one_step(regularisation={"max_norm": 0.5})
    plain, *_ = _one_step()
    for name in ("0.weight", "3.weight"):
        free = plain.get_parameter(name)
        norms = free.norm(dim=1, keepdim=True)
        assert norms.max() > 0.5
        expected = torch.where(norms > 0.5, free * 0.5 / norms, free)
        torch.testing.assert_close(model.get_parameter(name), expected, rtol=1e-4, atol=1e-6)
    assert torch.equal(model.get_parameter("0.bias"), plain.get_parameter("0.bias"))


def test_clipping_by_value_is_torchs():
    model, before, inputs, targets = _one_step(clip_value=0.02, clip_norm=0.05)
    nn.functional.cross_entropy(before(inputs), targets).backward()
    nn.utils.clip_grad_value_(before.parameters(), 0.02)
    nn.utils.clip_grad_norm_(before.parameters(), 0.05)
    for name, p in before.named_parameters():
        assert p.grad is not None
        torch.testing.assert_close(model.get_parameter(name), p - p.grad)


@pytest.mark.parametrize(("size", "accumulate"), [(64, 1), (16, 4)])
def test_sharpness_aware_steps_are_algorithm_1(size: int, accumulate: int):
    inputs, targets, weight = table()
    inputs = inputs.double()
    settings = engine(
        epochs=2, optimizer="sgd", learning_rate=0.3, schedule="constant", sharpness=0.1,
        accumulate=accumulate, log_every=1,
    )  # fmt: skip
    model, by_hand = mlp().double(), mlp().double()
    result = fit(model, Classify(), _double_rows(size), settings=settings)

    def gradient(rows: slice) -> list[Tensor]:
        by_hand.zero_grad()
        losses = nn.functional.cross_entropy(by_hand(inputs[rows]), targets[rows], reduction="none")
        ((losses * weight[rows]).sum() / weight[rows].sum()).backward()
        return [p.grad.clone() for p in by_hand.parameters() if p.grad is not None]

    for rows in [slice(0, 64), slice(64, 90)] * 2:
        first = gradient(rows)
        length = torch.stack([g.norm() for g in first]).norm()
        start = [p.detach().clone() for p in by_hand.parameters()]
        with torch.no_grad():
            for p, g in zip(by_hand.parameters(), first, strict=True):
                p += 0.1 * g / length
        second = gradient(rows)
        with torch.no_grad():
            for p, old, g in zip(by_hand.parameters(), start, second, strict=True):
                p.copy_(old - 0.3 * g)
    for name, tensor in weights(by_hand).items():
        torch.testing.assert_close(weights(model)[name], tensor, rtol=1e-6, atol=1e-6)
    assert (result.steps, result.history[0]["train"]["accuracy"] > 0) == (4, True)


def test_sharpness_counts_running_statistics_once():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
    fit(model, Classify(), train_rows(), settings=engine(epochs=1, sharpness=0.1))
    assert int(model[1].num_batches_tracked) == 6
    once = nn.BatchNorm1d(8)
    plain = engine(epochs=1, sharpness=0.1, learning_rate=1e-30)
    torch.manual_seed(0)
    still = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Linear(8, 3))
    fit(still, Classify(), train_rows(), settings=plain)
    for batch in train_rows().epoch(0):
        once(still[0](*batch.inputs))
    torch.testing.assert_close(still[1].running_var, once.running_var)


class Keep(Listener):
    """The weights at the end of each step and epoch."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model, self.steps, self.epochs = model, [], []

    def on_step_logged(self, state: object) -> None:
        self.steps.append(weights(self.model))

    def on_epoch_ended(self, state: object) -> None:
        self.epochs.append(weights(self.model))


def test_running_mean_of_weights():
    model = mlp()
    keep = Keep(model)
    settings = engine(epochs=2, averaging={"ema_decay": 0.6}, learning_rate=0.05)
    result = fit(model, Classify(), train_rows(), settings=settings, callbacks=[keep])
    plain = mlp()
    fit(plain, Classify(), train_rows(), settings=engine(epochs=2, learning_rate=0.05))
    assert same(keep.steps[-1], weights(plain))
    mean = weights(mlp())
    for step, current in enumerate(keep.steps, start=1):
        decay = min(0.6, (1 + step) / (10 + step))
        mean = {name: decay * mean[name] + (1 - decay) * current[name] for name in mean}
    for name, tensor in weights(model).items():
        torch.testing.assert_close(tensor, mean[name])
    assert "mean weights" in result.stopped


def test_the_running_mean_is_validated_and_kept_as_best():
    model = mlp()
    settings = engine(epochs=3, averaging={"ema_decay": 0.9}, learning_rate=0.05)
    result = fit(model, Classify(), train_rows(), val_batches=val_rows(), settings=settings)
    assert result.best_epoch is not None
    inputs, targets, _ = table(40, seed=2)
    loss = nn.functional.cross_entropy(model(inputs), targets).item()
    assert result.history[result.best_epoch - 1]["val"]["loss"] == pytest.approx(loss, rel=1e-5)


def test_mean_of_the_last_epochs_with_measured_statistics():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    keep = Keep(model)
    settings = engine(epochs=5, averaging={"last_epochs": 3}, learning_rate=0.05)
    inputs, targets, _ = table(64)
    rows = TensorBatches((inputs,), targets, batch_size=32)
    fit(model, Classify(), rows, settings=settings, callbacks=[keep])
    for name in ("0.weight", "1.bias", "3.weight"):
        mean = torch.stack([kept[name] for kept in keep.epochs[2:]]).mean(dim=0)
        torch.testing.assert_close(weights(model)[name], mean)
    hidden = model[0](inputs)
    means = torch.stack([part.mean(dim=0) for part in hidden.split(32)])
    torch.testing.assert_close(model[1].running_mean, means.mean(dim=0))
    assert model[1].momentum == 0.1


def _pictures(rows: int = 6) -> Batch:
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(256, (rows, 3, 8, 10), generator=generator, dtype=torch.uint8)
    return Batch((pictures,), torch.arange(rows), None, torch.arange(rows))


def test_mixup_blends_rows_and_counts_both_targets():
    inputs, targets, weight = table(10)
    batch = Batch((inputs,), targets, weight, torch.arange(10))
    mixed = Mixing(RegularisationSettings(mixup=1.0), seed=0).change(batch, 5)
    assert isinstance(mixed, MixedBatch)
    assert 0.5 <= mixed.share < 1
    assert mixed.other_weight is not None
    others = torch.tensor([weight.tolist().index(w) for w in mixed.other_weight.tolist()])
    expected = mixed.share * inputs + (1 - mixed.share) * inputs[others]
    torch.testing.assert_close(mixed.inputs[0], expected)
    assert torch.equal(mixed.other_targets, targets[others])
    assert not torch.equal(others, torch.arange(10))


def test_the_mixed_loss_is_that_of_the_mixed_target():
    from deepwell.engine.mixing import MixingTask

    torch.manual_seed(0)
    model = nn.Linear(6, 3)
    inputs, targets, _ = table(10)
    batch = MixedBatch(
        (inputs,), targets, None, torch.arange(10), other_targets=targets.flip(0),
        other_weight=None, share=0.7,
    )  # fmt: skip
    loss, outputs = MixingTask(Weighing()).training_step(model, batch)
    one_hot = nn.functional.one_hot(targets, 3).float()
    soft = 0.7 * one_hot + 0.3 * one_hot.flip(0)
    expected = nn.functional.cross_entropy(outputs, soft, reduction="sum")
    torch.testing.assert_close(loss.sum, expected)
    assert loss.weight.item() == pytest.approx(10)


def test_cutmix_takes_one_rectangle_and_counts_its_area():
    batch = _pictures()
    mixed = Mixing(RegularisationSettings(cutmix=1.0), seed=0).change(batch, 1)
    assert isinstance(mixed, MixedBatch)
    changed, original = mixed.inputs[0], batch.inputs[0]
    others = original[mixed.other_targets]
    is_other = (changed == others).all(dim=1) & ~(original == others).all(dim=1)
    place = is_other.any(dim=0)
    assert torch.equal(torch.where(place, others, original), changed)
    rows, columns = place.any(dim=1).sum(), place.any(dim=0).sum()
    assert int(place.sum()) == int(rows * columns) > 0
    assert mixed.share == pytest.approx(1 - int(place.sum()) / 80)
    assert changed.dtype == torch.uint8


def test_noise_has_the_size_that_was_asked_for():
    numbers = torch.zeros(400, 50)
    codes = torch.ones(400, 2, dtype=torch.int64)
    pictures = torch.full((400, 1, 6, 6), 128, dtype=torch.uint8)
    batch = Batch((numbers, codes, pictures), torch.zeros(400), None, torch.arange(400))
    settings = RegularisationSettings(noise=0.3, picture_noise=0.05)
    changed = Mixing(settings, seed=0).change(batch, 1).inputs
    assert changed[0].std().item() == pytest.approx(0.3, rel=0.02)
    assert torch.equal(changed[1], codes)
    assert changed[2].dtype == torch.uint8
    assert changed[2].float().std().item() == pytest.approx(0.05 * 255, rel=0.03)
    assert numbers.abs().sum() == 0


def test_changed_rows_are_for_training_only_and_repeatable():
    runs = []
    for seed in (0, 0, 1):
        model = mlp()
        settings = engine(regularisation={"mixup": 0.4, "noise": 0.1}, learning_rate=0.02)
        result = fit(
            model, Weighing(), train_rows(weighted=True), val_batches=val_rows(),
            settings=settings, seed=seed,
        )  # fmt: skip
        inputs, targets, _ = table(40, seed=2)
        loss = nn.functional.cross_entropy(model(inputs), targets).item()
        best = result.history[(result.best_epoch or 1) - 1]["val"]["loss"]
        assert best == pytest.approx(loss, rel=1e-5)
        runs.append((weights(model), timeless(result.history)))
    assert same(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]
    assert not same(runs[0][0], runs[2][0])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mixup": 0.2}, "these rows have categories"),
        ({"cutmix": 1.0}, "cutmix is for rows of pictures alone"),
        ({"noise": 0.1}, "noise is for numbers, and these rows have none"),
        ({"picture_noise": 0.1}, "is for pictures, and these rows have none"),
    ],
)
def test_changes_that_do_not_fit_the_rows_are_refused(changes: dict[str, float], words: str):
    codes = torch.ones(8, 2, dtype=torch.int64)
    rows = TensorBatches((codes,), torch.zeros(8, dtype=torch.int64), batch_size=8)
    model = nn.Sequential(nn.Embedding(3, 2), nn.Flatten(), nn.Linear(4, 3))
    with pytest.raises(ConfigError, match=words):
        fit(model, Weighing(), rows, settings=engine(regularisation=changes))


def test_mixing_needs_a_task_with_a_loss():
    with pytest.raises(ConfigError, match="need a task with the method loss"):
        fit(mlp(), Classify(), train_rows(), settings=engine(regularisation={"mixup": 0.2}))
