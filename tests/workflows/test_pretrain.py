"""Pre-training: it changes what training starts from, and nothing else."""

import os
import signal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import small_data
import torch

import deepwell
from deepwell.data import Table, infer_schema
from deepwell.engine import EngineSettings, Progress
from deepwell.runs import RunFolder
from deepwell.tasks import Formulation
from deepwell.workflows.fit_table import fit_table
from deepwell.workflows.learn import Learned
from deepwell.workflows.settings import TrainSettings

SETTINGS = small_data.settings(
    engine={"epochs": 3}, model={"name": "dae_mlp", "hidden_sizes": (16, 16), "pretrain_epochs": 2}
)


def _learn(**model: Any) -> Learned:
    generator = np.random.default_rng(0)
    numbers = generator.normal(size=400)
    kinds = np.array(["a", "b", "c"])[(numbers > 0.5).astype(int) + (numbers > -0.5)]
    columns = {
        "x": pl.Series(numbers),
        "twin": pl.Series(numbers + 0.01 * generator.normal(size=400)),
        "kind": pl.Series(kinds.tolist()),
        "y": pl.Series(generator.normal(size=400)),
    }
    table = Table(columns)
    overrides = {
        "model": {"name": "dae_mlp", "hidden_sizes": (32, 32), **model},
        "engine": {"epochs": 1, "learning_rate": 1e-2},
    }
    question = Formulation("regression", ("y",), "as asked")
    return fit_table(table, infer_schema(table, targets=["y"]), question, overrides=overrides)


def test_repairing_is_learned_and_reported() -> None:
    learned = _learn(pretrain_epochs=30)
    (note,) = [note for note in learned.fit.notes if "pre-training" in note]
    first, last = (float(word.rstrip(".")) for word in (note.split()[-3], note.split()[-1]))
    assert last < 0.5 * first
    assert len(learned.fit.history) == 1  # the epochs of the task are counted alone


def test_without_epochs_nothing_is_done() -> None:
    assert not [note for note in _learn(pretrain_epochs=0).fit.notes if "pre-training" in note]


def test_the_same_seed_gives_the_same_weights() -> None:
    states = [_learn(pretrain_epochs=2).predictor.model.state_dict() for _ in range(2)]
    assert all(torch.equal(states[0][name], states[1][name]) for name in states[0])
    other = _learn(pretrain_epochs=3).predictor.model.state_dict()
    assert not all(torch.equal(states[0][name], other[name]) for name in other)


def test_limits_of_the_training_do_not_end_the_pretraining() -> None:
    from deepwell.workflows.pretrain import engine_of

    chosen = EngineSettings(
        epochs=9, patience=2, max_steps=5, monitor="mae", averaging={"last_epochs": 8}
    )
    engine = engine_of(chosen, 4)
    assert (engine.epochs, engine.patience, engine.max_steps) == (4, None, None)
    assert (engine.monitor, engine.averaging.last_epochs) == ("loss", None)
    assert engine.batch_size == chosen.batch_size


class PressesAt(Progress):
    """Presses Ctrl-C at the end of the first epochs that it is told of, from `after` on."""

    def __init__(self, after: int) -> None:
        super().__init__(enabled=False)
        self.after = after

    def on_epoch_ended(self, state: Any) -> None:
        self.after -= 1
        if self.after == 0:
            os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_leaves_nothing_half_done(houses_file: Path, tmp_path: Path) -> None:
    def train(name: str, *callbacks: object) -> Any:
        return deepwell.train(
            houses_file, "price", name=name, runs=tmp_path, settings=SETTINGS, callbacks=callbacks
        )

    with pytest.raises(KeyboardInterrupt):
        train("early", PressesAt(1))
    assert not (tmp_path / "early").exists()
    whole = train("whole")
    with pytest.raises(KeyboardInterrupt, match="deepwell resume"):
        train("late", PressesAt(3))  # two epochs of pre-training, one of training
    resumed = deepwell.resume(RunFolder(tmp_path / "late").path)
    assert resumed.summary["metrics"] == whole.summary["metrics"]


def test_columns_of_the_user_are_named(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    rows = {
        "book": [f"b{n}" for n in generator.integers(0, 12, 300)],
        "reader": [f"r{n}" for n in generator.integers(0, 20, 300)],
        "rating": generator.normal(size=300).tolist(),
    }
    settings = small_data.settings(
        engine={"epochs": 1}, model={"name": "two_tower", "user_columns": ("reader",)}
    )
    result = deepwell.train(rows, "rating", name="books", runs=tmp_path, settings=settings)
    network = deepwell.load(result.folder.path).model
    assert network.user.codes.tolist() == [1]
    assert network.item.codes.tolist() == [0]
    config = TrainSettings.model_validate(RunFolder(tmp_path / "books").read_config())
    assert tuple(config.model.options["user_columns"]) == ("reader",)
