"""Run benchmarks: `python -m benchmarks [NAME …]`."""

from __future__ import annotations

import argparse
import importlib
import inspect
import sys
from typing import Any

from benchmarks.harness import Outcome, Unavailable
from benchmarks.machine import describe_machine
from benchmarks.results import goal_text, store, table
from benchmarks.workloads import WORKLOADS

BENCHMARKS = {
    "startup": ("How long importing and --help take, and how much is installed.", 11),
    "lecture": ("The lecture's network on Fashion-MNIST, beside peers.", 3),
    "memory": ("Memory and pace of a training on a table larger than memory.", 1),
    "copies": ("Planted copies of rows, pictures and texts: how many are found.", 1),
    "overhead": ("The engine's loop over loops by hand.", 21),
    "augment": ("Changes to batches of pictures, beside peers.", 5),
    **{name: (f"{work.title}, beside peers.", 3) for name, work in WORKLOADS.items()},
}
"""Name → what it measures, and how many repeats it has."""


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and store; slow is not a mistake: the exit code is 0 then too."""
    options = _read(arguments)
    for name in options.names or BENCHMARKS:
        repeats = options.repeats or BENCHMARKS[name][1]
        print(f"\n{name}: {BENCHMARKS[name][0]} {repeats} repeats.", flush=True)
        machine = describe_machine()
        try:
            outcome = _measure(name, repeats, options.peers)
        except Unavailable as reason:
            print(f"Left out: {reason}.")
            continue
        result = {**outcome.to_json(), **machine}
        show(result)
        if not options.dry:
            print(f"Stored in {store(result)}")
    return 0


def _read(arguments: list[str] | None) -> argparse.Namespace:
    listing = "\n".join(f"  {name:10} {text}" for name, (text, _) in BENCHMARKS.items())
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description=f"Measure how fast Deepwell is, beside its peers.\n\n{listing}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="default: all")
    parser.add_argument("--repeats", type=int, help="instead of the benchmark's own number")
    parser.add_argument("--peers", metavar="PYTHON", help="of the environment of peers.txt")
    parser.add_argument("--dry", action="store_true", help="store nothing")
    options = parser.parse_args(arguments)
    for name in options.names:
        if name not in BENCHMARKS:
            parser.error(f'unknown benchmark "{name}". Known: {", ".join(BENCHMARKS)}')
    if options.repeats is not None and options.repeats < 1:
        parser.error(f"--repeats must be 1 or more. Got: {options.repeats}")
    return options


def _measure(name: str, repeats: int, peers: str | None) -> Outcome:
    module = "race" if name in WORKLOADS else name
    measure = importlib.import_module(f"benchmarks.{module}").measure
    further: dict[str, Any] = {"name": name} if name in WORKLOADS else {}
    if "peers" in inspect.signature(measure).parameters:
        further["peers"] = peers
    return measure(repeats, say=lambda text: print(f"  {text}", flush=True), **further)


def show(result: dict[str, Any]) -> None:
    """Print a result: table, goals, what was left out, notes."""
    print("\n" + "\n".join(table(result)) + "\n")
    for goal in result["goals"]:
        print(f"Goal: {goal_text(goal)}")
    for name, reason in result["skipped"].items():
        print(f"Left out: {name}, {reason}")
    for note in result["notes"]:
        print(f"Note: {note}")


if __name__ == "__main__":
    sys.exit(main())
