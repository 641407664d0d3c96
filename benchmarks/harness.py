"""The harness: contenders take turns, and what they need is put side by side."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from benchmarks import quiet

MOST_ATTEMPTS = 8
"""Times that a measurement is made anew because other programs disturbed it."""

Unit = Literal["s", "ms"]


class Unavailable(Exception):
    """A contender cannot take part; the message says why."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One measurement.

    Args:
        seconds: What it took.
        scores: What was reached in that time, such as {"accuracy": 0.88}: nobody shall win by
            computing less.
        versions: Package → version of what was measured, if it is not in our own environment.
        says: What the contender chose by itself, in words.
    """

    seconds: float
    scores: dict[str, float] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    says: str = ""


@dataclass(frozen=True, slots=True)
class Contender:
    """Something that is measured.

    Args:
        name: For programs.
        title: For people.
        measure: Called with the number of the repeat (0, 1, …).
        group: Contenders of one group are compared with each other.
    """

    name: str
    title: str
    measure: Callable[[int], Sample]
    group: str = ""


@dataclass(slots=True)
class Row:
    """All measurements of one contender; the numbers at one place are of the same repeat."""

    name: str
    title: str
    group: str = ""
    seconds: list[float] = field(default_factory=list)
    scores: dict[str, list[float]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    says: str = ""

    def add(self, sample: Sample) -> None:
        """Add a measurement."""
        self.seconds.append(sample.seconds)
        for name, value in sample.scores.items():
            self.scores.setdefault(name, []).append(value)
        self.versions |= sample.versions
        self.says = sample.says

    @property
    def median(self) -> float:
        """The median of the seconds."""
        return statistics.median(self.seconds)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "name": self.name,
            "title": self.title,
            "group": self.group,
            "seconds": [round(value, 6) for value in self.seconds],
            "median": round(self.median, 6),
            "fastest": round(min(self.seconds), 6),
            "slowest": round(max(self.seconds), 6),
            "scores": self.scores,
            "versions": self.versions,
            "says": self.says,
        }


def ratio(row: Row, reference: Row) -> float:
    """Return how many times as long as the reference a contender takes.

    It is the median of the ratios within each repeat, so that a machine that slows down for a
    while, which it then does for both, does not change it.
    """
    pairs = zip(row.seconds, reference.seconds, strict=True)
    return statistics.median(own / other for own, other in pairs)


@dataclass(frozen=True, slots=True)
class Goal:
    """A number to reach.

    Args:
        text: What is measured.
        value: What was measured.
        limit: What it should be at most or at least.
        better: Which direction is good.
        unit: Behind the numbers.
    """

    text: str
    value: float
    limit: float
    better: Literal["lower", "higher"] = "lower"
    unit: str = ""

    @property
    def is_met(self) -> bool:
        """Whether the number is reached."""
        return self.value <= self.limit if self.better == "lower" else self.value >= self.limit

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "text": self.text,
            "value": self.value,
            "limit": self.limit,
            "better": self.better,
            "unit": self.unit,
            "met": self.is_met,
        }


@dataclass(slots=True, kw_only=True)
class Outcome:
    """What a benchmark found.

    Args:
        name: Of the benchmark.
        title: What was measured, in words.
        rows: One a contender.
        references: Group → name of the contender that the others of the group are compared with.
        goals: Numbers to reach.
        skipped: Contender → why it did not take part.
        notes: What a reader should know.
        unit: In which the times are shown.
    """

    name: str
    title: str
    rows: list[Row]
    references: dict[str, str]
    goals: list[Goal] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    unit: Unit = "s"

    def row(self, name: str) -> Row:
        """Return the row of a contender."""
        return next(row for row in self.rows if row.name == name)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        rows: list[dict[str, Any]] = []
        for row in self.rows:
            reference = self.row(self.references[row.group])
            rows.append({**row.to_json(), "ratio": round(ratio(row, reference), 4)})
        return {
            "benchmark": self.name,
            "title": self.title,
            "unit": self.unit,
            "repeats": max(len(row.seconds) for row in self.rows),
            "rows": rows,
            "references": self.references,
            "skipped": self.skipped,
            "goals": [goal.to_json() for goal in self.goals],
            "notes": self.notes,
        }


@dataclass(slots=True)
class Turns:
    """What came of taking turns.

    Args:
        rows: One for each contender that took part.
        skipped: Contender → why it could not.
        repeated: Measurements made anew because other programs used the processor meanwhile.
        disturbed: Measurements that were kept although this happened, after many attempts.
    """

    rows: list[Row]
    skipped: dict[str, str] = field(default_factory=dict)
    repeated: int = 0
    disturbed: int = 0

    @property
    def notes(self) -> list[str]:
        """What a reader should know about the quiet of the machine."""
        notes: list[str] = []
        if self.repeated:
            notes.append(
                f"{self.repeated} measurements were made anew, because other programs used the "
                "processor meanwhile."
            )
        if self.disturbed:
            notes.append(f"**{self.disturbed} measurements were disturbed by other programs.**")
        return notes


def take_turns(
    contenders: Sequence[Contender],
    repeats: int,
    *,
    say: Callable[[str], None] = lambda text: None,
) -> Turns:
    """Measure each contender `repeats` times, in turns; another one begins in each repeat."""
    rows = {c.name: Row(c.name, c.title, c.group) for c in contenders}
    turns = Turns([])
    for repeat in range(repeats):
        start = repeat % len(contenders)
        for contender in (*contenders[start:], *contenders[:start]):
            if contender.name in turns.skipped:
                continue
            try:
                sample = _measure_quietly(contender, repeat, turns)
            except Unavailable as reason:
                turns.skipped[contender.name] = str(reason)
                say(f"{contender.title}: left out, {reason}")
                continue
            rows[contender.name].add(sample)
            say(f"{repeat + 1}/{repeats} {contender.title}: {sample.seconds:.3f} s")
    turns.rows = [row for name, row in rows.items() if name not in turns.skipped]
    return turns


def _measure_quietly(contender: Contender, repeat: int, turns: Turns) -> Sample:
    """Measure, and measure anew while other programs take part of the processor."""
    attempts = 0
    while True:
        watch = quiet.Watch.now()
        sample = contender.measure(repeat)
        attempts += 1
        if watch.others() <= quiet.BUSY:
            return sample
        if attempts == MOST_ATTEMPTS or not quiet.wait():
            turns.disturbed += 1
            return sample
        turns.repeated += 1
