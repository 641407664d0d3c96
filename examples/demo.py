"""The demo: two questions, two networks, two honest answers, in under three minutes.

Run it with `make demo`, or with `python examples/demo.py` where Deepwell is installed. It uses
nothing but the command line, called inside this process, so every line behind a `$` can be typed
as it stands. What it makes lies in `runs/demo/` and is replaced when the demo runs again.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import time
from pathlib import Path

import polars as pl

from deepwell.cli.main import app
from deepwell.cli.render import console, show_frame
from deepwell.runs import RunFolder

EXAMPLES = Path(__file__).parent
RUNS = Path("runs/demo")
CLOTHES_EPOCHS = 8
NUM_HOUSES = 5
SHOWN = ("Neighborhood", "Gr_Liv_Area", "Year_Built")


def main() -> int:
    """Tell the story; return the exit code."""
    started = time.perf_counter()
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")  # as the command does: docs/decisions/0010
    shutil.rmtree(RUNS, ignore_errors=True)
    for chapter in (train_on_houses, train_on_clothes, predict_houses):
        code = chapter()
        if code:
            return code
    say_what_next(time.perf_counter() - started)
    return 0


def train_on_houses() -> int:
    """Regression on a table."""
    tell(
        "1. Houses: what is a house worth?",
        "2,930 houses sold in Ames, Iowa, each with 73 facts: areas, years, quality, place. "
        "A fifth of the houses is kept aside and scored once, at the end, beside three simple "
        "models. Without --model several models would compete, and the best or their blend win.",
    )
    houses = shown(EXAMPLES / "houses.csv")
    place = ("--runs", str(RUNS), "--name", "houses")
    return run("train", houses, "--target", "price", "--model", "mlp", *place)


def train_on_clothes() -> int:
    """Classification of pictures."""
    tell(
        "2. Clothes: what is in the picture?",
        "10,000 grey pictures of 28 × 28 pixels, of ten kinds of clothes, and 2,000 more to test "
        "on. Pictures get a convolutional network. The demo takes "
        f"{CLOTHES_EPOCHS} passes over a sample of the set to be quick; the whole set with the "
        "usual settings does better.",
    )
    epochs = ("--epochs", str(CLOTHES_EPOCHS))
    clothes = shown(EXAMPLES / "clothes")
    return run("train", clothes, *epochs, "--runs", str(RUNS), "--name", "clothes")


def predict_houses() -> int:
    """Answers for new rows, from the stored model."""
    tell(
        "3. Predict: what would these houses cost?",
        f"{NUM_HOUSES} houses that the network has never seen, in a file without their prices. "
        "The model folder needs neither the data nor the code of the training.",
    )
    new, answers = RUNS / "new-houses.csv", RUNS / "answers.csv"
    test_rows = RunFolder(RUNS / "houses").read_splits()["test"][:NUM_HOUSES]
    houses = pl.read_csv(EXAMPLES / "houses.csv")[test_rows.tolist()]
    houses.drop("price").write_csv(new)
    code = run("predict", str(RUNS / "houses"), str(new), "-o", str(answers))
    if code == 0:
        answered = pl.read_csv(answers).select("prediction", *SHOWN)
        show_frame(answered.with_columns(houses["price"].cast(float).alias("real price")))
    return code


def say_what_next(seconds: float) -> None:
    """End the story."""
    tell(
        f"Done in {seconds:.0f} s. What to try next",
        "Open the two reports in a browser: data, learning curves, worst mistakes, how to do it "
        "again.",
    )
    for name in ("houses", "clothes"):
        console.print(f"  {(RUNS / name / 'report.html').absolute()}", soft_wrap=True)
    console.print("\nThen your own file:")
    for command in (
        "deepwell data inspect FILE --target COLUMN",
        "deepwell train FILE --target COLUMN",
        "deepwell models",
    ):
        console.print(f"  $ {command}", soft_wrap=True)


def tell(title: str, text: str) -> None:
    """Print a chapter's title and what it is about."""
    console.print()
    console.rule(f"[bold]{title}", align="left", style="dim")
    console.print(text)


def run(*arguments: str) -> int:
    """Show a command and run it in this process; return its exit code."""
    console.print(f"\n[bold]$ deepwell {shlex.join(arguments)}[/bold]\n", soft_wrap=True)
    sys.argv = ["deepwell", *arguments]  # a report names the command that it came from
    return app(arguments, prog_name="deepwell", standalone_mode=False) or 0


def shown(path: Path) -> str:
    """Return a path as a person in this folder would type it."""
    path = path.absolute()
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


if __name__ == "__main__":
    sys.exit(main())
