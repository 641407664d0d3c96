"""The table of the models that competed, for the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from deepwell.cli.render import console, grid


def show_race(run: Path) -> None:
    """Print the models of a race, best first, if there was one."""
    from deepwell.evaluation.race_chapter import (
        blend_loss,
        blend_score,
        competitors,
        how_ranked,
        is_blend,
        where,
    )
    from deepwell.files import read_json

    path = run / "race.json"
    if not path.is_file():
        return
    race = read_json(path)
    ranking = how_ranked(race)
    scores = (race["title"], "Loss") if ranking else (race["title"],)
    numeric = tuple(range(1, len(scores) + 3))
    table = grid("Models that competed", *scores, "Time", "Share", "Note", numeric=numeric)
    if is_blend(race):
        both = (blend_score(race), blend_loss(race))[: len(scores)]
        table.add_row("[bold]their blend[/bold]", *both, "", "100 %")
    for model in competitors(race):
        name = f"[bold]{escape(model.name)}[/bold]" if model.is_kept else escape(model.name)
        reason = f"[dim]{escape(model.reason)}[/dim]"
        both = (model.score or "–", model.loss or "–")[: len(scores)]
        table.add_row(name, *both, model.seconds, model.share or "–", reason)
    console.print()
    console.print(table)
    said = f"Compared on {where(race)}. No test row was looked at. {ranking}".strip()
    console.print(f"[dim]{said}[/dim]")
