from itertools import product

import torch
from torch import Tensor
from torch.nn import functional as F

from deepwell.models import build, example_inputs
from deepwell.models.tabular.wide_deep import CrossedCategories, WideDeep, WideDeepSettings
from deepwell.nn.embedding import OneHot
from deepwell.nn.weighted_sum import WeightedSum
from deepwell.types import InputSpec

TABLE = InputSpec(num_numbers=3, cardinalities=(3, 4, 5))


def _filled(network: torch.nn.Module) -> torch.nn.Module:
    """Random weights instead of the zeros of the start."""
    torch.manual_seed(1)
    with torch.no_grad():
        for weight in network.parameters():
            weight.normal_()
    return network


def _one_hot_pairs(codes: Tensor, cardinalities: tuple[int, ...]) -> Tensor:
    """Every pair of known values of two columns as a number that is 1 where a row has both."""
    columns = []
    for a in range(len(cardinalities)):
        for b in range(a + 1, len(cardinalities)):
            for x, y in product(range(1, cardinalities[a]), range(1, cardinalities[b])):
                columns.append((codes[:, a] == x) & (codes[:, b] == y))
    return torch.stack(columns, dim=1).float()


def test_crossed_columns_are_a_linear_model_on_pairs() -> None:
    crossed = _filled(CrossedCategories((3, 4, 5), head_size=2))
    codes = example_inputs(TABLE, batch=64)[1]
    pairs = _one_hot_pairs(codes, TABLE.cardinalities)
    torch.testing.assert_close(crossed(codes), pairs @ crossed.weights.weight)
    crossed(codes).sum().backward()
    wanted = pairs.sum(dim=0)[:, None].expand(-1, 2)
    torch.testing.assert_close(crossed.weights.weight.grad, wanted)


def test_large_columns_share_their_places() -> None:
    crossed = CrossedCategories((3000, 4000, 3), head_size=1, places=500)
    assert crossed.weights.num_embeddings == 3 * 500
    codes = torch.stack([torch.randint(n, (4000,)) for n in (3000, 4000, 3)], dim=1)
    places, is_known = crossed.places(codes)
    assert torch.equal(is_known[:, 0], (codes[:, :2] > 0).all(dim=1))
    for pair in range(3):
        used = places[is_known[:, pair], pair]
        assert used.min() >= pair * 500
        assert used.max() < (pair + 1) * 500
        assert len(used.unique()) > 450  # spread over its part, not piled up
    beyond = crossed.places(torch.tensor([[5000, 1, 1]]))[1]
    assert beyond.tolist() == [[False, False, True]]


def test_weighted_sum_is_linear_in_one_hot() -> None:
    layer = _filled(WeightedSum(TABLE, head_size=2))
    numbers, codes = example_inputs(TABLE, batch=16)
    tables = layer.categories.tables[0].weight.split(list(TABLE.cardinalities))
    known = torch.cat([table[1:] for table in tables])
    codes = codes.clamp(min=1)
    one_hot = OneHot(TABLE.cardinalities)(codes)
    expected = F.linear(numbers, layer.numbers.weight) + one_hot @ known + layer.bias
    torch.testing.assert_close(layer(numbers, codes), expected)


def test_both_sides_are_added() -> None:
    network = _filled(WideDeep(TABLE, head_size=2)).eval()
    rows = example_inputs(TABLE, batch=8)
    expected = network.deep(*rows) + network.wide(*rows) + network.crossed(rows[1])
    torch.testing.assert_close(network(*rows), expected)


def test_crosses_can_be_left_out() -> None:
    settings = WideDeepSettings(crosses="none")
    assert WideDeep(TABLE, head_size=1, settings=settings).crossed is None
    assert build("wide_deep", InputSpec(cardinalities=(5,)), 1).crossed is None
