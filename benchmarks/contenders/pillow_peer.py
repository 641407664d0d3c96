"""Pillow: one picture at a time, as the transforms of torchvision do it. Bytes in, bytes out."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageEnhance

from benchmarks.harness import Sample
from benchmarks.pace import Bytes, coloured, grey, pace
from benchmarks.pictures import Pictures

LINEAR = Image.Resampling.BILINEAR


def geometry(pictures: Pictures, seed: int) -> Sample:
    """Mirror, crop and turn small grey pictures."""
    draw = random.Random(seed)

    def change(picture: Image.Image) -> Image.Image:
        if draw.random() < 0.5:
            picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        width, height = picture.size
        area, ratio = draw.uniform(0.7, 1.0), draw.uniform(0.87, 1.15)
        wide, tall = min(1.0, (area * ratio) ** 0.5), min(1.0, (area / ratio) ** 0.5)
        left, top = draw.uniform(0, 1 - wide) * width, draw.uniform(0, 1 - tall) * height
        box = (left, top, left + wide * width, top + tall * height)
        picture = picture.resize(picture.size, LINEAR, box=box)
        return picture.rotate(draw.uniform(-15, 15), LINEAR)

    return _pace(change, grey(pictures))


def colour(pictures: Pictures, seed: int) -> Sample:
    """Change the colours."""
    draw = random.Random(seed)

    def change(picture: Image.Image) -> Image.Image:
        for enhance in (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color):
            picture = enhance(picture).enhance(draw.uniform(0.6, 1.4))
        hue, saturation, value = picture.convert("HSV").split()
        turn = np.uint8(draw.randrange(-25, 26) % 256)
        hue = Image.fromarray(np.asarray(hue) + turn)
        return Image.merge("HSV", (hue, saturation, value)).convert("RGB")

    return _pace(change, coloured(pictures))


def _pace(change: Callable[[Image.Image], Image.Image], before: Bytes) -> Sample:
    lines = [np.ascontiguousarray(one.transpose(1, 2, 0)).squeeze() for one in before]

    def run() -> Bytes:
        changed = [np.asarray(change(Image.fromarray(one))) for one in lines]
        stack = np.stack(changed)
        return stack[:, None] if stack.ndim == 3 else stack.transpose(0, 3, 1, 2)

    return pace(run, before)
