import pytest
import torch
from torch import nn

from deepwell.errors import ConfigError
from deepwell.nn.initialise import INITIALISERS, initialise

FAN_IN, FAN_OUT = 400, 200
VARIANCE = {
    "he_normal": 2 / FAN_IN,
    "he_uniform": 2 / FAN_IN,
    "he_normal_fan_out": 2 / FAN_OUT,
    "xavier_normal": 2 / (FAN_IN + FAN_OUT),
    "xavier_uniform": 2 / (FAN_IN + FAN_OUT),
    "lecun_normal": 1 / FAN_IN,
    "lecun_uniform": 1 / FAN_IN,
    "orthogonal": 1 / FAN_IN,
    "torch": 1 / (3 * FAN_IN),
    "normal": 0.05**2,
    "uniform": 0.1**2 / 12,
    "zeros": 0.0,
}


@pytest.mark.parametrize("name", list(INITIALISERS))
def test_variance(name: str) -> None:
    layer = nn.Linear(FAN_IN, FAN_OUT)
    initialise(layer, name)
    assert layer.weight.var().item() == pytest.approx(VARIANCE[name], rel=0.05)
    assert layer.weight.mean().abs() < 0.001
    assert not layer.bias.any()


def test_kernel_counts_in_the_fan_and_other_layers_stay() -> None:
    module = nn.Sequential(nn.Conv2d(16, 64, 5), nn.BatchNorm2d(64))
    initialise(module, "he_normal")
    assert module[0].weight.std().item() == pytest.approx((2 / (16 * 25)) ** 0.5, rel=0.03)
    assert bool((module[1].weight == 1).all())


def test_orthogonal_rows() -> None:
    layer = nn.Linear(8, 4)
    initialise(layer, "orthogonal")
    torch.testing.assert_close(layer.weight @ layer.weight.T, torch.eye(4), atol=1e-5, rtol=0)


def test_unknown_name() -> None:
    with pytest.raises(ConfigError, match='Did you mean "he_normal"'):
        initialise(nn.Linear(2, 2), "he_norm")
