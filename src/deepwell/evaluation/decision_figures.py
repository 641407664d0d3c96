"""Figures of the decision: probabilities before and after, precision and recall by threshold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from deepwell.evaluation.drawing import Plot, Scale, element, joined, picture
from deepwell.evaluation.figures import WIDTH, Line, legend
from deepwell.evaluation.numerals import percent

HEIGHT = 320.0
LEFT = 44.0


def reliability_pair(
    before: Sequence[Mapping[str, Any]],
    after: Sequence[Mapping[str, Any]],
    *,
    stated: str,
    observed: str,
) -> Markup:
    """Draw what came true against what was stated, before and after calibration.

    Args:
        before: `predicted` and `observed` (shares of 1) and `count` of each bin.
        after: The same after calibration.
        stated: What the horizontal axis is.
        observed: What the vertical axis is.
    """
    plot = _plot()
    pair = [_bins("before", before, "plain"), _bins("after", after, "net")]
    spoken = " ".join(
        f"{line.name.capitalize()}: "
        + ", ".join(f"{x:.0f} % stated, {y:.0f} % observed" for x, y in _points(line))
        + "."
        for line in pair
    )
    corner = element(
        "line", class_="ideal", x1=plot.x(0), y1=plot.y(0), x2=plot.x(100), y2=plot.y(100)
    )
    return picture(
        WIDTH,
        HEIGHT,
        f"Reliability before and after calibration. {spoken}",
        plot.axes(),
        plot.titles(x=stated, y=observed),
        legend(pair),
        corner,
        *(_drawn(plot, line, has_dots=True) for line in pair),
    )


def precision_and_recall(curve: Mapping[str, Any], *, stated: str) -> Markup:
    """Draw precision and recall over the threshold, with the chosen one.

    Args:
        curve: `threshold`, `precision` and `recall` from the highest threshold to the lowest, and
            `chosen`, as in evaluation.json.
        stated: What the threshold is compared with.
    """
    plot, chosen = _plot(), curve["chosen"]
    xs = [100 * value for value in curve["threshold"]]
    pair = [
        Line("precision", xs, [100 * value for value in curve["precision"]], "net"),
        Line("recall", xs, [100 * value for value in curve["recall"]], "plain"),
    ]
    x = plot.x(100 * chosen["threshold"])
    is_left = x < (plot.x.start + plot.x.end) / 2
    dots = [
        element("circle", class_=f"dot {line.look}", cx=x, cy=plot.y(100 * chosen[line.name]), r=5)
        for line in pair
    ]
    label = element(
        "text",
        f"threshold {percent(chosen['threshold'])}",
        class_="mark" if is_left else "mark end",
        x=x + (6 if is_left else -6),
        y=plot.y.start - 8,
    )
    spoken = (
        "Precision and recall of the test rows by threshold. At the chosen threshold of "
        f"{percent(chosen['threshold'])} precision is {percent(chosen['precision'])} and recall "
        f"{percent(chosen['recall'])}."
    )
    return picture(
        WIDTH,
        HEIGHT,
        spoken,
        plot.axes(),
        plot.titles(x=f"threshold on {stated}", y="%"),
        legend(pair),
        *(_drawn(plot, line) for line in pair),
        element("line", class_="best", x1=x, x2=x, y1=plot.y.start, y2=plot.y.end),
        *dots,
        label,
    )


def _plot() -> Plot:
    y = Scale(0, 100, HEIGHT - 48, 34)
    return Plot(Scale(0, 100, LEFT, WIDTH - 12), y, WIDTH, HEIGHT)


def _bins(name: str, bins: Sequence[Mapping[str, Any]], look: str) -> Line:
    filled = [one for one in bins if one["count"]]
    xs = [100 * one["predicted"] for one in filled]
    return Line(name, xs, [100 * one["observed"] for one in filled], look)


def _points(line: Line) -> list[tuple[float, float]]:
    return list(zip(line.xs, line.ys, strict=True))


def _drawn(plot: Plot, line: Line, *, has_dots: bool = False) -> Markup:
    parts = [plot.polyline(line.xs, line.ys, f"line {line.look}")]
    if has_dots:
        parts += [
            element("circle", class_=f"dot {line.look}", cx=plot.x(x), cy=plot.y(y), r=4)
            for x, y in _points(line)
        ]
    return joined(parts)
