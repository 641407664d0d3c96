"""`python -m benchmarks.quality`: Deepwell with no option but data and target, beside trees.

python -m benchmarks.quality --sets ames,diamonds --splits 1,2,3,4,5 --peers PYTHON
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine, in_words
from benchmarks.quality.sets import SETS, Set, divide
from deepwell.files import read_json, write_json, write_text

FOLDER = Path(__file__).parent / "results"
LIBRARIES = ("lightgbm", "xgboost", "catboost")
PUBLISHED = {
    "ames": "AutoGluon 1.6 with 120 s reached 21,341 on split 0 by its ensemble",
    "diamonds": "AutoGluon 1.6 with 120 s reached 523.6 on split 0 by its ensemble",
}


def main() -> None:
    """Run what was asked for, add it to the results of the day, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.quality", description=__doc__)
    parser.add_argument("--sets", default=",".join(SETS))
    parser.add_argument("--splits", default="0,1,2,3,4,5")
    parser.add_argument("--peers", metavar="PYTHON", help="with lightgbm, xgboost and catboost")
    options = parser.parse_args()
    data = Path(os.environ.get("DEEPWELL_DATA", "../shared/data"))
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"quality-{datetime.now(UTC):%Y-%m-%d}.json"
    result: dict[str, Any] = read_json(path) if path.is_file() else {"scores": []}
    for name in options.sets.split(","):
        for number in map(int, options.splits.split(",")):
            found = measure(data, SETS[name], number, options.peers)
            others = [s for s in result["scores"] if (s["set"], s["split"]) != (name, number)]
            result = {**describe_machine(), "scores": [*others, found]}
            write_json(path, result)
            write_text(FOLDER / "README.md", page(result))
            print(json.dumps(found), flush=True)
    print(page(result))


def measure(data: Path, one: Set, number: int, peers: str | None) -> dict[str, Any]:
    """Train on one division of a set with all contenders; return scores and seconds."""
    scores: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        train, test = divide(data, one, number, folder)
        scores |= deepwell(one, train, test, folder)
        for library in LIBRARIES if peers else ():
            scores[library] = _peer(str(peers), library, one, train, test)
    return {"set": one.name, "split": number, "metric": one.metric, "scores": scores}


def deepwell(one: Set, train: Path, test: Path, folder: Path) -> dict[str, dict[str, Any]]:
    """Run `deepwell train` as a newcomer would; its baselines come along."""
    command = [sys.executable, "-m", "deepwell", "train", str(train), "--target", one.target]
    command += ["--test", str(test), "--runs", str(folder / "runs"), "--name", "run"]
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"deepwell train failed:\n{done.stderr}")
    run = folder / "runs" / "run"
    evaluation = read_json(run / "evaluation.json")
    name = "roc_auc" if one.metric == "auc" else one.metric
    race = read_json(run / "race.json") if (run / "race.json").is_file() else {"models": []}
    found: dict[str, dict[str, Any]] = {
        "deepwell": {
            "score": evaluation["metrics"][name]["value"],
            "seconds": seconds,
            "models": {m["name"]: m["weight"] for m in race["models"]},
        }
    }
    for baseline in ("linear", "boosting"):
        if baseline in evaluation["baselines"]:
            score = evaluation["baselines"][baseline][name]["value"]
            found[baseline] = {"score": score, "seconds": evaluation["baseline_seconds"][baseline]}
    return found


def _peer(python: str, library: str, one: Set, train: Path, test: Path) -> dict[str, Any]:
    script = Path(__file__).with_name("trees.py")
    command = [python, str(script), library, str(train), str(test), one.target, one.metric]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"score": None, "reason": done.stderr.strip().splitlines()[-1]}
    return json.loads(done.stdout.strip().splitlines()[-1])


def page(result: Mapping[str, Any]) -> str:
    """Return all results as Markdown: a table a set, and the mean rank over them."""
    lines = [
        "# Quality on tables",
        "",
        "`python -m benchmarks.quality`. Each set is divided by "
        "`numpy.random.default_rng(split).permutation`, the first fifth for testing. Deepwell is "
        "given nothing but data and target; the others run with their default settings.",
        "",
    ]
    for name, one in SETS.items():
        rows = sorted(
            (row for row in result["scores"] if row["set"] == name), key=lambda row: row["split"]
        )
        if rows:
            lines += [*_table(name, one, rows), ""]
    lines += [f"{in_words(result)}"]
    return "\n".join(lines) + "\n"


def _table(name: str, one: Set, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    names = list(dict.fromkeys(contender for row in rows for contender in row["scores"]))
    direction = "higher is better" if one.metric == "auc" else "lower is better"
    lines = [f"## {name}: {one.metric.upper()}, {direction}", ""]
    lines += ["| split | " + " | ".join(names) + " |", "| --- |" + " --: |" * len(names)]
    for row in rows:
        cells = [_number(row["scores"].get(n, {}).get("score")) for n in names]
        lines.append(f"| {row['split']} | " + " | ".join(cells) + " |")
    kept = [row for row in rows if row["split"] > 0]
    if len(kept) > 1:
        cells = [_mean([r["scores"].get(n, {}).get("score") for r in kept]) for n in names]
        lines.append(
            f"| mean ± spread of splits {kept[0]['split']} to {kept[-1]['split']} | "
            + " | ".join(cells)
            + " |"
        )
    seconds = [row["scores"]["deepwell"]["seconds"] for row in rows]
    lines += ["", f"`deepwell train` took {min(seconds):.0f} to {max(seconds):.0f} s in all."]
    if name in PUBLISHED:
        lines += [f"{PUBLISHED[name]}."]
    return lines


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:,.1f}" if value > 100 else f"{value:.4f}"


def _mean(values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return "–"
    return f"{_number(statistics.mean(known))} ± {_number(statistics.stdev(known))}"


if __name__ == "__main__":
    main()
