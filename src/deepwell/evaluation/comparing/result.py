"""What a comparison says: scores of each run, differences of each pair, seeds put together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from deepwell.evaluation.comparing.pairs import Pair
from deepwell.evaluation.intervals import Interval
from deepwell.evaluation.metrics import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Contender:
    """A run, or several seeds of one configuration.

    Args:
        name: Of the run, or of what the runs have in common.
        runs: Paths of the runs, as given.
        model: Architecture.
        seeds: Seed of each run.
        scores: Metric to value and interval: by rows for one run, by seeds for several.
        spread: Metric to standard deviation over the seeds; None for one run.
        values: Value of the deciding metric for each run.
    """

    name: str
    runs: tuple[str, ...]
    model: str
    seeds: tuple[int, ...]
    scores: Mapping[str, Interval]
    spread: Mapping[str, float | None] | None
    values: tuple[float | None, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "name": self.name,
            "runs": list(self.runs),
            "model": self.model,
            "seeds": list(self.seeds),
            "scores": {name: one.to_json() for name, one in self.scores.items()},
            "spread": None if self.spread is None else dict(self.spread),
            "values": list(self.values),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedRuns:
    """Runs compared in pairs. `to_json` is the file `compare.json`.

    Args:
        task: Name of the task.
        targets: Names of the targets.
        rows: Number of test rows (of the first run, where seeds have rows of their own).
        metric: The metric that decides.
        metrics: All metrics that the runs have in common.
        confidence: Share inside the intervals.
        contenders: The runs, the best first.
        pairs: Each with each.
        unit: What the bootstrap draws: "row", "group", or "seed" where there was no bootstrap.
        verdict: In plain words.
        notes: What a person should know.
    """

    task: str
    targets: tuple[str, ...]
    rows: int
    metric: Metric
    metrics: tuple[Metric, ...]
    confidence: float
    contenders: tuple[Contender, ...]
    pairs: tuple[Pair, ...]
    unit: str
    verdict: str
    notes: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON without NaN."""
        return {
            "task": self.task,
            "targets": list(self.targets),
            "rows": self.rows,
            "metric": self.metric.name,
            "titles": {metric.name: metric.title for metric in self.metrics},
            "confidence": self.confidence,
            "contenders": [one.to_json() for one in self.contenders],
            "pairs": [pair.to_json() for pair in self.pairs],
            "unit": self.unit,
            "verdict": self.verdict,
            "notes": list(self.notes),
        }
