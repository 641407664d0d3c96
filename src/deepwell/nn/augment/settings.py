"""Settings of the changes to training pictures, and ready-made strengths."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, cast

from pydantic import Field, field_validator, model_validator

from deepwell.catalog import Catalog
from deepwell.config import Settings, merge
from deepwell.errors import ConfigError

STRENGTHS = Catalog[dict[str, float]]("strength of augmentation")
"""Name → the settings that it stands for. None mirrors: that is wrong for digits and letters."""
STRENGTHS.add("none", {}, summary="pictures stay as they are")
STRENGTHS.add(
    "light",
    {"shift": 0.08, "rotate": 5.0, "scale": 0.05},
    summary="a little out of place",
)
STRENGTHS.add(
    "medium",
    {
        "shift": 0.08,
        "rotate": 10.0,
        "scale": 0.1,
        "shear": 5.0,
        "brightness": 0.2,
        "contrast": 0.2,
        "saturation": 0.2,
    },
    summary="another place, another light",
)
STRENGTHS.add(
    "strong",
    {
        "shift": 0.1,
        "rotate": 20.0,
        "scale": 0.2,
        "shear": 10.0,
        "crop": 0.3,
        "brightness": 0.4,
        "contrast": 0.4,
        "saturation": 0.4,
        "hue": 15.0,
        "blur": 0.02,
        "noise": 0.03,
        "cutout": 0.4,
    },
    summary="everything, for long trainings of large networks",
)


class AugmentSettings(Settings):
    """Changes to training pictures that keep their meaning; each picture gets its own.

    Example:
        >>> AugmentSettings(preset="light", rotate=15).plain()["rotate"]
        15.0
        >>> AugmentSettings(preset="light").shift
        0.08
        >>> AugmentSettings(preset="lihgt")
        Traceback (most recent call last):
            ...
        deepwell.errors.ConfigError: Setting "preset": Unknown strength of augmentation "lihgt". \
Did you mean "light"? Known: none, light, medium, strong. Got: 'lihgt'.
    """

    preset: str = "auto"
    """A ready-made strength: none, light, medium or strong; what is set beside it goes over it.
    "auto" shifts by 0.08 in `deepwell train`."""
    flip: bool = False
    """Mirror half of the pictures left to right; wrong for digits and letters."""
    flip_vertical: bool = False
    """Mirror half of the pictures upside down; right where there is no up, as from above."""
    shift: float = Field(default=0.0, ge=0.0, le=0.5)
    """Largest shift in each direction, as a share of the side."""
    rotate: float = Field(default=0.0, ge=0.0, le=180.0)
    """Largest turn to either side, degrees."""
    scale: float = Field(default=0.0, ge=0.0, le=1.0)
    """Largest zoom: 0.25 makes things up to 1.25 times as large or as small."""
    shear: float = Field(default=0.0, ge=0.0, le=60.0)
    """Largest slant to the left or right, degrees."""
    crop: float = Field(default=0.0, ge=0.0, le=0.95)
    """Largest share of the area that is cut away; the rest is enlarged to the old size."""
    border: Literal["black", "mirror", "edge"] = "black"
    """What fills the place that becomes free: black, the picture mirrored, or its edge."""
    brightness: float = Field(default=0.0, ge=0.0, le=1.0)
    """Largest change of the brightness: 0.2 multiplies pixels by 0.8 … 1.2."""
    contrast: float = Field(default=0.0, ge=0.0, le=1.0)
    """Largest change of the contrast: 0.2 multiplies distances to the mean grey by 0.8 … 1.2."""
    saturation: float = Field(default=0.0, ge=0.0, le=1.0)
    """Largest change of the strength of colours, in the same way; grey pictures have none."""
    hue: float = Field(default=0.0, ge=0.0, le=180.0)
    """Largest turn on the colour circle to either side, degrees; grey pictures have no hue."""
    blur: float = Field(default=0.0, ge=0.0, le=0.2)
    """Largest standard deviation of a Gaussian blur, as a share of the shorter side."""
    noise: float = Field(default=0.0, ge=0.0, le=1.0)
    """Largest standard deviation of noise on each pixel, as a share of white."""
    cutout: float = Field(default=0.0, ge=0.0, le=1.0)
    """Largest side of a rectangle that covers a part of the picture, as a share of the side."""

    @model_validator(mode="before")
    @classmethod
    def _expand_preset(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        given = cast(Mapping[str, Any], values)
        name = given.get("preset")
        # an unknown name is refused by the field itself, which says where it stands
        known = STRENGTHS[name] if isinstance(name, str) and name in STRENGTHS else {}
        return merge(known, given)

    @field_validator("preset")
    @classmethod
    def _known_preset(cls, name: str) -> str:
        if name != "auto":
            STRENGTHS[name]
        return name

    @property
    def changed(self) -> list[str]:
        """Names of the settings that differ from their defaults.

        Example:
            >>> AugmentSettings(rotate=5).changed
            ['rotate']
        """
        before = AugmentSettings()
        return [k for k in AugmentSettings.model_fields if getattr(self, k) != getattr(before, k)]


def refuse_without_pictures(settings: AugmentSettings) -> None:
    """Refuse changes to pictures where there are none.

    Raises:
        ConfigError: A setting was changed.
    """
    if settings.changed:
        name = settings.changed[0]
        said = "--augment (augment.preset)" if name == "preset" else f"augment.{name}"
        raise ConfigError(
            f"{said} changes pictures, and these data have no column of pictures: leave it out."
        )
