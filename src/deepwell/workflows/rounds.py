"""Rounds: which training of a race comes next, and which models go on.

The first round trains every model once, on the first part of the course; each further round adds
a model of the next part. So there is something to compare early, and the more time there is the
more rows judge and the more models answer together.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait

from deepwell.errors import DeepwellError, OutputError
from deepwell.workflows.blending import choose_weights, loss_of
from deepwell.workflows.contest import Contest, Result, Trained, Training
from deepwell.workflows.courses import Course
from deepwell.workflows.lanes import Lanes
from deepwell.workflows.portfolio import Entrant

BY_CTRL_C = "stopped by Ctrl-C"
LEAST_SHARE = 0.05
"""Share in the blend from which a model goes on where time is short."""
ENOUGH_ROWS = 1_000
"""Rows that should judge: a model with fewer parts than others is left out for their sake."""


class Rounds:
    """The trainings of a race, in rounds.

    Args:
        contest: What all trainings share.
        entrants: The models.
        limit: Seconds for all trainings. The first model is trained in any case.
        lanes: Where they run.
        tell: Called with a model that was trained for the first time, or that is given up.
    """

    def __init__(
        self,
        contest: Contest,
        entrants: Sequence[Entrant],
        *,
        limit: float,
        lanes: Lanes,
        tell: Callable[[Result], None],
    ) -> None:
        self.results = [Result(entrant) for entrant in entrants]
        self.failures: list[DeepwellError] = []
        self.is_stopped = False
        self._contest = contest
        self._lanes = lanes
        self._tell = tell
        self._end = time.monotonic() + limit
        self._begun = [0] * len(entrants)
        self._num_parts = len(contest.course.parts)
        self._is_thinned = self._num_parts == 1
        self._running: dict[Future[Trained], tuple[int, int]] = {}
        self._early: dict[tuple[int, int], Trained] = {}
        settings = contest.settings
        # folds and members of an ensemble that were asked for are not a matter of time
        self._needs_all = settings.folds.count > 0 or settings.ensemble > 1

    @property
    def done(self) -> list[Result]:
        """The models that take part."""
        return [result for result in self.results if result.parts and not result.is_out]

    @property
    def course(self) -> Course:
        """The parts of the course that every model which takes part has been trained on."""
        return self._contest.course.first(min(len(result.parts) for result in self.done))

    def run(self) -> None:
        """Train until everything is done, or the time is over, or Ctrl-C is pressed.

        Raises:
            OutputError: A model cannot be written to the disk.
        """
        try:
            while self._fill():
                finished, _ = wait(self._running, return_when=FIRST_COMPLETED)
                for future in finished:
                    self._take(future)
        except KeyboardInterrupt:
            self.is_stopped = True
        finally:
            self._lanes.close()
        self._end_with_what_there_is()

    def _fill(self) -> bool:
        """Begin trainings while there are free lanes; return whether anything runs."""
        while len(self._running) < self._lanes.size:
            needed = self._parts_to_thin
            if not self._is_thinned and all(
                len(r.parts) >= needed or r.is_out for r in self.results
            ):
                self._is_thinned = True
                self._thin()
            place = self._next()
            if place is None:
                break
            number = self._begun[place]
            self._begun[place] += 1
            end = float("inf") if self._needs_all and number > 0 else self._end
            training = Training(self.results[place].entrant, number, end)
            future = self._lanes.submit(training)
            self._running[future] = place, number
        return bool(self._running)

    def _next(self) -> int | None:
        """Return the place of the model that is trained next, or None."""
        allowed = [place for place in range(len(self.results)) if self._may_begin(place)]
        return min(allowed, key=lambda place: (self._begun[place], place), default=None)

    def _may_begin(self, place: int) -> bool:
        result, number = self.results[place], self._begun[place]
        if result.is_out or number == self._num_parts:
            return False
        if number == 0:
            return place == 0 or self._left > 0
        if self._needs_all:
            return self._is_thinned or self._left > 0
        return bool(result.parts) and result.mean_seconds <= self._left

    @property
    def _left(self) -> float:
        return self._end - time.monotonic()

    def _take(self, future: Future[Trained]) -> None:
        """Note what a training left."""
        place, number = self._running.pop(future)
        result = self.results[place]
        try:
            trained = future.result()
        except OutputError:
            raise
        except DeepwellError as error:
            self.failures.append(error)
            self._leave_out(result, str(error))
            return
        if trained.is_kept:  # it took its time before this process began
            self._end -= trained.learned.fit.seconds / self._lanes.size
        if trained.is_cut and number > 0:
            return
        # parts are noted in their order, whichever ends first
        self._early[place, number] = trained
        while (ready := self._early.pop((place, len(result.parts)), None)) is not None:
            self._note(result, ready)

    def _note(self, result: Result, trained: Trained) -> None:
        fit = trained.learned.fit
        result.seconds += fit.seconds
        result.parts.append(trained.outputs)
        result.predictors.append(trained.learned.predictor)
        if result.fit is None:
            result.fit = fit
            result.reason = "stopped early by the time limit" if trained.is_cut else ""
            self._tell(result)

    def _leave_out(self, result: Result, reason: str) -> None:
        if not result.is_out:
            result.is_out, result.reason = True, reason
            self._tell(result)

    @property
    def _parts_to_thin(self) -> int:
        """Trainings that tell which models to leave out: two where a fold has few rows."""
        rows = len(self._contest.course.parts[0].held_out)
        is_enough = self._needs_all or rows >= ENOUGH_ROWS
        return 1 if is_enough else min(2, self._num_parts)

    def _thin(self) -> None:
        """Where time is short, leave out what the blend has no use for so far.

        What errs most goes first, and no more of them than must.
        """
        alive = self.done
        if not alive or self._fits():
            return
        task, schema = self._contest.task, self._contest.schema
        course = self.course
        answers = [course.pooled(r.parts[: len(course.parts)], task) for r in alive]
        truth = course.truth
        weights = choose_weights(answers, truth, task=task, schema=schema)
        losses = [loss_of(task, one, truth, schema) for one in answers]
        order = sorted(range(len(alive)), key=lambda p: (weights[p], -losses[p]))
        for place in order[:-1]:
            if self._fits() or (weights[place] >= LEAST_SHARE and not self._needs_all):
                return
            seen = "fold" if len(course.parts) == 1 else f"{len(course.parts)} folds"
            words = f"the first {seen} of {self._num_parts} showed little gain, and time is short"
            self._leave_out(alive[place], words)

    def _fits(self) -> bool:
        """Tell whether all that is to be trained would be done in time."""
        waiting = zip(self._begun, self.results, strict=True)
        seconds = sum(r.mean_seconds * (self._num_parts - n) for n, r in waiting if not r.is_out)
        return seconds / self._lanes.size <= self._left

    def _end_with_what_there_is(self) -> None:
        """Leave out what is not finished, with the reason."""
        why = BY_CTRL_C if self.is_stopped else "no time was left"
        for result in self.results:
            if not result.parts or (self._needs_all and len(result.parts) < self._num_parts):
                self._leave_out(result, why)
        while len(self.done) > 1 and len(self.course.positions) < ENOUGH_ROWS:
            counts = [len(result.parts) for result in self.done]
            if min(counts) == max(counts):
                break
            fewest = self.done[counts.index(min(counts))]
            words = f"only {min(counts)} of {self._num_parts} folds were done in time"
            self._leave_out(fewest, BY_CTRL_C if self.is_stopped else words)
        for (place, _), trained in sorted(self._early.items(), key=lambda item: item[0]):
            # answers later without having been judged
            self.results[place].predictors.append(trained.learned.predictor)
