"""`python -m benchmarks.quality`: Deepwell with no option but data and target, beside trees.

python -m benchmarks.quality --sets ames,diamonds --splits 1,2,3,4,5 --peers PYTHON
python -m benchmarks.quality --sets held-out --gathered FOLDER --peers PYTHON
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.machine import describe_machine
from benchmarks.quality.page import merged, page
from benchmarks.quality.sets import SETS, Set, divide
from deepwell.files import read_json, write_json, write_text

FOLDER = Path(__file__).parent / "results"
LIBRARIES = ("lightgbm", "xgboost", "catboost")


def main() -> None:
    """Run what was asked for, add it to the results of the day, and print the page."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.quality",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--sets", default="goal", help="names, or all with a role: goal, development, held-out"
    )
    parser.add_argument("--splits", help="default: 0,1,2,3,4,5 of goal sets, 0 of gathered ones")
    parser.add_argument("--gathered", type=Path, default=os.environ.get("DEEPWELL_GATHERED"))
    parser.add_argument("--peers", metavar="PYTHON", help="with lightgbm, xgboost and catboost")
    options = parser.parse_args()
    wanted = list(divisions(options.sets, options.splits))
    if options.peers:
        check_peers(str(options.peers))
    folders = {one.name: _folder(one, options.gathered) for one, _ in wanted}
    FOLDER.mkdir(exist_ok=True)
    path = FOLDER / f"quality-{datetime.now(UTC):%Y-%m-%d}.json"
    result: dict[str, Any] = read_json(path) if path.is_file() else {"scores": []}
    for one, number in wanted:
        found = measure(folders[one.name], one, number, options.peers)
        others = [s for s in result["scores"] if (s["set"], s["split"]) != (one.name, number)]
        machine = describe_machine()
        found["commit"] = machine["commit"]
        result = {**machine, "scores": [*others, found]}
        write_json(path, result)
        write_text(FOLDER / "README.md", page(merged(FOLDER)))
        print(json.dumps(found), flush=True)
    print(page(merged(FOLDER)))


def divisions(sets: str, splits: str | None) -> Iterator[tuple[Set, int]]:
    """Return the sets asked for, each with the numbers of its divisions.

    Args:
        sets: Names of sets or of roles, apart by commas.
        splits: Numbers apart by commas.

    Raises:
        SystemExit: If a name is unknown.
    """
    for word in sets.split(","):
        found = [one for one in SETS.values() if word in (one.name, one.role.replace(" ", "-"))]
        if not found:
            known = ", ".join(["goal", "development", "held-out", *SETS])
            raise SystemExit(f"There is no set {word!r}. Known are {known}.")
        for one in found:
            numbers = splits or ("0,1,2,3,4,5" if one.role == "goal" else "0")
            yield from ((one, int(number)) for number in numbers.split(","))


def _folder(one: Set, gathered: Path | None) -> Path:
    data = Path(os.environ.get("DEEPWELL_DATA", "../shared/data"))
    folder = data if one.role == "goal" else Path(gathered or "../gathered")
    if not (folder / one.file).is_file():
        raise SystemExit(
            f"{folder / one.file} is missing. "
            "Set DEEPWELL_DATA to the folder of data sets; gathered sets are brought by "
            "`python -m benchmarks.quality.gather FOLDER` and read with --gathered FOLDER."
        )
    return folder


def check_peers(python: str) -> None:
    """Try what the peers import, before anything is trained.

    Raises:
        SystemExit: Something is missing there.
    """
    packages = ", ".join(("pandas", "polars", "pyarrow", "sklearn", *LIBRARIES))
    try:
        done = subprocess.run([python, "-c", f"import {packages}"], capture_output=True, text=True)
    except OSError as error:
        raise SystemExit(f"--peers {python} cannot be run: {error.strerror}.") from error
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1]
        needed = Path(__file__).with_name("peers.txt")
        raise SystemExit(
            f"--peers {python} lacks something ({reason}). Install it there: "
            f"{python} -m pip install -r {needed}"
        )


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


if __name__ == "__main__":
    main()
