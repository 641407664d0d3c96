"""Numbers that are not finite: where they were born, and going on without the step."""

from pathlib import Path

import pytest
import torch
from engine_fakes import (
    Classify,
    KillAt,
    Killed,
    engine,
    mlp,
    same,
    table,
    timeless,
    train_rows,
    weights,
)
from torch import Tensor, nn

from deepwell.engine import Checkpoints, EngineSettings, TensorBatches, fit
from deepwell.engine.symmetry import explain_symmetry
from deepwell.errors import TrainingError
from deepwell.nn.layers import Dense
from deepwell.types import Batch, Loss


class Logarithm(nn.Module):
    """Infinite at zero, or with a slope that is no number and a value that is one."""

    def __init__(self, *, backward: bool) -> None:
        super().__init__()
        self.backward = backward

    def forward(self, inputs: Tensor) -> Tensor:
        if self.backward:  # the root has an infinite slope at zero
            return inputs + (inputs - inputs.detach()).abs().sqrt()
        return inputs.log()


def _network(kind: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 4), nn.ReLU(), kind, nn.Linear(4, 3))


@pytest.mark.parametrize("backward", [False, True])
def test_the_layer_of_birth_is_named(backward: bool):
    model = _network(Logarithm(backward=backward))
    before = weights(model)
    with pytest.raises(TrainingError) as caught:
        fit(model, Classify(), train_rows(), settings=engine())
    where = 'the backward pass of layer "2" (Logarithm)' if backward else 'layer "2" (Logarithm)'
    assert f"at step 1 (epoch 1). It was born in {where}." in str(caught.value)
    assert same(weights(model), before)


class _BadLoss(Classify):
    def training_step(self, model: nn.Module, batch: Batch) -> tuple[Loss, Tensor]:
        loss, outputs = super().training_step(model, batch)
        return Loss(loss.sum.log() * float("inf") * 0, loss.weight), outputs


def test_a_loss_that_is_bad_itself_is_named():
    with pytest.raises(TrainingError, match="It was born in the loss"):
        fit(mlp(), _BadLoss(), train_rows(), settings=engine())


class _Spoiled(Classify):
    """Spoils the loss of the batches that begin with certain rows."""

    def __init__(self, *ids: int) -> None:
        self.ids = ids

    def training_step(self, model: nn.Module, batch: Batch) -> tuple[Loss, Tensor]:
        loss, outputs = super().training_step(model, batch)
        if int(batch.ids[0]) in self.ids:
            return Loss(loss.sum * float("nan"), loss.weight), outputs
        return loss, outputs


def _rows(leave_out: bool = False) -> TensorBatches:
    inputs, targets, _ = table(96)
    if leave_out:
        keep = torch.arange(96)[(torch.arange(96) < 32) | (torch.arange(96) >= 48)]
        return TensorBatches((inputs[keep],), targets[keep], ids=keep, batch_size=16)
    return TensorBatches((inputs,), targets, batch_size=16)


def _normalised() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))


def _skipping(**changes: object) -> EngineSettings:
    return engine(
        on_nan="skip", optimizer="momentum", learning_rate=0.05, schedule="constant", **changes
    )


def test_a_skipped_step_is_as_if_its_batch_had_not_been_there():
    model, without = _normalised(), _normalised()
    result = fit(model, _Spoiled(32), _rows(), settings=_skipping(epochs=2))
    fit(without, Classify(), _rows(leave_out=True), settings=_skipping(epochs=2))
    assert same(weights(model), weights(without))
    assert (result.skipped, result.steps) == (2, 12)
    assert "2 steps left out because of numbers that are not finite" in result.stopped
    assert "the first was step 3 (epoch 1). It was born in the loss." in result.stopped
    plain = fit(_normalised(), Classify(), _rows(leave_out=True), settings=_skipping(epochs=2))
    assert result.history[1]["train"] == plain.history[1]["train"]


def test_skipping_nothing_changes_nothing():
    one, other = _normalised(), _normalised()
    settings = engine(optimizer="momentum", learning_rate=0.05, schedule="constant")
    first = fit(one, Classify(), _rows(), settings=_skipping())
    second = fit(other, Classify(), _rows(), settings=settings)
    assert same(weights(one), weights(other))
    assert timeless(first.history) == timeless(second.history)
    assert first.skipped == 0


def test_a_bad_gradient_is_skipped_also_with_accumulation():
    inputs, targets, _ = table(96)
    model = mlp()
    rows = TensorBatches((inputs,), targets, batch_size=16)
    result = fit(model, _Spoiled(16), rows, settings=_skipping(epochs=1, accumulate=2))
    by_hand = mlp()
    late = TensorBatches((inputs[32:],), targets[32:], batch_size=16)
    fit(by_hand, Classify(), late, settings=_skipping(epochs=1, accumulate=2))
    assert result.skipped == 1
    assert same(weights(model), weights(by_hand))


def test_skipping_goes_on_bit_for_bit_after_a_kill(tmp_path: Path):
    settings = _skipping(epochs=3, checkpoint_every=1)
    whole = _normalised()
    expected = fit(whole, _Spoiled(32), _rows(), settings=settings)
    with pytest.raises(Killed):
        fit(
            _normalised(), _Spoiled(32), _rows(), settings=settings, callbacks=[KillAt(5)],
            checkpoints=Checkpoints(tmp_path),
        )  # fmt: skip
    model = _normalised()
    result = fit(
        model, _Spoiled(32), _rows(), settings=settings,
        checkpoints=Checkpoints(tmp_path, resume=True),
    )  # fmt: skip
    assert same(weights(model), weights(whole))
    assert (result.skipped, result.stopped) == (expected.skipped, expected.stopped)


def test_nothing_but_bad_steps_ends_the_training():
    model = _normalised()
    before = weights(model)
    with pytest.raises(TrainingError, match="No step of epoch 1 could be done"):
        fit(model, _Spoiled(*range(96)), _rows(), settings=_skipping())
    assert same(weights(model), before)
    inputs, targets, _ = table(96)
    rows = TensorBatches((inputs,), targets, batch_size=4)
    with pytest.raises(TrainingError, match="So it was in 20 steps in a row"):
        fit(_normalised(), _Spoiled(*range(96)), rows, settings=_skipping())


def _filled(*values: float | None) -> nn.Sequential:
    torch.manual_seed(0)
    layers = (nn.Linear(4, 5), nn.Linear(5, 6), nn.Linear(6, 2))
    for layer, value in zip(layers, values, strict=True):
        if value is not None:
            nn.init.constant_(layer.weight, value)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(*layers)


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ((None, None, None), ()),
        ((0.0, None, None), ()),  # the next layer's random weights make the units different
        ((None, None, 0.0), ()),  # the last layer's units have targets of their own
        ((0.0, 0.0, None), ("0",)),
        ((0.5, 0.5, 0.5), ("0", "1")),
    ],
)
def test_symmetric_starts_are_noted(values: tuple[float | None, ...], names: tuple[str, ...]):
    notes = explain_symmetry(_filled(*values))
    assert len(notes) == bool(names)
    assert all(f'"{name}"' in notes[0] for name in names)
    inputs = torch.randn(64, 4)
    rows = TensorBatches((inputs,), (inputs[:, 0] > 0).long(), batch_size=16)
    model = _filled(*values)
    result = fit(model, Classify(), rows, settings=engine(epochs=2))
    assert result.notes == notes
    weight = model[0].weight
    assert bool((weight == weight[0]).all()) is ("0" in names)


def test_flattened_channels_count_as_units():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(12, 2))
    nn.init.ones_(model[0].weight)
    nn.init.zeros_(model[0].bias)
    with torch.no_grad():
        model[2].weight.copy_(torch.randn(2, 1, 4).expand(2, 3, 4).reshape(2, 12))
    assert explain_symmetry(model)
    nn.init.normal_(model[2].weight)
    assert not explain_symmetry(model)


def test_layers_that_find_their_size_are_looked_at_as_well():
    model = nn.Sequential(Dense(3, activation="relu"), Dense(2))
    model(torch.zeros(1, 4))
    assert not explain_symmetry(model)
    for weight in model.parameters():
        nn.init.zeros_(weight)
    assert '"0"' in explain_symmetry(model)[0]
