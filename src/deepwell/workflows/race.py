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
import torch
from numpy.typing import NDArray

from deepwell.artifact import Predictor
from deepwell.config import merge
from deepwell.data import Encoders, Schema, Table
from deepwell.data.folds import folds
from deepwell.engine import FitResult
from deepwell.models.ensembles.blend import Blend, BlendSettings, MemberSettings
from deepwell.nn.ensemble import average_members
from deepwell.tasks import Task, TaskSettings
from deepwell.tasks import from_json as task_from_json
from deepwell.tasks.decisions import Known, fit_decision
from deepwell.workflows.decide import hold_apart, known, row_weight
from deepwell.workflows.learn import Learned, assemble, fit_encoders, learn
from deepwell.workflows.plan import resolve
from deepwell.workflows.portfolio import ENTRANTS, Entrant, num_folds
from deepwell.workflows.prepare import Prepared, Say

Outputs = NDArray[np.float32]
_ROUNDS = 40
"""Members that the blend is made of, some of them several times."""
_LEAST_GAIN = 0.002
"""Share of the loss that a blend must save over the best single model to be worth its size."""


@dataclass(slots=True)
class Result:
    """How a model did.

    Args:
        entrant: The model.
        predictors: One a fold.
        outputs: What they say of the rows held out from them, (rows, head_size).
        fit: How the first of them was trained.
        loss: Mean loss on these rows.
        seconds: Time it took.
        weight: Share in the blend.
        reason: Why it has none, where it was not finished.
    """

    entrant: Entrant
    predictors: list[Predictor] = field(default_factory=list[Predictor])
    outputs: Outputs | None = None
    fit: FitResult | None = None
    loss: float | None = None
    seconds: float = 0.0
    weight: float = 0.0
    reason: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the line of the table of the race."""
        return {
            "name": self.entrant.title,
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
    """

    learned: Learned
    results: tuple[Result, ...]
    verdict: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {"models": [r.to_json() for r in self.results], "verdict": self.verdict}


@dataclass(frozen=True, slots=True)
class _Course:
    """The rows of the race.

    Args:
        pool: Rows that may be learned from.
        held_out: For each fold the positions of its rows.
        judged: Positions of all rows that are held out once.
    """

    pool: Table
    held_out: tuple[NDArray[np.int64], ...]

    @property
    def judged(self) -> NDArray[np.int64]:
        return np.concatenate(self.held_out)


def race(
    prepared: Prepared,
    *,
    given: Mapping[str, Any],
    limit: float,
    say: Say,
    entrants: Sequence[Entrant] = ENTRANTS,
) -> Race:
    """Train the models of the portfolio and put the best of them together.

    Args:
        prepared: Data and task.
        given: The user's settings, without the choice of a model: they hold for all.
        limit: Seconds that training may take in all. A model that would take longer than what is
            left is given up, or not begun.
        say: Called with the outcome of each.
        entrants: The models.

    Raises:
        KeyboardInterrupt: Stopped by Ctrl-C before a single model was trained.
    """
    began = time.perf_counter()
    val, apart = hold_apart(prepared.val, prepared.task, prepared.schema, prepared.settings)
    course = _course(prepared, val)
    truth = course.pool.take(course.judged)
    results: list[Result] = []
    for entrant in entrants:
        left = limit - (time.perf_counter() - began)
        result = _run(entrant, prepared, course, given, left if results else float("inf"))
        if result.outputs is not None:
            result.loss = _loss(prepared.task, result.outputs, truth, prepared.schema)
        say(_line(result))
        results.append(result)
        if result.fit is not None and result.fit.interrupted:
            break
    return _finish(results, prepared, truth, apart, time.perf_counter() - began)


def _course(prepared: Prepared, val: Table) -> _Course:
    train = prepared.train
    count = num_folds(len(train) + len(val), prepared.schema)
    if count == 1:
        rows = np.arange(len(train), len(train) + len(val))
        return _Course(train.concat(val), (rows,))
    pool = train.concat(val)
    is_classes = prepared.task.name in ("binary", "multiclass")
    parts = folds(
        pool,
        prepared.schema,
        prepared.settings.split,
        count=count,
        seed=prepared.settings.seed,
        stratify=prepared.task.truth(pool).astype(np.int64) if is_classes else None,
    )
    return _Course(pool, tuple(parts))


def _run(
    entrant: Entrant, prepared: Prepared, course: _Course, given: Mapping[str, Any], left: float
) -> Result:
    """Train a model on each fold, as long as there is time."""
    result = Result(entrant)
    if left <= 0:
        result.reason = "no time was left"
        return result
    began = time.perf_counter()
    outputs: list[Outputs] = []
    for number, held_out in enumerate(course.held_out):
        train = np.setdiff1d(np.arange(len(course.pool)), held_out)
        val = course.pool.take(held_out)
        learned = _train(entrant, prepared, course.pool.take(train), val, given, number)
        result.fit = result.fit or learned.fit
        if learned.fit.interrupted:
            result.fit, result.reason = learned.fit, "stopped by Ctrl-C"
            return result
        result.predictors.append(learned.predictor)
        outputs.append(learned.predictor.outputs(val))
        result.seconds = time.perf_counter() - began
        expected = result.seconds / (number + 1) * len(course.held_out)
        if expected > left and number + 1 < len(course.held_out):
            result.reason = f"would take {expected:.0f} s, and {left:.0f} s were left"
            result.predictors.clear()
            return result
    result.outputs = np.concatenate(outputs)
    return result


def _train(
    entrant: Entrant,
    prepared: Prepared,
    train: Table,
    val: Table,
    given: Mapping[str, Any],
    number: int,
) -> Learned:
    overrides = merge(dict(given), dict(entrant.overrides))
    task, schema = prepared.task, prepared.schema
    settings = resolve(overrides, schema, len(train), question=task.name)
    settings = settings.model_copy(update={"seed": prepared.settings.seed + number})
    plain = settings.decide.model_copy(update={"calibrate": "none", "coverage": None})
    settings = settings.model_copy(update={"decide": plain})
    own = with_settings(task, settings.task)
    encoders = fit_encoders(train, schema, own, settings, None)
    predictor = assemble(encoders, own, schema, settings, None)
    return learn(predictor, train, val, settings=settings)


def with_settings(task: Task, settings: TaskSettings) -> Task:
    """Return the same fitted question with another way to count mistakes."""
    return task_from_json({**task.to_json(), "settings": settings.model_dump()})


def _loss(task: Task, outputs: Outputs, rows: Table, schema: Schema) -> float:
    """Return the mean loss; for numbers in units of the data, relative to their variance."""
    weight = row_weight(schema, rows)
    if task.name == "regression" and task.primary_metric == "rmse":
        truth = np.asarray(task.truth(rows), dtype=np.float64)
        errors = (np.asarray(task.decode(outputs).values) - truth) ** 2
        scale = np.average((truth - truth.mean(axis=0)) ** 2, axis=0, weights=weight)
        return float((np.average(errors, axis=0, weights=weight) / scale).mean())
    targets = torch.from_numpy(task.encode(rows))
    given = None if weight is None else torch.from_numpy(weight).float()
    loss = task.loss(torch.from_numpy(outputs), targets, given)
    return float(loss.sum / loss.weight)


def _line(result: Result) -> str:
    title = result.entrant.title
    if result.loss is None:
        return f"{title}: left out, {result.reason}"
    return f"{title}: loss {result.loss:.4g} on held-out rows, {result.seconds:.1f} s"


def _finish(
    results: list[Result], prepared: Prepared, truth: Table, apart: Table | None, seconds: float
) -> Race:
    done = [result for result in results if result.outputs is not None]
    interrupted = next((r.fit for r in results if r.fit and r.fit.interrupted), None)
    if not done:
        raise KeyboardInterrupt
    _choose_weights(done, prepared, truth)
    kept = [result for result in done if result.weight > 0]
    predictor = blend(
        [(p, r.weight / len(r.predictors)) for r in kept for p in r.predictors],
        task=prepared.task,
        schema=prepared.schema,
    )
    outputs = _mix(kept, prepared.task)
    task, schema = prepared.task, prepared.schema
    judged = Known(task.decode(outputs), task.truth(truth), row_weight(schema, truth))
    predictor.decision = fit_decision(
        task,
        judged,
        prepared.settings.decide,
        apart=None if apart is None else known(predictor, apart),
        seed=prepared.settings.seed,
    )
    verdict = _verdict(done, kept, _loss(prepared.task, outputs, truth, prepared.schema))
    fit = _fit_of(done, interrupted, verdict, seconds)
    return Race(Learned(predictor, fit), tuple(results), verdict)


def _mix(results: Sequence[Result], task: Task) -> Outputs:
    stacked = torch.stack([torch.from_numpy(np.asarray(r.outputs)) for r in results], dim=1)
    weights = torch.tensor([r.weight for r in results])
    return average_members(stacked, task.link, weights / weights.sum()).numpy()


def _choose_weights(done: list[Result], prepared: Prepared, truth: Table) -> None:
    """Add members one by one, each time the one that helps most; the counts are the weights.

    Reference:
        Caruana et al.: Ensemble Selection from Libraries of Models (2004), with replacement.
    """
    task, schema = prepared.task, prepared.schema
    best = min(done, key=lambda result: result.loss or 0.0)
    counts = dict.fromkeys(range(len(done)), 0)
    reached: list[tuple[float, dict[int, int]]] = []
    for _ in range(_ROUNDS):
        losses: dict[int, float] = {}
        for index in counts:
            for place, result in enumerate(done):
                result.weight = float(counts[place] + (place == index))
            losses[index] = _loss(task, _mix([r for r in done if r.weight], task), truth, schema)
        chosen = min(losses, key=lambda index: losses[index])
        counts[chosen] += 1
        reached.append((losses[chosen], dict(counts)))
    loss, counts = min(reached, key=lambda pair: pair[0])
    is_worth = loss < (best.loss or 0.0) * (1 - _LEAST_GAIN)
    for place, result in enumerate(done):
        share = counts[place] / sum(counts.values())
        result.weight = share if is_worth else float(result is best)


def blend(members: Sequence[tuple[Predictor, float]], *, task: Task, schema: Schema) -> Predictor:
    """Put trained models together; a single one is returned as it is.

    Args:
        members: Models of the same question, and their weights.
        task: The question.
        schema: Of the data.
    """
    if len(members) == 1:
        single = members[0][0]
        single.task = task
        return single
    plans: list[MemberSettings] = []
    numbers = categories = 0
    for predictor, weight in members:
        spec = predictor.encoders.spec
        plans.append(
            MemberSettings(
                name=predictor.recipe.name,
                settings=predictor.recipe.settings,
                weight=weight,
                numbers=(numbers, numbers + spec.num_numbers),
                categories=(categories, categories + len(spec.cardinalities)),
            )
        )
        numbers += spec.num_numbers
        categories += len(spec.cardinalities)
    encoders = Encoders.join([predictor.encoders for predictor, _ in members])
    settings = BlendSettings(members=tuple(plans), link=task.link)
    network = Blend(encoders.spec, task.head_size, settings)
    for place, (predictor, _) in enumerate(members):
        network.members[place] = predictor.model
    return Predictor(
        network,
        task=task,
        encoders=encoders,
        schema=schema,
        architecture={"name": "blend", "settings": settings.model_dump()},
        device=members[0][0].device,
    )


def _verdict(done: list[Result], kept: list[Result], loss: float) -> str:
    ranked = sorted(done, key=lambda result: result.loss or 0.0)
    order = ", ".join(f"{r.entrant.title} {r.loss:.4g}" for r in ranked)
    parts = ", ".join(f"{r.weight:.0%} {r.entrant.title}" for r in kept)
    if len(kept) == 1:
        return f"On held-out rows {kept[0].entrant.title} is the best, and no blend helps: {order}."
    return f"On held-out rows the blend ({parts}) reaches {loss:.4g}; alone: {order}."


def _fit_of(
    done: list[Result], interrupted: FitResult | None, verdict: str, seconds: float
) -> FitResult:
    """Return the training of the best network, as far as the story of the run needs one."""
    networks = [r for r in done if r.fit is not None and r.fit.history]
    best = min(networks or done, key=lambda result: result.loss or 0.0)
    fit = best.fit if best.fit is not None else interrupted
    if fit is None:
        raise KeyboardInterrupt
    return replace(
        fit, seconds=seconds, stopped=verdict, interrupted=interrupted is not None, best_epoch=None
    )
