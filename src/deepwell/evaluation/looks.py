"""How often the test rows were looked at, in words, and what choosing among runs flatters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deepwell.errors import DeepwellError
from deepwell.evaluation.intervals import Resamples, bootstrap
from deepwell.evaluation.means import Floats
from deepwell.evaluation.metrics import Metric, value_of
from deepwell.evaluation.numerals import is_number, plural
from deepwell.evaluation.record import Json, Record
from deepwell.evaluation.stored import Answers, read_answers
from deepwell.evaluation.story import Chapter, date_text
from deepwell.evaluation.verdict import size_text

DRAWS = 400
NEGLIGIBLE = 0.0005
"""Gains below this share of a score, or below 0.05 percentage points, are not told in numbers."""
MOST_SIBLINGS = 40
"""Runs that enter the estimate, the newest ones."""


def looks_sentence(looks: Sequence[Mapping[str, Any]]) -> str:
    """Say how often the test rows were scored; "" while it was once.

    Example:
        >>> looks_sentence([{"what": "end of the training"}, {"what": "deepwell evaluate"}])
        'The test rows were looked at 2 times: end of the training, deepwell evaluate.'
    """
    if len(looks) < 2:
        return ""
    named = [str(look.get("what") or "unknown") for look in looks]
    parts = [
        name if named.count(name) == 1 else f"{name} ({named.count(name)} times)"
        for name in dict.fromkeys(named)
    ]
    return f"The test rows were looked at {len(looks)} times: {', '.join(parts)}."


def count_siblings(run: Path) -> dict[str, Any] | None:
    """Find the other runs of the same folder that were scored on the same test rows.

    Args:
        run: A run folder with its answers.

    Returns:
        `number` (1 = no other one), `runs` (names, the oldest first), `metric`, `optimism` (how
        much the score of the best of them is expected to flatter, None where unknown) and
        `sentence` ("" for the first run); None if the answers cannot be read.
    """
    try:
        own = read_answers(run)
    except DeepwellError:
        return None
    others = sorted(_others(own), key=lambda one: one.created)[-MOST_SIBLINGS:]
    runs = [*others, own]
    size = score = None
    if others:
        score = value_of(own.primary, own.scored, own.weight)
        size = optimism(own.primary, [one for one in runs if one.primary.name == own.primary.name])
    return {
        "number": len(runs),
        "runs": [one.name for one in runs],
        "metric": own.primary.name,
        "optimism": size,
        "sentence": runs_sentence(own.primary, len(runs), size, score) if others else "",
    }


def _others(own: Answers) -> list[Answers]:
    found: list[Answers] = []
    here = own.folder.resolve()
    for path in sorted(here.parent.glob("*/predictions.parquet")):
        if path.parent == here:
            continue
        try:
            other = read_answers(path.parent)
        except DeepwellError:
            continue  # a damaged neighbour is no reason to fail
        if same_rows(own, other):
            found.append(other)
    return found


def same_rows(first: Answers, second: Answers) -> bool:
    """Say whether two runs were scored on the same rows with the same true values."""
    if first.task.name != second.task.name or first.task.targets != second.task.targets:
        return False
    if first.digest != second.digest or first.ids.shape != second.ids.shape:
        return False
    return np.array_equal(first.ids, second.ids) and np.array_equal(
        first.scored.truth, second.scored.truth
    )


def optimism(metric: Metric, runs: Sequence[Answers], *, draws: int = DRAWS) -> float | None:
    """Estimate how much the score of the best of several runs flatters.

    In each resample of the test rows the best run is chosen again; its score there, less its
    score on all rows, is what the choice gained by chance. The mean of this is returned.

    Args:
        metric: By which the best is chosen.
        runs: Scored on the same rows.
        draws: Resamples.

    Returns:
        0 or more, in units of the metric; None where it is undefined.

    Reference:
        Tibshirani and Tibshirani (2009), A bias correction for the minimum error rate in
        cross-validation.
    """
    if len(runs) < 2:
        return None
    models = {str(i): one.scored for i, one in enumerate(runs)}
    first = runs[0]
    weight = first.weight
    resamples = Resamples(len(first.ids), count=draws, seed=0)
    drawn = bootstrap(models, [metric], resamples, weight)
    values = [value_of(metric, scored, weight) for scored in models.values()]
    if any(value is None for value in values):
        return None
    return expected_gain(
        np.stack([drawn[name][metric.name] for name in models]),
        np.array(values, dtype=np.float64),
        is_higher_better=metric.better == "higher",
    )


def expected_gain(draws: Floats, values: Floats, *, is_higher_better: bool) -> float | None:
    """Return what choosing the best gains by chance, at least 0.

    Args:
        draws: Score of each model in each resample, shape (models, resamples).
        values: Score of each model on all rows, shape (models,).
        is_higher_better: Which way is better.

    Example:
        >>> draws = np.array([[1.0, 3.0], [3.0, 1.0]])
        >>> expected_gain(draws, np.full(2, 2.0), is_higher_better=True)
        1.0
    """
    sign = 1.0 if is_higher_better else -1.0
    usable = draws[:, np.isfinite(draws).all(axis=0)] * sign
    if usable.shape[1] == 0:
        return None
    best = usable.argmax(axis=0)
    # a metric that is not linear in the rows moves in resamples as such: that is not the choice
    drift = usable.mean(axis=1) - values * sign
    gain = usable[best, np.arange(usable.shape[1])] - (values * sign + drift)[best]
    return max(0.0, float(gain.mean()))


def runs_sentence(
    metric: Metric, number: int, size: float | None, score: float | None = None
) -> str:
    """Say how many runs were scored on the same rows, and what choosing among them gains.

    Args:
        metric: By which the best is chosen.
        number: Of this run, counted from 1.
        size: From `expected_gain`; None where it is unknown.
        score: Of this run, beside which a gain may be too small to speak of.
    """
    text = f"This is run number {number} that was scored on these test rows"
    if size is None:
        return f"{text}; choosing the best of them is optimistic."
    if size == 0 or size <= NEGLIGIBLE * (1.0 if metric.unit == "share" else abs(score or 0.0)):
        return (
            f"{text}; one is so far ahead, or they are so alike, that choosing the best is no luck."
        )
    return f"{text}; choosing the best of them is optimistic by about {size_text(metric, size)}."


def looks_chapter(record: Record) -> Chapter | None:
    """Return who looked at the test rows before and after, if it was more than once."""
    siblings: Json = record.evaluation.get("siblings") or {}
    looks = record.looks
    number = siblings.get("number")
    has_siblings = is_number(number) and number > 1
    if len(looks) < 2 and not has_siblings:
        return None
    others = [str(name) for name in siblings.get("runs") or ()][:-1]
    view = {
        "siblings": str(siblings.get("sentence") or "") if has_siblings else "",
        "others": others,
        "others_title": plural(len(others), "earlier run") if others else "",
        "looks": looks_sentence(looks),
        "rows": [
            {
                "when": date_text(look.get("when")),
                "what": str(look.get("what") or ""),
                "rows": look.get("rows"),
                "command": str(look.get("command") or ""),
            }
            for look in looks
        ]
        if len(looks) > 1
        else [],
    }
    return Chapter("looks", "How fresh the test rows are", view)
