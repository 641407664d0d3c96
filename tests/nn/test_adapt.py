import torch
from torch import Tensor, nn

from deepwell.nn.adapt import adapt, is_adaptive


class Centre(nn.Module):
    """Subtracts the mean of the rows that it was shown."""

    mean: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(2))
        self.calls = 0

    def adapt(self, inputs: Tensor) -> None:
        self.calls += 1
        self.mean.copy_(inputs.mean(dim=0))

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs - self.mean


def test_layers_see_what_adapted_layers_before_them_return() -> None:
    network = nn.Sequential(Centre(), nn.Dropout(0.9), Centre()).train()
    rows = torch.randn(50, 2) + 3
    adapt(network, (rows,))
    first, _, second = network
    assert isinstance(first, Centre)
    assert isinstance(second, Centre)
    torch.testing.assert_close(first.mean, rows.mean(dim=0))
    torch.testing.assert_close(second.mean, torch.zeros(2), rtol=0, atol=1e-5)
    assert (first.calls, second.calls) == (1, 1)
    assert all(module.training for module in network.modules())
    network(rows)  # the hooks are gone
    assert (first.calls, second.calls) == (1, 1)


def test_plain_networks_are_not_run() -> None:
    class Refusing(nn.Module):
        def forward(self, _inputs: Tensor) -> Tensor:
            raise RuntimeError

    assert not is_adaptive(Refusing())
    adapt(Refusing(), (torch.zeros(1),))


def test_random_numbers_and_gradients_are_not_used() -> None:
    network = nn.Sequential(nn.Linear(2, 2), Centre())
    state = torch.random.get_rng_state()
    adapt(network, (torch.randn(5, 2, generator=torch.Generator().manual_seed(0)),))
    assert torch.equal(torch.random.get_rng_state(), state)
    centre = network[1]
    assert isinstance(centre, Centre)
    assert not centre.mean.requires_grad
