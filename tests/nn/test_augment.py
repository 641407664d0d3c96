from typing import Literal

import pytest
import torch
from torch import Tensor

from deepwell.errors import ConfigError
from deepwell.nn.augment import Augment, RandomFlip, RandomShift, shift


def _pictures(rows: int = 6, dtype: torch.dtype = torch.uint8) -> Tensor:
    return torch.randint(1, 256, (rows, 3, 5, 7)).to(dtype)


def _generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def _shifted_by_hand(image: Tensor, down: int, right: int) -> Tensor:
    moved = torch.zeros_like(image)
    height, width = image.shape[1:]
    for row in range(height):
        for column in range(width):
            if 0 <= row - down < height and 0 <= column - right < width:
                moved[:, row, column] = image[:, row - down, column - right]
    return moved


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_shift_by_known_offsets(dtype: torch.dtype) -> None:
    images = _pictures(dtype=dtype)
    down, right = torch.tensor([0, 1, -2, 2, 0, -1]), torch.tensor([0, 0, 1, -2, 2, -1])
    moved = shift(images, down, right, pixels=2)
    assert moved.dtype == dtype
    for row in range(len(images)):
        expected = _shifted_by_hand(images[row], int(down[row]), int(right[row]))
        assert torch.equal(moved[row], expected)


def test_a_repeated_edge_equals_torchs_own_replication() -> None:
    images = _pictures()
    down, right = torch.tensor([9, -3, 0, 1, 2, 0]), torch.tensor([-3, 2, 0, 9, 0, -1])
    moved = shift(images, down, right, pixels=9, border="edge")
    padded = torch.nn.functional.pad(images.float(), (9, 9, 9, 9), mode="replicate")
    for row in range(len(images)):
        top, left = 9 - int(down[row]), 9 - int(right[row])
        expected = padded[row, :, top : top + 5, left : left + 7].to(torch.uint8)
        assert torch.equal(moved[row], expected)


def test_mirrored_border_equals_torchs_own_reflection() -> None:
    images = _pictures()
    down, right = torch.tensor([3, -3, 0, 1, 2, 0]), torch.tensor([-3, 2, 0, 3, 0, -1])
    moved = shift(images, down, right, pixels=3, border="mirror")
    padded = torch.nn.functional.pad(images.float(), (3, 3, 3, 3), mode="reflect")
    for row in range(len(images)):
        top, left = 3 - int(down[row]), 3 - int(right[row])
        expected = padded[row, :, top : top + 5, left : left + 7].to(torch.uint8)
        assert torch.equal(moved[row], expected)


@pytest.mark.parametrize("border", ["black", "mirror"])
def test_random_shift_uses_every_offset(border: Literal["black", "mirror"]) -> None:
    image = torch.zeros(1, 1, 9, 9, dtype=torch.uint8)
    image[0, 0, 4, 4] = 255
    moved = RandomShift(2, border)(image.expand(800, 1, 9, 9), _generator())
    places = moved.flatten(1).argmax(dim=1)
    counts = torch.bincount(places, minlength=81).reshape(9, 9)
    assert int((counts > 0).sum()) == 25
    assert bool((counts[2:7, 2:7] > 10).all())


def test_random_flip_mirrors_its_share() -> None:
    images = _pictures(rows=1000)
    flipped = RandomFlip(0.3)(images, _generator())
    is_same = (flipped == images).flatten(1).all(dim=1)
    is_mirrored = (flipped == images.flip(3)).flatten(1).all(dim=1)
    assert bool((is_same | is_mirrored).all())
    assert 0.25 < is_mirrored.float().mean() < 0.35


def test_random_flip_turns_upside_down() -> None:
    images = _pictures()
    flipped = RandomFlip(1.0, "vertical")(images, _generator())
    assert torch.equal(flipped, images.flip(2))


@pytest.mark.parametrize("transform", [RandomFlip(0.0), RandomShift(0)])
def test_nothing_to_do(transform: RandomFlip | RandomShift) -> None:
    images = _pictures()
    assert torch.equal(transform(images, _generator()), images)


def test_one_generator_state_gives_the_same_pictures() -> None:
    images = _pictures(rows=50)
    original = images.clone()
    augment = Augment([RandomShift(2), RandomFlip()])
    generator = _generator(5)
    global_state = torch.get_rng_state()
    (first,) = augment((images,), generator)
    (second,) = augment((images,), generator)
    generator = _generator(5)
    assert torch.equal(augment((images,), generator)[0], first)
    assert torch.equal(augment((images,), generator)[0], second)
    assert not torch.equal(first, second)
    assert torch.equal(images, original)
    assert torch.equal(torch.get_rng_state(), global_state)


def test_a_single_picture_and_any_layout() -> None:
    images = _pictures(rows=1).contiguous(memory_format=torch.channels_last)
    augment = Augment([RandomShift(1), RandomFlip(1.0)])
    (changed,) = augment((images,), _generator())
    (plain,) = augment((images.contiguous(),), _generator())
    assert torch.equal(changed, plain)


def test_only_pictures_are_changed() -> None:
    numbers, codes, images = torch.randn(6, 4), torch.ones(6, 2, dtype=torch.long), _pictures()
    inputs = (numbers, codes, images)
    changed = Augment([RandomFlip(1.0)])(inputs, _generator())
    assert changed[0] is numbers
    assert changed[1] is codes
    assert torch.equal(changed[2], images.flip(3))


def test_wrong_options_are_refused() -> None:
    with pytest.raises(ConfigError, match="probability"):
        RandomFlip(1.5)
    with pytest.raises(ConfigError, match="pixels"):
        RandomShift(-1)
    with pytest.raises(ConfigError, match="5 pixels needs larger pictures than 5 × 7"):
        RandomShift(5, "mirror")(_pictures(), _generator())
