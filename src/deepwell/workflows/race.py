"""The race: several models on the same held-out rows; the best, or their blend, is kept.

Each model answers rows that it has not learned from: those of its folds, or the validation rows.
The blend is found on these answers alone. Test rows are not looked at.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.artifact import Predictor
from deepwell.data import Table
from deepwell.data.folds import folds
from deepwell.engine import Callback, FitResult, resolve_device
from deepwell.engine.callbacks import Stop
from deepwell.errors import DeepwellError, OutputError, SplitError
from deepwell.evaluation.asked import primary_of
from deepwell.evaluation.metrics import value_of
from deepwell.evaluation.numerals import percent
from deepwell.evaluation.scored import Scored
from deepwell.evaluation.verdict import amount
from deepwell.models.catalog import MODELS
from deepwell.tasks import Task, TaskSettings
from deepwell.tasks import from_json as task_from_json
from deepwell.tasks.decisions import (
    Decision,
    DecisionSettings,
    Known,
    fit_decision,
    promise_by_folds,
)
from deepwell.workflows.blending import Outputs, blend, choose_weights, loss_of, mix
from deepwell.workflows.courses import Course, Part, course_of
from deepwell.workflows.decide import (
    ask_for,
    draws_of,
    hold_apart,
    is_by_folds,
    known,
    row_weight,
)
from deepwell.workflows.learn import Learned, assemble, fit_encoders, learn
from deepwell.workflows.members import Members
from deepwell.workflows.plan import resolve
from deepwell.workflows.portfolio import ENTRANTS, NUM_FOLDS, Entrant
from deepwell.workflows.prepare import Prepared, Say

BY_CTRL_C = "stopped by Ctrl-C"


@dataclass(slots=True)
class Result:
    """How a model did.

    Args:
        entrant: The model.
        predictors: One a fold.
        parts: What each of them says of the rows held out from it, (rows, head_size).
        outputs: One answer for each row that judges.
        fit: How the first of them was trained.
        loss: Mean loss on these rows.
        score: The metric that decides, on these rows.
        seconds: Time it took.
        weight: Share in the blend.
        reason: Why it has none, where it was not finished.
    """

    entrant: Entrant
    predictors: list[Predictor] = field(default_factory=list[Predictor])
    parts: list[Outputs] = field(default_factory=list[Outputs])
    outputs: Outputs | None = None
    fit: FitResult | None = None
    loss: float | None = None
    score: float | None = None
    seconds: float = 0.0
    weight: float = 0.0
    reason: str = ""

    @property
    def is_network(self) -> bool:
        """Whether gradients taught it."""
        return MODELS[self.entrant.model].learner == "gradient"

    def to_json(self) -> dict[str, Any]:
        """Return the line of the table of the race."""
        return {
            "name": self.entrant.title,
            "is_network": self.is_network,
            "score": self.score,
            "loss": self.loss,
            "seconds": round(self.seconds, 2),
            "weight": round(self.weight, 4),
            "models": len(self.predictors),
            "reason": self.reason,
        }


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


@dataclass(frozen=True, slots=True)
class _Contest:
    """What is the same for all models.

    Args:
        prepared: Data and task.
        given: The user's settings.
        course: The rows of each training.
        members: Where finished models are kept.
        callbacks: Told about each training.
    """

    prepared: Prepared
    given: Mapping[str, Any]
    course: Course
    members: Members
    callbacks: Sequence[object]


class Deadline(Callback):
    """Asks to stop when the time is over.

    Args:
        seconds: From now on.
    """

    def __init__(self, seconds: float) -> None:
        self._end = time.perf_counter() + seconds
        self.is_over = False

    def on_step_logged(self, state: object) -> Stop | None:
        """Look at the clock."""
        return self._look()

    def on_epoch_ended(self, state: object) -> Stop | None:
        """Look at the clock."""
        return self._look()

    def _look(self) -> Stop | None:
        self.is_over = time.perf_counter() > self._end
        return Stop("The time limit is over.") if self.is_over else None


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
            left is given up, or not begun; the first one always runs.
        say: Called with the outcome of each.
        entrants: The models.
        members: Finished models of an interrupted race, and where those of this one are kept.
        callbacks: Told about each training.

    Raises:
        DeepwellError: None of the models can be trained; what the first one says.
        KeyboardInterrupt: Stopped by Ctrl-C before a single model was trained.
    """
    val, apart = hold_apart(prepared.val, prepared.task, prepared.schema, prepared.settings)
    pool = prepared.train.concat(val)
    course = course_of(prepared, pool, len(val))
    contest = _Contest(prepared, given, course, members or Members(None), callbacks)
    say(_opening(len(entrants), course, limit))
    results: list[Result] = []
    failures: list[DeepwellError] = []
    is_stopped = False
    for entrant in entrants:
        left = limit - sum(result.seconds for result in results) - _reserve(results, contest)
        results.append(Result(entrant))
        try:
            _compete(results[-1], contest, left if len(results) > 1 else float("inf"), say)
        except OutputError:
            raise
        except DeepwellError as error:
            failures.append(error)
            results[-1].reason = str(error)
            say(_line(results[-1], prepared))
        except KeyboardInterrupt:
            results[-1].reason = BY_CTRL_C
            is_stopped = True
            break
    done = [result for result in results if result.loss is not None]
    if not done:
        raise failures[0] if failures and not is_stopped else KeyboardInterrupt
    left = limit - sum(result.seconds for result in results)
    return _finish(results, contest, apart, left, is_stopped)


def _compete(result: Result, contest: _Contest, left: float, say: Say) -> None:
    """Train a model on each fold and judge its answers."""
    prepared = contest.prepared
    _run(result, contest, left)
    if result.outputs is not None:
        truth = contest.course.truth
        result.score = _score(prepared, result.outputs, truth)
        result.loss = loss_of(prepared.task, result.outputs, truth, prepared.schema)
    say(_line(result, prepared))


def _run(result: Result, contest: _Contest, left: float) -> None:
    """Train a model on each part, as long as there is time."""
    if left <= 0:
        result.reason = "no time was left"
        return
    course = contest.course
    count = len(course.parts)
    for number, part in enumerate(course.parts):
        deadline = Deadline(left - result.seconds)
        learned = _member(result.entrant, contest, number, deadline)
        if learned.fit.interrupted:
            raise KeyboardInterrupt
        result.fit = result.fit or learned.fit
        result.seconds += learned.fit.seconds
        expected = result.seconds / (number + 1) * count
        if number + 1 < count and (deadline.is_over or expected > left):
            result.reason = f"would take {expected:.0f} s, and {left:.0f} s were left"
            return
        if deadline.is_over:
            result.reason = "stopped early by the time limit"
        result.parts.append(learned.predictor.outputs(course.pool.take(part.held_out)))
        result.predictors.append(learned.predictor)
    result.outputs = course.pooled(result.parts, contest.prepared.task)


def _member(entrant: Entrant, contest: _Contest, number: int, deadline: Deadline) -> Learned:
    """Return the model of a part: trained now, or before an interruption."""
    device = resolve_device(contest.prepared.settings.engine.device)
    kept = contest.members.load(entrant.title, number, device)
    if kept is not None:
        return kept
    began = time.perf_counter()
    part = contest.course.parts[number]
    learned = _train(entrant, contest, part, number, [deadline, *contest.callbacks])
    spent = replace(learned.fit, seconds=time.perf_counter() - began)
    learned = replace(learned, fit=spent)
    if not spent.interrupted:
        train = contest.course.pool.take(part.train)
        contest.members.save(entrant.title, number, learned, train)
    return learned


def _train(
    entrant: Entrant, contest: _Contest, part: Part, number: int, callbacks: Sequence[object]
) -> Learned:
    prepared, course = contest.prepared, contest.course
    train, val = course.pool.take(part.train), course.pool.take(part.held_out)
    overrides = entrant.settings(contest.given, len(train))
    task, schema = prepared.task, prepared.schema
    settings = resolve(overrides, schema, len(train), question=task.name)
    plain = DecisionSettings(calibrate="none")
    settings = settings.model_copy(
        update={"seed": prepared.settings.seed + number, "decide": plain}
    )
    own = with_settings(task, settings.task)
    encoders = fit_encoders(train, schema, own, settings, None)
    predictor = assemble(encoders, own, schema, settings, None)
    return learn(predictor, train, val, settings=settings, callbacks=callbacks)


def with_settings(task: Task, settings: TaskSettings) -> Task:
    """Return the same fitted question with another way to count mistakes."""
    return task_from_json({**task.to_json(), "settings": settings.model_dump()})


def _score(prepared: Prepared, outputs: Outputs, rows: Table) -> float | None:
    task = prepared.task
    metric = primary_of(task, prepared.settings.evaluation)
    scored = Scored(task.name, task.truth(rows), task.decode(outputs))
    return value_of(metric, scored, row_weight(prepared.schema, rows))


def _opening(count: int, course: Course, limit: float) -> str:
    if count == 1:
        return f"{len(course.parts)} trainings, judged on {course.words}"
    return f"{count} models compete on {course.words}, for {limit:.0f} s at the most"


def _line(result: Result, prepared: Prepared) -> str:
    title = result.entrant.title
    if result.loss is None:
        return f"{title}: left out, {result.reason}"
    score = _amount(result.score, prepared)
    return f"{title}: {score} on held-out rows, {result.seconds:.1f} s"


def _amount(score: float | None, prepared: Prepared) -> str:
    metric = primary_of(prepared.task, prepared.settings.evaluation)
    return f"{metric.title} {amount(metric, score)}"


def _finish(
    results: list[Result],
    contest: _Contest,
    apart: Table | None,
    left: float,
    is_stopped: bool,
) -> Race:
    prepared, course = contest.prepared, contest.course
    truth = course.truth
    task, schema, settings = prepared.task, prepared.schema, prepared.settings
    done = [result for result in results if result.loss is not None]
    answers = [result.outputs for result in done if result.outputs is not None]
    weights = choose_weights(answers, truth, task=task, schema=schema)
    for result, weight in zip(done, weights, strict=True):
        result.weight = weight
    kept = [result for result in done if result.weight > 0]
    if not is_stopped:
        _learn_all_rows(kept, contest, left)
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
    score = _score(prepared, outputs, truth)
    verdict = _verdict(done, kept, score, prepared)
    metric = primary_of(task, settings.evaluation)
    facts = {
        "metric": metric.name,
        "title": metric.title,
        "score": score,
        "rows": len(truth),
        "folds": len(course.parts),
        "where": course.words,
    }
    learned = Learned(
        predictor,
        _fit_of(kept, results, verdict, is_stopped),
        remark=_remark(done, kept, prepared) if len(results) > 1 else "",
        progress=f"Stopped after {len(done)} of the competing models.",
    )
    return Race(learned, tuple(results), verdict, facts, course, parts)


def _decide(
    predictor: Predictor,
    contest: _Contest,
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
    prepared, course = contest.prepared, contest.course
    task, schema, settings = prepared.task, prepared.schema, prepared.settings
    draws, asked = draws_of(settings), settings.decide
    ask_for(predictor, draws)
    is_cross = apart is None and is_by_folds(schema, settings)
    if draws is not None:
        rows = known(predictor, course.truth)
    else:
        truth = course.truth
        rows = Known(task.decode(outputs), task.truth(truth), row_weight(schema, truth))
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
    return result.predictors[-1:] if course.keeps_last else result.predictors


def _reserve(results: Sequence[Result], contest: _Contest) -> float:
    """Return the seconds that are kept for growing trees anew on all rows."""
    if not _leaves_rows_out(contest):
        return 0.0
    return NUM_FOLDS * sum(r.seconds for r in results if r.loss is not None and not r.is_network)


def _leaves_rows_out(contest: _Contest) -> bool:
    """Tell whether models had to leave out rows from which they could learn as well."""
    return len(contest.course.parts) == 1 and contest.prepared.schema.name_of("time") is None


def _learn_all_rows(kept: Sequence[Result], contest: _Contest, left: float) -> None:
    """Train what is kept again on folds of all rows, where the validation rows were left out.

    A mean over folds is steadier than one fit, and knows all rows. Trees are quick and are grown
    anew on every fold; a network stays and is joined by others, as many as there is time for.
    """
    if not _leaves_rows_out(contest):
        return
    prepared, pool = contest.prepared, contest.course.pool
    split, seed = prepared.settings.split, prepared.settings.seed
    try:
        parts = folds(pool, prepared.schema, split, count=NUM_FOLDS, seed=seed)
    except SplitError:  # too few groups, or most rows are copies
        return
    for result in sorted(kept, key=lambda result: (result.is_network, -result.weight)):
        began = time.perf_counter()
        if result.is_network:
            if not _join(result, contest, parts, left):
                return
        elif result.seconds * NUM_FOLDS <= left:
            numbered = enumerate(parts)
            result.predictors[:] = [_fold(result.entrant, contest, p, n)[0] for n, p in numbered]
        taken = time.perf_counter() - began
        result.seconds, left = result.seconds + taken, left - taken


def _join(
    result: Result, contest: _Contest, parts: Sequence[NDArray[np.int64]], left: float
) -> bool:
    """Train a network on further folds; one that fails or does not end in time is given up.

    Returns:
        False if Ctrl-C was pressed: what there is is kept, and nothing more is trained.
    """
    single = result.seconds
    for number, held_out in enumerate(parts, start=1):
        if single > left:
            break
        began = time.perf_counter()
        deadline = Deadline(left)
        try:
            predictor, fit = _fold(result.entrant, contest, held_out, number, deadline)
        except DeepwellError:  # the model answers without it
            break
        if fit.interrupted:
            return False
        if deadline.is_over:
            break
        result.predictors.append(predictor)
        left -= time.perf_counter() - began
    return True


def _fold(
    entrant: Entrant,
    contest: _Contest,
    held_out: NDArray[np.int64],
    number: int,
    *callbacks: Callback,
) -> tuple[Predictor, FitResult]:
    every = np.arange(len(contest.course.pool))
    part = Part(np.setdiff1d(every, held_out), held_out)
    learned = _train(entrant, contest, part, number, callbacks)
    return learned.predictor, learned.fit


def _verdict(
    done: list[Result], kept: list[Result], score: float | None, prepared: Prepared
) -> str:
    ranked = sorted(done, key=lambda result: result.loss or 0.0)
    order = ", ".join(f"{r.entrant.title} {_amount(r.score, prepared)}" for r in ranked)
    if len(done) == 1:
        return f"On held-out rows {done[0].entrant.title} reaches {_amount(score, prepared)}."
    if len(kept) == 1:
        best = kept[0].entrant.title
        return f"On held-out rows {best} is the best and no blend is better: {order}."
    parts = ", ".join(f"{percent(r.weight, 0)} {r.entrant.title}" for r in kept)
    return (
        f"On held-out rows the blend ({parts}) reaches {_amount(score, prepared)}; alone: {order}."
    )


def _remark(done: list[Result], kept: list[Result], prepared: Prepared) -> str:
    """Say plainly where trees alone won, with the best network beside them."""
    if any(result.is_network for result in kept):
        return ""
    best = min(kept, key=lambda result: result.loss or 0.0)
    said = "What is kept are trees, not a network: on held-out rows trees answered best"
    said += f" ({best.entrant.title}, {_amount(best.score, prepared)})"
    networks = [result for result in done if result.is_network]
    if not networks:
        return f"{said}, and no network was trained in time."
    net = min(networks, key=lambda result: result.loss or 0.0)
    return f"{said}; the best network, {net.entrant.title}, reached {_amount(net.score, prepared)}."


def _fit_of(kept: list[Result], results: list[Result], verdict: str, is_stopped: bool) -> FitResult:
    """Return the training of the best network that is kept, as the story of the run."""
    networks = [r for r in kept if r.fit is not None and r.fit.history]
    best = min(networks or kept, key=lambda result: result.loss or 0.0)
    if best.fit is None:
        raise KeyboardInterrupt
    return replace(
        best.fit,
        seconds=sum(result.seconds for result in results),
        stopped=verdict,
        interrupted=is_stopped,
        best_epoch=None,
    )
