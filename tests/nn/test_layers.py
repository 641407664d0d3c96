import copy
from typing import Literal

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from deepwell.errors import ConfigError, ModelError
from deepwell.nn.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    MaxPooling2D,
)


def _network() -> nn.Sequential:
    return nn.Sequential(
        Conv2D(4, 3, padding="same", activation="relu"),
        BatchNormalization(),
        MaxPooling2D(),
        Flatten(),
        Dense(6, activation="tanh"),
        Dense(2),
    )


def test_dense_equals_the_formula_and_starts_as_keras_does() -> None:
    layer = Dense(300, activation="relu")
    inputs = torch.randn(4, 200)
    outputs = layer(inputs)
    torch.testing.assert_close(outputs, (inputs @ layer.weight.T).clamp(min=0))
    limit = (6 / 500) ** 0.5
    assert 0.99 * limit < layer.weight.abs().max() <= limit
    assert layer.bias is not None
    assert not layer.bias.any()
    assert Dense(3, use_bias=False).bias is None


@pytest.mark.parametrize(
    ("size", "strides", "padding", "expected"),
    [
        (3, 1, "valid", 8),
        (3, 1, "same", 10),
        (4, 1, "same", 10),
        (3, 2, "valid", 4),
        (3, 2, "same", 5),
        (2, 3, "same", 4),
    ],
)
def test_sizes_of_convolution_and_pooling_are_those_of_keras(
    size: int, strides: int, padding: Literal["valid", "same"], expected: int
) -> None:
    images = torch.randn(2, 3, 10, 10)
    convolution = Conv2D(5, size, strides=strides, padding=padding)
    pooling = MaxPooling2D(size, strides=strides, padding=padding)
    assert convolution(images).shape == (2, 5, expected, expected)
    assert pooling(images).shape == (2, 3, expected, expected)


def test_same_padding_lies_right_and_below() -> None:
    layer = Conv2D(1, 2, padding="same", use_bias=False)
    image = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    layer(image)
    with torch.no_grad():
        layer.weight.fill_(1.0)
    assert layer(image).tolist() == [[[[10.0, 6.0], [7.0, 4.0]]]]
    assert MaxPooling2D(2, strides=1, padding="same")(-image).tolist() == [
        [[[-1.0, -2.0], [-3.0, -4.0]]]
    ]


def test_convolution_equals_torch() -> None:
    layer = Conv2D(5, 3, padding="same", activation="relu")
    images = torch.randn(2, 3, 6, 7)
    outputs = layer(images)
    expected = F.conv2d(images, layer.weight, layer.bias, padding=1).relu()
    torch.testing.assert_close(outputs, expected)


@pytest.mark.parametrize("shape", [(16, 3), (16, 3, 4, 4)])
def test_batch_normalization_equals_torch(shape: tuple[int, ...]) -> None:
    own = BatchNormalization(momentum=0.9)
    kind = nn.BatchNorm1d if len(shape) == 2 else nn.BatchNorm2d
    other = kind(3, momentum=0.1, eps=1e-3)
    for _ in range(3):
        inputs = torch.randn(shape) * 3 + 1
        torch.testing.assert_close(own(inputs), other(inputs))
    own.eval()
    other.eval()
    torch.testing.assert_close(own(inputs), other(inputs))


def test_state_dict_fills_layers_that_do_not_know_their_size() -> None:
    network = _network()
    images = torch.randn(5, 3, 8, 8)
    network(images)
    network.eval()
    other = _network().eval()
    other.load_state_dict(network.state_dict())
    assert torch.equal(other(images), network(images))
    assert torch.equal(copy.deepcopy(network)(images), network(images))


def test_a_copy_made_before_the_first_batch_works() -> None:
    network = copy.deepcopy(_network())
    network(torch.randn(2, 1, 4, 4)).sum().backward()
    assert all(weight.grad is not None for weight in network.parameters())


def test_dropout_and_average() -> None:
    inputs = torch.ones(1, 10_000)
    layer = Dropout(0.25)
    thinned = layer(inputs)
    assert abs((thinned == 0).float().mean() - 0.25) < 0.03
    assert thinned.max().item() == pytest.approx(4 / 3)
    assert torch.equal(layer.eval()(inputs), inputs)
    images = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(GlobalAveragePooling2D()(images), images.flatten(2).mean(dim=2))


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="units must be 1 or more"):
        Dense(0)
    with pytest.raises(ConfigError, match='Did you mean "relu"'):
        Dense(3, activation="rely")
    with pytest.raises(ConfigError, match='"valid" or "same"'):
        Conv2D(3, padding="full")  # pyright: ignore
    with pytest.raises(ConfigError, match="rate"):
        Dropout(1.0)


def test_inputs_that_do_not_fit_are_explained() -> None:
    with pytest.raises(ModelError, match="Conv2D reads pictures"):
        Conv2D(3)(torch.randn(2, 5))
    with pytest.raises(ModelError, match="looks at 3 × 3 pixels, but its input has only 2 × 2"):
        Conv2D(3)(torch.randn(2, 5, 2, 2))
    with pytest.raises(ModelError, match="fewer poolings"):
        MaxPooling2D()(torch.randn(2, 5, 1, 1))


def test_gated_activations_leave_as_many_units_as_asked_for() -> None:
    assert Dense(3, activation="glu")(torch.zeros(2, 5)).shape == (2, 3)
    pictures = Conv2D(3, 3, activation="swiglu")(torch.zeros(2, 1, 5, 5))
    assert pictures.shape == (2, 3, 3, 3)
