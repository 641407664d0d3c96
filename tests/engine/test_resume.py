"""Stopped and resumed equals never stopped, bit for bit."""
# ruff: noqa: NPY002 -- the global random numbers of NumPy are what is tested

import os
import random
import signal
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from engine_fakes import (
    Classify,
    CtrlCAt,
    KillAt,
    Killed,
    Listener,
    engine,
    mlp,
    same,
    table,
    timeless,
    train_rows,
    val_rows,
    weights,
)
from torch import nn
from torch.utils.data import DataLoader, Dataset, TensorDataset, WeightedRandomSampler

from deepwell.engine import Callback, Checkpoints, EngineSettings, FitResult, TensorBatches, fit
from deepwell.engine.optimizers import OPTIMIZERS
from deepwell.engine.trainer import Trainer
from deepwell.errors import RunError
from deepwell.types import Loss


def _run(
    settings: EngineSettings,
    folder: Path | None = None,
    *callbacks: Callback,
    resume: bool = False,
    rows: object = None,
    model: nn.Module | None = None,
) -> tuple[nn.Module, FitResult]:
    has_checkpoint = folder is not None and any(folder.glob("*.safetensors"))
    # other weights to start with: they must be those of the checkpoint
    model = model or mlp(seed=8 if has_checkpoint else 0, dropout=0.3)
    result = fit(
        model,
        Classify(),
        rows if rows is not None else train_rows(weighted=True, augment=True),
        val_batches=val_rows(),
        settings=settings,
        callbacks=callbacks,
        checkpoints=None if folder is None else Checkpoints(folder, resume=resume),
        seed=5,
    )
    return model, result


def _assert_equal(one: tuple[nn.Module, FitResult], other: tuple[nn.Module, FitResult]) -> None:
    assert same(weights(one[0]), weights(other[0]))
    assert timeless(one[1].history) == timeless(other[1].history)
    assert one[1].best_epoch == other[1].best_epoch
    assert one[1].steps == other[1].steps
    assert one[1].stopped == other[1].stopped


# 90 rows in batches of 16: 6 steps an epoch. The last checkpoint is that of the step before:
# 7 and 13 begin at the start of an epoch
@pytest.mark.parametrize("step", [2, 6, 7, 9, 13, 17])
@pytest.mark.parametrize("optimizer", ["momentum", "rmsprop", "adamw", "nadam"])
def test_a_killed_training_goes_on_bit_for_bit(tmp_path: Path, step: int, optimizer: str):
    settings = engine(
        optimizer=optimizer, learning_rate=0.02, checkpoint_every=1, warmup=0.2, patience=2
    )
    whole = _run(settings)
    with pytest.raises(Killed):
        _run(settings, tmp_path, KillAt(step))
    _assert_equal(_run(settings, tmp_path, resume=True), whole)


def test_a_chain_of_kills_with_accumulation_and_rare_checkpoints(tmp_path: Path):
    settings = engine(epochs=6, accumulate=4, checkpoint_every=3, learning_rate=0.05, clip_norm=0.3)
    listener = Listener()
    whole = _run(settings, None, listener)
    again = Listener()
    for step in (4, 5, 8, 11):
        with pytest.raises(Killed):
            _run(settings, tmp_path, again, KillAt(step), resume=True)
    _assert_equal(_run(settings, tmp_path, again, resume=True), whole)
    losses = {s.step: s.loss for name, s in listener.events if name == "step_logged"}
    repeated = {s.step: s.loss for name, s in again.events if name == "step_logged"}
    assert repeated == losses


@pytest.mark.parametrize("patience", [1, 3])
def test_best_weights_and_patience_survive(tmp_path: Path, patience: int):
    settings = engine(
        epochs=20, learning_rate=0.3, optimizer="sgd", schedule="constant", patience=patience,
        monitor="accuracy", checkpoint_every=1,
    )  # fmt: skip
    whole = _run(settings)
    assert "has not improved" in whole[1].stopped
    for step in range(5, whole[1].steps, 9):
        folder = tmp_path / str(step)
        with pytest.raises(Killed):
            _run(settings, folder, KillAt(step))
        _assert_equal(_run(settings, folder, resume=True), whole)


def test_channels_last_kernels_and_fused_moments_are_restored_in_their_layout(tmp_path: Path):
    def model() -> nn.Module:
        torch.manual_seed(0)
        return nn.Sequential(
            nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 9, 3)
        )

    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(40, 3, 5, 5, generator=generator)
    targets = torch.randint(0, 3, (40,), generator=generator)
    rows = TensorBatches((pictures,), targets, batch_size=8, shuffle=True)
    settings = engine(epochs=2, learning_rate=0.01, checkpoint_every=1)

    def run(*callbacks: Callback, resume: bool = False) -> tuple[nn.Module, FitResult]:
        network = model()
        points = Checkpoints(tmp_path / "points", resume=resume) if resume or callbacks else None
        result = fit(
            network, Classify(), rows, settings=settings, callbacks=callbacks, checkpoints=points
        )
        return network, result

    whole = run()
    assert whole[0][0].weight.is_contiguous(memory_format=torch.channels_last)
    with pytest.raises(Killed):
        run(KillAt(3))
    _assert_equal(run(resume=True), whole)


def test_a_shuffling_loader_goes_on_in_the_same_order(tmp_path: Path):
    inputs, targets, _ = table()

    def loader() -> DataLoader[tuple[torch.Tensor, ...]]:
        return DataLoader(TensorDataset(inputs, targets), 16, shuffle=True)

    settings = engine(checkpoint_every=1)
    whole = _run(settings, rows=loader())
    with pytest.raises(Killed):
        _run(settings, tmp_path, KillAt(9), rows=loader())
    _assert_equal(_run(settings, tmp_path, resume=True, rows=loader()), whole)


class _Changed(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Rows that are changed with someone's global random numbers."""

    def __init__(self, draw: Callable[[], float]) -> None:
        self.draw = draw
        self.inputs, self.targets, _ = table()

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, row: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.inputs[row] + self.draw(), self.targets[row]


@pytest.mark.parametrize(
    "draw",
    [
        # a Gaussian number leaves a spare one behind
        lambda: random.gauss(0.0, 0.1),
        lambda: float(np.random.normal(0.0, 0.1)),
        lambda: float(torch.randn(())) / 10,
    ],
    ids=["python", "numpy", "torch"],
)
def test_loaders_that_change_rows_go_on_in_the_same_way(tmp_path: Path, draw: Callable[[], float]):
    def loader() -> DataLoader[tuple[torch.Tensor, torch.Tensor]]:
        random.seed(len(seen))  # whatever others drew before
        np.random.seed(len(seen))
        seen.append(draw())
        return DataLoader(_Changed(draw), 16, shuffle=True)

    seen: list[float] = []
    settings = engine(checkpoint_every=1)
    whole = _run(settings, rows=loader())
    with pytest.raises(Killed):
        _run(settings, tmp_path, KillAt(9), rows=loader())
    _assert_equal(_run(settings, tmp_path, resume=True, rows=loader()), whole)


def test_random_numbers_of_python_and_numpy_are_given_back():
    random.seed(1)
    np.random.seed(1)
    expected = random.random(), np.random.random()
    random.seed(1)
    np.random.seed(1)
    _run(engine(epochs=1))
    assert (random.random(), np.random.random()) == expected


@pytest.mark.parametrize("step", [7, 9, 14])
@pytest.mark.parametrize("sampled", [False, True])
def test_a_loader_with_its_own_generator_goes_on_in_the_same_order(
    tmp_path: Path, step: int, sampled: bool
):
    inputs, targets, weight = table()
    rows = TensorDataset(inputs, targets)

    def loader() -> DataLoader[tuple[torch.Tensor, ...]]:
        own = torch.Generator().manual_seed(7)
        if sampled:
            sampler = WeightedRandomSampler(weight.tolist(), 90, generator=own)
            return DataLoader(rows, 16, sampler=sampler)
        return DataLoader(rows, 16, shuffle=True, generator=own)

    settings = engine(checkpoint_every=1)
    whole = _run(settings, rows=loader())
    with pytest.raises(Killed):
        _run(settings, tmp_path, KillAt(step), rows=loader())
    _assert_equal(_run(settings, tmp_path, resume=True, rows=loader()), whole)


@pytest.mark.parametrize("step", [3, 6, 8, 14])
def test_ctrl_c_writes_a_checkpoint_and_can_be_resumed(tmp_path: Path, step: int):
    settings = engine()
    handler = signal.getsignal(signal.SIGINT)
    whole = _run(settings)
    _, result = _run(settings, tmp_path, CtrlCAt(step))
    assert result.interrupted
    assert result.steps == step
    assert result.stopped.startswith(f"Stopped by Ctrl-C after {step} steps.")
    assert signal.getsignal(signal.SIGINT) is handler
    resumed = _run(settings, tmp_path, resume=True)
    _assert_equal(resumed, whole)
    assert not resumed[1].interrupted


def test_ctrl_c_at_the_end_of_an_epoch_keeps_that_epoch(tmp_path: Path):
    class AtEpochEnd(Callback):
        def on_epoch_ended(self, state: object) -> None:
            os.kill(os.getpid(), signal.SIGINT)

    whole = _run(engine())
    _, result = _run(engine(), tmp_path, AtEpochEnd())
    assert (result.interrupted, len(result.history)) == (True, 1)
    _assert_equal(_run(engine(), tmp_path, resume=True), whole)


def test_best_weights_are_in_the_network_after_ctrl_c(tmp_path: Path):
    class Keep(Callback):
        def __init__(self, model: nn.Module) -> None:
            self.model = model
            self.kept: list[dict[str, torch.Tensor]] = []

        def on_epoch_ended(self, state: object) -> None:
            self.kept.append(weights(self.model))

    model = mlp()
    keep = Keep(model)
    _, result = _run(engine(), tmp_path, keep, CtrlCAt(15), model=model)
    assert result.best_epoch is not None
    assert same(weights(model), keep.kept[result.best_epoch - 1])


def test_second_ctrl_c_ends_at_once():
    handler = signal.getsignal(signal.SIGINT)
    listener = Listener()
    with pytest.raises(KeyboardInterrupt):
        _run(engine(), None, CtrlCAt(3, times=2), listener)
    assert listener.events[-1][0] == "fit_ended"
    assert signal.getsignal(signal.SIGINT) is handler


def test_outside_the_main_thread_signals_are_left_alone():
    done: list[FitResult] = []
    thread = threading.Thread(target=lambda: done.append(_run(engine(epochs=1))[1]))
    thread.start()
    thread.join()
    assert done[0].steps == 6


def test_a_finished_training_resumes_to_its_result(tmp_path: Path):
    whole = _run(engine(), tmp_path)
    listener = Listener()
    _assert_equal(_run(engine(), tmp_path, listener, resume=True), whole)
    assert [name for name, _ in listener.events] == ["fit_started", "fit_ended"]


def test_without_any_checkpoint_a_resume_begins_anew(tmp_path: Path):
    whole = _run(engine())
    _assert_equal(_run(engine(), tmp_path / "new", resume=True), whole)


def test_a_folder_with_checkpoints_is_not_overwritten(tmp_path: Path):
    _run(engine(epochs=1), tmp_path)
    with pytest.raises(RunError, match="holds checkpoints already"):
        _run(engine(epochs=1), tmp_path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"learning_rate": 0.5}, "made with learning_rate = None, and 0.5 is asked for now"),
        ({"epochs": 9}, "made with epochs = 4"),
    ],
)
def test_other_settings_are_refused(tmp_path: Path, changes: dict[str, object], words: str):
    _run(engine(), tmp_path, CtrlCAt(3))
    with pytest.raises(RunError) as caught:
        _run(engine(**changes), tmp_path, resume=True)
    assert words in str(caught.value)


def test_settings_that_change_nothing_learned_may_differ(tmp_path: Path):
    whole = _run(engine(log_every=50))
    _run(engine(), tmp_path, CtrlCAt(3))
    settings = engine(log_every=50, checkpoint_every=2)
    _assert_equal(_run(settings, tmp_path, resume=True), whole)


def test_another_network_is_refused(tmp_path: Path):
    _run(engine(), tmp_path, CtrlCAt(3))
    other = nn.Sequential(nn.Linear(6, 13), nn.ReLU(), nn.Dropout(), nn.Linear(13, 3))
    with pytest.raises(RunError, match="belongs to another network"):
        _run(engine(), tmp_path, resume=True, model=other)


def test_a_torn_newest_file_is_passed_over(tmp_path: Path):
    settings = engine(checkpoint_every=1)
    whole = _run(settings)
    with pytest.raises(Killed):
        _run(settings, tmp_path, KillAt(9))
    newest = Checkpoints(tmp_path).paths()[-1]
    newest.write_bytes(newest.read_bytes()[:-100])
    _assert_equal(_run(settings, tmp_path, resume=True), whole)


@pytest.mark.parametrize(
    ("changes", "hidden", "words"),
    [({"epochs": 9}, 12, "made with epochs = 9"), ({}, 13, "belongs to another network")],
)
def test_a_checkpoint_of_another_training_is_passed_over(
    tmp_path: Path,
    changes: dict[str, object],
    hidden: int,
    words: str,
    caplog: pytest.LogCaptureFixture,
):
    settings = engine(checkpoint_every=1)
    whole = _run(settings)
    with pytest.raises(Killed):
        _run(settings, tmp_path / "ours", KillAt(9))
    torch.manual_seed(0)
    other = nn.Sequential(nn.Linear(6, hidden), nn.ReLU(), nn.Dropout(0.3), nn.Linear(hidden, 3))
    _run(engine(**changes), tmp_path / "theirs", CtrlCAt(20), model=other)
    stranger = Checkpoints(tmp_path / "theirs").paths()[-1]
    stranger.rename(tmp_path / "ours" / "step-0000000020.safetensors")
    _assert_equal(_run(settings, tmp_path / "ours", resume=True), whole)
    assert words in caplog.text
    assert "The checkpoint before it, step-0000000008.safetensors, is used." in caplog.text


class _Weighing(Classify):
    def loss(self, outputs: torch.Tensor, targets: torch.Tensor, weight: torch.Tensor) -> Loss:
        losses = nn.functional.cross_entropy(outputs, targets, reduction="none")
        return Loss((losses * weight).sum(), weight.sum())


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        (name, {"optimizer": name})
        for name, entry in OPTIMIZERS.items()
        if name not in ("momentum", "rmsprop", "adamw", "nadam") and not entry.is_full_batch
    ]
    + [
        ("layers", {"optimizer": "muon", "layer_decay": 0.7}),
        ("sharp", {"optimizer": "momentum", "sharpness": 0.1, "accumulate": 2}),
        ("ema", {"averaging": {"ema_decay": 0.8}}),
        ("last", {"averaging": {"last_epochs": 3}}),
        ("mixed", {"regularisation": {"mixup": 0.5, "noise": 0.1, "l1": 0.01, "max_norm": 1.0}}),
        ("clipped", {"clip_value": 0.01, "clip_norm": 0.02}),
        ("plateau", {"schedule": "plateau", "schedule_options": {"patience": 1}, "warmup": 0.0}),
        ("restarts", {"schedule": "warm_restarts", "schedule_options": {"cycles": 3}}),
    ],
)
def test_every_part_goes_on_bit_for_bit(tmp_path: Path, name: str, changes: dict[str, object]):
    def run(*callbacks: Callback, resume: bool = False) -> tuple[nn.Module, FitResult]:
        points = Checkpoints(tmp_path, resume=resume) if resume or callbacks else None
        model = mlp(seed=8 if resume else 0, dropout=0.3)
        settings = engine(**{"learning_rate": 0.02, "checkpoint_every": 1, "warmup": 0.2} | changes)
        result = fit(
            model, _Weighing(), train_rows(weighted=True, augment=True), val_batches=val_rows(),
            settings=settings, callbacks=callbacks, checkpoints=points, seed=5,
        )  # fmt: skip
        return model, result

    whole = run()
    # in mid-epoch, and at the start of the last one
    for step in (8, 13):
        with pytest.raises(Killed):
            run(KillAt(step), resume=step == 13)
        if whole[1].steps < 13:
            break
    _assert_equal(run(resume=True), whole)


@pytest.mark.parametrize("optimizer", ["gradient_descent", "lbfgs"])
@pytest.mark.parametrize("step", [2, 3, 4])
def test_full_batches_go_on_bit_for_bit(tmp_path: Path, step: int, optimizer: str):
    settings = engine(
        optimizer=optimizer, checkpoint_every=1, schedule="constant", epochs=5, weight_decay=0.01
    )
    whole = _run(settings)
    with pytest.raises(Killed):
        _run(settings, tmp_path, KillAt(step))
    _assert_equal(_run(settings, tmp_path, resume=True), whole)


def test_a_checkpoint_from_before_a_setting_existed_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    whole = _run(engine())
    with monkeypatch.context() as patch:
        identity = Trainer._identity
        new = {"averaging", "regularisation", "sharpness", "on_nan", "clip_value"}
        patch.setattr(
            Trainer,
            "_identity",
            lambda self: {k: v for k, v in identity(self).items() if k not in new},
        )
        _run(engine(), tmp_path, CtrlCAt(8))
    with pytest.raises(RunError, match=r"made with clip_value = None, and 0.5 is asked for now"):
        _run(engine(clip_value=0.5), tmp_path, resume=True)
    _assert_equal(_run(engine(), tmp_path, resume=True), whole)
