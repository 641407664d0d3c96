"""Propose a group or a time column where the data suggest one. Nothing is applied."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.kinds import KINDS
from deepwell.data.kinds.base import share
from deepwell.data.roles import is_id_name
from deepwell.data.schema import ColumnSpec, Schema
from deepwell.data.table import Table

WHO = re.compile(
    r"^(patient|customer|client|user|subject|person|people|member|account|household|family|donor"
    r"|student|pupil|school|class_?room|teacher|hospital|clinic|doctor|employee|company|firm"
    r"|store|shop|seller|buyer|vendor|merchant|device|machine|sensor|engine|vehicle|driver|car"
    r"|session|visitor|speaker|author|writer|player|team|animal|dog|plant|well|site|station"
    r"|slide|scan|image|photo|video|recording|document|article|thread|conversation)s?$",
    re.IGNORECASE,
)
"""Words for what many rows can belong to."""
WHEN = re.compile(r"^(timestamp|epoch|unix|datetime|time)s?$", re.IGNORECASE)
MIN_ROWS = 50
MIN_VALUES = 10
"""With fewer different values a column is a property of its rows, not their owner."""
MIN_REPEATED = 0.3
"""Share of rows whose value another row has as well."""
SHUFFLES = 19
MIN_GAIN = 0.1
"""How much more often than by chance rows of one value agree; 1 would be always."""
MIN_TREND = 0.2
ORDERED = 0.99
MAX_ROWS = 50_000


def propose(table: Table, schema: Schema) -> tuple[str, ...]:
    """Name the columns that look like a group or a time, with the evidence.

    A group has a name such as patient or customer_id, values that repeat, and rows of one value
    that agree more than chance in the answer or in another column. A time holds moments, and the
    rows are in its order or the answer changes along it.

    Args:
        table: All rows.
        schema: As inferred; nothing is proposed if a group or a time is named already.

    Example:
        >>> from deepwell.data.infer import infer_schema
        >>> users = [row // 4 for row in range(200)]
        >>> table = Table({"user": pl.Series(users), "y": pl.Series([u * 37 % 50 for u in users])})
        >>> propose(table, infer_schema(table, targets=["y"]))[0][:50]
        'The column "user" looks like a group: 50 values, 4'
    """
    if len(table) < MIN_ROWS or schema.name_of("group") or schema.name_of("time"):
        return ()
    others = [c for c in schema.columns if c.role == "input" and c.kind not in ("image", "text")]
    notes: list[str] = []
    for column in schema.columns:
        values = table.columns.get(column.name)
        if column.role in ("target", "weight") or not isinstance(values, pl.Series):
            continue
        is_left_out = column.role == "ignored" and not column.distinct
        if is_left_out or values.null_count():
            continue
        answers = [target for target in schema.targets if target.kind not in ("image", "text")]
        if _is_owner(column):
            features = [other for other in others if other.name != column.name]
            notes += _group_note(table, column, answers, features)
        elif column.kind == "date" or (column.kind == "number" and _says(WHEN, column.name)):
            notes += _time_note(table, column, answers)
    return tuple(notes)


def _says(words: re.Pattern[str], name: str) -> bool:
    """Say whether one of the words in a name such as customerId or customer_id matches."""
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return any(words.match(word) for word in re.split(r"[\W_]+", spaced))


def _is_owner(column: ColumnSpec) -> bool:
    """Say whether a column is called after what owns rows: customer, customer_id, or only id."""
    words = [w for w in re.split(r"[\W_]+", column.name) if w]
    if column.kind not in ("number", "category", "text"):
        return False
    named = _says(WHO, column.name) and (len(words) == 1 or is_id_name(column.name))
    return named or (is_id_name(column.name) and len(words) == 1)


@dataclass(frozen=True, slots=True)
class _Owners:
    """Rows by their owner: a code for each row, and how many rows each code has."""

    codes: NDArray[np.int64]
    sizes: NDArray[np.int64]


def _group_note(
    table: Table, column: ColumnSpec, answers: list[ColumnSpec], features: list[ColumnSpec]
) -> list[str]:
    values = table.series(column.name).head(MAX_ROWS)
    if values.dtype.is_float():
        return []
    _, codes, sizes = np.unique(
        values.rank("dense").to_numpy(), return_inverse=True, return_counts=True
    )
    if len(sizes) < MIN_VALUES or sizes[sizes > 1].sum() < MIN_REPEATED * len(values):
        return []
    owners = _Owners(codes.astype(np.int64), sizes.astype(np.int64))
    evidence = ""
    for other in [*answers, *features]:
        shown = _shared(table, other, owners)
        if shown:
            noun = "answers" if other.role == "target" else f'values of "{other.name}"'
            evidence = f"and rows of one value have {noun} that are alike ({shown})"
            break
    if not evidence:
        return []
    mean = len(values) / len(sizes)
    each = f"{mean:.0f}" if mean >= 10 or mean == round(mean) else f"{mean:.1f}"
    return [
        f'The column "{column.name}" looks like a group: {len(sizes):,} values, {each} rows each '
        f"on average, {evidence}. If new values will come, keep its rows on one side: "
        f"--group {_argument(column.name)}."
    ]


def _argument(name: str) -> str:
    return name if re.fullmatch(r"[\w.-]+", name) else f'"{name}"'


def _shared(table: Table, other: ColumnSpec, owners: _Owners) -> str:
    """Return in words how much more rows of one owner agree than chance, or "" if they do not."""
    values = KINDS[other.kind].parse(other.name, table[other.name])
    if not isinstance(values, pl.Series) or other.distinct < 2:
        return ""
    ranks = values.head(len(owners.codes)).rank("average").fill_null(0).to_numpy()
    rng = np.random.default_rng(0)
    is_number = other.kind in ("number", "date")
    codes = np.unique(ranks, return_inverse=True)[1]

    def agreement(order: NDArray[np.int64]) -> float:
        if is_number:
            return _explained(ranks[order], owners)
        return _same(codes[order], owners)

    here = np.arange(len(ranks))
    found = agreement(here)
    chance = [agreement(rng.permutation(here)) for _ in range(SHUFFLES)]
    usual = float(np.mean(chance))
    if found <= max(chance) or found - usual < MIN_GAIN * (1 - usual):
        return ""
    if is_number:
        return f"they explain {share(round(1000 * found), 1000)} of its spread"
    by_chance = share(round(1000 * usual), 1000)
    return f"the same in {share(round(1000 * found), 1000)} of pairs, {by_chance} by chance"


def _explained(values: NDArray[np.float64], owners: _Owners) -> float:
    """Return the intraclass correlation: the share of the variance that lies between owners."""
    num, k = len(values), len(owners.sizes)
    if num <= k:
        return 0.0
    means = np.bincount(owners.codes, weights=values) / owners.sizes
    within = float(np.square(values - means[owners.codes]).sum()) / (num - k)
    between = float((owners.sizes * np.square(means - values.mean())).sum()) / (k - 1)
    usual = (num - float(np.square(owners.sizes).sum()) / num) / (k - 1)
    return (between - within) / max(between + (usual - 1) * within, 1e-12)


def _same(codes: NDArray[np.int64], owners: _Owners) -> float:
    """Return in how many pairs of rows of one owner the values are equal."""
    both = np.unique(owners.codes * (int(codes.max()) + 1) + codes, return_counts=True)[1]
    pairs = float((owners.sizes * (owners.sizes - 1)).sum())
    return float((both * (both - 1)).sum()) / max(pairs, 1)


def _time_note(table: Table, column: ColumnSpec, answers: list[ColumnSpec]) -> list[str]:
    moments = KINDS[column.kind].parse(column.name, table[column.name])
    if not isinstance(moments, pl.Series) or moments.n_unique() < MIN_VALUES:
        return []
    times = moments.to_physical().to_numpy().astype(np.float64)
    steps = np.diff(times)
    orders = (((steps >= 0).mean(), "the rows are in its order"),)
    orders += (((steps <= 0).mean(), "the latest rows are first"),)
    evidence = [words for agrees, words in orders if agrees >= ORDERED]
    for target in answers:
        trend = _trend(table, target, times)
        if abs(trend) >= max(MIN_TREND, 4 / len(times) ** 0.5):
            way = "rises" if trend > 0 else "falls"
            evidence.append(f'"{target.name}" {way} along it (rank correlation {trend:.2f})')
    if not evidence:
        return []
    return [
        f'The column "{column.name}" looks like a time: {" and ".join(evidence)}. If the network '
        f"is for later rows, test it on the latest ones: --time {_argument(column.name)}."
    ]


def _trend(table: Table, target: ColumnSpec, times: NDArray[np.float64]) -> float:
    """Return the rank correlation of a number or a yes/no with time; 0 for other kinds."""
    if target.kind not in ("number", "boolean"):
        return 0.0
    values = KINDS[target.kind].parse(target.name, table[target.name])
    if not isinstance(values, pl.Series):
        return 0.0
    present = values.is_not_null().to_numpy()
    ranks = values.filter(pl.Series(present)).cast(pl.Float64).rank().to_numpy()
    when = pl.Series(times[present]).rank().to_numpy()
    if len(ranks) < 3 or ranks.std() == 0 or when.std() == 0:
        return 0.0
    return float(np.corrcoef(ranks, when)[0, 1])
