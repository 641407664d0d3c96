"""The looks at the layers: they change nothing, and see what is there."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from deepwell.engine import Checkpoints, EngineSettings, FitResult, TensorBatches, fit
from deepwell.runs import Recorder
from deepwell.tasks import Regression

ROWS, FEATURES = 256, 6


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(FEATURES, 16),
        nn.BatchNorm1d(16),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(16, 16),
        nn.Tanh(),
        nn.Linear(16, 1),
    )


def train(model: nn.Module, *callbacks: object, **settings: Any) -> FitResult:
    generator = torch.Generator().manual_seed(1)
    inputs = torch.randn(ROWS, FEATURES, generator=generator)
    rows = TensorBatches((inputs,), inputs[:, :1] * 2, batch_size=32, shuffle=True, seed=0)
    task = Regression(targets=("y",), mean=[0.0], std=[1.0])
    checkpoints = settings.pop("checkpoints", None)
    options: dict[str, Any] = {"epochs": 6, "compile": "off", **settings}
    return fit(
        model,
        task,
        rows,
        settings=EngineSettings(**options),
        callbacks=callbacks,
        checkpoints=checkpoints,
    )


@pytest.mark.parametrize(
    "settings",
    [{}, {"optimizer": "lbfgs"}, {"sharpness": 0.05}, {"accumulate": 2}, {"precision": "bf16"}],
    ids=str,
)
def test_training_is_the_same_bit_for_bit(settings: dict[str, Any]) -> None:
    watched, left_alone = network(), network()
    with_looks = train(watched, **settings)
    without = train(left_alone, health=False, **settings)
    assert with_looks.health
    assert not without.health
    assert [r["train"] for r in with_looks.history] == [r["train"] for r in without.history]
    for name, tensor in watched.state_dict().items():
        assert torch.equal(tensor, left_alone.state_dict()[name]), name


def test_layers_are_told_in_order_with_their_numbers() -> None:
    looks = train(network()).health
    assert [look["step"] for look in looks] == [1, 10, 40, 48]
    layers = {layer["name"]: layer for layer in looks[-1]["layers"]}
    assert list(layers) == ["0", "2", "4", "5", "6"]
    assert layers["0"]["size"] == 16 * FEATURES
    for name in ("0", "4", "6"):
        assert layers[name]["weight"] > 0
        assert layers[name]["gradient"] > 0
    assert 0 < layers["4"]["update"] < 0.1
    assert 0 <= layers["2"]["dead"] < 0.5
    assert layers["5"]["saturated"] == 0


def test_measured_norms_are_those_of_the_weights() -> None:
    model = nn.Linear(FEATURES, 1, bias=False)
    with torch.no_grad():
        model.weight.fill_(2.0)
    rows = train(model, epochs=1, optimizer="sgd", learning_rate=0.01, schedule="constant")
    (layer,) = rows.health[0]["layers"]
    assert layer["weight"] == pytest.approx(2 * FEATURES**0.5, rel=1e-3)
    # a step of plain gradient descent is the rate times the gradient
    assert layer["update"] == pytest.approx(0.01 * layer["gradient"] / layer["weight"], rel=1e-2)


def test_dead_and_saturated_units_are_seen() -> None:
    model = network()
    with torch.no_grad():
        model[1].bias.fill_(-1e3)
        model[4].bias.fill_(1e3)
    layers = {layer["name"]: layer for layer in train(model).health[-1]["layers"]}
    assert layers["2"]["dead"] == 1.0
    assert layers["5"]["saturated"] == 1.0


def test_a_resumed_training_has_the_looks_of_an_uninterrupted_one(tmp_path: Path) -> None:
    whole = train(network(), Recorder(tmp_path / "whole.jsonl"))

    class Stops:
        def on_epoch_ended(self, state: Any) -> None:
            if state.epoch == 2:
                raise KeyboardInterrupt

    path, folder = tmp_path / "parts.jsonl", tmp_path / "checkpoints"
    with pytest.raises(KeyboardInterrupt):
        train(
            network(),
            Recorder(path),
            Stops(),
            checkpoints=Checkpoints(folder),
            checkpoint_every=4,
        )
    resumed = train(network(), Recorder(path), checkpoints=Checkpoints(folder, resume=True))
    assert resumed.health == whole.health
    looks = [line for line in path.read_text().splitlines() if '"health"' in line]
    assert looks == [
        line for line in (tmp_path / "whole.jsonl").read_text().splitlines() if '"health"' in line
    ]
