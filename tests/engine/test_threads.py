"""How many threads compute: what was decided stays decided, and trying leaves no trace."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from engine_fakes import Classify, KillAt, Killed, engine, mlp, same, train_rows, weights
from torch import nn

from deepwell.engine import Checkpoints, EngineSettings, FitResult, fit, threads
from deepwell.errors import ConfigError


@pytest.fixture(autouse=True)
def _two_threads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(threads, "FEWEST_STEPS", 1)
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


@pytest.fixture
def times(monkeypatch: pytest.MonkeyPatch) -> dict[int, float]:
    """Threads → seconds that a trial shall take; the trial is made all the same."""
    taken: dict[int, float] = {1: 0.001, 2: 0.002}
    measure = threads.seconds_of

    def seconds_of(*args: object, **named: object) -> float:
        measure(*args, **named)
        return taken[torch.get_num_threads()]

    monkeypatch.setattr(threads, "seconds_of", seconds_of)
    return taken


class Seen:
    """Notes the threads of each step."""

    def __init__(self) -> None:
        self.threads: set[int] = set()

    def on_step_logged(self, state: object) -> None:
        self.threads.add(torch.get_num_threads())


def _train(**changes: object) -> tuple[dict[str, torch.Tensor], FitResult, set[int]]:
    model, seen = mlp(dropout=0.3), Seen()
    settings = engine(**{"epochs": 3, **changes})
    result = fit(model, Classify(), train_rows(), settings=settings, callbacks=[seen])
    return weights(model), result, seen.threads


def test_fewer_threads_are_taken_where_they_are_faster_and_given_back(times: dict[int, float]):
    _, result, seen = _train()
    assert seen == {1}
    assert result.notes == ("Computes with 1 thread, which is faster here than 2.",)
    assert torch.get_num_threads() == 2


def test_trying_leaves_no_trace(times: dict[int, float]):
    found, result, seen = _train()
    plain, _, _ = _train(threads=1)  # dropout draws the same numbers
    assert seen == {1}
    assert result.notes
    assert same(found, plain)


def test_all_threads_stay_where_fewer_gain_little(times: dict[int, float]):
    times[1] = 0.0019
    _, result, seen = _train()
    assert seen == {2}
    assert result.notes == ()


def test_what_was_decided_once_is_not_tried_again(times: dict[int, float]):
    _train()
    times[1] = 0.01  # measuring again would decide otherwise
    assert _train()[2] == {1}
    assert _train(batch_size=16, epochs=2)[2] == {2}  # another training


def test_nothing_is_tried_where_that_is_no_use(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(threads, "seconds_of", lambda *_, **__: pytest.fail("tried"))
    assert _train(threads=2)[2] == {2}
    monkeypatch.setattr(threads, "FEWEST_STEPS", 100)
    assert _train()[2] == {2}
    torch.set_num_threads(1)
    assert _train(threads="auto")[2] == {1}


def test_a_program_has_the_threads_that_its_recurrent_layers_like(
    times: dict[int, float], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(shutil, "which", lambda _: None)  # no compiler: it is asked for later

    class Reader(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = nn.LSTM(2, 3, batch_first=True)

        def forward(self, numbers: torch.Tensor) -> torch.Tensor:
            return self.lstm(numbers.view(-1, 3, 2))[0][:, -1]

    seen = Seen()
    fit(
        Reader(),
        Classify(),
        train_rows(),
        settings=engine(epochs=1, compile="on"),
        callbacks=[seen],
    )
    assert seen.threads == {1}
    assert _train(epochs=1, compile="on")[2] == {2}


def test_large_networks_are_looked_at_shortly(times: dict[int, float]):
    times |= {1: 0.1, 2: 0.2}
    assert _train()[2] == {2}


def test_a_resumed_training_keeps_its_threads(tmp_path: Path, times: dict[int, float]):
    whole, _, _ = _train()
    model, seen = mlp(dropout=0.3), Seen()
    settings = engine(epochs=3, checkpoint_every=1)
    with pytest.raises(Killed):
        fit(
            model,
            Classify(),
            train_rows(),
            settings=settings,
            callbacks=[KillAt(8)],
            checkpoints=Checkpoints(tmp_path / "kept"),
        )
    times[1] = 0.01
    (tmp_path / "cache" / "deepwell" / "threads.json").unlink()
    model = mlp(seed=9, dropout=0.3)
    checkpoints = Checkpoints(tmp_path / "kept", resume=True)
    fit(
        model,
        Classify(),
        train_rows(),
        settings=settings,
        callbacks=[seen],
        checkpoints=checkpoints,
    )
    assert seen.threads == {1}
    assert same(weights(model), whole)


def test_a_number_that_makes_no_sense_is_refused():
    for number in (0, -1, 5000):
        with pytest.raises(ConfigError, match="1 to 1024"):
            EngineSettings(threads=number)
    with pytest.raises(ConfigError, match="threads"):
        EngineSettings.model_validate({"threads": "many"})
