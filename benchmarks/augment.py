"""Changes to whole batches of pictures, beside kornia and Pillow."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace

from benchmarks import pictures
from benchmarks.harness import Contender, Goal, Outcome, Sample, take_turns
from benchmarks.worker import Entry, launch

LIMIT = 10.0
GEOMETRY = "flip + crop + rotate, 128 × 1 × 28 × 28"
COLOUR = "brightness + contrast + saturation + hue, 64 × 3 × 96 × 96"
STRONG = "all of the preset strong, and flip, 64 × 3 × 96 × 96"


DEEPWELL = Entry("deepwell", "Deepwell", "deepwell_augment")
PILLOW = Entry("pillow", "Pillow, one picture at a time", "pillow_peer", packages=("pillow",))
KORNIA = Entry("kornia", "kornia", "kornia_peer", packages=("kornia", "torch"))
WORK: tuple[tuple[str, str, Entry], ...] = (
    *((GEOMETRY, "geometry", entry) for entry in (DEEPWELL, PILLOW, KORNIA)),
    *((COLOUR, "colour", entry) for entry in (DEEPWELL, PILLOW, KORNIA)),
    (STRONG, "strong", DEEPWELL),
)


def measure(repeats: int, *, say: Callable[[str], None], peers: str | None = None) -> Outcome:
    """Time a batch with each library, each time in a fresh process.

    Args:
        repeats: Number of processes for each.
        say: Told about each measurement.
        peers: Python of the environment in which kornia is installed.
    """
    turns = take_turns([_contender(*work, peers=peers) for work in WORK], repeats, say=say)
    outcome = Outcome(
        name="augment",
        title="changes to a batch of pictures",
        rows=turns.rows,
        references={group: f"deepwell {function}" for group, function, _ in WORK},
        skipped=turns.skipped,
        unit="ms",
        notes=[
            "A measurement is the median over the batches of a process, behind some to warm up. "
            "Deepwell and Pillow take and return bytes; kornia takes floats, so turning bytes "
            "into these is its work, and it need not turn them back.",
            "All change about as much: the mean change of a pixel, on the scale 0 … 255, stands "
            "beside the time.",
            *turns.notes,
        ],
    )
    milliseconds = 1000 * outcome.row("deepwell geometry").median
    outcome.goals = [Goal(f"Deepwell, {GEOMETRY}", milliseconds, LIMIT, unit=" ms")]
    return outcome


def _contender(group: str, function: str, entry: Entry, *, peers: str | None) -> Contender:
    python = peers if peers and entry is KORNIA else sys.executable

    def run(repeat: int) -> Sample:
        return launch(replace(entry, function=function), python, pictures.SAMPLE, repeat)

    return Contender(f"{entry.name} {function}", f"{group}: {entry.title}", run, group)
