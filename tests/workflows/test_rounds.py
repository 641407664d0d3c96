"""Rounds: what is trained when, on a clock of the test's own."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
import small_data

from deepwell.engine import FitResult
from deepwell.errors import DeepwellError, TrainingError
from deepwell.workflows import rounds
from deepwell.workflows.contest import Contest, Result, Trained, Training
from deepwell.workflows.courses import course_of
from deepwell.workflows.learn import Learned
from deepwell.workflows.members import Members
from deepwell.workflows.portfolio import Entrant
from deepwell.workflows.prepare import prepare
from deepwell.workflows.rounds import Rounds

ROWS = 2_400
QUICK, SLOW, LAST = (
    Entrant(name, {"model": {"name": "linear"}}) for name in ("quick", "slow", "last")
)


class Clock:
    """Lanes that only let time pass.

    Args:
        seconds: A training of each model takes.
        errors: Root mean squared error of each model's answers.
        broken: Trainings that fail: model and part.
        at: Called before each training, with how many there were.
    """

    size = 1

    def __init__(
        self,
        seconds: dict[str, float],
        *,
        errors: dict[str, float],
        broken: tuple[tuple[str, int], ...] = (),
        at: Any = None,
    ) -> None:
        self.now, self.asked, self.is_closed = 0.0, list[tuple[str, int]](), False
        self._seconds, self._errors, self._broken = seconds, errors, broken
        self._at = at
        self.contest: Contest | None = None

    def submit(self, training: Training) -> Future[Trained]:
        name, number = training.entrant.title, training.number
        if self._at is not None:
            self._at(len(self.asked))
        self.asked.append((name, number))
        future: Future[Trained] = Future()
        if (name, number) in self._broken:
            future.set_exception(TrainingError("The loss is not a finite number."))
            return future
        self.now += self._seconds[name]
        is_cut = self.now > training.end
        contest = cast(Contest, self.contest)
        rows = contest.course.pool.take(contest.course.parts[number].held_out)
        encoded = contest.task.encode(rows)
        rng = np.random.default_rng([number, *name.encode()])
        outputs = encoded + self._errors[name] * rng.normal(size=encoded.shape)
        fit = FitResult(
            history=[],
            best_epoch=None,
            steps=1,
            seconds=self._seconds[name],
            stopped="",
            interrupted=False,
            precision="",
            device="cpu",
        )
        learned = Learned(cast(Any, f"{name} {number}"), fit)
        future.set_result(Trained(learned, outputs.astype("float32"), is_cut=is_cut))
        return future

    def close(self) -> None:
        self.is_closed = True


def run(
    monkeypatch: pytest.MonkeyPatch, clock: Clock, limit: float, **settings: Any
) -> tuple[Rounds, dict[str, Result]]:
    rng = np.random.default_rng(0)
    x = rng.normal(size=ROWS)
    frame = pl.DataFrame({"x": x, "y": x + rng.normal(size=ROWS)})
    overrides = {**small_data.settings(**settings), "target": ["y"]}
    prepared = prepare(frame, overrides, module=None, say=lambda text: None)
    pool = prepared.train.concat(prepared.val)
    contest = Contest(
        task=prepared.task,
        schema=prepared.schema,
        settings=prepared.settings,
        given={},
        course=course_of(prepared, pool, len(prepared.val)),
        members=Members(None),
    )
    clock.contest = contest
    monkeypatch.setattr(rounds.time, "monotonic", lambda: clock.now)
    ran = Rounds(contest, (QUICK, SLOW, LAST), limit=limit, lanes=clock, tell=lambda result: None)
    ran.run()
    assert clock.is_closed
    return ran, {result.entrant.title: result for result in ran.results}


EQUAL = {"quick": 0.5, "slow": 0.5, "last": 0.5}


def test_with_time_enough_every_model_learns_from_every_part(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock({"quick": 1, "slow": 4, "last": 1}, errors=EQUAL)
    ran, results = run(monkeypatch, clock, limit=100)
    assert clock.asked[:4] == [("quick", 0), ("slow", 0), ("last", 0), ("quick", 1)]
    assert len(clock.asked) == 15
    assert len(ran.course.parts) == 5
    assert results["slow"].seconds == 20


def test_where_time_is_short_models_of_no_use_are_left_out_and_the_worst_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    errors = {"quick": 0.01, "slow": 3.0, "last": 2.0}
    clock = Clock({"quick": 1, "slow": 10, "last": 1}, errors=errors)
    ran, results = run(monkeypatch, clock, limit=30)
    assert results["slow"].is_out
    assert "showed little gain" in results["slow"].reason
    assert len(results["last"].parts) == len(results["quick"].parts) == 5
    assert len(ran.course.parts) == 5


def test_models_of_use_share_the_time_and_the_rows_that_all_have_seen_judge(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock({"quick": 1, "slow": 10, "last": 1}, errors=EQUAL)
    ran, results = run(monkeypatch, clock, limit=40.5)
    assert [len(results[name].parts) for name in ("quick", "slow", "last")] == [5, 3, 5]
    assert len(ran.course.parts) == 3
    assert clock.now <= 40.5


def test_a_training_that_would_not_end_in_time_is_not_begun(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rounds, "ENOUGH_ROWS", 10)
    clock = Clock({"quick": 1, "slow": 10, "last": 1}, errors=EQUAL)
    ran, results = run(monkeypatch, clock, limit=19.5)
    assert ("slow", 1) not in clock.asked
    assert len(ran.course.parts) == 1
    assert not results["slow"].is_out
    assert len(results["quick"].predictors) == 5


def test_too_few_rows_to_judge_leave_out_what_has_the_fewest_parts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock({"quick": 1, "slow": 10, "last": 1}, errors=EQUAL)
    ran, results = run(monkeypatch, clock, limit=21)
    assert results["slow"].reason == "only 1 of 5 folds were done in time"
    assert len(ran.course.parts) == 5


def test_the_first_model_is_kept_and_the_rest_is_left_out_without_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = Clock({"quick": 50, "slow": 1, "last": 1}, errors=EQUAL)
    ran, results = run(monkeypatch, clock, limit=10)
    assert clock.asked == [("quick", 0)]
    stopped, none = "stopped early by the time limit", "no time was left"
    assert [result.reason for result in ran.results] == [stopped, none, none]
    assert len(results["quick"].parts) == 1


def test_a_first_training_that_is_stopped_early_takes_part_and_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rounds, "ENOUGH_ROWS", 10)
    clock = Clock({"quick": 1, "slow": 20, "last": 1}, errors=EQUAL)
    _, results = run(monkeypatch, clock, limit=10)
    assert results["slow"].reason == "stopped early by the time limit"
    assert not results["slow"].is_out


def test_folds_that_were_asked_for_are_all_done_or_none(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock({"quick": 1, "slow": 10, "last": 1}, errors=EQUAL)
    ran, results = run(monkeypatch, clock, limit=19.5, folds={"count": 4})
    assert results["slow"].is_out
    assert [len(results[name].parts) for name in ("quick", "last")] == [4, 4]
    assert len(ran.course.parts) == 4


def test_a_model_that_fails_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(
        {"quick": 1, "slow": 1, "last": 1}, errors=EQUAL, broken=(("slow", 2), ("last", 0))
    )
    ran, results = run(monkeypatch, clock, limit=100)
    assert [type(failure) for failure in ran.failures] == [TrainingError, TrainingError]
    assert issubclass(TrainingError, DeepwellError)
    assert results["slow"].is_out
    assert results["last"].is_out
    assert len(results["quick"].parts) == 5


def test_ctrl_c_keeps_what_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(count: int) -> None:
        if count == 5:
            raise KeyboardInterrupt

    clock = Clock({"quick": 1, "slow": 1, "last": 1}, errors=EQUAL, at=stop)
    ran, results = run(monkeypatch, clock, limit=100)
    assert ran.is_stopped
    assert [len(results[name].parts) for name in ("quick", "slow", "last")] == [2, 2, 1]
    # one part has 384 rows, too few to compare models by
    assert results["last"].reason == rounds.BY_CTRL_C
    assert len(ran.course.parts) == 2


def test_a_fold_of_few_rows_leaves_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """One fold of some hundred rows is chance: the second one is waited for."""
    errors = {"quick": 0.01, "slow": 3.0, "last": 2.0}
    for enough, parts in ((10, 1), (1_000, 2)):
        monkeypatch.setattr(rounds, "ENOUGH_ROWS", enough)
        clock = Clock({"quick": 1, "slow": 10, "last": 1}, errors=errors)
        _, results = run(monkeypatch, clock, limit=30)
        assert results["slow"].is_out
        assert len(results["slow"].parts) == parts
