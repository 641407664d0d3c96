"""A page of the documentation: its fenced blocks, and the parts that `make.py` writes.

A comment before a block says what is special about it:

- ``<!-- not run: reason -->``: never run;
- ``<!-- slow -->``: run by `make.py` and by `make test-all` only;
- ``<!-- exit 1 -->``: its last command ends with this code;
- ``<!-- output -->`` or ``<!-- output 1-12 20-24 -->``: a console block whose output `make.py`
  writes, all of it or these lines of it.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(
    r"(?P<comments>(?:^<!--[^\n]*-->\n)*)^```(?P<language>\w+)\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
MADE = re.compile(
    r"(?P<open>^<!-- made: (?P<name>[^\n]+?) -->\n)(?P<body>.*?)(?P<close>^<!-- end -->$)",
    re.MULTILINE | re.DOTALL,
)
RUNNABLE = ("deepwell ", "head ")
"""What a shell block may start a line with to be run; all other lines are for readers only."""


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Args:
        language: python, sh, console, text, …
        body: Between the fences.
        comments: The HTML comments directly above it.
        line: Number of its first line in the page.
    """

    language: str
    body: str
    comments: str
    line: int

    @property
    def is_run(self) -> bool:
        """Whether it is ever run."""
        return "not run:" not in self.comments and self.language in ("python", "sh", "console")

    @property
    def is_slow(self) -> bool:
        """Whether it takes too long for the daily tests."""
        return "<!-- slow -->" in self.comments

    @property
    def exit_code(self) -> int:
        """What its last command ends with."""
        match = re.search(r"<!-- exit (\d+) -->", self.comments)
        return int(match[1]) if match else 0

    @property
    def kept_lines(self) -> list[tuple[int, int]] | None:
        """Ranges of output lines to show, [] for all; None where the output is written by hand."""
        match = re.search(r"<!-- output([ \d-]*)-->", self.comments)
        if match is None:
            return None
        pairs = [part.partition("-") for part in match[1].split()]
        return [(int(first), int(last or first)) for first, _, last in pairs]

    @property
    def typed(self) -> list[str]:
        """The command lines that can be run, as they stand in the page."""
        found = re.findall(r"^(?:.*\\\n)*.*$", self.body, re.MULTILINE)
        if self.language == "console":
            found = [line.removeprefix("$ ") for line in found if line.startswith("$ ")]
        return [line for line in found if line.startswith(RUNNABLE)]

    @property
    def commands(self) -> list[str]:
        """The same on one line each."""
        return [re.sub(r"\s*\\\n\s*", " ", line) for line in self.typed]


def pages() -> list[Path]:
    """Return all pages that are tested, the README first."""
    names = ["README.md", "CONTRIBUTING.md"]
    return [*(ROOT / name for name in names), *sorted((ROOT / "docs").glob("*.md"))]


def blocks(text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page in their order."""
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start("language")) + 2
        yield Block(match["language"], match["body"], match["comments"], line)


def arguments(command: str) -> list[str]:
    """Return the words of a command line behind the program's name."""
    return shlex.split(command, comments=True)[1:]


def with_made_parts(text: str, make: Callable[[str], str]) -> str:
    """Replace what stands between ``<!-- made: NAME -->`` and ``<!-- end -->``."""
    return MADE.sub(lambda m: f"{m['open']}\n{make(m['name']).strip()}\n\n{m['close']}", text)


def with_outputs(text: str, outputs: dict[int, str]) -> str:
    """Replace the bodies of blocks, named by their line."""

    def replaced(match: re.Match[str]) -> str:
        line = text.count("\n", 0, match.start("language")) + 2
        if line not in outputs:
            return match[0]
        return f"{match['comments']}```{match['language']}\n{outputs[line].rstrip()}\n```"

    return FENCE.sub(replaced, text)
