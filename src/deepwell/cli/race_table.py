"""The table of the models that competed, for the terminal."""

from __future__ import annotations

from pathlib import Path

from rich.markup import escape

from deepwell.cli.render import console, grid


def show_race(run: Path) -> None:
    """Print the models of a race, best first, if there was one."""
    from deepwell.evaluation.race_chapter import blend_score, competitors, is_blend, where
    from deepwell.files import read_json

    path = run / "race.json"
    if not path.is_file():
        return
    race = read_json(path)
    title = race["title"]
    table = grid("Models that competed", title, "Time", "Share", "Note", numeric=(1, 2, 3))
    if is_blend(race):
        table.add_row("[bold]their blend[/bold]", blend_score(race), "", "100 %")
    for model in competitors(race):
        name = f"[bold]{escape(model.name)}[/bold]" if model.is_kept else escape(model.name)
        reason = f"[dim]{escape(model.reason)}[/dim]"
        table.add_row(name, model.score or "–", model.seconds, model.share or "–", reason)
    console.print()
    console.print(table)
    console.print(f"[dim]Compared on {where(race)}. No test row was looked at.[/dim]")
