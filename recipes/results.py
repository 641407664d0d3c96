"""Results of the recipes: a JSON file each, and one page made from all of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.machine import in_words

from deepwell.files import read_json, write_json, write_text
from recipes.recipe import FOLDER as RECIPES

FOLDER = RECIPES / "results"


def store(name: str, result: dict[str, Any], folder: Path = FOLDER) -> Path:
    """Write the result of a recipe over the one before, and the page."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    write_json(path, {"recipe": name, **result})
    results = [read_json(one) for one in sorted(folder.glob("*.json"))]
    write_text(folder / "README.md", page(results))
    return path


def page(results: list[dict[str, Any]]) -> str:
    """Return the page of all results as Markdown."""
    head = (
        "# Results of the recipes\n\n"
        "Made by `python -m recipes` from the JSON files in this folder. Each seed gives its own "
        "weights and order of rows, and where no test file is given its own split. The test rows "
        "are scored once a seed. Spread is the standard deviation between the seeds; verdicts "
        "come from the interval of the paired difference on the test rows of each seed.\n"
    )
    return head + "".join(f"\n{section(result)}" for result in results)


def section(result: dict[str, Any]) -> str:
    """Return one result as Markdown."""
    word = "passed" if result["passed"] else "**failed**"
    lines = [f"## {result['recipe']}: {result['title']} – {word}", "", *table(result), ""]
    lines += [f"- {gate_text(gate)}" for gate in result["gates"]]
    seeds = ", ".join(str(seed) for seed in result["seeds"])
    rows = ", ".join(f"{number:,} {side}" for side, number in result["runs"][0]["rows"].items())
    lines += [
        "",
        f"Data `{result['data']}`; rows: {rows}; seeds {seeds}. {times(result)}",
        "",
        f"{result['date'][:10]}. {in_words(result)}",
        "",
    ]
    return "\n".join(lines)


def table(result: dict[str, Any]) -> list[str]:
    """Return the lines of a Markdown table: the network, then its baselines."""
    seeds = [f"seed {seed}" for seed in result["seeds"]]
    header = ["", f"{result['metric']}, mean ± spread", *seeds, "network is better · even · worse"]
    lines = [_line(header), _line(["---", *("--:" for _ in header[1:])])]
    for index, row in enumerate(result["scores"]):
        name = f"**{row['name']}** (the network)" if index == 0 else row["name"]
        values = [number(value) for value in row["values"]]
        mean = f"{number(row['mean'])} ± {number(row['spread'])}"
        verdicts = " · ".join(str(count) for count in row["outcomes"].values())
        lines.append(_line([name, mean, *values, verdicts]))
    return lines


def gate_text(gate: dict[str, Any]) -> str:
    """Return a gate as a sentence with what became of it."""
    word = "passed" if gate["passed"] else "**failed**"
    return f"{gate['text']}: {gate['found']}: {word}"


def times(result: dict[str, Any]) -> str:
    """Say how long a seed took."""
    minutes = [one["minutes"] for one in result["runs"]]
    seconds = [one["training_seconds"] for one in result["runs"]]
    return (
        f"A whole command took {min(minutes):.1f} to {max(minutes):.1f} minutes, of which "
        f"{min(seconds):.1f} to {max(seconds):.1f} seconds were training."
    )


def number(value: float) -> str:
    """Write a number with as many digits as it deserves.

    Example:
        >>> number(19771.4), number(0.88241)
        ('19,771', '0.8824')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
