"""The figures of the report: small SVG whose colours follow the reader's light or dark mode.

Each figure is 400 units wide, so that its letters have the same size beside each other on a wide
screen and alone on a phone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from deepwell.evaluation.drawing import Plot, Scale, element, joined, picture, tick_texts
from deepwell.evaluation.numerals import number, percent, plural, shortened

WIDTH = 400.0
HEIGHT = 280.0
MOST_POINTS = 400
"""A line with more points than this is thinned: a screen shows no more."""


@dataclass(frozen=True)
class Line:
    """A line of a learning curve.

    Args:
        name: What the legend says; empty for a line without an entry.
        xs: Epochs.
        ys: Values, one an epoch.
        look: "net" (the accent colour), "plain" (grey) or "faint" (thin, in the background).
    """

    name: str
    xs: Sequence[float]
    ys: Sequence[float]
    look: str = "net"


def curve(
    lines: Sequence[Line],
    *,
    title: str,
    x_title: str = "epoch",
    best: float | None = None,
    may_be_log: bool = True,
) -> Markup:
    """Draw values over epochs; the best epoch is marked.

    Args:
        lines: At least one, drawn in this order.
        title: What is drawn, written above the axis.
        x_title: What the horizontal axis counts.
        best: The epoch whose weights were kept, or None.
        may_be_log: Whether the vertical axis may be logarithmic; else it begins near zero.
    """
    shown = [line for line in lines if line.look != "faint"] or list(lines)
    y = _value_scale([value for line in shown for value in line.ys], may_be_log=may_be_log)
    xs = [x for line in lines for x in line.xs]
    plot = Plot(_epoch_scale(xs, _margin(y)), y, WIDTH, HEIGHT)
    parts = [plot.axes(), plot.titles(x=x_title, y=title + (" (log scale)" if y.is_log else ""))]
    parts.append(legend([line for line in lines if line.name]))
    parts.extend(_line(plot, line) for line in lines)
    if best is not None and min(xs) <= best <= max(xs):
        parts.append(_best(plot, shown[-1], best))
    return picture(WIDTH, HEIGHT, _spoken(title, shown, best), *parts)


def _value_scale(values: Sequence[float], *, may_be_log: bool) -> Scale:
    low, high = min(values), max(values)
    # a logarithm is for values that spread, not for a rate that ends next to zero
    usual_low, usual_high = np.quantile(values, [0.1, 0.9])
    if may_be_log and low > 0 and usual_high / usual_low > 30:
        return Scale(low / 1.15, high * 1.15, HEIGHT - 48, 40, is_log=True)
    if 0 <= low < 0.35 * high:
        low = 0.0
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return Scale(low - room if low != 0 else 0.0, high + room, HEIGHT - 48, 40)


def _epoch_scale(xs: Sequence[float], left: float) -> Scale:
    low, high = min(xs), max(xs)
    room = 0.02 * (high - low) or 0.5
    return Scale(low - room, high + room, left, WIDTH - 10, is_whole=True)


def _margin(y: Scale) -> float:
    """Return the room that the values of the vertical axis need."""
    longest = max((len(text) for text in tick_texts(y.ticks())), default=1)
    return 14 + 6.8 * longest


def _thin(line: Line) -> tuple[list[float], list[float]]:
    step = max(1, -(-len(line.xs) // MOST_POINTS))
    kept = sorted({*range(0, len(line.xs), step), len(line.xs) - 1})
    return [line.xs[i] for i in kept], [line.ys[i] for i in kept]


def _line(plot: Plot, line: Line) -> Markup:
    xs, ys = _thin(line)
    low, high = sorted((plot.y.low, plot.y.high))
    drawn = plot.polyline(xs, [min(max(value, low), high) for value in ys], f"line {line.look}")
    if len(xs) > 12 or line.look == "faint":
        return drawn
    dots = [
        element("circle", class_=f"dot {line.look}", cx=plot.x(x), cy=plot.y(y), r=3)
        for x, y in zip(xs, ys, strict=True)
    ]
    return joined([drawn, *dots])


def _best(plot: Plot, line: Line, best: float) -> Markup:
    x = plot.x(best)
    y = float(np.interp(best, line.xs, line.ys))
    is_left = x < (plot.x.start + plot.x.end) / 2
    side = "mark" if is_left else "mark end"
    return joined(
        [
            element("line", class_="best", x1=x, x2=x, y1=plot.y.start, y2=plot.y.end),
            element("circle", class_="dot ring", cx=x, cy=plot.y(y), r=4.5),
            element(
                "text",
                f"best: epoch {best:g}",
                class_=side,
                x=x + (6 if is_left else -6),
                y=plot.y.end - 5,
            ),
        ]
    )


def legend(lines: Sequence[Line]) -> Markup:
    """Name the lines at the upper right."""
    parts: list[Markup] = []
    right = WIDTH - 10
    for line in reversed(lines):
        start = right - 6.4 * len(line.name) - 22
        parts.append(
            element("line", class_=f"line {line.look}", x1=start, x2=start + 16, y1=10, y2=10)
        )
        parts.append(element("text", line.name, class_="tick", x=start + 21, y=14))
        right = start - 12
    return joined(parts)


def _spoken(title: str, lines: Sequence[Line], best: float | None) -> str:
    said = [
        f"{line.name or title}: from {number(line.ys[0])} to {number(line.ys[-1])}, "
        f"lowest {number(min(line.ys))}, highest {number(max(line.ys))}"
        for line in lines
    ]
    end = f" The best epoch is {best:g}." if best is not None else ""
    return f"Line chart of the {title} over the epochs. {'; '.join(said)}.{end}"


def scatter(actual: NDArray[Any], predicted: NDArray[Any], *, target: str) -> Markup:
    """Draw predicted against actual values; on the diagonal the net is right.

    Args:
        actual: True values, shape (rows,).
        predicted: The net's answers, shape (rows,).
        target: Name of the target.
    """
    low, high = usual_range(np.concatenate([actual, predicted]))
    height = 380.0
    y = Scale(low, high, height - 48, 34)
    plot = Plot(Scale(low, high, _margin(y), WIDTH - 12), y, WIDTH, height)
    inside = (actual >= low) & (actual <= high) & (predicted >= low) & (predicted <= high)
    dots = [
        element("circle", cx=round(plot.x(a), 1), cy=round(plot.y(b), 1), r=2.6)
        for a, b in zip(actual[inside], predicted[inside], strict=True)
    ]
    name = shortened(target, 30)
    diagonal = element(
        "line", class_="ideal", x1=plot.x(low), y1=plot.y(low), x2=plot.x(high), y2=plot.y(high)
    )
    spoken = (
        f"Scatter plot of {plural(len(actual), 'test row')}: predicted {target} against actual "
        f"{target}. Correlation {number(_correlation(actual, predicted), 3)}."
    )
    return picture(
        WIDTH,
        height,
        spoken,
        plot.axes(),
        plot.titles(x=f"actual {name}", y=f"predicted {name}"),
        element("g", *dots, class_="cloud"),
        diagonal,
    )


def _correlation(first: NDArray[Any], second: NDArray[Any]) -> float | None:
    if len(first) < 2 or float(np.ptp(first)) == 0 or float(np.ptp(second)) == 0:
        return None
    return float(np.corrcoef(first, second)[0, 1])


def usual_range(values: NDArray[Any]) -> tuple[float, float]:
    """Return a range that shows nearly all values and is not ruined by a few far ones.

    Example:
        >>> usual_range(np.array([0.0, 10.0]))
        (-0.4, 10.4)
    """
    low, high = float(values.min()), float(values.max())
    if len(values) >= 50:
        near, far = (float(edge) for edge in np.quantile(values, [0.01, 0.99]))
        reach = 2 * (far - near)
        if reach > 0:
            low, high = max(low, near - reach), min(high, far + reach)
    room = 0.04 * (high - low) or abs(high) * 0.1 or 1.0
    return low - room, high + room


def histogram(errors: NDArray[Any], *, target: str) -> Markup:
    """Draw how the errors (predicted − actual) are spread.

    Args:
        errors: Shape (rows,), in the units of the target.
        target: Name of the target.
    """
    height = 380.0
    low, high = usual_range(errors)
    counts, edges = np.histogram(errors, bins=_edges(low, high))
    y = Scale(0, float(counts.max()) * 1.06 or 1.0, height - 48, 34)
    room = float(edges[1] - edges[0]) / 2
    x = Scale(float(edges[0]) - room, float(edges[-1]) + room, _margin(y), WIDTH - 12)
    plot = Plot(x, y, WIDTH, height)
    bars = [
        _bar(plot, float(start), float(end), int(amount))
        for start, end, amount in zip(edges[:-1], edges[1:], counts, strict=True)
        if amount
    ]
    zero = plot.x(0.0)
    middle, spread = float(np.median(errors)), np.quantile(errors, [0.05, 0.95])
    spoken = (
        f"Histogram of the errors. The median error is {number(middle)}; nine of ten lie between "
        f"{number(float(spread[0]))} and {number(float(spread[1]))}."
    )
    return picture(
        WIDTH,
        height,
        spoken,
        plot.axes(),
        plot.titles(x=f"error: predicted − actual {shortened(target, 22)}", y="test rows"),
        element("g", *bars, class_="bars"),
        element("line", class_="ideal", x1=zero, x2=zero, y1=plot.y.start, y2=plot.y.end),
    )


def _edges(low: float, high: float) -> NDArray[np.float64]:
    """Return about 30 edges of which one is zero, so that no bar mixes too low with too high."""
    low, high = min(low, 0.0), max(high, 0.0)
    width = (high - low) / 28
    return np.arange(np.floor(low / width), np.ceil(high / width) + 1) * width


def _bar(plot: Plot, start: float, end: float, amount: int) -> Markup:
    left, right, top = plot.x(start), plot.x(end), plot.y(amount)
    return element(
        "rect",
        element("title", f"{number(start, 3)} to {number(end, 3)}: {plural(amount, 'row')}"),
        x=left + 0.5,
        y=top,
        width=max(right - left - 1, 0.5),
        height=plot.y.start - top,
    )


def reliability(bins: Sequence[Mapping[str, Any]], *, stated: str, observed: str) -> Markup:
    """Draw what came true against the probability that was stated.

    Args:
        bins: `predicted` and `observed` (shares of 1) and `count`; empty bins are left out.
        stated: What the horizontal axis is.
        observed: What the vertical axis is.
    """
    height = 380.0
    filled = [one for one in bins if one["count"]]
    y = Scale(0, 100, height - 48, 34)
    plot = Plot(Scale(0, 100, 44, WIDTH - 12), y, WIDTH, height)
    most = max((one["count"] for one in filled), default=1)
    xs, ys = [100 * one["predicted"] for one in filled], [100 * one["observed"] for one in filled]
    dots = [
        element(
            "circle",
            element("title", _bin_text(one)),
            class_="bubble",
            cx=plot.x(100 * one["predicted"]),
            cy=plot.y(100 * one["observed"]),
            r=4 + 8 * (one["count"] / most) ** 0.5,
        )
        for one in filled
    ]
    return picture(
        WIDTH,
        height,
        "Reliability diagram. " + " ".join(_bin_text(one) for one in filled),
        plot.axes(),
        plot.titles(x=stated, y=observed),
        element("line", class_="ideal", x1=plot.x(0), y1=plot.y(0), x2=plot.x(100), y2=plot.y(100)),
        plot.polyline(xs, ys, "line net"),
        *dots,
    )


def _bin_text(one: Mapping[str, Any]) -> str:
    return (
        f"{percent(one['predicted'], 0)} sure: {percent(one['observed'], 0)} of "
        f"{plural(one['count'], 'row')}."
    )
