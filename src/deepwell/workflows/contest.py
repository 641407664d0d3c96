"""The contest: what all trainings of a race share, and a single one of them."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from deepwell.artifact import Predictor
from deepwell.data import Schema
from deepwell.engine import Callback, FitResult, resolve_device
from deepwell.engine.callbacks import Stop
from deepwell.models.catalog import MODELS
from deepwell.tasks import Task, TaskSettings
from deepwell.tasks import from_json as task_from_json
from deepwell.tasks.decisions import DecisionSettings
from deepwell.workflows.blending import Outputs
from deepwell.workflows.courses import Course
from deepwell.workflows.learn import Learned, assemble, fit_encoders, learn
from deepwell.workflows.members import Members
from deepwell.workflows.plan import resolve
from deepwell.workflows.portfolio import Entrant
from deepwell.workflows.settings import TrainSettings


@dataclass(frozen=True, slots=True)
class Contest:
    """What is the same for all models.

    Args:
        task: The question.
        schema: Of the data.
        settings: Of the run.
        given: The user's settings, which hold for all models.
        course: The rows of each training.
        members: Where finished models are kept.
    """

    task: Task
    schema: Schema
    settings: TrainSettings
    given: Mapping[str, Any]
    course: Course
    members: Members


@dataclass(frozen=True, slots=True)
class Training:
    """One training of a contest.

    Args:
        entrant: The model.
        number: Of the part of the course.
        end: When it has to stop, by `time.monotonic`, which is the same in all processes.
        parent: Process that waits for it, if it is the one that began this process.
    """

    entrant: Entrant
    number: int
    end: float
    parent: int | None = None


@dataclass(frozen=True, slots=True)
class Trained:
    """What a training left.

    Args:
        learned: The model; the seconds of its fit are all that the training took.
        outputs: What it says of the rows held out from it, (rows, head_size).
        is_cut: Whether the end of the time stopped it.
        is_kept: Whether it comes from an interrupted race.
    """

    learned: Learned
    outputs: Outputs
    is_cut: bool = False
    is_kept: bool = False


@dataclass(slots=True)
class Result:
    """How a model did.

    Args:
        entrant: The model.
        predictors: One a training.
        parts: What each of them says of the rows held out from it, (rows, head_size).
        outputs: One answer for each row that judges.
        fit: How the first of them was trained.
        loss: Mean loss on these rows.
        score: The metric that decides, on these rows.
        seconds: Time of its trainings, added up.
        weight: Share in the blend.
        is_out: Whether it does not take part in the end.
        reason: Why, or why it learned for a shorter time than it should.
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
    is_out: bool = False
    reason: str = ""

    @property
    def is_network(self) -> bool:
        """Whether gradients taught it."""
        return MODELS[self.entrant.model].learner == "gradient"

    @property
    def mean_seconds(self) -> float:
        """Seconds that one training of it takes."""
        return self.seconds / max(len(self.parts), 1)

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


class Deadline(Callback):
    """Asks to stop when the time is over, or when nobody waits for the training any more.

    Args:
        training: Says when that is.
    """

    def __init__(self, training: Training) -> None:
        self._training = training
        self.is_over = False

    def on_step_logged(self, state: object) -> Stop | None:
        """Look at the clock."""
        return self._look()

    def on_epoch_ended(self, state: object) -> Stop | None:
        """Look at the clock."""
        return self._look()

    def _look(self) -> Stop | None:
        parent = self._training.parent
        is_alone = parent is not None and os.getppid() != parent
        self.is_over = is_alone or time.monotonic() > self._training.end
        return Stop("The time limit is over.") if self.is_over else None


def train_part(contest: Contest, training: Training, callbacks: Sequence[object] = ()) -> Trained:
    """Return the model of a part of the course: trained now, or before an interruption.

    Raises:
        DeepwellError: The model cannot be trained on these data.
        KeyboardInterrupt: Stopped by Ctrl-C.
    """
    title, number = training.entrant.title, training.number
    course, members = contest.course, contest.members
    part = course.parts[number]
    kept = members.load(title, number, resolve_device(contest.settings.engine.device))
    if kept is not None:
        outputs = kept.predictor.outputs(course.pool.take(part.held_out))
        return Trained(kept, outputs, is_kept=True)
    began = time.perf_counter()
    deadline = Deadline(training)
    learned = _train(contest, training, [deadline, *callbacks])
    if learned.fit.interrupted:
        raise KeyboardInterrupt
    spent = replace(learned.fit, seconds=time.perf_counter() - began)
    learned = replace(learned, fit=spent)
    if not deadline.is_over:
        members.save(title, number, learned, course.pool.take(part.train))
    outputs = learned.predictor.outputs(course.pool.take(part.held_out))
    return Trained(learned, outputs, is_cut=deadline.is_over)


def _train(contest: Contest, training: Training, callbacks: Sequence[object]) -> Learned:
    part, pool = contest.course.parts[training.number], contest.course.pool
    train, val = pool.take(part.train), pool.take(part.held_out)
    task, schema = contest.task, contest.schema
    overrides = training.entrant.settings(contest.given, len(train))
    settings = resolve(overrides, schema, len(train), question=task.name)
    plain = DecisionSettings(calibrate="none")
    settings = settings.model_copy(
        update={"seed": contest.settings.seed + training.number, "decide": plain}
    )
    own = with_settings(task, settings.task)
    encoders = fit_encoders(train, schema, own, settings, None)
    predictor = assemble(encoders, own, schema, settings, None)
    seconds = training.end - time.monotonic()
    return learn(predictor, train, val, settings=settings, callbacks=callbacks, seconds=seconds)


def with_settings(task: Task, settings: TaskSettings) -> Task:
    """Return the same fitted question with another way to count mistakes."""
    return task_from_json({**task.to_json(), "settings": settings.model_dump()})
