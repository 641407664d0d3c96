import math

import torch

from deepwell.nn.numeric import PeriodicNumbers


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
