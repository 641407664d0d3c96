"""How long people wait before anything happens, and how much is installed."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from packaging.requirements import Requirement

from benchmarks.harness import Contender, Goal, Outcome, Sample, Unavailable, take_turns

IMPORT_LIMIT, HELP_LIMIT, PACKAGES_LIMIT = 0.3, 0.5, 40


def measure(repeats: int, *, say: Callable[[str], None]) -> Outcome:
    """Measure in processes of their own, with the files already in the disk cache."""
    python = sys.executable
    contenders = [
        _process("python", "python itself", [python, "-c", "pass"]),
        _process("import", "import deepwell", [python, "-c", "import deepwell"]),
        _process("help", "deepwell --help", [str(_command()), "--help"]),
        _process("version", "deepwell --version", [str(_command()), "--version"]),
        _process("train_help", "deepwell train --help", [str(_command()), "train", "--help"]),
        _process("torch", "import torch", [python, "-c", "import torch"]),
    ]
    for contender in contenders:
        contender.measure(-1)  # fills the disk cache and compiles the files
    turns = take_turns(contenders, repeats, say=say)
    outcome = Outcome(
        name="startup",
        title="seconds until Python has answered, and packages of the core",
        rows=turns.rows,
        references={"": "python"},
        skipped=turns.skipped,
    )
    beside, torch_own = installed_packages()
    outcome.goals = [
        Goal("import deepwell", outcome.row("import").median, IMPORT_LIMIT, unit=" s"),
        Goal("deepwell --help", outcome.row("help").median, HELP_LIMIT, unit=" s"),
        Goal("Packages of the core beside torch", float(len(beside)), PACKAGES_LIMIT),
    ]
    loaded = "is loaded" if _loads_torch() else "is not loaded"
    outcome.notes = [
        f"torch {loaded} by `import deepwell` and by `deepwell --help`.",
        f"The core installs {len(beside)} packages beside torch, which itself brings "
        f"{len(torch_own)} more: {', '.join(torch_own)}.",
        *turns.notes,
    ]
    return outcome


def _process(name: str, title: str, command: list[str]) -> Contender:
    def run(repeat: int) -> Sample:
        started = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - started
        if done.returncode:
            raise Unavailable(f"it failed: {done.stderr.strip().splitlines()[-1:]}")
        return Sample(seconds)

    return Contender(name, title, run)


def _command() -> Path:
    """Return the installed command beside this Python."""
    return Path(sys.executable).parent / "deepwell"


def _loads_torch() -> bool:
    code = (
        "import sys, deepwell, deepwell.cli.main\n"
        "from typer.testing import CliRunner\n"
        "CliRunner().invoke(deepwell.cli.main.app, ['--help'])\n"
        "sys.exit('torch' in sys.modules)"
    )
    return subprocess.run([sys.executable, "-c", code], check=False).returncode != 0


def installed_packages() -> tuple[list[str], list[str]]:
    """Return the packages that the core needs beside torch, and those that torch needs itself."""
    of_torch = closure("torch")
    beside = closure("deepwell") - of_torch - {"deepwell", "torch"}
    return sorted(beside), sorted(of_torch - {"torch"})


def closure(package: str) -> set[str]:
    """Return a package and all that it requires here, as normalised names."""
    found: set[tuple[str, str]] = set()
    pending = [(normalised(package), "")]
    while pending:
        name, extra = pending.pop()
        if (name, extra) in found:
            continue
        found.add((name, extra))
        for text in importlib.metadata.requires(name) or ():
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
                needed = normalised(requirement.name)
                pending += [(needed, one) for one in ("", *requirement.extras)]
    return {name for name, _ in found}


def normalised(name: str) -> str:
    """Return a package's name as indexes write it.

    Example:
        >>> normalised("Markdown_It.py")
        'markdown-it-py'
    """
    return re.sub(r"[-_.]+", "-", name).lower()
