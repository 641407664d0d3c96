import pytest
import torch
from torch import nn

from deepwell.nn.embedding import OneHot
from deepwell.nn.flat_input import FlatInput, FlatNetwork
from deepwell.nn.numeric import PeriodicNumbers
from deepwell.types import InputSpec


def test_blocks_are_joined_in_order() -> None:
    spec = InputSpec(num_numbers=2, cardinalities=(3,), image_shape=(1, 1, 2))
    flatten = FlatInput(spec, categories=OneHot((3,)), mean=(0.0,), std=(1.0,))
    images = torch.tensor([[[[0, 255]]]], dtype=torch.uint8)
    vector = flatten(torch.tensor([[5.0, 6.0]]), torch.tensor([[1]]), images)
    assert vector.tolist() == [[5.0, 6.0, 1.0, 0.0, 0.0, 1.0]]
    assert flatten.out_features == 6


def test_pixels_of_all_channels_lie_in_their_usual_order() -> None:
    flatten = FlatInput(InputSpec(image_shape=(3, 2, 2)), mean=(0.0,), std=(1 / 255,))
    images = torch.arange(12, dtype=torch.uint8).reshape(1, 3, 2, 2)
    images = images.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(flatten(images), torch.arange(12.0)[None])


def test_embedded_numbers_count() -> None:
    spec = InputSpec(num_numbers=3)
    flatten = FlatInput(spec, numbers=PeriodicNumbers(3, size=5))
    assert flatten.out_features == 15
    network = FlatNetwork(flatten, nn.Linear(15, 2))
    assert network(torch.randn(4, 3)).shape == (4, 2)


def test_a_missing_block_is_an_error() -> None:
    flatten = FlatInput(InputSpec(num_numbers=2, image_shape=(1, 2, 2)))
    with pytest.raises(ValueError, match="zip"):
        flatten(torch.zeros(1, 2))
