"""The pencil of the figures: SVG elements, scales and axes. Colours come from the style sheet."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from deepwell.evaluation.numerals import decimals_for, fixed, number

SPAN = 1e4
"""Ratio of the ends of an axis from which on one precision cannot show both."""

Attribute = str | float | int


def element(name: str, *children: Markup | str, **attributes: Attribute) -> Markup:
    """Return an element as text; children and attributes are escaped.

    An underscore in an attribute's name is written as a hyphen, one at the end is dropped.

    Example:
        >>> str(element("text", "a < b", x=1.25, class_="tick"))
        '<text x="1.25" class="tick">a &lt; b</text>'
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(_plain(value))}"'
        for key, value in attributes.items()
    )
    if not children:
        return Markup(f"<{name}{written}/>")
    inner = "".join(escape(child) for child in children)
    return Markup(f"<{name}{written}>{inner}</{name}>")


def _plain(value: Attribute) -> str:
    if isinstance(value, str):
        return value
    return f"{value:.2f}".rstrip("0").rstrip(".")


def joined(parts: Sequence[Markup]) -> Markup:
    """Put elements one after the other."""
    return Markup("").join(parts)


@dataclass(frozen=True)
class Scale:
    """Maps values to pixels.

    Args:
        low: Smallest value shown.
        high: Largest value shown.
        start: Pixel of `low`.
        end: Pixel of `high`.
        is_log: Equal distances are equal ratios.
        is_whole: There is nothing between whole numbers, such as epochs.

    Example:
        >>> Scale(0, 10, 0, 100)(2.5)
        25.0
        >>> Scale(0, 10, 0, 100).ticks()
        [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False
    is_whole: bool = False

    def __call__(self, value: float) -> float:
        """Return the pixel of a value."""
        low, high = self.low, self.high
        if self.is_log:
            low, high, value = math.log(low), math.log(high), math.log(max(value, 1e-300))
        share = (value - low) / (high - low) if high > low else 0.5
        return self.start + share * (self.end - self.start)

    def ticks(self, most: int = 6) -> list[float]:
        """Return round values inside the scale, at most so many."""
        if self.is_log:
            return log_ticks(self.low, self.high, most)
        ticks = round_ticks(self.low, self.high, most)
        return [tick for tick in ticks if tick == round(tick)] if self.is_whole else ticks


def round_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return multiples of 1, 2 or 5 (times a power of ten) from low to high.

    Example:
        >>> round_ticks(0.03, 1.02)
        [0.2, 0.4, 0.6, 0.8, 1.0]
    """
    if not high > low:
        return [low]
    power = 10.0 ** math.floor(math.log10((high - low) / most))
    for step in (power, 2 * power, 5 * power, 10 * power, 20 * power):
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            break
    places = max(0, -math.floor(math.log10(step)))
    return [round(index * step, places) for index in range(first, last + 1)]


def log_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Return powers of ten, with 2 and 5 between them where there is room."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for factors in ((1, 2, 5), (1, 3), (1,)):
        values = [factor * 10.0**power for power in powers for factor in factors]
        inside = [value for value in values if low * 0.999 <= value <= high * 1.001]
        if len(inside) <= most:
            return inside
    return inside[:: math.ceil(len(inside) / most)]


def tick_texts(ticks: Sequence[float]) -> list[str]:
    """Write the values of an axis with one precision.

    Example:
        >>> tick_texts([0.0, 0.25, 0.5]), tick_texts([0.0, 20000.0]), tick_texts([2e6, 2.5e6])
        (['0', '0.25', '0.5'], ['0', '20k'], ['2M', '2.5M'])
        >>> tick_texts([1e-7, 1e-5, 1e-3, 0.1, 10.0])
        ['10⁻⁷', '10⁻⁵', '0.001', '0.1', '10']
    """
    largest = max((abs(tick) for tick in ticks), default=0.0)
    smallest = min((abs(tick) for tick in ticks if tick), default=largest)
    if (
        smallest <= 1.001 * largest / SPAN
    ):  # on a logarithmic axis each value has a precision of its own
        return [_power(tick) for tick in ticks]
    if largest >= 1e12 or largest < 1e-3:
        return [number(tick) for tick in ticks]
    for least, unit, letter in ((1e9, 1e9, "bn"), (1e6, 1e6, "M"), (1e4, 1e3, "k")):
        if largest >= least:
            return [f"{number(tick / unit)}{letter if tick else ''}" for tick in ticks]
    return [_bare(fixed(tick, max(decimals_for(largest, digits=6), 0))) for tick in ticks]


def _power(tick: float) -> str:
    """Write a value of a long logarithmic axis, powers of ten without a factor of one."""
    if 1e-3 <= tick < 1e4:
        return number(tick)
    return number(tick) if tick >= 1e4 else number(tick, 1).removeprefix("1 × ")


def _bare(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


@dataclass(frozen=True)
class Plot:
    """The area between two axes.

    Args:
        x: Scale from left to right.
        y: Scale from bottom to top (its `start` is the larger pixel).
        width: Of the whole figure, in units of the drawing.
        height: Of the whole figure.
    """

    x: Scale
    y: Scale
    width: float
    height: float

    def axes(self) -> Markup:
        """Draw grid lines and the values beside them."""
        parts: list[Markup] = []
        left, right, bottom = self.x.start, self.x.end, self.y.start
        ticks = self.y.ticks()
        for tick, text in zip(ticks, tick_texts(ticks), strict=True):
            y = self.y(tick)
            parts.append(element("line", class_="grid", x1=left, x2=right, y1=y, y2=y))
            parts.append(element("text", text, class_="tick end", x=left - 8, y=y + 4))
        parts.append(element("line", class_="base", x1=left, x2=right, y1=bottom, y2=bottom))
        for tick, text in zip(*self._x_ticks(), strict=True):
            x = self.x(tick)
            parts.append(element("line", class_="base", x1=x, x2=x, y1=bottom, y2=bottom + 4))
            parts.append(element("text", text, class_="tick mid", x=x, y=bottom + 18))
        return joined(parts)

    def _x_ticks(self) -> tuple[list[float], list[str]]:
        """Return as many values as fit beside each other."""
        ticks, texts = self.x.ticks(), tick_texts(self.x.ticks())
        for most in (5, 4, 3):
            if 6.8 * sum(len(text) for text in texts) < 0.6 * (self.x.end - self.x.start):
                break
            ticks = self.x.ticks(most)
            texts = tick_texts(ticks)
        return ticks, texts

    def titles(self, *, x: str = "", y: str = "") -> Markup:
        """Write what the axes are: y above the plot, x below its middle."""
        middle = (self.x.start + self.x.end) / 2
        parts = [element("text", y, class_="axis", x=2, y=14)] if y else []
        if x:
            parts.append(element("text", x, class_="axis mid", x=middle, y=self.y.start + 38))
        return joined(parts)

    def polyline(self, xs: Sequence[float], ys: Sequence[float], class_: str) -> Markup:
        """Draw a line through the points."""
        points = " ".join(
            f"{_plain(self.x(a))},{_plain(self.y(b))}" for a, b in zip(xs, ys, strict=True)
        )
        return element("polyline", class_=class_, points=points)


def picture(
    width: float, height: float, description: str, *children: Markup, class_: str = "figure"
) -> Markup:
    """Wrap a drawing; the description is read to people who cannot see it."""
    return element(
        "svg",
        *children,
        class_=class_,
        viewBox=f"0 0 {_plain(width)} {_plain(height)}",
        role="img",
        aria_label=description,
    )
