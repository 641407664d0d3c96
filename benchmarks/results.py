"""Results: dated JSON files, and one page of tables made from them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.machine import ROOT, in_words
from deepwell.files import read_json, write_json, write_text

FOLDER = ROOT / "benchmarks" / "results"
SCALE = {"s": 1.0, "ms": 1000.0}


def store(result: dict[str, Any], folder: Path = FOLDER) -> Path:
    """Write a result as NAME-DATE.json (a second one of the day replaces it) and the page."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{result['benchmark']}-{result['date'][:10]}.json"
    write_json(path, result)
    write_text(folder / "README.md", page(latest(folder)))
    return path


def latest(folder: Path) -> list[dict[str, Any]]:
    """Return the last result of each benchmark, by name."""
    results = [read_json(path) for path in sorted(folder.glob("*.json"))]
    newest: dict[str, dict[str, Any]] = {}
    for result in sorted(results, key=lambda result: result["date"]):
        newest[result["benchmark"]] = result
    return [newest[name] for name in sorted(newest)]


def page(results: list[dict[str, Any]]) -> str:
    """Return the page of all results as Markdown."""
    head = (
        "# Results of the benchmarks\n\n"
        "Made by `python -m benchmarks` from the JSON files in this folder, which also hold the "
        "single measurements; earlier ones stay there. Times are medians, in brackets the fastest "
        "and the slowest. The ratio says how many times as long as the reference something takes: "
        "the median over the repeats, in which all contenders took turns.\n"
    )
    return head + "".join(f"\n{section(result)}" for result in results)


def section(result: dict[str, Any]) -> str:
    """Return one result as Markdown: table, goals, notes, machine."""
    lines = [f"## {result['benchmark']}: {result['title']}", "", *table(result), ""]
    lines += [f"- {goal_text(goal)}" for goal in result["goals"]]
    lines += [f"- Left out: {name}, {reason}" for name, reason in result["skipped"].items()]
    lines += [f"- {note}" for note in result["notes"]]
    lines += ["", f"{result['date'][:10]}, {result['repeats']} repeats. {in_words(result)}", ""]
    return "\n".join(lines)


def table(result: dict[str, Any]) -> list[str]:
    """Return the lines of a Markdown table, a line for each contender."""
    scores = sorted({name for row in result["rows"] for name in row["scores"]})
    titles = [name.replace("_", " ") for name in scores]
    header = ["", f"median ({result['unit']})", "ratio", *titles]
    lines = [_line(header), _line(["---", *("--:" for _ in header[1:])])]
    for row in result["rows"]:
        cells = [_title(row), _times(row, result["unit"]), f"{row['ratio']:.2f}"]
        lines.append(_line([*cells, *(_score(row["scores"].get(name)) for name in scores)]))
    return lines


def goal_text(goal: dict[str, Any]) -> str:
    """Return a goal as a sentence with what became of it."""
    sign = "≤" if goal["better"] == "lower" else "≥"
    word = "met" if goal["met"] else "**missed**"
    value = f"{goal['value']:.4g}{goal['unit']}"
    return f"{goal['text']}: {value} (goal {sign} {goal['limit']:g}{goal['unit']}): {word}"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _title(row: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in row["versions"].items())
    return f"{row['title']} ({versions})" if versions else row["title"]


def _times(row: dict[str, Any], unit: str) -> str:
    median, low, high = (row[key] * SCALE[unit] for key in ("median", "fastest", "slowest"))
    digits = 0 if unit == "ms" else 2
    return f"{median:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def _score(values: list[float] | None) -> str:
    """Return mean ± standard deviation."""
    if not values:
        return ""
    mean, spread = mean_and_spread(values)
    if abs(mean) >= 100:
        return f"{mean:,.0f} ± {spread:,.0f}"
    return f"{mean:.4f} ± {spread:.4f}"


def mean_and_spread(values: list[float]) -> tuple[float, float]:
    """Return the mean and the standard deviation between the values (0 for a single one).

    Example:
        >>> mean_and_spread([1.0, 2.0, 3.0])
        (2.0, 1.0)
    """
    from statistics import fmean, stdev

    return fmean(values), stdev(values) if len(values) > 1 else 0.0
