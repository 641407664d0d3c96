import pytest
import torch
from torch.autograd import gradcheck

from deepwell.models import build, example_inputs
from deepwell.models.tabular.neural_additive import (
    ExpUnits,
    NeuralAdditive,
    NeuralAdditiveSettings,
)
from deepwell.types import InputSpec

TABLE = InputSpec(num_numbers=3, cardinalities=(3, 4))


def _network(head_size: int = 2, **settings: object) -> NeuralAdditive:
    chosen = {"hidden_sizes": (8, 4), "dropout": 0.0, **settings}
    torch.manual_seed(0)
    network = NeuralAdditive(
        TABLE, head_size=head_size, settings=NeuralAdditiveSettings.model_validate(chosen)
    )
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.1 * torch.randn_like(weight))
    return network


@pytest.mark.parametrize("units", ["relu", "exu"])
def test_contributions_sum_to_the_output(units: str) -> None:
    network = _network(units=units).eval()
    rows = example_inputs(TABLE, batch=64)
    parts = network.contributions(*rows)
    assert parts.shape == (64, 5, 2)
    assert torch.equal(network(*rows), parts.sum(dim=1) + network.bias)


@pytest.mark.parametrize("units", ["relu", "exu"])
def test_each_number_has_a_network_of_its_own(units: str) -> None:
    network = _network(units=units).double().eval()
    numbers, codes = example_inputs(TABLE, batch=5)
    numbers = numbers.double()
    first, *others = [m for m in network.numbers if list(m.parameters())]
    for place in range(3):
        hidden = numbers[:, [place]]
        if units == "exu":
            hidden = (first.weight[place].exp() * (hidden - first.bias[place])).clamp(0, 1)
        else:
            hidden = (hidden @ first.weight[place] + first.bias[place]).relu()
        for layer in others[:-1]:
            hidden = (hidden @ layer.weight[place] + layer.bias[place]).relu()
        expected = hidden @ others[-1].weight[place] + others[-1].bias[place]
        torch.testing.assert_close(network.contributions(numbers, codes)[:, place], expected)


def test_a_column_changes_its_own_contribution_only() -> None:
    network = _network().eval()
    numbers, codes = example_inputs(TABLE, batch=8)
    other_numbers, other_codes = numbers.clone(), codes.clone()
    other_numbers[:, 1] += 1.0
    other_codes[:, 0] = (codes[:, 0] + 1) % 3
    difference = network.contributions(other_numbers, other_codes) - network.contributions(
        numbers, codes
    )
    changed = difference.abs().amax(dim=(0, 2)) > 0
    assert changed.tolist() == [False, True, False, True, False]


def test_derivatives_of_exp_units() -> None:
    units = ExpUnits(2, out_size=3).double()
    with torch.no_grad():
        units.weight.mul_(0.1)
    inputs = torch.tensor([[[0.31], [-0.2]], [[0.11], [0.7]]], dtype=torch.float64)
    with torch.no_grad():
        edges = (inputs - units.bias) * units.weight.exp()
    # away from the two kinks the derivative is that of finite differences
    assert min(edges.abs().min(), (edges - 1).abs().min()) > 1e-3
    assert gradcheck(units, (inputs.requires_grad_(),))
    names = ["weight", "bias"]
    assert gradcheck(
        lambda *w: torch.func.functional_call(units, dict(zip(names, w, strict=True)), inputs),
        tuple(units.parameters()),
    )


def test_whole_columns_are_dropped_in_training() -> None:
    network = _network(head_size=1, feature_dropout=0.5)
    with torch.no_grad():
        network.bias.zero_()
    rows = tuple(block[:1].expand(400, -1) for block in example_inputs(TABLE, batch=1))
    parts = network.contributions(*rows)[0, :, 0]
    subsets = torch.cartesian_prod(*[torch.tensor([0.0, 2.0])] * 5) @ parts
    outputs = network(*rows)[:, 0]
    assert (outputs[:, None] - subsets).abs().min(dim=1).values.max() < 1e-5
    assert len(outputs.round(decimals=4).unique()) > 20


def test_numbers_start_with_different_shapes_of_ordinary_size() -> None:
    network = build("nam", InputSpec(num_numbers=100), 1).eval()
    outputs = network(torch.randn(500, 100))
    assert 0.1 < outputs.std() < 3.0
