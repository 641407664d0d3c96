"""Colour, blur, noise and holes, against PIL and loops by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageFilter
from torch import Tensor

from deepwell.errors import ConfigError
from deepwell.nn.augment import (
    RandomAffine,
    RandomBlur,
    RandomColour,
    RandomErase,
    RandomFlip,
    RandomNoise,
    RandomShift,
    Transform,
    adjust_colour,
    erase,
    gaussian_blur,
)

ALL: list[Transform] = [
    RandomColour(brightness=0.4, contrast=0.4, saturation=0.4, hue=40),
    RandomBlur(2.0),
    RandomNoise(0.2),
    RandomErase(0.6),
]


def _pictures(rows: int = 5, channels: int = 3, side: int = 16) -> Tensor:
    generator = torch.Generator().manual_seed(2)
    coarse = torch.rand(rows, channels, 4, 4, generator=generator)
    fine = torch.nn.functional.interpolate(coarse, size=(side, side), mode="bilinear")
    return (fine * 255).round().to(torch.uint8)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _adjusted(images: Tensor, **changes: float) -> Tensor:
    values = {"brightness": 1.0, "contrast": 1.0, "saturation": 1.0, "hue": 0.0, **changes}
    return adjust_colour(images, **{k: torch.full((len(images),), v) for k, v in values.items()})


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("factor", [0.0, 0.5, 1.3, 2.0])
@pytest.mark.parametrize(
    ("name", "enhance"),
    [
        ("brightness", ImageEnhance.Brightness),
        ("contrast", ImageEnhance.Contrast),
        ("saturation", ImageEnhance.Color),
    ],
)
def test_colours_equal_those_of_pil(
    name: str, enhance: type[ImageEnhance.Color], factor: float, channels: int
) -> None:
    images = _pictures(channels=channels)
    ours = _adjusted(images, **{name: factor}).permute(0, 2, 3, 1).squeeze(3).numpy()
    for image, own in zip(images, ours, strict=True):
        theirs = Image.fromarray(image.permute(1, 2, 0).squeeze(2).numpy())
        expected = np.asarray(enhance(theirs).enhance(factor)).astype(int)
        assert np.abs(own.astype(int) - expected).max() <= 1


def test_joined_colours_equal_single_ones_one_after_the_other() -> None:
    images = _pictures().double() / 255 * 0.2 + 0.4  # no value is cut on the way
    joined = _adjusted(images, brightness=1.1, contrast=0.8, saturation=1.2, hue=25)
    steps = [{"brightness": 1.1}, {"contrast": 0.8}, {"saturation": 1.2}, {"hue": 25.0}]
    one_by_one = images
    for step in steps:
        one_by_one = _adjusted(one_by_one, **step)
    torch.testing.assert_close(joined, one_by_one, rtol=0, atol=1e-9)


def test_hue_turns_the_circle_and_keeps_light_and_grey() -> None:
    images = _pictures().double() / 255 * 0.2 + 0.4
    weights = torch.tensor([0.299, 0.587, 0.114], dtype=torch.float64)
    turned = _adjusted(images, hue=70)
    light = [torch.einsum("nchw,c->nhw", pixels, weights) for pixels in (images, turned)]
    torch.testing.assert_close(light[0], light[1], rtol=0, atol=1e-9)
    torch.testing.assert_close(_adjusted(turned, hue=-70), images, rtol=0, atol=1e-9)
    torch.testing.assert_close(_adjusted(images, hue=360), images, rtol=0, atol=1e-5)
    assert (turned - images).abs().max() > 0.02
    grey = torch.full((1, 3, 2, 2), 90, dtype=torch.uint8)
    assert torch.equal(_adjusted(grey, hue=100), grey)
    red = torch.tensor([0.6, 0.4, 0.4]).view(1, 3, 1, 1)
    assert _adjusted(red, hue=60).flatten().argmin() == 2, "red becomes yellow, without blue"
    assert _adjusted(red, hue=120).flatten().argmax() == 1, "red becomes green"
    assert _adjusted(red, hue=-120).flatten().argmax() == 2, "red becomes blue"


def test_each_picture_has_its_own_colour_within_the_limits() -> None:
    images = torch.full((2000, 1, 2, 2), 100, dtype=torch.uint8)
    values = RandomColour(brightness=0.3)(images, _generator())[:, 0, 0, 0]
    assert 70 <= int(values.min()) <= 72
    assert 128 <= int(values.max()) <= 130
    assert len(values.unique()) > 50


def test_blur_equals_an_explicit_mean_over_neighbours() -> None:
    images, sigma = _pictures(rows=3, side=9), torch.tensor([0.0, 0.7, 2.5])
    floats = gaussian_blur(images.double(), sigma)
    assert torch.equal(gaussian_blur(images, sigma)[0], images[0])
    for image, own, width in zip(images[1:], floats[1:], sigma[1:].tolist(), strict=True):
        for row in range(9):
            for column in range(9):
                total, weights = torch.zeros(3, dtype=torch.float64), 0.0
                for j in range(9):
                    for i in range(9):
                        weight = math.exp(-((row - j) ** 2 + (column - i) ** 2) / (2 * width**2))
                        total, weights = total + weight * image[:, j, i], weights + weight
                torch.testing.assert_close(own[:, row, column], total / weights)
    assert (gaussian_blur(images, sigma).double() - floats).abs().max() <= 0.5001


def test_blur_is_near_that_of_pil() -> None:
    image = _pictures(rows=1, side=64)
    theirs = Image.fromarray(image[0].permute(1, 2, 0).numpy())
    expected = np.asarray(theirs.filter(ImageFilter.GaussianBlur(2.0))).astype(int)
    own = gaussian_blur(image, torch.tensor([2.0]))[0].permute(1, 2, 0).numpy().astype(int)
    assert np.abs(own - expected)[8:-8, 8:-8].max() <= 1


def test_noise_has_mean_zero_and_its_own_strength_in_each_picture() -> None:
    images = torch.full((300, 1, 20, 20), 128, dtype=torch.uint8)
    changes = RandomNoise(0.1)(images, _generator()).float() - 128
    spread = changes.flatten(1).std(dim=1)
    assert abs(float(changes.mean())) < 0.2
    assert 24 < spread.max() < 28
    assert spread.min() < 2
    floats = RandomNoise(0.1)(torch.full((300, 1, 20, 20), 0.5), _generator())
    torch.testing.assert_close(floats * 255 - 127.5, changes, rtol=0, atol=0.6)


def test_holes_cover_what_they_say() -> None:
    images = _pictures(rows=400)
    changed = RandomErase(0.5)(images, _generator())
    is_hole = (changed != images).any(dim=1)
    heights, widths = is_hole.any(dim=2).sum(dim=1), is_hole.any(dim=1).sum(dim=1)
    assert 7 <= int(heights.max()) <= 9
    assert 7 <= int(widths.max()) <= 9
    assert int(heights.min()) == 0
    means = images.float().mean(dim=(2, 3)).round()
    hole = erase(images, top_left=torch.zeros(2, 400), bottom_right=torch.ones(2, 400))
    assert torch.equal(hole.float(), means[:, :, None, None].expand(hole.shape))
    reached = is_hole.float().mean(dim=0)
    assert (reached > 0.01).all(), "a hole lies anywhere, also in the corners"


@pytest.mark.parametrize("transform", ALL)
@pytest.mark.parametrize("channels", [1, 3])
def test_layout_type_and_original_are_kept(transform: Transform, channels: int) -> None:
    plain = _pictures(channels=channels)
    rows_of_pixels = plain.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    floats = plain.float() / 255
    copies = plain.clone(), floats.clone()
    for images in (plain, rows_of_pixels, floats, floats.bfloat16()):
        changed = transform(images, _generator())
        assert (changed.dtype, changed.shape) == (images.dtype, images.shape)
        assert changed.stride() == images.stride()
        assert changed.min() >= 0
    one, other = transform(plain, _generator()), transform(rows_of_pixels, _generator())
    assert torch.equal(one, other)
    assert not torch.equal(one, transform(plain, _generator(1)))
    as_floats = (transform(floats, _generator()) * 255).round()
    assert (as_floats - one.float()).abs().max() <= 1
    assert torch.equal(plain, copies[0])
    assert torch.equal(floats, copies[1])


@pytest.mark.parametrize(
    "transform",
    [
        RandomAffine(rotate=9, crop=0.2, flip=0.5),
        RandomFlip(),
        RandomShift(2, "mirror"),
        RandomColour(brightness=0.4, contrast=0.4, saturation=0.4, hue=40),
        RandomBlur(2.0),
        RandomErase(0.6),
    ],
)
@pytest.mark.parametrize("channels", [1, 3])
def test_nothing_waits_for_the_device(transform: Transform, channels: int) -> None:
    """On the device "meta" there are no values: reading one, or mixing devices, is an error."""
    images = torch.empty(4, channels, 8, 8, dtype=torch.uint8, device="meta")
    changed = transform(images, _generator())
    assert changed.device.type == "meta"
    assert changed.shape == images.shape


@pytest.mark.parametrize(
    "transform", [RandomColour(), RandomBlur(0), RandomNoise(0), RandomErase(0)]
)
def test_nothing_to_do_returns_the_pictures_themselves(transform: Transform) -> None:
    images = _pictures()
    assert transform(images, _generator()) is images


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"hue must lie in 0 … 180\. Got: 200"):
        RandomColour(hue=200)
    with pytest.raises(ConfigError, match="sigma"):
        RandomBlur(-1)
    with pytest.raises(ConfigError, match="size"):
        RandomNoise(2)
    with pytest.raises(ConfigError, match="side"):
        RandomErase(-0.1)
