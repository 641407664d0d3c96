from itertools import combinations

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck

from deepwell.models import example_inputs
from deepwell.models.tabular.deepfm import DeepFM, DeepFMSettings, pairwise_products
from deepwell.types import InputSpec

TABLE = InputSpec(num_numbers=3, cardinalities=(3, 4))
SETTINGS = DeepFMSettings(factor_size=4, hidden_sizes=(6,), dropout=0.0)


def _pair_by_pair(vectors: Tensor) -> Tensor:
    """The sum over all pairs, pair by pair."""
    pairs = combinations(range(vectors.shape[1]), 2)
    return sum((vectors[:, a] * vectors[:, b]).sum(dim=-1) for a, b in pairs)  # pyright: ignore


def test_one_pass_equals_pair_by_pair() -> None:
    vectors = torch.randn(5, 6, 2, 4, dtype=torch.float64, requires_grad=True)
    found, expected = pairwise_products(vectors), _pair_by_pair(vectors)
    torch.testing.assert_close(found, expected)
    direction = torch.randn_like(found)
    gradients = [torch.autograd.grad((one * direction).sum(), vectors) for one in (found, expected)]
    torch.testing.assert_close(*gradients)


def test_derivatives_of_the_pass() -> None:
    vectors = torch.randn(2, 3, 4, dtype=torch.float64, requires_grad=True)
    assert gradcheck(pairwise_products, (vectors,))


def test_half_precision_does_not_reach_the_squares() -> None:
    vectors = torch.randn(4, 50, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = pairwise_products(vectors.bfloat16())
    torch.testing.assert_close(
        found, _pair_by_pair(vectors.bfloat16().float()), rtol=1e-4, atol=1e-3
    )


@pytest.mark.parametrize("head_size", [1, 3])
def test_three_parts_are_added(head_size: int) -> None:
    torch.manual_seed(0)
    network = DeepFM(TABLE, head_size=head_size, settings=SETTINGS).eval()
    for weight in network.linear.parameters():
        torch.nn.init.normal_(weight)
    numbers, codes = example_inputs(TABLE, batch=7)
    tables = network.category_factors.tables[0].weight.split([3, 4])
    fields = [numbers[:, [place]] * network.number_factors[place] for place in range(3)]
    fields += [tables[column][codes[:, column]] for column in range(2)]
    vectors = torch.stack(fields, dim=1)
    products = _pair_by_pair(vectors.reshape(7, 5, head_size, 4))
    expected = network.linear(numbers, codes) + products + network.deep(vectors.flatten(1))
    torch.testing.assert_close(network(numbers, codes), expected)


def test_a_single_field_has_no_pair() -> None:
    assert pairwise_products(torch.randn(3, 1, 4)).abs().max() < 1e-6
