import math

import pytest
import torch

from deepwell.errors import ConfigError
from deepwell.nn.activation import ACTIVATIONS, activation

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


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "softmax"])
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
