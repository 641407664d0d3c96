"""The picture of a range test: the loss over a rising learning rate, and the one taken."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from markupsafe import Markup

from deepwell.evaluation.drawing import Plot, Scale, element, joined, picture, tick_texts
from deepwell.evaluation.figures import HEIGHT, WIDTH


def range_test_figure(test: Mapping[str, Any]) -> Markup | None:
    """Draw what `--find-lr` tried, or return None where it was not asked for.

    Args:
        test: The contents of find_lr.json.
    """
    if not test:
        return None
    rates, losses, smoothed = test["rates"], test["losses"], test["smoothed"]
    y = _loss_scale(smoothed)
    left = 14 + 6.8 * max(len(text) for text in tick_texts(y.ticks()))
    x = Scale(rates[0], rates[-1], left, WIDTH - 14, is_log=True)
    plot = Plot(x, y, WIDTH, HEIGHT)

    def line(values: list[float], look: str) -> Markup:
        return plot.polyline(rates, [float(v) for v in np.clip(values, y.low, y.high)], look)

    return picture(
        WIDTH,
        HEIGHT,
        f"Line chart of the loss over the learning rate from {rates[0]:.2g} to {rates[-1]:.2g}. "
        f"Taken: {test['suggestion']:.2g}. {test['rule']}",
        plot.axes(),
        plot.titles(x="learning rate (log scale)", y="loss in the range test"),
        line(losses, "line faint"),
        line(smoothed, "line net"),
        _mark(plot, test["suggestion"], float(np.interp(test["suggestion"], rates, smoothed))),
    )


def _loss_scale(smoothed: list[float]) -> Scale:
    """Return a scale that shows the fall; of the rise at the end only the beginning."""
    first, low = float(np.mean(smoothed[:5])), min(smoothed)
    high = min(max(smoothed), first + 0.6 * (first - low))
    room = 0.06 * (high - low) or 1.0
    return Scale(low - room, high + room, HEIGHT - 48, 40)


def _mark(plot: Plot, rate: float, loss: float) -> Markup:
    x = plot.x(rate)
    is_left = x < (plot.x.start + plot.x.end) / 2
    place = x + (6 if is_left else -6)
    return joined(
        [
            element("line", class_="best", x1=x, x2=x, y1=plot.y.start, y2=plot.y.end),
            element("circle", class_="dot ring", cx=x, cy=plot.y(loss), r=4.5),
            element(
                "text",
                f"taken: {rate:.2g}",
                class_="mark" if is_left else "mark end",
                x=place,
                y=plot.y.start - 8,
            ),
        ]
    )
