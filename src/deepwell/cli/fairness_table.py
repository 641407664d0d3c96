"""The groups of the named columns, for the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape

from deepwell.cli.render import NARROW, console, grid

MOST_RATES = 3


def show_fairness(run: Path) -> None:
    """Print how the groups of each named column fare, and the widest gaps in words, if any."""
    from deepwell.files import read_json

    path = run / "evaluation.json"
    fairness = read_json(path).get("fairness") if path.is_file() else None
    if not fairness:
        return
    for column in fairness["columns"]:
        if console.width >= NARROW:
            console.print(_table(column, str(fairness["metric"])))
        for sentence in column["sentences"]:
            console.print(f"[dim]{escape(column['column'])}:[/dim] {escape(sentence)}")
    for name in fairness["left_out"]:
        console.print(f"{escape(name)}: too few groups of test rows to compare.")


def _table(column: Mapping[str, Any], metric: str) -> Any:
    from deepwell.evaluation.metrics import METRICS
    from deepwell.evaluation.numerals import count, metric_texts, shortened

    rates = _rates(column)
    heads = [METRICS[metric].title, "95 % interval", *(rate["title"] for rate in rates)]
    name = shortened(column["column"], 30)
    numeric = range(1, len(heads) + 2)
    table = grid(f"Groups of {escape(name)}", "Rows", *heads, numeric=numeric, whole=(0, 3))
    for group in column["groups"]:
        texts = metric_texts(metric, group["score"]) if group["score"] else ("too few", "")
        cells = [_cell(rate, group["name"]) for rate in rates]
        table.add_row(escape(shortened(group["name"], 30)), count(group["rows"]), *texts, *cells)
    return table


def _rates(column: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """Return the rates that are shown: none where several classes are asked about."""
    is_one = len({rate["outcome"] for rate in column["rates"]}) == 1
    return column["rates"][:MOST_RATES] if is_one else ()


def _cell(rate: Mapping[str, Any], group: str) -> str:
    from deepwell.evaluation.slicing.fairness_words import rate_text

    found = next((one for one in rate["values"] if one["group"] == group), None)
    return "–" if found is None else rate_text(rate, found["value"])
