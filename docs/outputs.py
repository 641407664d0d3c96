"""What the commands in the pages print, as a reader would see it, without times and speeds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from page import ROOT, Block, arguments, blocks

WIDTH = 88
CHANGING = re.compile(r"^epoch \d+/|^\d+ epochs?, [\d,]+ steps? in ")
"""Lines that differ from run to run: progress, and the time of the training."""


def make_place(folder: Path) -> Path:
    """Return the folder as a reader's: with `examples/` in it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "examples").symlink_to(ROOT / "examples", target_is_directory=True)
    return folder


@dataclass
class Trainings:
    """Trainings that were done already: several pages begin with the same one.

    Args:
        store: Where copies of the run folders are kept.
    """

    store: Path
    _done: dict[str, tuple[str, int, str]] = field(default_factory=dict[str, tuple[str, int, str]])

    def recall(self, command: str, place: Path) -> tuple[str, int] | None:
        """Put the run folder of the same command in its place and return what it said."""
        if command not in self._done:
            return None
        text, code, run = self._done[command]
        if (place / run).exists():
            return None
        (place / run).parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(self.store / run, place / run)
        return text, code

    def keep(self, command: str, place: Path, before: set[Path], text: str, code: int) -> None:
        """Keep the run folder that a command has made."""
        made = runs_in(place) - before
        if command.startswith("deepwell train ") and len(made) == 1:
            run = str(made.pop().relative_to(place))
            if not (self.store / run).exists():
                shutil.copytree(place / run, self.store / run)
                self._done[command] = (text, code, run)


def runs_in(place: Path) -> set[Path]:
    """Return the run folders of a place."""
    return {status.parent for status in place.glob("runs/**/status.json")}


def run_page(page: Path, place: Path, trainings: Trainings) -> dict[int, str]:
    """Run all commands of a page; return the new output of its blocks by their lines.

    Raises:
        RuntimeError: A command ends with another exit code than the page says.
    """
    outputs: dict[int, str] = {}
    for block in blocks(page.read_text(encoding="utf-8")):
        if not block.is_run or block.language == "python":
            continue
        parts: list[str] = []
        for index, (typed, command) in enumerate(zip(block.typed, block.commands, strict=True)):
            text, code = run(command, place, trainings)
            expected = block.exit_code if index == len(block.commands) - 1 else 0
            if code != expected:
                raise RuntimeError(
                    f"{page.name}:{block.line}: {command} ended with {code}:\n{text}"
                )
            parts.append(f"$ {typed}\n{_chosen(text, block)}")
        if block.language == "console" and block.kept_lines is not None:
            outputs[block.line] = "\n".join(part.rstrip() for part in parts)
    return outputs


def run(command: str, place: Path, trainings: Trainings) -> tuple[str, int]:
    """Run a command in a place; return what it prints and its exit code."""
    known = trainings.recall(command, place)
    if known is not None:
        return known
    before = runs_in(place)
    words = ["bash", "-c", command]
    if command.startswith("deepwell "):
        words = [sys.executable, "-m", "deepwell", *arguments(command)]
    environment = {**os.environ, "COLUMNS": str(WIDTH), "TERM": "dumb", "OMP_NUM_THREADS": "1"}
    environment["PYTHONPATH"] = str(ROOT / "src")
    done = subprocess.run(words, cwd=place, env=environment, capture_output=True, text=True)
    text = _readable(done.stderr + done.stdout)
    trainings.keep(command, place, before, text, done.returncode)
    return text, done.returncode


def _readable(text: str) -> str:
    lines = [line.rstrip() for line in text.splitlines() if not CHANGING.match(line)]
    return re.sub(r"\n{3,}", "\n\n", "".join(f"{line}\n" for line in lines))


def _chosen(text: str, block: Block) -> str:
    """Return the lines that the page asks for, with … where some are left out."""
    lines = text.strip("\n").splitlines()
    if not block.kept_lines:
        return "\n".join(lines)
    chosen: list[str] = []
    last = 0
    for first, end in block.kept_lines:
        if first > last + 1:
            chosen.append("…")
        chosen += lines[first - 1 : end]
        last = end
    return "\n".join([*chosen, "…"] if last < len(lines) else chosen)
