"""The draws of the rows that all runs of a comparison share, and the order of the contenders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deepwell.evaluation.comparing.result import Contender
from deepwell.evaluation.intervals import FEWEST_GROUPS, Resamples, affordable, bootstrap
from deepwell.evaluation.means import Floats
from deepwell.evaluation.metrics import Metric
from deepwell.evaluation.stored import Answers


def row_draws(
    answers: Mapping[str, Answers], metrics: Sequence[Metric], resamples: int
) -> dict[str, dict[str, Floats]]:
    """Return each metric of each run in each resample of the rows, which all runs share."""
    first = next(iter(answers.values()))
    count = affordable(resamples, first.scored, metrics)
    groups = first.groups if unit_of(first)[0] == "group" else None
    drawn = Resamples(len(first.ids), count=count, seed=0, groups=groups)
    return bootstrap({n: one.scored for n, one in answers.items()}, metrics, drawn, first.weight)


def unit_of(run: Answers) -> tuple[str, tuple[str, ...]]:
    """Return what the bootstrap draws, rows or whole groups, with a note where it is not rows."""
    if run.groups is None:
        return "row", ()
    number = int(run.groups.max(initial=-1)) + 1
    if number < FEWEST_GROUPS:
        return "row", (
            f"The test rows belong to {number} groups only, too few to draw whole groups: the "
            "intervals are those of single rows, and too narrow.",
        )
    return "group", (f"Whole groups of rows were drawn: the test rows have {number:,}.",)


def best_first(contenders: Sequence[Contender], metric: Metric) -> list[Contender]:
    """Put the best contender first; those without a value come last."""
    sign = -1.0 if metric.better == "higher" else 1.0

    def key(one: Contender) -> tuple[bool, float]:
        value = one.scores[metric.name].value
        return (value is None, 0.0 if value is None else sign * value)

    return sorted(contenders, key=key)


def model_of(run: Answers) -> str:
    """Return the architecture of a run."""
    model = run.config.get("model") or {}
    return str(model.get("name", ""))


def minus(first: float | None, second: float | None) -> float | None:
    """Subtract, where both are known."""
    return None if first is None or second is None else first - second
