"""The audit of a split: which copies were found, what still crosses, and a verdict in words."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.copies.edges import Edges
from deepwell.data.copies.find import Copies
from deepwell.data.kinds import KINDS
from deepwell.data.kinds.base import shorten
from deepwell.data.kinds.date import moments
from deepwell.data.schema import Schema
from deepwell.data.split import Splits
from deepwell.data.table import Table

MAX_EXAMPLES = 8
MAX_CLASSES = 20
LONGEST = 60
SIDES = ("train", "val", "test")

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenTest:
    """Test rows that came in a file of their own.

    Args:
        rows: The test rows.
        left_out: Training rows that were left out because they are copies of test rows.
        near: How many of these are changed copies.
        ordinary: Training rows that equal a test row and remain, because that is ordinary here.
    """

    rows: Table
    left_out: int = 0
    near: int = 0
    ordinary: int = 0


def audit(table: Table, schema: Schema, splits: Splits, *, given: GivenTest | None = None) -> Json:
    """Check a split after it was made, by looking at the rows of each side.

    Args:
        table: The rows that were divided.
        schema: Says which columns are target, group and time.
        splits: Which row is on which side.
        given: The test rows, if they came apart.

    Returns:
        Plain JSON: `copies` (counts and examples by row id), `group`, `time` and `classes` (None
        where they do not apply), `crossing` (rows that must not cross and do), and `verdict`.

    Example:
        >>> from deepwell.data.infer import infer_schema
        >>> from deepwell.data.split import split
        >>> table = Table({"x": pl.Series([*range(99), 0]), "y": pl.Series([0.5, 2.0] * 50)})
        >>> schema = infer_schema(table, targets=["y"])
        >>> audit(table, schema, split(table, schema, seed=0))["verdict"]
        'Split checked: 1 copy of another row was found, and none is on another side than its row.'
    """
    sides = np.full(len(table), -1, dtype=np.int8)
    for index, rows in enumerate(splits.sides.values()):
        sides[rows] = index
    copies = _copies(table, splits.copies, sides, given)
    for pair in copies["examples"]:
        pair["names"] = _names(table, schema, pair["rows"])
    group = _group(table, schema, sides, given)
    time = _time(table, schema, splits, given)
    result: Json = {
        "method": splits.method,
        "copies": copies,
        "group": group,
        "time": time,
        "classes": _classes(table, schema, sides, given),
    }
    return {**result, "verdict": _verdict(result)}


def _copies(table: Table, copies: Copies, sides: NDArray[np.int8], given: GivenTest | None) -> Json:
    edges = copies.edges
    crosses = sides[edges.first] != sides[edges.second]
    return {
        "search": copies.search,
        "exact": copies.exact,
        "near": copies.near,
        "groups": int((np.unique(copies.groups, return_counts=True)[1] > 1).sum()),
        "crossing": len(np.unique(edges.second[crosses])),
        "ordinary": copies.ordinary or bool(given and given.ordinary),
        "equal_to_test": given.ordinary if given else 0,
        "given_up": copies.given_up,
        "left_out": given.left_out if given else 0,
        "left_out_near": given.near if given else 0,
        "examples": _examples(table, edges, crosses, sides),
    }


def _examples(
    table: Table, edges: Edges, crosses: NDArray[np.bool_], sides: NDArray[np.int8]
) -> list[Json]:
    """Return a few pairs: what crosses, then changed copies of every sort, then equal rows."""
    seen: dict[str, int] = {}
    rank = np.zeros(len(edges), dtype=np.int64)
    for index, how in enumerate(edges.how):
        sort = how.split(",")[-1] if how.startswith("pictures") else how.split(" ")[0]
        rank[index] = seen.get(sort, 0)
        seen[sort] = rank[index] + 1
    is_equal = np.array([how == "every input" for how in edges.how], dtype=np.bool_)
    order = np.lexsort((is_equal, rank, ~crosses))[:MAX_EXAMPLES]
    return [
        {
            "rows": [int(table.ids[edges.first[i]]), int(table.ids[edges.second[i]])],
            "sides": [SIDES[sides[edges.first[i]]], SIDES[sides[edges.second[i]]]],
            "what": edges.how[i],
        }
        for i in order
    ]


def _names(table: Table, schema: Schema, ids: list[int]) -> list[str]:
    """Return what rows are called: their identifier, such as a file, or how their text begins."""
    columns = [c for c in schema.columns if c.role == "id"]
    columns += [c for c in schema.columns if c.kind == "text" and c.role == "input"]
    for column in columns:
        values = table.columns.get(column.name)
        if isinstance(values, pl.Series):
            places = [int(np.flatnonzero(table.ids == one)[0]) for one in ids]
            texts = [str(values[place] or "") for place in places]
            return [shorten(" ".join(text.split()), LONGEST) for text in texts]
    return ["" for _ in ids]


def _group(
    table: Table, schema: Schema, sides: NDArray[np.int8], given: GivenTest | None
) -> Json | None:
    name = schema.name_of("group")
    if name is None:
        return None
    values = table.series(name).cast(pl.String)
    frame = pl.DataFrame({"value": values, "side": sides})
    if given is not None and name in given.rows:
        apart = given.rows.series(name).cast(pl.String)
        more = pl.DataFrame({"value": apart, "side": np.full(len(apart), 2, dtype=np.int8)})
        frame = pl.concat([frame, more])
    counts = frame.group_by("value").agg(pl.col("side").n_unique())
    crossing = counts.filter(pl.col("side") > 1)["value"].sort()
    return {
        "column": name,
        "values": len(counts),
        "crossing": len(crossing),
        "examples": crossing.head(MAX_EXAMPLES).to_list(),
    }


def _time(table: Table, schema: Schema, splits: Splits, given: GivenTest | None) -> Json | None:
    name = schema.name_of("time")
    if name is None:
        return None
    parts = {side: table.series(name).gather(rows) for side, rows in splits.sides.items()}
    if given is not None and name in given.rows:
        parts["test"] = given.rows.series(name)
    ends: dict[str, tuple[Any, Any]] = {}
    for side, values in parts.items():
        read = moments(name, values) if schema[name].kind == "date" else values.cast(pl.Float64)
        present = read.drop_nulls()
        if len(present):
            ends[side] = (present.min(), present.max())
    there = list(ends.values())
    ordered = all(ours[1] < theirs[0] for ours, theirs in pairwise(there))
    shown = {side: [_moment(value) for value in both] for side, both in ends.items()}
    return {"column": name, "ordered": bool(ordered), "ends": shown}


def _moment(value: Any) -> str | float:
    return value.isoformat(sep=" ") if hasattr(value, "isoformat") else float(value)


def _classes(
    table: Table, schema: Schema, sides: NDArray[np.int8], given: GivenTest | None
) -> list[Json] | None:
    """Return the share of each class on each side, for a single target of classes."""
    targets = schema.targets
    if len(targets) != 1 or targets[0].kind not in ("category", "boolean"):
        return None
    name = targets[0].name
    frame = pl.DataFrame({"value": _as_classes(table, schema, name), "side": sides})
    if given is not None:
        apart = _as_classes(given.rows, schema, name)
        more = pl.DataFrame({"value": apart, "side": np.full(len(apart), 2, dtype=np.int8)})
        frame = pl.concat([frame, more])
    totals = dict(frame.group_by("side").len().iter_rows())
    counts = frame.group_by("value", "side").len()
    by_class = counts.group_by("value").agg(pl.col("len").sum()).sort(["len", "value"])
    found: dict[tuple[Any, Any], int] = {(value, side): n for value, side, n in counts.rows()}
    return [
        {
            "class": value,
            **{
                side: found.get((value, index), 0) / totals[index]
                for index, side in enumerate(SIDES)
                if index in totals
            },
        }
        for value in by_class["value"].reverse().head(MAX_CLASSES)
    ]


def _as_classes(table: Table, schema: Schema, name: str) -> pl.Series:
    values = KINDS[schema[name].kind].parse(name, table[name])
    return pl.Series("value", values).cast(pl.String)


def _verdict(result: Json) -> str:
    """Put the audit in one sentence or two."""
    sentences = [_on_copies(result["copies"], result["method"])]
    group, time = result["group"], result["time"]
    if group is not None:
        crossing = group["crossing"]
        verb = "is" if crossing == 1 else "are"
        sentences.append(
            f'{crossing:,} of {group["values"]:,} values of "{group["column"]}" {verb} on several '
            "sides."
            if crossing
            else f'No value of "{group["column"]}" is on two sides.'
        )
    if time is not None:
        sentences.append(
            f'Each side begins after the one before it ends, by "{time["column"]}".'
            if time["ordered"]
            else f'The sides overlap in "{time["column"]}".'
        )
    return " ".join(sentences)


def _on_copies(copies: Json, method: str) -> str:
    if copies["search"] == "none":
        return "Split checked, but no copies were looked for (split.copies)."
    found = copies["exact"] + copies["near"]
    left_out = copies["left_out"]
    tail = f"; {left_out:,} training rows were copies of test rows and are left out" * (
        left_out > 0
    )
    tail += _equal_to_test(copies["equal_to_test"])
    if not found:
        what = "copy" if copies["search"] == "near" else "exact copy"
        return f"Split checked: no row is a {what} of another{tail}.".replace("a exact", "an exact")
    many = "copies of other rows were" if found > 1 else "copy of another row was"
    near = f" ({copies['near']:,} of them changed)" if copies["near"] else ""
    start = f"Split checked: {found:,} {many} found{near}"
    crossing = copies["crossing"]
    if copies["ordinary"]:
        return f"{start}; so few combinations exist that this is ordinary, so they may cross{tail}."
    if not crossing:
        last = "none is on another side than its row"
        return f"{start}, and {last}{tail}."
    reason = {
        "time": "because time decides",
        "group": "because the groups decide",
    }.get(method, "although they should not")
    return f"{start}; {crossing:,} on another side than their row, {reason}{tail}."


def _equal_to_test(rows: int) -> str:
    if not rows:
        return ""
    what = "training row equals" if rows == 1 else "training rows equal"
    return f"; {rows:,} {what} a test row and stay: equal rows are ordinary here"
