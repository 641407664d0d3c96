"""From settings to changes: presets, order, and what is left out."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from deepwell.errors import ConfigError
from deepwell.nn.augment import (
    STRENGTHS,
    AugmentSettings,
    RandomAffine,
    RandomBlur,
    RandomColour,
    RandomErase,
    RandomFlip,
    RandomNoise,
    RandomShift,
    augmentation,
    refuse_without_pictures,
)


def test_a_preset_is_laid_under_what_is_set() -> None:
    settings = AugmentSettings(preset="strong", rotate=3, cutout=0)
    assert (settings.rotate, settings.cutout) == (3, 0)
    assert settings.hue == STRENGTHS["strong"]["hue"]
    assert AugmentSettings.model_validate(settings.plain()) == settings
    assert AugmentSettings(preset="none") == AugmentSettings().model_copy(update={"preset": "none"})


def test_presets_grow_and_never_mirror() -> None:
    none, light, medium, strong = (AugmentSettings(preset=name) for name in STRENGTHS)
    for weak, more in ((none, light), (light, medium), (medium, strong)):
        numbers = [k for k, v in weak.plain().items() if isinstance(v, float)]
        assert all(getattr(weak, name) <= getattr(more, name) for name in numbers)
        assert len(weak.changed) < len(more.changed)
    assert not strong.flip
    assert not strong.flip_vertical


def test_whole_pixels_are_enough_for_mirroring_and_shifting() -> None:
    settings = AugmentSettings(flip=True, flip_vertical=True, shift=0.08, border="edge")
    augment = augmentation(settings, (3, 40, 28))
    assert augment is not None
    expected = RandomFlip(), RandomFlip(direction="vertical"), RandomShift(2, "edge")
    assert augment.transforms == expected
    assert augmentation(AugmentSettings(), (3, 40, 28)) is None
    assert augmentation(AugmentSettings(shift=0.01), (3, 40, 28)) is None


def test_all_changes_of_place_are_one_resampling_before_the_others() -> None:
    settings = AugmentSettings(preset="strong", flip=True, border="mirror")
    augment = augmentation(settings, (3, 50, 60))
    assert augment is not None
    assert augment.transforms == (
        RandomAffine(
            rotate=20, scale=0.2, shear=10, crop=0.3, shift=5, flip=0.5, border="mirror"
        ),
        RandomColour(brightness=0.4, contrast=0.4, saturation=0.4, hue=15),
        RandomBlur(1.0),
        RandomNoise(0.03),
        RandomErase(0.4),
    )  # fmt: skip


def test_grey_pictures_have_no_colours_to_change() -> None:
    assert augmentation(AugmentSettings(saturation=0.5, hue=30), (1, 28, 28)) is None
    augment = augmentation(AugmentSettings(preset="medium"), (1, 28, 28))
    assert augment is not None
    assert augment.transforms[1] == RandomColour(brightness=0.2, contrast=0.2)


@pytest.mark.parametrize("preset", ["light", "medium", "strong"])
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 17, 32), (2, 8, 8)])
def test_each_preset_changes_each_picture_and_can_be_repeated(
    preset: str, shape: tuple[int, int, int]
) -> None:
    augment = augmentation(AugmentSettings(preset=preset), shape)
    assert augment is not None
    images = torch.randint(0, 256, (12, *shape), dtype=torch.uint8)
    one, same, other = (
        augment((images,), torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2)
    )
    assert one.dtype == torch.uint8
    assert torch.equal(one, same)
    assert bool((one != images).flatten(1).any(dim=1).sum() >= 11)
    assert bool((one != other).flatten(1).any(dim=1).sum() >= 11)


def test_refused_without_pictures() -> None:
    refuse_without_pictures(AugmentSettings())
    with pytest.raises(ConfigError, match=r"^--augment \(augment.preset\) changes pictures"):
        refuse_without_pictures(AugmentSettings(preset="none"))
    with pytest.raises(ConfigError, match=r"^augment.hue changes pictures, and these data have no"):
        refuse_without_pictures(AugmentSettings(hue=3))


def test_settings_load_no_torch_and_the_door_knows_its_names() -> None:
    code = (
        "import sys; from deepwell.nn.augment import AugmentSettings; "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
    import deepwell.nn.augment as door

    assert all(getattr(door, name) is not None for name in door.__all__)
    assert not hasattr(door, "RandomFlop")
