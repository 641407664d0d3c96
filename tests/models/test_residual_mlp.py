import torch
from torch.nn import functional as F

from deepwell.models import count_parameters
from deepwell.models.tabular.residual_mlp import ResidualMLP
from deepwell.types import InputSpec


def test_equals_the_formula() -> None:
    torch.manual_seed(0)
    network = ResidualMLP(5, out_features=2, num_blocks=2, hidden_size=6, dropout=0.0).double()
    inputs = torch.randn(9, 5, dtype=torch.double)

    def normalised(x: torch.Tensor) -> torch.Tensor:
        return (x - x.mean(dim=0)) / (x.var(dim=0, correction=0) + 1e-5).sqrt()

    hidden = F.linear(inputs, network.first.weight, network.first.bias)
    for block in network.blocks:
        wide, narrow = block.residual[1], block.residual[4]
        inside = F.relu(F.linear(normalised(hidden), wide.weight, wide.bias))
        hidden = hidden + F.linear(inside, narrow.weight, narrow.bias)
    last = network.head[2]
    expected = F.linear(F.relu(normalised(hidden)), last.weight, last.bias)
    torch.testing.assert_close(network.train()(inputs), expected)


def test_settings_reach_the_parts() -> None:
    spec = InputSpec(num_numbers=4)
    settings = {"num_blocks": 3, "hidden_size": 6, "hidden_factor": 1.5}
    block = 2 * 6 + (6 + 1) * 9 + (9 + 1) * 6
    expected = (4 + 1) * 6 + 3 * block + 2 * 6 + (6 + 1) * 2
    assert count_parameters("residual_mlp", spec, 2, settings) == expected
