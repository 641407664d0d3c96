"""TabM and TabM-mini beside plain perceptrons, computed member by member."""

from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from deepwell.errors import ModelError
from deepwell.models import build
from deepwell.models.tabular.tabm import TabM
from deepwell.models.tabular.tabm_mini import TabMMini
from deepwell.types import InputSpec

SIZES: dict[str, Any] = {"num_members": 4, "num_blocks": 3, "hidden_size": 6, "dropout": 0.0}


def _network(kind: type[TabM] | type[TabMMini]) -> Any:
    torch.manual_seed(0)
    network = kind((2, 1, 2), out_features=3, **SIZES).double()
    with torch.no_grad():  # away from the equal starts
        for weight in network.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return network


def _layers(network: Any, member: int) -> list[tuple[Tensor, Tensor]]:
    """Return matrix and bias of each layer of a member, as of a network on its own."""
    layers: list[tuple[Tensor, Tensor]] = []
    for index, block in enumerate(network.blocks):
        layer = block[0]
        if isinstance(network, TabM):
            matrix = layer.output_scale[member][:, None] * layer.weight * layer.input_scale[member]
            layers.append((matrix, layer.bias[member]))
        else:
            glasses = network.glasses.weight[member] if index == 0 else 1.0
            layers.append((layer.weight * glasses, layer.bias))
    return [*layers, (network.head.weight[member].T, network.head.bias[member])]


def _alone(network: Any, member: int, inputs: Tensor) -> Tensor:
    *hidden, (matrix, bias) = _layers(network, member)
    for weight, shift in hidden:
        inputs = F.relu(F.linear(inputs, weight, shift))
    return F.linear(inputs, matrix, bias)


@pytest.mark.parametrize("kind", [TabM, TabMMini])
def test_equals_separate_perceptrons(kind: type[TabM] | type[TabMMini]) -> None:
    network = _network(kind).train()
    inputs = torch.randn(7, 5, dtype=torch.double)
    direction = torch.randn(7, 4, 3, dtype=torch.double)
    together = network(inputs).unflatten(0, (7, 4))
    apart = torch.stack([_alone(network, member, inputs) for member in range(4)], dim=1)
    torch.testing.assert_close(together, apart)
    gradients: list[list[Tensor]] = []
    for outputs in (together, apart):
        network.zero_grad()
        (outputs * direction).sum().backward()
        gradients.append([weight.grad.clone() for weight in network.parameters()])
    for one, other in zip(*gradients, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("kind", [TabM, TabMMini])
def test_evaluation_gives_the_mean_of_probabilities(kind: type[TabM] | type[TabMMini]) -> None:
    network = _network(kind).eval()
    network.mean.link = "softmax"
    inputs = torch.randn(7, 5, dtype=torch.double)
    members = torch.stack([_alone(network, member, inputs) for member in range(4)], dim=1)
    expected = members.softmax(dim=2).mean(dim=1)
    torch.testing.assert_close(network(inputs).softmax(dim=1), expected)


def test_settings_reach_the_parts() -> None:
    spec = InputSpec(num_numbers=2, cardinalities=(4,))
    network = build("tabm", spec, 1, {**SIZES, "number_embedding": "piecewise", "number_size": 3})
    layer = network.body.blocks[0][0]
    # the two numbers have three inputs each, and the category one for each value
    assert layer.input_scale.shape == (4, 2 * 3 + 3)
    first = layer.input_scale.detach()
    assert torch.equal(first[:, 0], first[:, 2])
    assert torch.equal(first[:, 6], first[:, 8])
    assert set(first.abs().flatten().tolist()) != {1.0}
    numbers = {"number_embedding": "none"}
    plain = build("tabm", spec, 1, {**SIZES, **numbers}).body.blocks[0][0].input_scale
    assert set(plain.abs().flatten().tolist()) == {1.0}


@pytest.mark.parametrize("name", ["tabm", "tabm_mini", "realmlp", "residual_mlp"])
def test_pictures_are_refused(name: str) -> None:
    with pytest.raises(ModelError, match="images"):
        build(name, InputSpec(num_numbers=1, image_shape=(1, 4, 4)), 1)
