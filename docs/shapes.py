"""The picture of a glass box: what a neural additive model adds for each value of a column."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import torch
from markupsafe import Markup

import deepwell
from deepwell.artifact import Predictor
from deepwell.evaluation.drawing import Plot, Scale, element, joined, picture
from deepwell.evaluation.means import Floats

COLUMNS = {"Gr_Liv_Area": "living area, square feet", "Total_Bsmt_SF": "basement, square feet"}
PANEL, HEIGHT = 330.0, 260.0


def shapes(run: Path, data: Path) -> Markup:
    """Draw what a model of house prices adds for its columns, about their mean.

    Args:
        run: Run folder of a neural additive model of one number.
        data: The houses.
    """
    predictor = deepwell.load(run)
    table = pl.read_csv(data, infer_schema_length=None)
    added = contributions(predictor, table)
    ends = np.quantile([added[name] for name in COLUMNS], [0.002, 0.998])
    panels: list[Markup] = []
    for place, (name, title) in enumerate(COLUMNS.items()):
        values = table[name].to_numpy().astype(float)
        y = Scale(float(ends[0]) * 1.1, float(ends[1]) * 1.1, HEIGHT - 48, 26)
        panels.append(_panel(values, added[name], title, place * PANEL, y))
    spoken = "What the model adds to the price by living area and by the size of the basement."
    title = element("text", "added to the price, dollars", class_="axis", x=2, y=14)
    return picture(PANEL * len(COLUMNS), HEIGHT, spoken, title, *panels)


def contributions(predictor: Predictor, houses: pl.DataFrame) -> dict[str, Floats]:
    """Return what each column of numbers adds in each row, about its mean, in dollars."""
    encoders = predictor.encoders
    rows = [torch.from_numpy(block) for block in encoders.encode(predictor.read(houses))]
    with torch.no_grad():
        parts = predictor.model.contributions(*rows)[:, :, 0].numpy()  # pyright: ignore
    parts = parts * predictor.task.to_json()["std"][0]
    sums = {name: parts[:, places].sum(axis=1) for name, places in encoders.features_of.items()}
    return {name: added - added.mean() for name, added in sums.items()}


def _panel(values: Floats, added: Floats, title: str, left: float, y: Scale) -> Markup:
    low, high = np.quantile(values, [0.005, 0.995])
    x = Scale(float(low), float(high), left + 62, left + PANEL - 14)
    plot = Plot(x, y, PANEL, HEIGHT)
    points = sorted(zip(values.tolist(), added.tolist(), strict=True))
    points = [point for point in points if low <= point[0] <= high]
    where = {"class_": "grid", "y1": y.start - 6, "y2": y.start}
    rug = [element("line", x1=x(value), x2=x(value), **where) for value, _ in points[::6]]
    line = plot.polyline(*zip(*points, strict=True), "line net")
    return joined([plot.axes(), plot.titles(x=title), *rug, line])
