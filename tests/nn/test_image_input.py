import pytest
import torch
from torch import nn

from deepwell.errors import ModelError
from deepwell.nn.image_input import ImageInput, PixelScaling

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def test_bytes_and_shares_give_the_same() -> None:
    images = torch.randint(256, (2, 3, 4, 5), dtype=torch.uint8)
    scaling = PixelScaling(3, mean=MEAN, std=STD)
    mean, std = torch.tensor(MEAN).view(3, 1, 1), torch.tensor(STD).view(3, 1, 1)
    expected = (images / 255 - mean) / std
    torch.testing.assert_close(scaling(images), expected, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(scaling(images / 255), expected, rtol=1e-5, atol=1e-6)


def test_mean_and_std_travel_with_the_weights() -> None:
    network = ImageInput(nn.Flatten(), num_channels=3, mean=MEAN, std=STD)
    other = ImageInput(nn.Flatten(), num_channels=3)
    images = torch.randint(256, (2, 3, 4, 4), dtype=torch.uint8)
    assert not torch.equal(network(images), other(images))
    other.load_state_dict(network.state_dict())
    assert torch.equal(network(images), other(images))


def test_precision_follows_the_network() -> None:
    network = ImageInput(nn.Conv2d(1, 2, 3), num_channels=1)
    images = torch.randint(256, (2, 1, 4, 4), dtype=torch.uint8)
    assert network.double()(images).dtype == torch.double
    assert network.bfloat16()(images).dtype == torch.bfloat16


@pytest.mark.parametrize("channels", [1, 3])
def test_shape_is_kept_for_any_layout(channels: int) -> None:
    images = torch.randint(256, (2, channels, 3, 5), dtype=torch.uint8)
    network = ImageInput(nn.Identity(), num_channels=channels)
    expected = images / 255 * 2 - 1
    for layout in (torch.contiguous_format, torch.channels_last):
        outputs = network(images.contiguous(memory_format=layout))
        torch.testing.assert_close(outputs, expected, rtol=1e-5, atol=1e-6)
        assert outputs.stride(1) == 1


@pytest.mark.parametrize(
    ("mean", "std", "message"),
    [
        ((0.5, 0.5), (0.5,), "one for each of the 3 channels"),
        ((0.5,), (0.5, 0.0, 0.5), "must be above 0"),
        ((0.5,), (), "must be above 0"),
    ],
)
def test_wrong_values_are_refused(
    mean: tuple[float, ...], std: tuple[float, ...], message: str
) -> None:
    with pytest.raises(ModelError, match=message):
        PixelScaling(3, mean=mean, std=std)
