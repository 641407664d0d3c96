"""Lanes: processes of a race give what one process gives, and fail in plain words."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import small_data
import torch

from deepwell.errors import ModelError, TrainingError
from deepwell.workflows.contest import Contest, Training
from deepwell.workflows.courses import course_of
from deepwell.workflows.lanes import OwnLane, ProcessLanes, lanes_for
from deepwell.workflows.members import Members
from deepwell.workflows.portfolio import Entrant
from deepwell.workflows.prepare import prepare

LINEAR = Entrant("linear", {"model": {"name": "linear"}, "engine": {"epochs": 2}})
TREES = Entrant("trees", {"model": {"name": "boosted_trees", "iterations": 5}})
ENDLESS = Entrant(
    "endless", {"model": {"name": "mlp"}, "engine": {"epochs": 10**6, "patience": None}}
)
NEVER = float("inf")


def contest(folder: Path | None = None) -> Contest:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    town = rng.choice(["Rome", "Oslo"], 400)
    frame = pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "town": town, "y": x.sum(axis=1)})
    overrides = {**small_data.settings(), "target": ["y"]}
    prepared = prepare(frame, overrides, module=None, say=lambda text: None)
    pool = prepared.train.concat(prepared.val)
    return Contest(
        task=prepared.task,
        schema=prepared.schema,
        settings=prepared.settings,
        given={},
        course=course_of(prepared, pool, len(prepared.val)),
        members=Members(folder),
    )


@pytest.fixture
def lanes(tmp_path: Path) -> Generator[ProcessLanes]:
    opened = ProcessLanes(pickle.dumps(contest(tmp_path / "members")), 1, 1)
    yield opened
    opened.close()


def test_a_process_trains_what_this_one_would_and_tells_of_failures(
    lanes: ProcessLanes, tmp_path: Path
) -> None:
    own = OwnLane(contest())
    for entrant in (LINEAR, TREES):
        training = Training(entrant, 1, NEVER)
        here, there = (one.submit(training).result() for one in (own, lanes))
        assert np.array_equal(here.outputs, there.outputs)
        rows = contest().course.pool
        answers = (x.learned.predictor.outputs(rows) for x in (here, there))
        assert np.array_equal(*answers)
        assert not there.is_kept
    assert (tmp_path / "members" / "linear-1" / "manifest.json").is_file()
    assert lanes.submit(Training(LINEAR, 1, NEVER)).result().is_kept

    broken = Entrant("broken", {"model": {"name": "cnn"}})
    with pytest.raises(ModelError, match="reads images"):
        lanes.submit(Training(broken, 0, NEVER)).result()
    with pytest.raises(RuntimeError, match="Traceback"):
        lanes.submit(Training(LINEAR, 99, NEVER)).result()

    # another process takes the place of one that dies, as where memory is short
    process = lanes._lanes[0]._process
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    again = lanes.submit(Training(LINEAR, 2, NEVER)).result()
    assert again.outputs.shape == (len(contest().course.parts[2].held_out), 1)


def test_closing_ends_a_training(lanes: ProcessLanes) -> None:
    future = lanes.submit(Training(ENDLESS, 0, NEVER))
    while not lanes._lanes:
        time.sleep(0.01)
    began = time.monotonic()
    lanes.close()
    assert time.monotonic() - began < 5
    with pytest.raises(TrainingError, match=r"ended by signal 9|is over"):
        future.result()


ORPHAN = """
import pickle, sys, time
sys.path[:0] = {places!r}
from test_lanes import ENDLESS, NEVER, ProcessLanes, Training, contest
lanes = ProcessLanes(pickle.dumps(contest()), 1, 1)
lanes.submit(Training(ENDLESS, 0, NEVER))
while not lanes._lanes:
    time.sleep(0.01)
print(lanes._lanes[0]._process.pid, flush=True)
time.sleep(600)
"""


def test_a_training_ends_with_the_process_that_asked_for_it() -> None:
    here = Path(__file__).parent
    code = ORPHAN.format(places=[str(here), str(here.parent)])
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    with parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        time.sleep(0.5)
        parent.kill()
    for _ in range(300):
        if not _runs(child):
            return
        time.sleep(0.1)
    os.kill(child, signal.SIGKILL)
    raise AssertionError("the process goes on training for nobody")


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split(") ")[1][0] not in "ZX"
    except FileNotFoundError:
        return False


def test_there_are_as_many_lanes_as_threads_but_for_callbacks_and_cards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: 4)
    monkeypatch.setattr("deepwell.workflows.lanes.free_memory", lambda: None)
    whole = contest()
    lanes = lanes_for(whole, [])
    assert isinstance(lanes, ProcessLanes)
    assert lanes.size == 4
    lanes.close()
    assert lanes_for(whole, [object()]).size == 1
    monkeypatch.setattr("deepwell.workflows.lanes.free_memory", lambda: 2**31 + 2**30)
    lanes = lanes_for(whole, [])
    assert lanes.size == 2
    lanes.close()
    monkeypatch.setattr("deepwell.workflows.lanes.free_memory", lambda: 2**30)
    assert isinstance(lanes_for(whole, []), OwnLane)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    assert isinstance(lanes_for(whole, []), OwnLane)
