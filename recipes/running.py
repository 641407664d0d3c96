"""Running a recipe: one training a seed, then the gates over all of them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from deepwell.workflows.train import train
from recipes.recipe import Gate, Recipe


def run_seed(recipe: Recipe, data: Path, seed: int) -> dict[str, Any]:
    """Train once; return the scores of network and baselines with the verdict."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as runs:
        result = train(data, runs=runs, settings={**recipe.overrides, "seed": seed})
        manifest = result.folder.read("manifest.json")
        evaluation = result.folder.read("evaluation.json")
    summary = result.summary
    return {
        "seed": seed,
        "model": summary["model"],
        "rows": summary["rows"],
        "metrics": summary["metrics"],
        "baselines": summary["baselines"],
        "outcomes": {one["baseline"]: one for one in evaluation["comparisons"]},
        "verdict": summary["verdict"],
        "training": summary["training"],
        "training_seconds": summary["seconds"]["training"],
        "minutes": round((time.perf_counter() - started) / 60, 3),
        "data_digest": manifest["data"]["digest"],
    }


def run(
    recipe: Recipe, data: Path, seeds: Sequence[int], *, say: Callable[[str], None]
) -> dict[str, Any]:
    """Train with each seed and judge; return plain JSON without the machine."""
    runs: list[dict[str, Any]] = []
    for seed in seeds:
        one = run_seed(recipe, data, seed)
        say(f"seed {seed}: {one['verdict']} ({one['minutes']:.1f} min)")
        runs.append(one)
    judged = [judge(gate, runs) for gate in recipe.gates]
    return {
        "title": recipe.title,
        "data": recipe.data,
        "metric": recipe.metric,
        "seeds": list(seeds),
        "passed": all(gate["passed"] for gate in judged),
        "gates": judged,
        "scores": scores(runs, recipe.metric),
        "runs": runs,
    }


def scores(runs: Sequence[dict[str, Any]], metric: str) -> list[dict[str, Any]]:
    """Return mean and spread of a metric over the seeds, for the network and each baseline."""
    rows: list[tuple[str, list[float], dict[str, int]]]
    rows = [(runs[0]["model"], [value_of(one, metric) for one in runs], {})]
    for baseline in runs[0]["baselines"]:
        values = [value_of(one, metric, baseline) for one in runs]
        rows.append((baseline, values, counts(runs, baseline)))
    return [
        {
            "name": name,
            "values": values,
            "mean": fmean(values),
            "spread": stdev(values) if len(runs) > 1 else 0.0,
            "outcomes": outcomes,
        }
        for name, values, outcomes in rows
    ]


def counts(runs: Sequence[dict[str, Any]], baseline: str) -> dict[str, int]:
    """Return in how many seeds the network is better, worse or neither.

    Example:
        >>> counts([{"outcomes": {"linear": {"outcome": "better"}}}], "linear")
        {'better': 1, 'undecided': 0, 'worse': 0}
    """
    found = [one["outcomes"][baseline]["outcome"] for one in runs if baseline in one["outcomes"]]
    return {name: found.count(name) for name in ("better", "undecided", "worse")} if found else {}


def value_of(one: dict[str, Any], name: str, baseline: str | None = None) -> float:
    """Return a value of a run: of its network, of one of its baselines, or a time."""
    if baseline is not None:
        return float(one["baselines"][baseline][name]["value"])
    return float(one[name] if name in one else one["metrics"][name]["value"])


def judge(gate: Gate, runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return a gate in words, what was found, and whether it holds."""
    if gate.better_than is not None:
        return _judge_verdicts(gate, gate.better_than, runs)
    return _judge_range(gate, runs)


def _judge_verdicts(gate: Gate, baseline: str, runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    least = min(gate.least_better or 0, len(runs))
    found = counts(runs, baseline)
    passed = bool(found) and found["better"] >= least and found["worse"] <= gate.most_worse
    return {
        "text": f"better than {baseline} beyond the interval in at least {least} of {len(runs)} "
        f"seeds, worse in at most {gate.most_worse}",
        "found": ", ".join(f"{number} {name}" for name, number in found.items()),
        "passed": passed,
    }


def _judge_range(gate: Gate, runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    name, low, high = gate.value or "", gate.low or 0.0, gate.high or 0.0
    mean = fmean(value_of(one, name) for one in runs)
    text = f"mean {name.replace('_', ' ')}"
    if gate.over is not None:
        mean /= fmean(value_of(one, name, gate.over) for one in runs)
        text += f" over that of {gate.over}"
    found = f"{mean:,.4g}" if mean < 1000 else f"{mean:,.0f}"
    if mean < low or mean > high:
        is_suspicious = (mean > high) == is_high_good(name)
        found += " – too good to be true: look for a leak" if is_suspicious else ""
    return {
        "text": f"{text} from {low:,g} to {high:,g}",
        "found": found,
        "passed": low <= mean <= high,
    }


def is_high_good(name: str) -> bool:
    """Return whether a larger value is better; times are better when small.

    Example:
        >>> is_high_good("accuracy"), is_high_good("rmse"), is_high_good("minutes")
        (True, False, False)
    """
    from deepwell.evaluation import METRICS

    return name in METRICS and METRICS[name].better == "higher"
