"""Each check must refuse a network that has the fault it looks for."""

import pytest
import torch
from torch import Tensor, nn

from deepwell.testing.modules import check_derivatives, check_module

ROWS = torch.randn(8, 10, generator=torch.Generator().manual_seed(0))


class Faulty(nn.Module):
    """A linear layer with a fault of choice."""

    def __init__(self, fault: str) -> None:
        super().__init__()
        self.fault = fault
        self.layer = nn.Linear(10, 2)
        self.idle = nn.Linear(2, 2) if fault == "idle" else None
        self.hidden = torch.randn(2)

    def forward(self, inputs: Tensor) -> Tensor:
        outputs = self.layer(inputs)
        match self.fault:
            case "random":
                return outputs + torch.randn_like(outputs)
            case "rows":
                return outputs - outputs.mean(dim=0)
            case "infinite":
                return outputs / 0
            case "gradient":
                return outputs + (self.layer.bias - self.layer.bias).abs().sqrt()
            case "state":
                return outputs + self.hidden
            case "sum":
                return outputs.sum(dim=0, keepdim=True)
            case "squeezed":
                return outputs.squeeze(0)
            case "frozen":
                return outputs * 1e-9
            case _:
                return outputs


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("random", "two calls must give the same"),
        ("rows", "must not depend on the other rows"),
        ("infinite", "must be finite"),
        ("idle", "idle.weight receives no gradient"),
        ("gradient", "gradient of layer.bias is not finite"),
        ("state", "same state dict"),
        ("sum", "one row for each input row"),
        ("squeezed", "batch of one row"),
        ("frozen", "learn eight rows by heart"),
    ],
)
def test_faults_are_found(fault: str, message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_module(lambda: Faulty(fault), (ROWS,), overfit_steps=100)


def test_a_sound_network_passes() -> None:
    check_module(lambda: Faulty("none"), (ROWS,))


def test_batch_normalization_is_spared_the_batch_of_one() -> None:
    check_module(
        lambda: nn.Sequential(nn.Linear(10, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)), (ROWS,)
    )


class WrongGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: object, inputs: Tensor) -> Tensor:
        return inputs.square()

    @staticmethod
    def backward(ctx: object, *gradients: Tensor) -> Tensor:
        return gradients[0] * 3.0


def test_wrong_derivatives_are_found() -> None:
    class Wrong(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(3, 1)

        def forward(self, inputs: Tensor) -> Tensor:
            return WrongGradient.apply(self.layer(inputs))

    with pytest.raises(AssertionError, match="finite differences differ"):
        check_derivatives(Wrong(), (torch.randn(2, 3),))
