"""The figures of the diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from deepwell.evaluation.diagnosis.flow_rules import gradients, later, spreads
from deepwell.evaluation.drawing import Plot, Scale, element, joined, picture, tick_texts
from deepwell.evaluation.figures import WIDTH, Line, curve, legend
from deepwell.evaluation.metrics import Metric
from deepwell.evaluation.numerals import count, number, percent
from deepwell.evaluation.record import Json

HEIGHT = 300.0


def growth_figure(measured: Json, metric: Metric) -> Markup:
    """Draw the error over the number of training rows, and where the curve leads.

    Args:
        measured: From `extrapolate`.
        metric: What was measured; of metrics that shall rise, the distance from 1 is drawn.
    """
    is_turned = metric.better == "higher"
    factor = 100.0 if metric.unit == "share" else 1.0
    unit = " (%)" if metric.unit == "share" else ""
    title = f"1 − {metric.title}" if is_turned else metric.title
    if metric.name == "accuracy":
        title = "wrong answers"
    plot = _growth_plot(measured, factor)
    last = measured["now"]["rows"]
    xs = np.geomspace(measured["rows"][0], measured["more"][-1]["rows"], 60)
    law = measured["floor"] + measured["scale"] * xs ** -measured["exponent"]
    inside, beyond = xs <= last, xs >= last
    parts = [plot.axes(), plot.titles(x="training rows", y=f"{title}{unit}")]
    parts.append(_band(plot, measured, factor))
    parts.append(plot.polyline(xs[inside].tolist(), (law[inside] * factor).tolist(), "line net"))
    parts.append(plot.polyline(xs[beyond].tolist(), (law[beyond] * factor).tolist(), "line plain"))
    parts += [_point(plot, *one) for one in _points(measured, factor)]
    parts.append(legend([Line("measured", [], [], "net"), Line("expected", [], [], "plain")]))
    return picture(WIDTH, HEIGHT, _growth_words(measured, title, factor), *parts)


def _growth_plot(measured: Json, factor: float) -> Plot:
    values = [v * factor for v in measured["errors"]]
    values += [one[end] * factor for one in measured["more"] for end in ("low", "high")]
    low, high = min(values), max(values)
    room = 0.08 * (high - low) or 0.05 * high
    low = 0.0 if 0 <= low < 0.35 * high else low - room
    y = Scale(low, high + room, HEIGHT - 48, 40)
    left = 14 + 6.8 * max(len(text) for text in tick_texts(y.ticks()))
    first, last = measured["rows"][0], measured["more"][-1]["rows"]
    x = Scale(first / 1.15, last * 1.1, left, WIDTH - 10, is_log=True)
    return Plot(x, y, WIDTH, HEIGHT)


def _band(plot: Plot, measured: Json, factor: float) -> Markup:
    """Draw the interval of what is expected."""
    ends = [measured["now"], *measured["more"]]
    above = [(plot.x(one["rows"]), plot.y(one["high"] * factor)) for one in ends]
    below = [(plot.x(one["rows"]), plot.y(one["low"] * factor)) for one in reversed(ends)]
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in [*above, *below])
    return element("polygon", class_="band", points=points)


def _points(measured: Json, factor: float) -> list[tuple[float, float, float]]:
    spread = measured.get("spread") or [0.0] * len(measured["rows"])
    return [
        (rows, error * factor, half * factor)
        for rows, error, half in zip(measured["rows"], measured["errors"], spread, strict=True)
    ]


def _point(plot: Plot, rows: float, error: float, half: float) -> Markup:
    x = plot.x(rows)
    bar = element(
        "line", class_="line net", x1=x, x2=x, y1=plot.y(error - half), y2=plot.y(error + half)
    )
    dot = element("circle", class_="dot net", cx=x, cy=plot.y(error), r=3.6)
    return joined([bar, dot])


def _growth_words(measured: Json, title: str, factor: float) -> str:
    said = [
        f"{count(rows)} rows: {number(error, 3)}" for rows, error, _ in _points(measured, factor)
    ]
    more = [
        f"{count(one['rows'])} rows: {number(one['error'] * factor, 3)}" for one in measured["more"]
    ]
    return (
        f"{title} over the number of training rows. Measured: {', '.join(said)}. "
        f"Expected: {', '.join(more)}."
    )


def error_bar(parts: Json) -> Markup:
    """Draw bias and variance as the parts of one bar."""
    is_squared = parts["kind"] == "squared"
    bias = "bias² and noise" if is_squared else "bias"
    shares = [(bias, parts["bias"], "plain"), ("variance", parts["variance"], "net")]
    total = sum(max(value, 0.0) for _, value, _ in shares) or 1.0
    start, height, drawn = 0.0, 96.0, list[Markup]()
    drawn.append(element("text", "What the error is made of", class_="axis", x=2, y=14))
    for name, value, look in shares:
        width = WIDTH * max(value, 0.0) / total
        drawn.append(
            element("rect", class_=f"piece {look}", x=start, y=26, width=width, height=30, rx=3)
        )
        text = f"{name} {percent(value / total, 0) if is_squared else percent(value)}"
        is_right = start > 0
        x = WIDTH - 2 if is_right else 2
        drawn.append(element("text", text, class_="tick end" if is_right else "tick", x=x, y=76))
        start += width
    said = ", ".join(f"{name} {percent(value / total, 0)}" for name, value, _ in shares)
    return picture(WIDTH, height, f"Bar of the error: {said}.", *drawn)


def flow_figure(looks: Sequence[Json]) -> list[Markup]:
    """Draw gradient and spread of each layer, from the input to the output, at the middle look."""
    if not looks:
        return []
    look: Any = later(looks)[len(later(looks)) // 2]
    figures: list[Markup] = []
    quantities = (
        (gradients(look), "gradient, a weight"),
        (spreads(look), "spread of what a layer gives out"),
    )
    for pairs, title in quantities:
        ys = [max(value, 1e-30) for _, value in pairs]
        if len(ys) > 1:
            xs = [float(index + 1) for index in range(len(ys))]
            lines = [Line("", xs, ys, "net")]
            figures.append(curve(lines, title=title, x_title="layer, from the input"))
    return figures
