"""The pictures of the pages: figures of Deepwell's own reports, each as a file of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import examples_of_change
from markupsafe import Markup
from page import ROOT
from shapes import shapes

from deepwell.evaluation.chapters.failures import failures_chapter
from deepwell.evaluation.chapters.training import training_chapter
from deepwell.evaluation.drawing import element, picture
from deepwell.evaluation.figures import reliability
from deepwell.evaluation.numerals import metric_texts
from deepwell.evaluation.record import Record
from deepwell.evaluation.strips import Span, track, track_axis, track_scale

MARGIN = 16
CELL = 34
LABELS = (
    *("T-shirt", "trouser", "pullover", "dress", "coat"),
    *("sandal", "shirt", "sneaker", "bag", "ankle boot"),
)
"""What the numbers of the clothes mean."""
FRAME = """
.frame { fill: var(--paper); stroke: var(--line); }
text.name { fill: var(--ink); font-size: 13px; }
text.name.net { fill: var(--accent); font-weight: 650; }
.hit { fill: var(--hit); } .miss { fill: var(--miss); }
text.cell { text-anchor: middle; fill: var(--ink); }
text.cell.strong { fill: var(--paper); }
"""


def draw(houses: Path, clothes: Path, glass_box: Path) -> Iterator[tuple[str, str]]:
    """Yield file name and content of each picture.

    Args:
        houses: Run folder of a regression.
        clothes: Run folder of a classification of the clothes.
        glass_box: Run folder of a neural additive model of the houses.
    """
    regression, classes = Record.read(houses), Record.read(clothes)
    yield "learning-curve.svg", _file(_first(training_chapter(regression)))
    yield "baselines.svg", _file(baselines(regression.evaluation))
    yield "predicted-actual.svg", _file(_first(failures_chapter(regression)))
    yield "confusion.svg", _file(confusion(classes.evaluation["confusion"]["matrix"]))
    bins = classes.evaluation["calibration"]["bins"]
    figure = reliability(bins, stated="how sure the network is, %", observed="how often right, %")
    yield "reliability.svg", _file(figure)
    yield "augmentation.svg", _file(examples_of_change.changes())
    yield "shapes.svg", _file(shapes(glass_box, ROOT / "examples" / "houses.csv"))


def _first(chapter: Any) -> Markup:
    """Return the first figure of a chapter, which may have some for each target."""
    view = chapter.view
    return (view["targets"][0] if "targets" in view else view)["figures"][0]


def baselines(evaluation: Any) -> Markup:
    """Draw the network beside its baselines, as the report does."""
    primary = evaluation["primary"]
    rows = [("This network", evaluation["metrics"][primary])]
    rows += [
        (evaluation["baseline_titles"][name], scores[primary])
        for name, scores in evaluation["baselines"].items()
    ]
    spans = [
        Span(score["value"], score["low"], score["high"], is_net=index == 0)
        for index, (_, score) in enumerate(rows)
    ]
    scale = track_scale(spans)
    parts: list[Markup] = [element("text", _heading(evaluation), class_="axis", x=0, y=14)]
    for index, ((name, score), span) in enumerate(zip(rows, spans, strict=True)):
        top, value = 26 + 46 * index, metric_texts(primary, score)
        look = "name net" if span.is_net else "name"
        parts += [
            element("text", name, class_=look, x=0, y=top + 27),
            _placed(track(span, scale, described=f"{name}: {value[0]}"), top, 46),
            element("text", value[0], class_=look, x=485, y=top + 20),
            element("text", value[1], class_="tick", x=485, y=top + 37),
        ]
    bottom = 26 + 46 * len(rows)
    parts.append(_placed(track_axis(scale), bottom, 20))
    spoken = "; ".join(f"{name} {metric_texts(primary, score)[0]}" for name, score in rows)
    return picture(600, bottom + 22, f"{_heading(evaluation)}: {spoken}.", *parts)


def _heading(evaluation: Any) -> str:
    title = evaluation["titles"][evaluation["primary"]]
    return f"{title} on {evaluation['rows']['test']:,} test rows, with 95 % intervals"


def _placed(drawing: Markup, top: float, height: float) -> Markup:
    return element("svg", drawing, x=170, y=top, width=300, height=height)


def confusion(matrix: list[list[int]]) -> Markup:
    """Draw counts of true class (row) and predicted class (column)."""
    left, top = 84, 84
    parts: list[Markup] = [element("text", "actual ↓  predicted →", class_="tick", x=0, y=14)]
    for index, label in enumerate(LABELS):
        middle = CELL * index + CELL / 2
        turned = f"rotate(-55 {left + middle} {top - 6})"
        parts += [
            element("text", label, class_="tick end", x=left - 8, y=top + middle + 4),
            element("text", label, class_="tick", x=left + middle, y=top - 6, transform=turned),
        ]
        parts += [_cell(index, k, matrix, left, top) for k in range(len(LABELS))]
    size = CELL * len(LABELS)
    right = sum(matrix[index][index] for index in range(len(LABELS)))
    total = sum(map(sum, matrix))
    spoken = f"Confusion matrix of {total:,} pictures of clothes; {right:,} lie on the diagonal."
    return picture(left + size + 40, top + size, spoken, *parts)


def _cell(row: int, column: int, matrix: list[list[int]], left: float, top: float) -> Markup:
    amount, total = matrix[row][column], sum(matrix[row])
    share = (amount / total) ** 0.5 if total else 0.0
    x, y = left + CELL * column, top + CELL * row
    box = element(
        "rect", class_="hit" if row == column else "miss", x=x + 1, y=y + 1, rx=2,
        width=CELL - 2, height=CELL - 2, style=f"fill-opacity:{share:.2f}",
    )  # fmt: skip
    look = "cell strong" if share > 0.6 else "cell"
    text = element("text", str(amount), class_=look, x=x + CELL / 2, y=y + CELL / 2 + 4)
    return Markup("").join([box, text]) if amount else box


def _file(figure: Markup) -> str:
    """Make a figure of the report stand alone: with its style, on ground of its own."""
    match = re.match(r'<svg class="figure" viewBox="0 0 ([\d.]+) ([\d.]+)"', figure)
    if match is None:
        raise ValueError("A figure of the report begins in another way than expected.")
    width, height = (float(size) + 2 * MARGIN for size in match.groups())
    opening = (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="{-MARGIN} {-MARGIN} {width:g} {height:g}"'
    )
    rest = str(figure)[match.end() :]
    attributes, _, inside = rest.partition(">")
    ground = (
        f'<rect class="frame" x="{0.5 - MARGIN}" y="{0.5 - MARGIN}" '
        f'width="{width - 1:g}" height="{height - 1:g}" rx="8"/>'
    )
    return f"{opening}{attributes}>\n<style>{_style()}</style>\n{ground}{inside}\n"


def _style() -> str:
    """Return the colours, light and dark, and the rules of the figures from the report's sheet."""
    sheet = (files("deepwell.evaluation") / "templates" / "report.css").read_text(encoding="utf-8")
    light, dark = re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)[:2]
    rules = re.search(r"/\* figures \*/\n(.*?)\n\n", sheet, re.DOTALL)
    if rules is None:
        raise ValueError("The style sheet of the report has no part on figures.")
    kept = [line for line in rules[1].splitlines() if line.startswith(("svg ", ".track .span"))]
    return (
        f":root {{{light}}}\n@media (prefers-color-scheme: dark) {{ :root {{{dark}}} }}\n"
        + "\n".join(kept)
        + FRAME
    )
