"""Clusters in words: the columns in which a cluster differs most from the other rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.schema import Schema
from deepwell.data.table import Table
from deepwell.evaluation.means import Floats
from deepwell.evaluation.mistakes import short_text
from deepwell.evaluation.numerals import number, percent, shortened
from deepwell.evaluation.slicing.bins import MISSING, bin_column

LEAST_EFFECT = 0.5
"""In standard deviations: a medium effect after Cohen (1988)."""
MOST_FACTS = 4
NAMED = 2


@dataclass(frozen=True, slots=True)
class Fact:
    """What sets a cluster apart.

    Args:
        column: The column.
        short: Part of the cluster's name, such as "high age".
        text: In full, with numbers.
        effect: Size, in standard deviations.
    """

    column: str
    short: str
    text: str
    effect: float


@dataclass(frozen=True, slots=True)
class Group:
    """A cluster.

    Args:
        name: From its most distinctive columns.
        rows: How many.
        share: Of all rows.
        facts: What sets it apart, the strongest first.
    """

    name: str
    rows: int
    share: float
    facts: tuple[Fact, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {**asdict(self), "facts": [asdict(fact) for fact in self.facts]}


def describe_groups(
    table: Table, schema: Schema, labels: NDArray[np.int64], columns: Sequence[str]
) -> tuple[Group, ...]:
    """Describe each cluster by the columns in which it differs most from the other rows.

    Args:
        table: The rows.
        schema: Kinds of the columns.
        labels: Cluster of each row.
        columns: That may be named.
    """
    groups: list[Group] = []
    for label in range(int(labels.max()) + 1):
        inside = labels == label
        facts = [] if inside.all() else _facts(table, schema, inside, columns)
        name = ", ".join(fact.short for fact in facts[:NAMED])
        number_ = int(inside.sum())
        groups.append(Group(name or "nothing special", number_, float(inside.mean()), tuple(facts)))
    return tuple(groups)


def _facts(
    table: Table, schema: Schema, inside: NDArray[np.bool_], columns: Sequence[str]
) -> list[Fact]:
    found: list[Fact] = []
    for name in columns:
        kind = schema[name].kind
        if kind == "number":
            found += _of_number(name, table.series(name), inside)
        if kind in ("category", "boolean", "date"):
            found += _of_category(table, name, schema, inside)
    strong = [fact for fact in found if fact.effect >= LEAST_EFFECT]
    return sorted(strong, key=lambda fact: -fact.effect)[:MOST_FACTS]


def _of_number(name: str, series: pl.Series, inside: NDArray[np.bool_]) -> list[Fact]:
    values = series.cast(pl.Float64, strict=False).fill_null(float("nan")).to_numpy()
    is_known = np.isfinite(values)
    own, rest = values[is_known & inside], values[is_known & ~inside]
    if len(own) < 2 or len(rest) < 2:
        return []
    effect = _standardised(own, rest)
    side = "high" if effect > 0 else "low"
    whole = bool(np.all(values[is_known] == np.round(values[is_known])))
    typical, other = (_typical(part, is_whole=whole) for part in (own, rest))
    short = f"{side} {shortened(name, 30)}"
    return [Fact(name, short, f"{short} (median {typical} against {other})", abs(effect))]


def _standardised(own: Floats, rest: Floats) -> float:
    """Difference of the means in units of the joint standard deviation."""
    spread = np.sqrt((own.var() * len(own) + rest.var() * len(rest)) / (len(own) + len(rest)))
    gap = float(own.mean() - rest.mean())
    if spread == 0:
        return 0.0 if gap == 0 else float(np.sign(gap)) * 10.0
    return gap / float(spread)


def _typical(values: Floats, *, is_whole: bool) -> str:
    if is_whole:  # a year between two rows is none: the lower of both is a value of the column
        return short_text(int(np.quantile(values, 0.5, method="lower")))
    return number(float(np.median(values)), 3)


def _of_category(table: Table, name: str, schema: Schema, inside: NDArray[np.bool_]) -> list[Fact]:
    binned = bin_column(table, name, schema[name].kind)
    if binned is None:
        return []
    best: Fact | None = None
    for code, label in enumerate(binned.labels):
        hit = binned.codes == code
        own, rest = float(hit[inside].mean()), float(hit[~inside].mean())
        effect = 2 * float(np.arcsin(own**0.5) - np.arcsin(rest**0.5))
        # of two values alike in effect, the one that is more frequent here tells more
        if best is not None and abs(effect) <= best.effect + (-1e-9 if effect > 0 else 1e-9):
            continue
        side = "mostly" if own > 0.5 else "often"
        if effect < 0:
            side = "less often" if own > 0.5 else "rarely"
        value = f"{name} {MISSING}" if label == MISSING else f"{name} {label}"
        short = f"{side} {shortened(value, 40)}"
        text = f"{short} ({percent(own, 0)} against {percent(rest, 0)})"
        best = Fact(name, short, text, abs(effect))
    return [] if best is None else [best]
