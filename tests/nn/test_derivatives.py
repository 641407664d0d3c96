"""The derivatives of the house's own operations, against finite differences in 64 bits."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.autograd import gradcheck

from deepwell.nn import numeric
from deepwell.nn.activation import ACTIVATIONS, activation
from deepwell.tasks import losses

# the step has no slope to compare
SMOOTH = [name for name in ACTIVATIONS if name != "step"]


def _draws(*shape: int) -> Tensor:
    # no two alike, and none at the edge of a piecewise function
    generator = torch.Generator().manual_seed(0)
    return torch.randn(*shape, generator=generator, dtype=torch.float64).requires_grad_()


@pytest.mark.parametrize("name", SMOOTH)
def test_activations(name: str) -> None:
    assert gradcheck(activation(name).double(), (_draws(3, 4),))


NUMBERS = ["squared_error", "absolute_error", "huber", "log_cosh", "pinball", "poisson"]


@pytest.mark.parametrize("name", [*NUMBERS, "gaussian_nll"])
def test_losses_of_numbers(name: str) -> None:
    function: Callable[[Tensor, Tensor], Tensor] = getattr(losses, name)
    outputs = _draws(4, 4 if name == "gaussian_nll" else 2)
    targets = torch.tensor([[0.3, 1.5], [2.5, 0.1], [0.7, 4.0], [1.1, 0.2]]).double()
    assert gradcheck(lambda values: function(values, targets), (outputs,))


@pytest.mark.parametrize("name", ["cross_entropy", "focal", "hinge", "divergence", "perceptron"])
@pytest.mark.parametrize("several", [False, True])
def test_losses_of_classes(name: str, several: bool) -> None:
    plain = several and name == "cross_entropy"
    function = getattr(losses, name if plain else f"{'multiclass' if several else 'binary'}_{name}")
    targets = torch.tensor([0, 2, 1]) if several else torch.tensor([[0.0], [1.0], [1.0]]).double()
    outputs = _draws(3, 3 if several else 1)
    assert gradcheck(lambda values: function(values, targets), (outputs,))


@pytest.mark.parametrize(
    "name", ["PeriodicNumbers", "PeriodicReluNumbers", "PiecewiseLinearNumbers"]
)
def test_numbers_as_vectors(name: str) -> None:
    torch.manual_seed(0)
    layer = getattr(numeric, name)(2, size=3).double()
    for parameter in layer.parameters():  # some begin at zero, the kink of the ReLU
        nn.init.normal_(parameter)
    numbers = _draws(3, 2)
    learned = dict(layer.named_parameters())

    def run(numbers: Tensor, *values: Tensor) -> Tensor:
        named = dict(zip(learned, values, strict=True))
        return torch.func.functional_call(layer, named, (numbers,))

    assert gradcheck(run, (numbers, *learned.values()))
