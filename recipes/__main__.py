"""Run recipes: `python -m recipes NAME [--seeds 3]`."""

from __future__ import annotations

import argparse
import sys

from benchmarks.machine import describe_machine

from deepwell.errors import ConfigError
from recipes.recipe import load, names
from recipes.results import gate_text, store, table
from recipes.running import run


def main(arguments: list[str] | None = None) -> int:
    """Run, print and store; exit code 1 if a gate fails, 2 for a mistake."""
    options = _read(arguments)
    try:
        recipes = {name: load(name) for name in options.names}
    except ConfigError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    failed = False
    for name, recipe in recipes.items():
        print(f"\n{name}: {recipe.title}", flush=True)
        data = recipe.path
        if data is None:
            print(f"Left out: {recipe.data} is not at hand.")
            continue
        machine = describe_machine()
        seeds = recipe.seeds[: options.seeds]
        result = run(recipe, data, seeds, say=lambda text: print(f"  {text}", flush=True))
        print("\n" + "\n".join(table(result)) + "\n")
        for gate in result["gates"]:
            print(f"Gate: {gate_text(gate)}")
        failed |= not result["passed"]
        if not options.dry:
            print(f"Stored in {store(name, {**result, **machine})}")
    return int(failed)


def _read(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m recipes",
        description=f"Train by a recipe and check its scores. Recipes: {', '.join(names())}.",
    )
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--seeds", type=int, help="only the first so many of the recipe's seeds")
    parser.add_argument("--dry", action="store_true", help="store nothing")
    options = parser.parse_args(arguments)
    if options.seeds is not None and options.seeds < 1:
        parser.error(f"--seeds must be 1 or more. Got: {options.seeds}")
    return options


if __name__ == "__main__":
    sys.exit(main())
