"""A blend: several models that answer together, with weights.

Each member reads its own part of the input blocks, because each has encoders of its own: trees
want raw numbers with gaps, networks want scaled ones. What is averaged are answers: probabilities
for classes, numbers for regression.

Shapes: the blocks of all members side by side → (batch, head_size).

Reference:
    Lakshminarayanan et al.: Simple and Scalable Predictive Uncertainty Estimation using Deep
    Ensembles (2017). Caruana et al.: Ensemble Selection from Libraries of Models (2004).
"""

from __future__ import annotations

from typing import Any

import torch
from pydantic import Field
from torch import Tensor, nn

from deepwell.config import Settings
from deepwell.errors import ModelError
from deepwell.models.catalog import build as build_member
from deepwell.nn.ensemble import Link, average_members
from deepwell.types import InputSpec


class MemberSettings(Settings):
    """One model of a blend."""

    name: str
    """Its name in the catalog."""
    settings: dict[str, Any] = Field(default_factory=dict[str, Any])
    """Its own settings."""
    weight: float = Field(default=1.0, gt=0, allow_inf_nan=False)
    """Its share of the answer, relative to the others."""
    numbers: tuple[int, int] = (0, 0)
    """First and one past the last of its columns in the number block."""
    categories: tuple[int, int] = (0, 0)
    """The same for the category block."""


class BlendSettings(Settings):
    """Which models answer together."""

    members: tuple[MemberSettings, ...] = ()
    """At least one."""
    link: Link = "none"
    """What turns outputs into answers, which are averaged: none, sigmoid, softmax or exp."""


class Blend(nn.Module):
    """Models that answer together.

    Args:
        spec: The blocks of all members.
        head_size: Outputs of each member and of the blend.
        settings: Which members.

    Raises:
        ModelError: No members, or parts that the blocks do not have.

    Example:
        >>> two = BlendSettings(
        ...     members=(MemberSettings(name="linear", numbers=(0, 2)),
        ...              MemberSettings(name="linear", numbers=(2, 5))),
        ... )
        >>> Blend(InputSpec(num_numbers=5), 1, two)(torch.zeros(3, 5)).shape
        torch.Size([3, 1])
    """

    weights: Tensor

    def __init__(self, spec: InputSpec, head_size: int, settings: BlendSettings) -> None:
        super().__init__()
        if not settings.members:
            raise ModelError("A blend needs at least one member.")
        self._blocks = spec.blocks
        self._plans = settings.members
        self.link: Link = settings.link
        specs = [part_of(spec, member) for member in settings.members]
        self.members = nn.ModuleList(
            build_member(member.name, part, head_size, member.settings)
            for member, part in zip(settings.members, specs, strict=True)
        )
        self._reads = [part.blocks for part in specs]
        weights = torch.tensor([member.weight for member in settings.members])
        self.register_buffer("weights", weights / weights.sum())

    def forward(self, *blocks: Tensor) -> Tensor:
        """Return the weighted mean of the members' answers, as outputs that stand for it."""
        return average_members(self.outputs(*blocks), self.link, self.weights)

    def outputs(self, *blocks: Tensor) -> Tensor:
        """Return what each member says, (batch, members, head_size)."""
        given = dict(zip(self._blocks, blocks, strict=True))
        answers: list[Tensor] = []
        for member, plan, reads in zip(self.members, self._plans, self._reads, strict=True):
            parts = dict(given)
            if "numbers" in reads:
                parts["numbers"] = given["numbers"][:, slice(*plan.numbers)]
            if "categories" in reads:
                parts["categories"] = given["categories"][:, slice(*plan.categories)]
            answers.append(member(*(parts[name] for name in reads)))
        return torch.stack(answers, dim=1)


class Members(nn.Module):
    """Gives what parts of a blend say by themselves.

    Args:
        blend: With a multiple of `count` members.
        count: Parts; member m belongs to part m modulo `count`, such as the fold that it left out.

    Shape:
        the blocks of the blend → (batch, count · head_size): all outputs of the first part first.
    """

    def __init__(self, blend: Blend, *, count: int) -> None:
        super().__init__()
        self.blend = blend
        self.count = count

    def forward(self, *blocks: Tensor) -> Tensor:
        """Return the weighted mean of the members of each part."""
        outputs, weights = self.blend.outputs(*blocks), self.blend.weights
        parts = [
            average_members(
                outputs[:, part :: self.count],
                self.blend.link,
                weights[part :: self.count] / weights[part :: self.count].sum(),
            )
            for part in range(self.count)
        ]
        return torch.cat(parts, dim=1)


def part_of(spec: InputSpec, member: MemberSettings) -> InputSpec:
    """Return what a member is fed.

    Raises:
        ModelError: The blocks do not have these columns.
    """
    sizes = {"numbers": spec.num_numbers, "categories": len(spec.cardinalities)}
    for block, size in sizes.items():
        first, last = getattr(member, block)
        if not 0 <= first <= last <= size:
            raise ModelError(
                f"The member {member.name} reads the {block} {first} to {last}, and there are "
                f"{size}."
            )
    return InputSpec(
        num_numbers=member.numbers[1] - member.numbers[0],
        cardinalities=spec.cardinalities[slice(*member.categories)],
        image_shape=spec.image_shape,
    )


def build(spec: InputSpec, head_size: int, settings: BlendSettings) -> Blend:
    """Build all members; see `Blend`."""
    return Blend(spec, head_size, settings)
