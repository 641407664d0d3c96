"""The picture that shows one piece of clothing under each change that training may make to it."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from markupsafe import Markup
from PIL import Image
from torch import Tensor

from deepwell.data import DataSettings, read
from deepwell.evaluation.drawing import element, joined, picture
from deepwell.nn.augment import AugmentSettings, augmentation

ROOT = Path(__file__).parents[1]
WHICH, SEED = 1, 5
"""The picture among the clothes, and what decides the changes."""
SIDE, GAP, NAME, COPIES = 60, 6, 150, 4
COLOURS = (0.25, 0.55, 0.85)
"""How strongly a grey picture is dyed red, green and blue, so that changes of colour show."""
ROWS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("as it is", {}),
    ("flip", {"flip": True}),
    ("flip_vertical", {"flip_vertical": True}),
    ("shift=0.2", {"shift": 0.2}),
    ("rotate=30", {"rotate": 30}),
    ("scale=0.4", {"scale": 0.4}),
    ("shear=25", {"shear": 25}),
    ("crop=0.5", {"crop": 0.5}),
    ("brightness=0.6", {"brightness": 0.6}),
    ("contrast=0.8", {"contrast": 0.8}),
    ("saturation=1", {"saturation": 1.0}),
    ("hue=90", {"hue": 90}),
    ("blur=0.08", {"blur": 0.08}),
    ("noise=0.2", {"noise": 0.2}),
    ("cutout=0.6", {"cutout": 0.6}),
    ("preset=light", {"preset": "light"}),
    ("preset=medium", {"preset": "medium"}),
    ("preset=strong", {"preset": "strong"}),
)


def changes() -> Markup:
    """Draw a table of names and copies, in two columns."""
    original = dyed()
    half = -(-len(ROWS) // 2)
    width = NAME + COPIES * (SIDE + GAP) + 20
    parts: list[Markup] = []
    for index, (name, settings) in enumerate(ROWS):
        x, y = width * (index // half), (SIDE + GAP) * (index % half)
        parts.append(element("text", name, class_="name", x=x, y=y + SIDE / 2 + 5))
        for column, changed in enumerate(copies(original, settings)):
            place = {"x": x + NAME + column * (SIDE + GAP), "y": y}
            parts.append(element("image", href=as_png(changed), width=SIDE, height=SIDE, **place))
    names = ", ".join(name for name, _ in ROWS[1:])
    spoken = f"One picture of clothes under each change to training pictures: {names}."
    return picture(2 * width - 20, half * (SIDE + GAP), spoken, joined(parts))


def dyed() -> Tensor:
    """Return a picture of clothes in colour, (3, 28, 28)."""
    table = read(ROOT / "examples" / "clothes", DataSettings()).table
    grey = torch.tensor(np.asarray(table["image"])[WHICH]).reshape(28, 28).float()
    ground = torch.tensor([150.0, 165.0, 175.0]).view(3, 1, 1)
    cloth = 255 * torch.tensor(COLOURS).view(3, 1, 1) * (0.35 + grey / 390)
    return torch.where(grey > 8, cloth, ground).clamp(0, 255).round().to(torch.uint8)


def copies(original: Tensor, settings: dict[str, Any]) -> Iterator[Tensor]:
    """Return changed copies; of what is as it is, one."""
    augment = augmentation(AugmentSettings(**settings), (3, 28, 28))
    if augment is None:
        yield original
        return
    batch = original.expand(COPIES, 3, 28, 28)
    yield from augment((batch,), torch.Generator().manual_seed(SEED))[0]


def as_png(image: Tensor) -> str:
    """Return a picture as the address of itself."""
    large = Image.fromarray(image.permute(1, 2, 0).contiguous().numpy())
    file = io.BytesIO()
    large.save(file, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(file.getvalue()).decode()
