"""Drawings that stretch with their place: an interval in a table, the bar of a split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from deepwell.evaluation.drawing import Scale, element, tick_texts
from deepwell.evaluation.numerals import THIN, count

EDGE = 10
"""Percent of the width in which a value would not fit when it is centred on its line."""


@dataclass(frozen=True)
class Span:
    """A value with its interval, for a track.

    Args:
        value: The dot.
        low: Left end of the interval, or None.
        high: Right end of the interval, or None.
        is_net: Drawn in the accent colour.
    """

    value: float
    low: float | None = None
    high: float | None = None
    is_net: bool = False

    @property
    def ends(self) -> tuple[float, float]:
        """The interval, or the value twice."""
        low = self.value if self.low is None else self.low
        high = self.value if self.high is None else self.high
        return low, high


def track_scale(spans: Sequence[Span], threshold: float | None = None) -> Scale:
    """Return a scale in percent of the width; one value far from the others is left outside."""
    ends = sorted(end for span in spans for end in span.ends)
    net = [end for span in spans if span.is_net for end in span.ends]
    values = sorted(abs(span.value) for span in spans)
    if len(values) > 2 and values[-1] > 8 * values[-2] > 0:
        ends = [end for end in ends if abs(end) <= 1.5 * values[-2]] + net
    low, high = min(ends), max(ends)
    if threshold is not None and abs(threshold) <= 4 * max(abs(low), abs(high)):
        low, high = min(low, threshold), max(high, threshold)
    room = 0.05 * (high - low) or 0.05 * abs(high) or 1.0
    return Scale(low - room, high + room, 0, 100)


def track(span: Span, scale: Scale, *, described: str, threshold: float | None = None) -> Markup:
    """Draw a dot with its interval on a line of any width.

    Args:
        span: What is drawn.
        scale: From `track_scale`.
        described: The same in words.
        threshold: A value to mark on the line, or None.
    """
    look = "net" if span.is_net else "plain"
    parts = [_upright(scale, tick, "grid") for tick in scale.ticks(4)]
    if threshold is not None and scale.low <= threshold <= scale.high:
        parts.append(_upright(scale, threshold, "goal"))
    if not scale.low <= span.value <= scale.high:
        parts.append(_off_scale(is_right=span.value > scale.high))
        return _strip(described, parts)
    if span.ends[1] > span.ends[0]:
        low, high = (min(max(scale(end), 0.0), 100.0) for end in span.ends)
        parts.append(
            element(
                "rect",
                class_=f"span {look}",
                x=f"{low:.2f}%",
                y="50%",
                width=f"{high - low:.2f}%",
                height="14",
                rx="3",
                transform="translate(0 -7)",
            )
        )
    parts.append(
        element("circle", class_=f"dot {look}", cx=f"{scale(span.value):.2f}%", cy="50%", r=5)
    )
    return _strip(described, parts)


def _upright(scale: Scale, value: float, class_: str) -> Markup:
    x = f"{scale(value):.2f}%"
    return element("line", class_=class_, x1=x, x2=x, y1="0", y2="100%")


def _off_scale(*, is_right: bool) -> Markup:
    text = "off the scale →" if is_right else "← off the scale"
    return element(
        "text",
        text,
        class_="tick end" if is_right else "tick",
        x="100%" if is_right else "0",
        y="62%",
    )


def _strip(described: str, parts: Sequence[Markup]) -> Markup:
    return element("svg", *parts, class_="track", role="img", aria_label=described)


def track_axis(scale: Scale, *, in_percent: bool = False) -> Markup:
    """Write the values below a column of tracks."""
    unit = f"{THIN}%" if in_percent else ""
    ticks = scale.ticks(4)
    texts = tick_texts([100 * tick for tick in ticks] if in_percent else ticks)
    parts = [
        element(
            "text", f"{text}{unit}", class_=_anchor(scale(tick)), x=f"{scale(tick):.2f}%", y="14"
        )
        for tick, text in zip(ticks, texts, strict=True)
    ]
    return element("svg", *parts, class_="track-axis", aria_hidden="true")


def _anchor(place: float) -> str:
    """Return where a value stands beside its line: at the edges inside, or it would be cut off."""
    return "tick" if place < EDGE else "tick end" if place > 100 - EDGE else "tick mid"


def split_bar(parts: Sequence[tuple[str, int]]) -> Markup:
    """Draw the rows of each part of a split as one bar.

    Args:
        parts: Name and number of rows.
    """
    total = sum(rows for _, rows in parts) or 1
    start, drawn = 0.0, []
    for index, (_, rows) in enumerate(parts):
        share = 100 * rows / total
        drawn.append(
            element(
                "rect",
                class_=f"part{index}",
                x=f"{start:.3f}%",
                y="0",
                width=f"{share:.3f}%",
                height="100%",
            )
        )
        start += share
    said = ", ".join(f"{name} {count(rows)}" for name, rows in parts)
    return element("svg", *drawn, class_="split-bar", role="img", aria_label=f"Rows: {said}.")
