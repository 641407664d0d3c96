import math

import pytest
import torch

from deepwell.errors import ConfigError
from deepwell.nn.activation import ACTIVATIONS, GATED, activation, width_factor

FORMULAS = {
    "identity": lambda x: x,
    "linear": lambda x: x,
    "step": lambda x: float(x > 0),
    "sigmoid": lambda x: 1 / (1 + math.exp(-x)),
    "tanh": math.tanh,
    "relu": lambda x: max(x, 0.0),
    "leaky_relu": lambda x: x if x > 0 else 0.01 * x,
    "prelu": lambda x: x if x > 0 else 0.25 * x,
    "elu": lambda x: x if x > 0 else math.exp(x) - 1,
    "selu": lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * math.expm1(x)),
    "gelu": lambda x: x * 0.5 * (1 + math.erf(x / math.sqrt(2))),
    "silu": lambda x: x / (1 + math.exp(-x)),
    "mish": lambda x: x * math.tanh(math.log1p(math.exp(x))),
    "softplus": lambda x: math.log1p(math.exp(x)),
}


@pytest.mark.parametrize("name", [n for n in ACTIVATIONS if n != "softmax" and n not in GATED])
def test_formula(name: str) -> None:
    points = [-3.0, -0.7, 0.0, 0.7, 3.0]
    values = activation(name).double()(torch.tensor(points, dtype=torch.double))
    expected = [FORMULAS[name](point) for point in points]
    assert values.tolist() == pytest.approx(expected, abs=1e-7)


def test_softmax_is_over_the_last_axis() -> None:
    values = activation("softmax")(torch.tensor([[[1.0, 1.0], [0.0, math.log(3.0)]]]))
    torch.testing.assert_close(values, torch.tensor([[[0.5, 0.5], [0.25, 0.75]]]))


def test_step_has_a_gradient_of_zero_and_survives_infinity() -> None:
    inputs = torch.tensor([-math.inf, -1.0, 0.0, 2.0, math.inf], requires_grad=True)
    outputs = activation("step")(inputs)
    outputs.sum().backward()
    assert outputs.tolist() == [0.0, 0.0, 0.0, 1.0, 1.0]
    assert inputs.grad is not None
    assert inputs.grad.tolist() == [0.0] * 5


def test_each_call_makes_a_new_module() -> None:
    assert activation("prelu").weight is not activation("prelu").weight


def test_unknown_name() -> None:
    with pytest.raises(ConfigError, match='Did you mean "leaky_relu"'):
        activation("leakyrelu")


@pytest.mark.parametrize(
    ("name", "gate"),
    [("glu", "sigmoid"), ("reglu", "relu"), ("geglu", "gelu"), ("swiglu", "silu")],
)
def test_gated_formula(name: str, gate: str) -> None:
    inputs = torch.randn(3, 5, 8)
    expected = inputs[..., :4] * activation(gate)(inputs[..., 4:])
    torch.testing.assert_close(activation(name)(inputs), expected)
    pictures = torch.randn(2, 6, 4, 4)
    expected = pictures[:, :3] * activation(gate)(pictures[:, 3:])
    torch.testing.assert_close(activation(name)(pictures), expected)
    assert width_factor(name) == 2
    with pytest.raises(ConfigError, match="an even number of features"):
        activation(name)(torch.zeros(2, 3))


def test_glu_is_torchs() -> None:
    inputs = torch.randn(3, 8)
    torch.testing.assert_close(activation("glu")(inputs), torch.nn.functional.glu(inputs))


def test_every_name_says_what_it_does() -> None:
    for name in ACTIVATIONS:
        assert ACTIVATIONS.describe(name).summary.endswith("."), name
        assert ACTIVATIONS.describe(name).source, name
