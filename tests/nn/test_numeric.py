import math
from itertools import pairwise

import torch

from deepwell.nn.numeric import PeriodicNumbers, PeriodicReluNumbers, PiecewiseLinearNumbers


def test_equals_the_formula() -> None:
    module = PeriodicNumbers(2, size=3, num_frequencies=4, frequency_scale=1.0)
    numbers = torch.randn(5, 2)
    outputs = module(numbers).reshape(5, 2, 3)
    for row in range(5):
        for feature in range(2):
            x = numbers[row, feature]
            angles = 2 * math.pi * module.frequencies[feature] * x + module.phases[feature]
            waves = angles.cos() @ module.mixtures[feature] + module.bias[feature]
            expected = torch.cat([x[None], waves])
            torch.testing.assert_close(outputs[row, feature], expected, rtol=1e-4, atol=1e-5)


def test_features_do_not_mix() -> None:
    module = PeriodicNumbers(3)
    numbers = torch.randn(1, 3)
    changed = numbers.clone()
    changed[0, 1] += 1.0
    moved = (module(numbers) != module(changed)).reshape(3, 4).any(dim=1)
    assert moved.tolist() == [False, True, False]


def test_frequency_scale() -> None:
    module = PeriodicNumbers(50, num_frequencies=40, frequency_scale=0.5)
    assert abs(module.frequencies.std().item() - 0.5) < 0.02
    assert module.phases.abs().max() <= math.pi


def _fill(x: float, edges: list[float]) -> list[float]:
    """Return how far each bin is filled, bin by bin, as the paper's equation 1 says."""
    filled: list[float] = []
    for index, (low, high) in enumerate(pairwise(edges)):
        share = (x - low) / (high - low)
        if share < 0 and index > 0:
            share = 0.0
        if share > 1 and index < len(edges) - 2:
            share = 1.0
        filled.append(share)
    return filled


def test_piecewise_encoding_equals_the_formula() -> None:
    module = PiecewiseLinearNumbers(2, size=3, num_bins=4)
    rows = torch.tensor([[0.0, 5.0], [1.0, 5.0], [2.0, 5.0], [4.0, 7.0], [9.0, 7.0]])
    module.adapt(rows)
    edges = [[0.0, 1.0, 2.0, 4.0, 9.0], [5.0, 7.0]]  # of the second feature, one bin is left
    numbers = torch.tensor([[-1.0, 4.0], [0.5, 5.5], [3.0, 6.0], [11.0, 9.0]])
    encoded = module.encode(numbers)
    for row in range(4):
        for feature in range(2):
            expected = _fill(numbers[row, feature].item(), edges[feature])
            expected += [0.0] * (4 - len(expected))
            torch.testing.assert_close(encoded[row, feature], torch.tensor(expected))


def test_piecewise_begins_as_a_linear_map_and_bends() -> None:
    module = PiecewiseLinearNumbers(2, size=3)
    numbers = torch.randn(6, 2)
    straight = numbers[:, :, None] * module.slope + module.bias
    torch.testing.assert_close(module(numbers), straight.flatten(1))
    with torch.no_grad():
        module.mixtures.normal_()
    bent = torch.stack([module.encode(numbers)[:, f] @ module.mixtures[f] for f in range(2)], dim=1)
    expected = (straight + bent).flatten(1)
    torch.testing.assert_close(module(numbers), expected, rtol=1e-4, atol=1e-5)


def test_piecewise_of_a_constant_is_finite_and_has_no_bins() -> None:
    module = PiecewiseLinearNumbers(1, num_bins=4)
    module.adapt(torch.full((9, 1), 2.0))
    assert not module.encode(torch.tensor([[2.0], [5.0]])).any()


def test_edges_are_saved() -> None:
    module = PiecewiseLinearNumbers(2, num_bins=4)
    module.adapt(torch.randn(30, 2))
    other = PiecewiseLinearNumbers(2, num_bins=4)
    other.load_state_dict(module.state_dict())
    numbers = torch.randn(5, 2)
    assert torch.equal(other.encode(numbers), module.encode(numbers))


def test_periodic_relu_equals_the_formula() -> None:
    module = PeriodicReluNumbers(2, size=3, num_frequencies=4, frequency_scale=1.0)
    numbers = torch.randn(5, 2)
    outputs = module(numbers).reshape(5, 2, 3)
    for feature in range(2):
        angles = 2 * math.pi * numbers[:, feature, None] * module.frequencies[feature]
        waves = torch.cat([angles.cos(), angles.sin()], dim=1)
        expected = (waves @ module.mixtures[feature] + module.bias[feature]).relu()
        torch.testing.assert_close(outputs[:, feature], expected, rtol=1e-4, atol=1e-5)
