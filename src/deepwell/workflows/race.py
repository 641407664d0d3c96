"""The race: several models on the same held-out rows; the best, or their blend, is kept.

Each model answers rows that it has not learned from: those of its folds, or the validation rows.
The blend is found on these answers alone. Test rows are not looked at.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from deepwell.artifact import Predictor
from deepwell.data import Table
from deepwell.evaluation.asked import primary_of
from deepwell.evaluation.metrics import value_of
from deepwell.evaluation.numerals import percent
from deepwell.evaluation.scored import Scored
from deepwell.evaluation.verdict import amount, title_inside
from deepwell.tasks.decisions import (
    Decision,
    Known,
    fit_decision,
    promise_by_folds,
)
from deepwell.workflows.blending import Outputs, blend, choose_weights, loss_of, mix
from deepwell.workflows.contest import Contest, Result
from deepwell.workflows.courses import Course, course_of
from deepwell.workflows.decide import (
    ask_for,
    draws_of,
    hold_apart,
    is_by_folds,
    known,
    row_weight,
)
from deepwell.workflows.lanes import OwnLane, lanes_for
from deepwell.workflows.learn import Learned
from deepwell.workflows.members import Members
from deepwell.workflows.portfolio import ENTRANTS, Entrant
from deepwell.workflows.prepare import Prepared, Say
from deepwell.workflows.rounds import Rounds


@dataclass(frozen=True, slots=True)
class Race:
    """What the race left.

    Args:
        learned: The model that is handed over, and the training of the best network in it.
        results: All that took part.
        verdict: The outcome in words.
        facts: "metric", "title", "score" of what is kept, "rows" that were held out, "folds".
        course: The rows of each training.
        parts: What the model that is kept, or what it is made of, says in each training.
    """

    learned: Learned
    results: tuple[Result, ...]
    verdict: str
    facts: Mapping[str, Any]
    course: Course
    parts: tuple[Outputs, ...]

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            **self.facts,
            "models": [r.to_json() for r in self.results],
            "verdict": self.verdict,
        }


def race(
    prepared: Prepared,
    *,
    given: Mapping[str, Any],
    limit: float,
    say: Say,
    entrants: Sequence[Entrant] = ENTRANTS,
    members: Members | None = None,
    callbacks: Sequence[object] = (),
) -> Race:
    """Train the models of the portfolio and put the best of them together.

    Args:
        prepared: Data and task.
        given: The user's settings, without the choice of a model: they hold for all.
        limit: Seconds that training may take in all. A model that would take longer than what is
            left is not begun, and what runs then is stopped; the first model is kept in any case.
        say: Called with the outcome of each.
        entrants: The models.
        members: Finished models of an interrupted race, and where those of this one are kept.
        callbacks: Told about each training.

    Raises:
        DeepwellError: None of the models can be trained; what the first one says.
        KeyboardInterrupt: Stopped by Ctrl-C before a single model was trained.
    """
    began = time.perf_counter()
    val, apart = hold_apart(prepared.val, prepared.task, prepared.schema, prepared.settings)
    pool = prepared.train.concat(val)
    course = course_of(prepared, pool, len(val))
    contest = Contest(
        task=prepared.task,
        schema=prepared.schema,
        settings=prepared.settings,
        given=given,
        course=course,
        members=members or Members(None),
    )
    is_race = len(entrants) > 1
    lanes = lanes_for(contest, callbacks) if is_race else OwnLane(contest, callbacks)
    say(_opening(len(entrants), course, limit, lanes.size))

    def tell(result: Result) -> None:
        if is_race or result.is_out:
            say(_line(result, contest))

    rounds = Rounds(contest, entrants, limit=limit, lanes=lanes, tell=tell)
    rounds.run()
    if not rounds.done:
        is_stopped = rounds.is_stopped or not rounds.failures
        raise KeyboardInterrupt if is_stopped else rounds.failures[0]
    common = replace(contest, course=rounds.course)
    for result in rounds.done:
        _judge(result, common)
    return _finish(rounds, common, apart, time.perf_counter() - began)


def _judge(result: Result, contest: Contest) -> None:
    """Score a model on the rows that judge all of them."""
    course, task = contest.course, contest.task
    result.outputs = course.pooled(result.parts[: len(course.parts)], task)
    result.score = _score(contest, result.outputs, course.truth)
    result.loss = loss_of(task, result.outputs, course.truth, contest.schema)


def _score(contest: Contest, outputs: Outputs, rows: Table) -> float | None:
    task = contest.task
    metric = primary_of(task, contest.settings.evaluation)
    scored = Scored(task.name, task.truth(rows), task.decode(outputs))
    return value_of(metric, scored, row_weight(contest.schema, rows))


def _opening(count: int, course: Course, limit: float, lanes: int) -> str:
    if count == 1:
        return f"{len(course.parts)} trainings, judged on {course.words}"
    at_a_time = f", {lanes} at a time" if lanes > 1 else ""
    return f"{count} models compete on {course.words}, for {limit:.0f} s at the most{at_a_time}"


def _line(result: Result, contest: Contest) -> str:
    title = result.entrant.title
    if result.is_out:
        return f"{title}: left out, {result.reason}"
    course = contest.course
    rows = course.pool.take(course.parts[0].held_out)
    score = _amount(_score(contest, result.parts[0], rows), contest)
    where = "the first fold" if len(course.parts) > 1 else "held-out rows"
    return f"{title}: {score} on {where}, {result.seconds:.1f} s"


def _amount(score: float | None, contest: Contest) -> str:
    metric = primary_of(contest.task, contest.settings.evaluation)
    return f"{title_inside(metric)} {amount(metric, score)}"


def _finish(rounds: Rounds, contest: Contest, apart: Table | None, seconds: float) -> Race:
    course, done = contest.course, rounds.done
    task, schema, settings = contest.task, contest.schema, contest.settings
    answers = [result.outputs for result in done if result.outputs is not None]
    weights = choose_weights(answers, course.truth, task=task, schema=schema)
    for result, weight in zip(done, weights, strict=True):
        result.weight = weight
    kept = [result for result in done if result.weight > 0]
    predictor = blend(
        [(p, r.weight / len(ps)) for r in kept for ps in [_answering(r, course)] for p in ps],
        task=task,
        schema=schema,
    )
    outputs = mix(answers, weights, task)
    parts = tuple(
        mix([result.parts[number] for result in done], weights, task)
        for number in range(len(course.parts))
    )
    predictor.decision = _decide(predictor, contest, outputs, parts, apart)
    score = _score(contest, outputs, course.truth)
    verdict = _verdict(done, kept, score, contest)
    metric = primary_of(task, settings.evaluation)
    told = _story(kept)
    facts = {
        "metric": metric.name,
        "title": metric.title,
        "score": score,
        "rows": len(course.positions),
        "folds": len(course.parts),
        "where": course.words,
        "loss": loss_of(task, outputs, course.truth, schema),
        "shown": told.entrant.title,
    }
    if told.fit is None:
        raise KeyboardInterrupt
    fit = replace(
        told.fit,
        best_epoch=None,
        seconds=seconds,
        stopped=verdict,
        interrupted=rounds.is_stopped,
    )
    learned = Learned(
        predictor,
        fit,
        remark=_remark(done, kept, contest) if len(rounds.results) > 1 else "",
        progress=f"Stopped after {len(done)} of the competing models.",
    )
    return Race(learned, tuple(rounds.results), verdict, facts, course, parts)


def _decide(
    predictor: Predictor,
    contest: Contest,
    outputs: Outputs,
    parts: Sequence[Outputs],
    apart: Table | None,
) -> Decision:
    """Learn how answers are decided, from rows that the models have not learned from.

    Args:
        predictor: What answers later.
        contest: Data, task and the rows of each training.
        outputs: One answer for each row that judges.
        parts: What each training says of its rows.
        apart: Rows that chose nothing, for a coverage.
    """
    course = contest.course
    task, schema, settings = contest.task, contest.schema, contest.settings
    draws, asked = draws_of(settings), settings.decide
    ask_for(predictor, draws)
    is_cross = apart is None and is_by_folds(schema, settings)
    if draws is not None:
        rows = known(predictor, course.truth)
    else:
        truth = course.truth
        rows = Known(task.decode(outputs), task.truth(truth), row_weight(schema, truth))
    if len(course.parts) > 1 and settings.ensemble == 1:
        rows = replace(rows, noun="left-out row")
    plain = asked.model_copy(update={"coverage": None, "per_class": False})
    decision = fit_decision(
        task,
        rows,
        plain if is_cross else asked,
        apart=None if apart is None else known(predictor, apart),
        draws=draws,
        seed=settings.seed,
    )
    if not is_cross:
        return decision
    left_out = [course.pool.take(part.held_out) for part in course.parts]
    judged = [
        Known(task.decode(said), task.truth(one)) for said, one in zip(parts, left_out, strict=True)
    ]
    return promise_by_folds(task, decision, judged, asked)


def _answering(result: Result, course: Course) -> list[Predictor]:
    """Return the models of a result that answer later."""
    return result.predictors[-1:] if course.keeps_last else result.predictors


def _verdict(done: list[Result], kept: list[Result], score: float | None, contest: Contest) -> str:
    ranked = sorted(done, key=lambda result: result.loss or 0.0)
    order = ", ".join(f"{r.entrant.title} {_amount(r.score, contest)}" for r in ranked)
    if len(done) == 1:
        return f"{done[0].entrant.title}: {_amount(score, contest)} on all held-out rows."
    if len(kept) == 1:
        best = kept[0].entrant.title
        return f"On held-out rows {best} is the best and no blend is better: {order}."
    parts = ", ".join(f"{percent(r.weight, 0)} {r.entrant.title}" for r in kept)
    return (
        f"On held-out rows the blend ({parts}) reaches {_amount(score, contest)}; alone: {order}."
    )


def _remark(done: list[Result], kept: list[Result], contest: Contest) -> str:
    """Say plainly where trees alone won, with the best network beside them."""
    if any(result.is_network for result in kept):
        return ""
    best = min(kept, key=lambda result: result.loss or 0.0)
    said = "What is kept are trees, not a network: on held-out rows trees answered best"
    said += f" ({best.entrant.title}, {_amount(best.score, contest)})"
    networks = [result for result in done if result.is_network]
    if not networks:
        return f"{said}, and no network was trained in time."
    net = min(networks, key=lambda result: result.loss or 0.0)
    return f"{said}; the best network, {net.entrant.title}, reached {_amount(net.score, contest)}."


def _story(kept: list[Result]) -> Result:
    """Return the best network that is kept: its training is the story of the run."""
    networks = [r for r in kept if r.fit is not None and r.fit.history]
    return min(networks or kept, key=lambda result: result.loss or 0.0)
