"""Slices: the parts of the test rows on which the network is worse than elsewhere."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.data.schema import Schema
from deepwell.data.table import Table
from deepwell.evaluation.intervals import FEWEST_GROUPS, Resamples, around
from deepwell.evaluation.means import Floats, divide
from deepwell.evaluation.numerals import number, percent, plural
from deepwell.evaluation.relevance import by_relevance
from deepwell.evaluation.scored import Scored
from deepwell.evaluation.slicing.bins import Binned, bin_column, group_kind, part_text
from deepwell.evaluation.slicing.search import Cells, all_cells, shuffled_p

LEVEL = 0.05
MOST_ROWS = 20_000
"""Rows in which slices are searched; of more, a sample is taken."""
PAIRED = 12
"""Columns that are looked at in pairs: those that tell most about the target."""
LEAST_ROWS, LEAST_SHARE = 20, 0.01
LEAST_RATIO = 1.1
"""A slice that is worse by less than a tenth is not worth a line."""
SHOWN = 5
SAME = 0.5
"""Two slices that share more than half of their rows are one finding."""


def find_slices(
    schema: Schema,
    test: Table,
    scored: Scored,
    *,
    more: Sequence[str] = (),
    groups: NDArray[np.int64] | None = None,
    seed: int = 0,
    confidence: float = 0.95,
) -> dict[str, Any]:
    """Find the worst parts of the test rows: values of columns, and of pairs of columns.

    Numbers and dates are cut into five parts. What is found is corrected for everything that was
    looked at: if the errors have nothing to do with the columns, the chance of any finding is 5 %.

    Args:
        schema: Roles and kinds.
        test: The test rows.
        scored: Their truth and predictions.
        more: Columns beside the inputs.
        groups: Code of the group of each row: rows of one group are not independent.
        seed: For the shuffles.
        confidence: Of the intervals.

    Returns:
        `searched` (slices that were looked at), `columns`, `level`, `measure`, `overall`,
        `sentence` and `found`: the worst first, each with `columns` (name → part), `text`, `rows`,
        `share`, `value`, `rest`, `difference`, `low`, `high`, `ratio`, `p` and `sentence`.

    Reference:
        Chung et al. (2019), Slice finder: automated data slicing for model validation.
    """
    rows = _sample(len(test), seed)
    errors = row_errors(scored)[rows]
    columns = _columns(schema, test, scored, more, rows)
    chosen_groups = _usable(groups, rows)
    least = max(LEAST_ROWS, math.ceil(LEAST_SHARE * len(rows)))
    result: dict[str, Any] = {
        "searched": 0,
        "columns": [column.name for column in columns],
        "level": LEVEL,
        "measure": measure_of(scored),
        "overall": float(errors.mean()) if len(errors) else None,
        "rows": len(rows),
        "found": [],
    }
    if not columns or len(rows) < 2 * least or not np.ptp(errors):
        return {**result, "sentence": "There are too few test rows to search for slices."}
    cells = all_cells(columns, pairs=PAIRED, least=least)
    if not len(cells):
        return {**result, "sentence": "No part of the columns has enough test rows to look at."}
    excess, p = shuffled_p(cells, _tamed(errors, scored), seed, chosen_groups)
    picked = list(_picked(cells, excess, p, errors))
    result["searched"] = len(cells)
    if picked:
        draws = Resamples(len(rows), count=1000, seed=seed, groups=chosen_groups)
        intervals = _intervals(cells.rows[picked], errors, draws, confidence)
        result["found"] = [
            _describe(cells, index, columns, errors, float(p[index]), ends, scored)
            for index, ends in zip(picked, intervals, strict=True)
        ]
    return {**result, "sentence": _sentence(result, len(test))}


def row_errors(scored: Scored) -> Floats:
    """Return how wrong each row is: distance of numbers, 0 or 1 of classes, share of labels."""
    if scored.task == "regression":
        if scored.truth.shape[1] == 1:
            return scored.absolute_errors[:, 0]
        spread = scored.truth.std(axis=0)
        return (scored.absolute_errors / np.where(spread > 0, spread, 1.0)).mean(axis=1)
    is_wrong = scored.values != scored.truth
    return (is_wrong.mean(axis=1) if scored.task == "multilabel" else is_wrong).astype(np.float64)


def measure_of(scored: Scored) -> str:
    """Name what is averaged over the rows of a slice."""
    if scored.task != "regression":
        return "share of wrong labels" if scored.task == "multilabel" else "error rate"
    return "mean absolute error" + (" in units of the spread" if scored.truth.shape[1] > 1 else "")


def _tamed(errors: Floats, scored: Scored) -> Floats:
    """Cut the largest errors of numbers, of which one alone would decide a small slice."""
    return np.minimum(errors, np.quantile(errors, 0.99)) if scored.task == "regression" else errors


def _sample(num_rows: int, seed: int) -> NDArray[np.int64]:
    if num_rows <= MOST_ROWS:
        return np.arange(num_rows)
    return np.sort(np.random.default_rng(seed).choice(num_rows, MOST_ROWS, replace=False))


def _usable(groups: NDArray[np.int64] | None, rows: NDArray[np.int64]) -> NDArray[np.int64] | None:
    if groups is None:
        return None
    codes = np.unique(groups[rows], return_inverse=True)[1].astype(np.int64)
    return codes if codes.max(initial=-1) + 1 >= FEWEST_GROUPS else None


def _columns(
    schema: Schema, test: Table, scored: Scored, more: Sequence[str], rows: NDArray[np.int64]
) -> list[Binned]:
    """Put the columns into parts, those first that tell most about the truth: not the errors."""
    names = [c.name for c in schema.inputs if c.kind not in ("text", "image") and c.name in test]
    shown = Table({name: test.series(name) for name in names}, ids=test.ids)
    ordered = by_relevance(schema, shown, scored) if names else []
    ordered = [*(name for name in more if name in test and name not in names), *ordered]
    part = test.take(rows) if len(rows) < len(test) else test
    found = [
        bin_column(part, name, group_kind(part, schema, name)) for name in dict.fromkeys(ordered)
    ]
    return [column for column in found if column is not None and len(column.labels) > 1]


def _picked(cells: Cells, excess: Floats, p: Floats, errors: Floats) -> Iterator[int]:
    """Return the slices that are worth a line, the clearest first."""
    alone = {parts[0]: excess[i] for i, parts in enumerate(cells.parts) if len(parts) == 1}
    overall = errors.mean()
    kept: list[Any] = []
    for index in np.argsort(-excess, kind="stable"):
        parts = cells.parts[index]
        if p[index] > LEVEL or len(kept) == SHOWN:
            return
        row = cells.rows[index]
        mean = float((row @ errors)[0] / row.nnz)
        is_plain = len(parts) == 1 or all(excess[index] > alone.get(one, -np.inf) for one in parts)
        if not is_plain or mean < LEAST_RATIO * overall or any(_alike(row, one) for one in kept):
            continue
        kept.append(row)
        yield int(index)


def _alike(first: Any, second: Any) -> bool:
    both = first.multiply(second).nnz
    return both > SAME * min(first.nnz, second.nnz)


def _intervals(
    rows: Any, errors: Floats, draws: Resamples, confidence: float
) -> list[tuple[float | None, float | None]]:
    """Return the interval of slice − rest for each slice."""
    pieces: list[Floats] = []
    for counts in draws:
        inside, weight = rows.multiply(errors[None, :]).tocsr() @ counts, rows @ counts
        total, all_weight = errors @ counts, counts.sum(axis=0)
        pieces.append(divide(inside, weight) - divide(total - inside, all_weight - weight))
    found = np.concatenate(pieces, axis=1)
    ends = [around(0.0, values, confidence) for values in found]
    return [(one.low, one.high) for one in ends]


def _describe(
    cells: Cells,
    index: int,
    columns: Sequence[Binned],
    errors: Floats,
    p: float,
    ends: tuple[float | None, float | None],
    scored: Scored,
) -> dict[str, Any]:
    mask = np.zeros(len(errors), dtype=bool)
    mask[cells.rows[index].indices] = True
    value, rest = float(errors[mask].mean()), float(errors[~mask].mean())
    parts = {columns[c].name: columns[c].labels[code] for c, code in cells.parts[index]}
    text = " and ".join(part_text(name, part) for name, part in parts.items())
    slice_: dict[str, Any] = {
        "columns": parts,
        "text": text,
        "rows": int(mask.sum()),
        "share": float(mask.mean()),
        "value": value,
        "rest": rest,
        "difference": value - rest,
        "low": ends[0],
        "high": ends[1],
        "ratio": value / rest if rest > 0 else None,
        "p": p,
    }
    return {**slice_, "sentence": slice_sentence(slice_, measure_of(scored))}


def size(measure: str, value: float | None) -> str:
    """Write a value of the measure of slices.

    Example:
        >>> size("error rate", 0.25), size("mean absolute error", 1234.5)
        ('25.0\u202f%', '1,230')
    """
    is_share = measure in ("error rate", "share of wrong labels")
    return percent(value) if is_share else number(value, 3)


def slice_sentence(found: dict[str, Any], measure: str) -> str:
    """Write a slice in words."""
    ratio = found["ratio"]
    times = f", {number(ratio, 2)} times as much" if ratio is not None else ""
    return (
        f"{found['text']} ({plural(found['rows'], 'row')}): {measure} "
        f"{size(measure, found['value'])} against {size(measure, found['rest'])} elsewhere{times}."
    )


def _sentence(result: dict[str, Any], num_test: int) -> str:
    searched = (
        f"{plural(result['searched'], 'slice')} of {plural(len(result['columns']), 'column')}"
    )
    sampled = "" if result["rows"] == num_test else f" in a sample of {result['rows']:,} rows"
    if not result["found"]:
        return (
            f"{searched} were searched{sampled}: none is worse than chance allows when so many "
            "are looked at."
        )
    many = plural(len(result["found"]), "slice is", "slices are")
    return (
        f"{searched} were searched{sampled}; {many} worse than chance allows when so many are "
        "looked at."
    )
