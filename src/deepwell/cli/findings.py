"""How findings of a diagnosis look on a terminal, and how long one still takes."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from rich.padding import Padding

from deepwell.cli.render import console, grid, stderr

if TYPE_CHECKING:
    from deepwell.evaluation.diagnosis import Finding

LOOKS = {"problem": "bold red", "warning": "yellow", "note": "cyan"}
SIDES = {"train": "training", "val": "validation"}
MOST_SHOWN = 4
MOST_SUSPECTS = 10
_SECONDS_BETWEEN_LINES = 10.0


class Countdown:
    """Shows what is being done and the time left: one moving line, or a line now and then."""

    def __init__(self) -> None:
        self._last = float("-inf")
        self._status: Any = None

    def __enter__(self) -> Countdown:
        if stderr.is_terminal:
            self._status = stderr.status("")
            self._status.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._status is not None:
            self._status.stop()

    def tell(self, what: str, share: float, left: float | None) -> None:
        """Show where a diagnosis stands.

        Args:
            what: What is being done.
            share: Of all work that is done.
            left: Seconds, or None if that is not known yet.
        """
        from deepwell.engine.progress import clock

        text = f"Measuring {what}  {100 * share:.0f} %"
        if left is not None:
            text += f"  {clock(left)} left"
        if self._status is not None:
            self._status.update(text)
        elif time.monotonic() - self._last > _SECONDS_BETWEEN_LINES:
            self._last = time.monotonic()
            print(text, file=sys.stderr, flush=True)


def show_findings(run: Path, findings: Sequence[Finding], *, quick: bool) -> None:
    """Print findings in full: title, evidence, cause, command."""
    from deepwell.evaluation.diagnosis.finding import healthy_words
    from deepwell.files import read_json

    healthy = healthy_words(findings)
    if healthy:
        console.print(healthy)
    for finding in findings:
        console.print(f"\n{_head(finding.severity)} [bold]{escape(finding.title)}[/bold]")
        for text in (finding.evidence, finding.cause):
            if text:
                console.print(Padding(escape(text), (0, 0, 0, 9)))
        if finding.action:
            console.print(f"         [bold]→[/bold] {escape(finding.action)}", soft_wrap=True)
    labels = read_json(run / "diagnosis.json")["measured"].get("labels") or {}
    if any(finding.name == "label_noise" for finding in findings):
        _show_suspects(labels.get("suspects") or [])
    console.print(f"\nReport   {escape(str(run / 'report.html'))}", soft_wrap=True)
    if quick:
        words = shlex.join(["deepwell", "diagnose", str(run)])
        console.print(f"More     {escape(words)}", soft_wrap=True)


def _head(severity: str) -> str:
    return f"[{LOOKS[severity]}]{severity:<8}[/{LOOKS[severity]}]"


def _show_suspects(suspects: Sequence[Mapping[str, Any]]) -> None:
    if not suspects:
        return
    table = grid("Row", "Side", "Labelled", "Probably", "Sure", numeric=(0, 4))
    for one in suspects[:MOST_SUSPECTS]:
        table.add_row(
            str(one["id"]),
            SIDES.get(one["side"], one["side"]),
            escape(one["given"]),
            escape(one["likely"]),
            f"{100 * one['probability']:.{1 if one['probability'] >= 0.995 else 0}f} %",
        )
    console.print()
    console.print(table)
    if len(suspects) > MOST_SUSPECTS:
        console.print(f"… {len(suspects) - MOST_SUSPECTS:,} more in diagnosis.json and the report")


def show_next(run: Path) -> None:
    """Print the findings of a training in one or two lines each, and where to go from there."""
    from deepwell.files import read_json

    path = run / "diagnosis.json"
    findings = read_json(path)["findings"] if path.is_file() else []
    for finding in findings[:MOST_SHOWN]:
        head, title = _head(finding["severity"]), escape(finding["title"])
        console.print(f"{head} {title} [dim]{escape(finding['evidence'])}[/dim]", soft_wrap=True)
        if finding["action"]:
            console.print(f"         → {escape(finding['action'])}", soft_wrap=True)
    if len(findings) > MOST_SHOWN:
        console.print(f"         … {len(findings) - MOST_SHOWN} more in the report")
    schema = read_json(run / "data.json")["schema"]
    has_images = any(column["kind"] == "image" for column in schema["columns"])
    here = shlex.quote(str(run))
    new = "pictures/" if has_images else "new.csv"
    console.print(escape(f"Next     deepwell diagnose {here}"), soft_wrap=True)
    console.print(escape(f"         deepwell predict {here} {new} -o out.csv"), soft_wrap=True)
