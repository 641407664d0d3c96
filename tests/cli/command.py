"""What a command leaves behind, and the types of the fixtures that run one."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Outcome:
    """Exit code, standard output and standard error."""

    code: int
    out: str
    err: str


RunCli = Callable[..., Outcome]
Refuse = Callable[..., str]


def tree(folder: Path) -> dict[str, int]:
    """Return every path below a folder with its size."""
    return {str(p.relative_to(folder)): p.stat().st_size * p.is_file() for p in folder.rglob("*")}
