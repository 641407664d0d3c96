"""Cross-validating: the scores of the folds of a run, and those of the whole choice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from deepwell.data import Table
from deepwell.evaluation.cross_validation import Judged, cross_validated
from deepwell.types import Predictions
from deepwell.workflows.courses import Part, asked_folds
from deepwell.workflows.members import Members
from deepwell.workflows.portfolio import Entrant
from deepwell.workflows.prepare import Prepared, Say
from deepwell.workflows.race import Race, race

_OUTER = 7919
"""Added to the seed, so that outer folds are others than those of the model that is kept."""


def scores_of_folds(prepared: Prepared, outcome: Race) -> dict[str, Any]:
    """Return the contents of folds.json: answers as the task decodes them, before any decision."""
    course, task = outcome.course, prepared.task
    parts = [
        (course.pool.take(part.held_out), task.decode(outputs))
        for part, outputs in zip(course.parts, outcome.parts, strict=True)
    ]
    pooled = course.truth, task.decode(course.pooled(outcome.parts, task))
    asked = prepared.settings.folds
    return {
        "count": asked.count,
        "repeats": asked.repeats,
        "words": f"{course.words}{_gap(prepared)}",
        "trained_on": [len(part.train) for part in course.parts],
        "is_choice": len(outcome.results) > 1,
        **_scores(prepared, parts, pooled),
        "nested": None,
    }


def _gap(prepared: Prepared) -> str:
    """Say how much time is left out between the rows of folds in time, if that was asked for."""
    name, gap = prepared.schema.name_of("time"), prepared.settings.folds.embargo
    if name is None or not gap:
        return ""
    unit = ("day" if gap == 1 else "days") if prepared.schema[name].kind == "date" else f'"{name}"'
    return f", with a gap of {gap:g} {unit}"


def nested(
    prepared: Prepared,
    *,
    given: Mapping[str, Any],
    limit: float,
    say: Say,
    entrants: Sequence[Entrant],
    members: Members,
) -> dict[str, Any]:
    """Make the whole choice again inside each outer fold; its rows only judge.

    Models, blend, calibration and threshold are chosen from the inner rows by folds of their own.
    No model is picked by the outer folds.

    Args:
        prepared: Data, task and settings.
        given: The user's settings.
        limit: Seconds for the trainings of each outer fold.
        say: Called with what happens.
        entrants: The models that compete.
        members: Finished models of an interrupted run.

    Raises:
        KeyboardInterrupt: Stopped by Ctrl-C.
    """
    pool = prepared.train.concat(prepared.val)
    outer = asked_folds(prepared, pool, prepared.settings.seed + _OUTER)
    found: list[Judged] = []
    chosen: list[str] = []
    for number, part in enumerate(outer.parts):
        say(f"Outer fold {number + 1} of {len(outer.parts)}")
        inner = _inner(prepared, pool, outer.parts, number)
        own = members.inside(f"outer-{number}")
        outcome = race(inner, given=given, limit=limit, say=say, entrants=entrants, members=own)
        if outcome.learned.fit.interrupted:
            raise KeyboardInterrupt
        rows = pool.take(part.held_out)
        found.append((rows, outcome.learned.predictor.predict_table(rows)))
        kept = [result for result in outcome.results if result.weight > 0]
        chosen.append(" + ".join(result.entrant.title for result in kept))
    return {**_scores(prepared, found, _joined(found)), "chosen": chosen}


def _scores(prepared: Prepared, parts: Sequence[Judged], pooled: Judged) -> dict[str, Any]:
    return cross_validated(
        prepared.task,
        prepared.schema,
        parts,
        pooled,
        settings=prepared.settings.evaluation,
        seed=prepared.settings.seed,
    )


def _inner(prepared: Prepared, pool: Table, outer: Sequence[Part], number: int) -> Prepared:
    """Return the rows of an outer fold to learn from, some of them as validation rows.

    Those are used only where a coverage is promised; in time they are the latest.
    """
    rows = outer[number].train
    if prepared.schema.name_of("time") is None:
        val = np.intersect1d(rows, outer[(number + 1) % len(outer)].held_out)
    else:
        val = rows[-max(1, len(rows) // 6) :]
    train = np.setdiff1d(rows, val)
    return replace(prepared, train=pool.take(train), val=pool.take(val))


def _joined(parts: Sequence[Judged]) -> Judged:
    """Put the outer folds behind each other; a row that was dealt several times counts so often."""
    table = parts[0][0]
    for rows, _ in parts[1:]:
        table = table.concat(rows)
    chances = [answers.probabilities for _, answers in parts]
    known = [part for part in chances if part is not None]
    values: Any = np.concatenate([answers.values for _, answers in parts])
    return table, Predictions(
        values,
        np.concatenate(known) if len(known) == len(parts) else None,
    )
