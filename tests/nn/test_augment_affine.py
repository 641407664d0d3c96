"""One resampling for all changes of place, against torch, PIL and a loop over pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from deepwell.errors import ConfigError
from deepwell.nn.augment import RandomAffine, matrices_of, resample, shift
from deepwell.nn.augment.moves import Border

BORDERS: list[Border] = ["black", "mirror", "edge"]
EVERYTHING = RandomAffine(
    rotate=20, scale=0.2, shear=10, crop=0.3, shift=2, flip=0.5, flip_vertical=0.5
)


def _pictures(rows: int = 6, height: int = 9, width: int = 12, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (rows, channels, height, width)
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=generator)


def _smooth(size: int = 64) -> Tensor:
    """A picture in which neighbours are alike: a wrong place shows, rounding does not."""
    rows, columns = torch.meshgrid(torch.arange(size), torch.arange(size), indexing="ij")
    waves = [torch.sin(rows / 9), torch.cos(columns / 7), torch.sin((rows + 2 * columns) / 11)]
    return (127 + 120 * torch.stack(waves)).round().to(torch.uint8)[None]


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _maps(
    *,
    degrees: float = 0.0,
    zoom: float = 1.0,
    shear: float = 0.0,
    place: tuple[float, float] = (0.0, 0.0),
    rows: int = 1,
) -> Tensor:
    numbers = (torch.full((rows,), value) for value in (degrees, zoom, shear))
    linear = matrices_of(**dict(zip(("degrees", "zoom", "shear"), numbers, strict=True)))
    return torch.cat([linear, torch.tensor(place).view(1, 2, 1).expand(rows, 2, 1)], dim=2)


def _by_hand(image: Tensor, matrix: Tensor) -> Tensor:
    """Read between the pixels, one after the other; outside is black."""
    _, height, width = image.shape
    result = torch.zeros(image.shape, dtype=torch.float64)
    for row in range(height):
        for column in range(width):
            place = torch.tensor([column - (width - 1) / 2, row - (height - 1) / 2, 1.0])
            x, y = (matrix.double() @ place.double()).tolist()
            x, y = x + (width - 1) / 2, y + (height - 1) / 2
            for j in (math.floor(y), math.floor(y) + 1):
                for i in (math.floor(x), math.floor(x) + 1):
                    if 0 <= i < width and 0 <= j < height:
                        share = (1 - abs(x - i)) * (1 - abs(y - j))
                        result[:, row, column] += share * image[:, j, i]
    return result


@pytest.mark.parametrize("border", BORDERS)
@pytest.mark.parametrize("channels", [1, 3])
def test_the_identity_keeps_every_byte(border: Border, channels: int) -> None:
    images = _pictures(channels=channels)
    assert torch.equal(resample(images, _maps(rows=6), border=border), images)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_quarter_turns_equal_rot90(quarters: int) -> None:
    images = _pictures(height=10, width=10)
    turned = resample(images, _maps(degrees=90.0 * quarters, rows=6))
    assert torch.equal(turned, torch.rot90(images, quarters, dims=(2, 3)))


@pytest.mark.parametrize("border", BORDERS)
def test_whole_pixels_equal_shift(border: Border) -> None:
    images = _pictures(rows=1)
    for down, right in ((2, -3), (-1, 0), (0, 4)):
        moved = resample(images, _maps(place=(-right, -down)), border=border)
        offsets = torch.tensor([down]), torch.tensor([right])
        assert torch.equal(moved, shift(images, *offsets, pixels=4, border=border))


def test_floats_and_bytes_equal_a_loop_over_pixels() -> None:
    images = _pictures(rows=3)
    maps = torch.cat([
        _maps(degrees=17, zoom=1.3, place=(0.7, -1.2)),
        _maps(shear=25, zoom=0.8),
        _maps(degrees=-100, shear=-10, place=(3.0, 2.5)),
    ])  # fmt: skip
    expected = torch.stack([_by_hand(i, m) for i, m in zip(images, maps, strict=True)])
    floats = resample(images.float() / 255, maps) * 255
    torch.testing.assert_close(floats.double(), expected, rtol=0, atol=2e-3)
    doubles = resample(images.double(), maps)
    torch.testing.assert_close(doubles, expected, rtol=0, atol=2e-3)
    assert (resample(images, maps).double() - expected).abs().max() <= 0.502


@pytest.mark.parametrize("degrees", [10.0, -33.0])
def test_a_turn_equals_that_of_pil(degrees: float) -> None:
    image = _smooth()
    turned = resample(image, _maps(degrees=degrees))[0].permute(1, 2, 0).numpy()
    theirs = Image.fromarray(image[0].permute(1, 2, 0).numpy())
    expected = np.asarray(theirs.rotate(degrees, Image.Resampling.BILINEAR))
    inside = np.hypot(*np.meshgrid(np.arange(64) - 31.5, np.arange(64) - 31.5)) < 29
    assert np.abs(turned.astype(int) - expected.astype(int))[inside].max() <= 1


def test_zoom_and_shear_go_the_right_way() -> None:
    image = torch.zeros(1, 1, 21, 21)
    image[0, 0, 14, 10] = 1.0  # four pixels below the centre
    zoomed = resample(image, _maps(zoom=2.0))
    assert int(zoomed.flatten().argmax()) == 18 * 21 + 10
    slanted = resample(image, _maps(shear=45.0))
    assert int(slanted.flatten().argmax()) == 14 * 21 + 14


def test_rectangles_keep_their_angles() -> None:
    image = torch.zeros(1, 1, 11, 31, dtype=torch.uint8)
    image[0, 0, 5, 12:19] = 255  # a line of seven pixels through the centre
    upright = resample(image, _maps(degrees=90))
    assert upright[0, 0, 2:9, 15].tolist() == [255] * 7
    assert int((upright > 0).sum()) == 7


@pytest.mark.parametrize(
    ("name", "limit", "found"),
    [
        ("rotate", 30.0, lambda m: torch.rad2deg(torch.atan2(m[:, 1, 0], m[:, 0, 0]))),
        ("scale", 0.5, lambda m: 1 / m[:, 0, 0] - 1),
        ("shear", 20.0, lambda m: torch.rad2deg(torch.atan(-m[:, 0, 1]))),
        ("shift", 3, lambda m: m[:, 1, 2]),
    ],
)
def test_draws_fill_their_range(name: str, limit: float, found: object) -> None:
    maps = RandomAffine(**{name: limit}).draw_maps(2000, 20, 30, _generator())
    values = found(maps)  # type: ignore[operator]
    assert 0.95 * limit < values.max() <= limit + 1e-4
    low = -limit if name != "scale" else 1 / (1 + limit) - 1
    assert low - 1e-4 <= values.min() < 0.9 * low
    if name == "shift":
        assert torch.equal(values.unique(), torch.arange(-3.0, 4.0))


def test_crops_have_their_area_and_lie_inside() -> None:
    maps = RandomAffine(crop=0.4).draw_maps(2000, 20, 30, _generator())
    sides = torch.stack([maps[:, 0, 0], maps[:, 1, 1]])
    assert 0.6 - 1e-5 <= sides.prod(dim=0).min() < 0.62
    assert 0.98 < sides.prod(dim=0).max() <= 1 + 1e-5
    assert sides.max() <= 1 + 1e-6
    ratios = sides[0] / sides[1]
    assert 0.75 - 1e-4 <= ratios.min() < 0.78
    assert 1.28 < ratios.max() <= 4 / 3 + 1e-4
    reach = sides / 2 + maps[:, :, 2].T.abs() / torch.tensor([[30.0], [20.0]])
    assert reach.max() <= 0.5 + 1e-5
    assert reach.max() > 0.499


def test_mirroring_alone_equals_flips() -> None:
    images = _pictures(rows=400)
    changed = RandomAffine(flip=0.3, flip_vertical=0.6)(images, _generator())
    wide, tall = images.flip(3), images.flip(2)
    others = images, wide, tall, wide.flip(2)
    shares = [(changed == one).flatten(1).all(dim=1).double().mean().item() for one in others]
    assert sum(shares) == pytest.approx(1.0)
    assert shares == pytest.approx([0.28, 0.12, 0.42, 0.18], abs=0.06)


def test_all_at_once_equals_one_after_the_other() -> None:
    """Mirror, shear, zoom, turn, shift and crop, in this order; a seed draws the same for each."""
    steps: list[dict[str, float]] = [
        {"flip": 0.5, "flip_vertical": 0.5},
        *({"shear": 20}, {"scale": 0.3}, {"rotate": 40}, {"shift": 4}, {"crop": 0.5}),
    ]

    def maps(options: dict[str, float]) -> Tensor:
        drawn = RandomAffine(**options).draw_maps(50, 30, 40, _generator(3))  # type: ignore[arg-type]
        last = torch.tensor([[[0.0, 0.0, 1.0]]]).expand(50, 1, 3)
        return torch.cat([drawn, last], dim=1)

    product = torch.eye(3)
    for step in steps:
        product = product @ maps(step)
    joined = maps({name: value for step in steps for name, value in step.items()})
    torch.testing.assert_close(joined, product, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_layout_type_and_original_are_kept(channels: int) -> None:
    plain = _pictures(channels=channels)
    rows_of_pixels = plain.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2)
    copy = plain.clone()
    for images in (plain, rows_of_pixels, plain.float(), plain.bfloat16()):
        changed = EVERYTHING(images, _generator())
        assert changed.dtype == images.dtype
        assert changed.shape == images.shape
        assert changed.stride() == images.stride()
    one, other = EVERYTHING(plain, _generator()), EVERYTHING(rows_of_pixels, _generator())
    assert torch.equal(one, other)
    assert not torch.equal(one, EVERYTHING(plain, _generator(1)))
    assert torch.equal(plain, copy)


def test_nothing_to_do_returns_the_pictures_themselves() -> None:
    images = _pictures()
    assert RandomAffine(border="edge")(images, _generator()) is images


def test_wrong_options_are_refused() -> None:
    for name, value in {"rotate": -1, "crop": 1.0, "shear": 90, "flip": 2, "shift": -1}.items():
        with pytest.raises(ConfigError, match=f"{name} must lie"):
            RandomAffine(**{name: value})
    with pytest.raises(ConfigError, match="scale"):
        RandomAffine(scale=math.nan)
