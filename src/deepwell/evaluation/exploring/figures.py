"""The pictures of an exploration, as SVG whose colours follow the reader's light or dark mode."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from deepwell.evaluation.drawing import Plot, Scale, element, picture, tick_texts
from deepwell.evaluation.figures import HEIGHT, WIDTH, usual_range
from deepwell.evaluation.means import Floats
from deepwell.evaluation.numerals import number, percent, plural

MOST_BARS = 15
COLOURS = 10


def choice_curve(
    ks: Sequence[int],
    values: Sequence[float],
    *,
    title: str,
    chosen: int | None,
    errors: Sequence[float] | None = None,
) -> Markup:
    """Draw a measure over the number of clusters; what it chooses is marked.

    Args:
        ks: Numbers of clusters.
        values: The measure for each.
        title: What is drawn.
        chosen: The number that the measure speaks for, or None.
        errors: Half of the length of a bar at each point, or None.
    """
    reach = list(errors) if errors is not None else [0.0] * len(values)
    low = min(v - e for v, e in zip(values, reach, strict=True))
    high = max(v + e for v, e in zip(values, reach, strict=True))
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    low = 0.0 if 0 <= low < 0.35 * high else low - room
    y = Scale(low, high + room, HEIGHT - 48, 40)
    plot = Plot(Scale(min(ks) - 0.4, max(ks) + 0.4, _left(y), WIDTH - 10), y, WIDTH, HEIGHT)
    parts = [plot.axes(), plot.titles(x="number of clusters", y=title)]
    for k, value, error in zip(ks, values, reach, strict=True):
        if error:
            ends = {"y1": plot.y(value - error), "y2": plot.y(value + error)}
            parts.append(element("line", class_="base", x1=plot.x(k), x2=plot.x(k), **ends))
    parts.append(plot.polyline(list(ks), list(values), "line net"))
    parts += [
        element(
            "circle",
            element("title", f"{k}: {number(value, 3)}"),
            class_="dot ring" if k == chosen else "dot net",
            cx=plot.x(k),
            cy=plot.y(value),
            r=6 if k == chosen else 3.5,
        )
        for k, value in zip(ks, values, strict=True)
    ]
    said = ", ".join(f"{k}: {number(v, 3)}" for k, v in zip(ks, values, strict=True))
    end = f" It speaks for {plural(chosen, 'cluster')}." if chosen is not None else ""
    return picture(WIDTH, HEIGHT, f"Line chart of {title} by clusters: {said}.{end}", *parts)


def _left(y: Scale) -> float:
    return 14 + 6.8 * max((len(text) for text in tick_texts(y.ticks())), default=1)


def variance_bars(explained: Sequence[float]) -> Markup:
    """Draw the share of the variance along each direction, and their sum as a line.

    Args:
        explained: Shares, the largest first.
    """
    shown = list(explained[:MOST_BARS])
    y = Scale(0, 100, HEIGHT - 48, 40)
    plot = Plot(Scale(0.3, len(shown) + 0.7, _left(y), WIDTH - 10), y, WIDTH, HEIGHT)
    width = 0.7 * (plot.x(2) - plot.x(1))
    bars = [
        element(
            "rect",
            element("title", f"direction {i}: {percent(share)}"),
            x=plot.x(i) - width / 2,
            y=plot.y(100 * share),
            width=width,
            height=plot.y.start - plot.y(100 * share),
        )
        for i, share in enumerate(shown, 1)
    ]
    total = np.cumsum(shown) * 100
    spoken = (
        f"Bar chart of the variance along {plural(len(shown), 'direction')}: "
        f"{', '.join(percent(share) for share in shown)}; together {percent(sum(shown))}."
    )
    return picture(
        WIDTH,
        HEIGHT,
        spoken,
        plot.axes(),
        plot.titles(x="direction", y="variance (%); line: together"),
        element("g", *bars, class_="bars"),
        plot.polyline(list(range(1, len(shown) + 1)), [float(t) for t in total], "line plain"),
    )


def map_of_rows(places: Floats, labels: NDArray[np.int64], explained: Sequence[float]) -> Markup:
    """Draw the rows along the two main directions, coloured by cluster.

    Args:
        places: Shape (rows, 2).
        labels: Cluster of each row.
        explained: Share of the variance along each direction.
    """
    height, width = 420.0, 640.0
    x_range, y_range = usual_range(places[:, 0]), usual_range(places[:, 1])
    y = Scale(*y_range, height - 48, 34)
    plot = Plot(Scale(*x_range, _left(y), width - 12), y, width, height)
    layers: list[Markup] = []
    for label in range(int(labels.max(initial=0)) + 1):
        dots = [
            element("circle", cx=round(plot.x(a), 1), cy=round(plot.y(b), 1), r=3)
            for a, b in places[labels == label]
            if x_range[0] <= a <= x_range[1] and y_range[0] <= b <= y_range[1]
        ]
        layers.append(element("g", *dots, class_=f"points c{label % COLOURS}"))
    titles = [
        f"direction {i + 1} ({percent(share, 0)})" for i, share in enumerate([*explained, 0.0][:2])
    ]
    spoken = (
        f"Map of {plural(len(places), 'row')} along the two directions in which they differ most, "
        "coloured by cluster."
    )
    titled = plot.titles(x=titles[0], y=titles[1])
    return picture(width, height, spoken, plot.axes(), titled, *layers, class_="figure map")
