"""Lanes: where the trainings of a race run, in this process or side by side in others.

Networks for tables are small: a second thread hardly speeds one up, a second process trains
another one meanwhile. Each process has its share of the threads.

What the processes tell each other is pickled. Nothing of it comes from a file or from outside: the
processes are the children of this one, and the pipes are theirs alone.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Protocol

import torch

from deepwell.data.memory import free_memory
from deepwell.engine import resolve_device
from deepwell.errors import TrainingError
from deepwell.workflows.contest import Contest, Trained, Training, train_part

LANE = "deepwell.workflows.lane"
"""The module that a process runs."""
MOST = 8
"""Processes at the most."""
_BASE, _COPIES = 2**30, 8
"""Bytes for torch and what it works with in each process, and how often it holds the rows: as they
are, encoded for training and for judging, on the way to the device, and in between."""
_WORDS = 300
"""Letters of what a process printed before it died that are told."""


class Lanes(Protocol):
    """Trains, as many at a time as it has lanes."""

    size: int

    def submit(self, training: Training) -> Future[Trained]:
        """Begin a training."""
        ...

    def close(self) -> None:
        """Stop whatever still runs."""
        ...


def lanes_for(contest: Contest, callbacks: Sequence[object]) -> Lanes:
    """Return as many lanes as there are threads and memory; one in this process without others.

    Args:
        contest: What all trainings share.
        callbacks: Told about each training, which only this process can do.
    """
    threads = torch.get_num_threads()
    is_cpu = resolve_device(contest.settings.engine.device).type == "cpu"
    if threads < 2 or callbacks or not is_cpu:
        return OwnLane(contest, callbacks)
    pickled = pickle.dumps(contest)
    size = min(threads, MOST, _fitting(len(pickled)))
    return ProcessLanes(pickled, size, threads // size) if size > 1 else OwnLane(contest)


def _fitting(num_bytes: int) -> int:
    """Return how many processes the memory has room for that hold so many bytes of rows."""
    free = free_memory()
    return MOST if free is None else free // (_BASE + _COPIES * num_bytes)


class OwnLane:
    """Trains in this process, one model after the other.

    Args:
        contest: What all trainings share.
        callbacks: Told about each training.
    """

    def __init__(self, contest: Contest, callbacks: Sequence[object] = ()) -> None:
        self.size = 1
        self._contest = contest
        self._callbacks = callbacks

    def submit(self, training: Training) -> Future[Trained]:
        """Train, and return what is done."""
        future: Future[Trained] = Future()
        try:
            future.set_result(train_part(self._contest, training, self._callbacks))
        except Exception as error:
            future.set_exception(error)
        return future

    def close(self) -> None:
        """Do nothing: nothing runs on."""


class ProcessLanes:
    """Trains in processes of its own, each behind a thread that waits for its answers.

    Processes read what they are asked from a pipe and write what they learned into another. They
    do not import the user's script again, which processes of `multiprocessing` do.

    Args:
        contest: What all trainings share, pickled; each process is told once.
        size: Processes.
        threads: Of each process.
    """

    def __init__(self, contest: bytes, size: int, threads: int) -> None:
        self.size = size
        self._contest = contest
        self._threads = threads
        self._own = threading.local()
        self._lock = threading.Lock()
        self._lanes: list[_Lane] = []
        self._is_closed = False
        self._pool = ThreadPoolExecutor(size, thread_name_prefix="race")

    def submit(self, training: Training) -> Future[Trained]:
        """Begin a training as soon as a process is free."""
        return self._pool.submit(self._run, training)

    def close(self) -> None:
        """End the processes, also those that are training."""
        with self._lock:
            self._is_closed = True
            for lane in self._lanes:
                lane.kill()
        self._pool.shutdown(cancel_futures=True)
        for lane in self._lanes:
            lane.close()

    def _run(self, training: Training) -> Trained:
        lane: _Lane | None = getattr(self._own, "lane", None)
        if lane is None or not lane.is_alive:
            lane = self._own.lane = self._begin()
        return lane.ask(training)

    def _begin(self) -> _Lane:
        with self._lock:
            if self._is_closed:
                raise TrainingError("The race is over.")
            lane = _Lane(self._threads)
            self._lanes.append(lane)
        lane.tell(self._contest)
        return lane


class _Lane:
    """A process that trains.

    Args:
        threads: For its arithmetic.
    """

    def __init__(self, threads: int) -> None:
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115, closed with the lane
        self._process = subprocess.Popen(
            [sys.executable, "-m", LANE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={
                **os.environ,
                "OMP_NUM_THREADS": str(threads),
                "PYTHONPATH": os.pathsep.join(place or os.getcwd() for place in sys.path),
            },
            start_new_session=True,  # Ctrl-C reaches this process alone, which then ends the others
        )

    @property
    def is_alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.poll() is None

    def tell(self, pickled: bytes) -> None:
        """Hand over something that asks for no answer."""
        pipe = self._process.stdin
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):  # the next question says why
                pipe.write(pickled)
                pipe.flush()

    def ask(self, training: Training) -> Trained:
        """Return what a training left, or raise what it raised."""
        self.tell(pickle.dumps(replace(training, parent=os.getpid())))
        try:
            answer: Any = pickle.load(self._process.stdout)  # pyright: ignore[reportArgumentType]
        except (EOFError, pickle.UnpicklingError):
            raise TrainingError(self._last_words()) from None
        if isinstance(answer, BaseException):
            raise answer
        return answer

    def kill(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Close what it was connected by, once nobody listens."""
        for file in (self._process.stdin, self._process.stdout, self._errors):
            if file is not None:
                with contextlib.suppress(BrokenPipeError):
                    file.close()

    def _last_words(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        words = self._errors.read().decode(errors="replace").strip()[-_WORDS:]
        how = f"was ended by signal {-code}" if code < 0 else f"ended with code {code}"
        return f"The process that trained it {how}{': ' + words if words else ''}."
