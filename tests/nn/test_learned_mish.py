"""The learned mish equals torch's operations, forwards and backwards."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from deepwell.models.tabular.realmlp import LearnedActivation
from deepwell.nn.learned_mish import learned_mish


def plain(inputs: Tensor, amount: Tensor) -> Tensor:
    return inputs + amount * (F.mish(inputs) - inputs)


def test_values_and_gradients_are_those_of_torch() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 7) * 5
    x[0] = torch.tensor([0.0, -100.0, 100.0, 20.0, -20.0, 1e-6, -1e-6])
    amount, weight = torch.rand(7) * 2, torch.randn(64, 7)
    found = []
    for function in (learned_mish, plain):
        inputs, a = x.clone().requires_grad_(), amount.clone().requires_grad_()
        outputs = function(inputs, a)
        outputs.backward(weight)
        found.append((outputs, inputs.grad, a.grad))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, atol=2e-6, rtol=1e-5)


def test_gradients_are_the_slopes_of_the_values() -> None:
    torch.manual_seed(0)
    x = (torch.randn(5, 3, dtype=torch.float64) * 3).requires_grad_()
    amount = torch.rand(3, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(learned_mish, (x, amount))


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_not_finite_stays_so(value: float) -> None:
    """It has to be seen: training stops at it."""
    outputs = learned_mish(torch.tensor([[value, 1.0]]), torch.ones(2))
    assert torch.isfinite(outputs).tolist() == [[False, True]]


def test_training_and_answering_agree() -> None:
    layer = LearnedActivation("mish", num_features=4)
    x = torch.randn(8, 4)
    learning = layer(x)
    with torch.no_grad():
        torch.testing.assert_close(layer(x), learning)
    assert learning.grad_fn is not None
    assert "LearnedMish" in type(learning.grad_fn).__name__
