"""The table of cross-validation, for the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from deepwell.cli.race_table import show_race
from deepwell.cli.render import console, grid


def show_trainings(run: Path) -> None:
    """Print the models that competed and the scores of cross-validation, where there were some."""
    show_race(run)
    _show_folds(run)


def _show_folds(run: Path) -> None:
    from deepwell.evaluation.folds_chapter import explanation, fold_scores
    from deepwell.files import read_json

    path = run / "folds.json"
    if not path.is_file():
        return
    folds = read_json(path)
    headers = ["Cross-validation", "Mean of the folds", "All rows", "95 % interval"]
    if folds["nested"] is not None:
        headers.append("Nested")
    table = grid(*headers, numeric=range(1, len(headers)))
    for row in fold_scores(folds):
        cells = [escape(row.title), row.mean, row.value, row.interval]
        table.add_row(*cells, *([row.nested] if folds["nested"] is not None else []))
    console.print()
    console.print(table)
    for sentence in explanation(folds):
        console.print(f"[dim]{escape(sentence)}[/dim]")
