"""Compiled steps: the same training within rounding, decided once, and a way out without one."""

import shutil
from collections import Counter
from pathlib import Path

import pytest
import torch
from engine_fakes import Classify, KillAt, Killed, engine, mlp, same, table, train_rows, weights
from torch import Tensor, nn
from torch.nn import functional as F

from deepwell.engine import (
    Callback,
    Checkpoints,
    EngineSettings,
    FitResult,
    TensorBatches,
    TrainState,
    compilation,
    fit,
)
from deepwell.engine.update import Update
from deepwell.engine.whole import WholeStep
from deepwell.errors import ConfigError, TrainingError

HAS_COMPILER = not compilation.missing_compiler(torch.device("cpu"))
needs_compiler = pytest.mark.skipif(not HAS_COMPILER, reason="there is no C++ compiler")


@pytest.fixture(autouse=True)
def _own_memory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def _normalised(seed: int = 0, dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(seed)
    # no bias before the normalisation: its gradient is zero but for rounding, which Adam blows up
    parts = [nn.Linear(6, 12, bias=False), nn.BatchNorm1d(12), nn.ReLU(), nn.Dropout(dropout)]
    return nn.Sequential(*parts, nn.Linear(12, 3))


def _train(
    choice: str, model: nn.Module | None = None, **changes: object
) -> tuple[nn.Module, FitResult]:
    model = model or _normalised()
    settings = engine(epochs=2, accumulate=2, compile=choice, **changes)
    result = fit(model, Classify(), train_rows(weighted=True), settings=settings, seed=5)
    return model, result


@needs_compiler
def test_compiled_equals_eager_within_rounding():
    # 90 rows in batches of 16: the last one, of 10, is of another shape; weights; two a step
    eager, eager_result = _train("off")
    compiled, result = _train("on")
    assert result.compilation.startswith("Compiled in ")
    for name, tensor in weights(eager).items():
        torch.testing.assert_close(weights(compiled)[name], tensor, rtol=1e-4, atol=1e-5)
    for before, after in zip(eager_result.history, result.history, strict=True):
        assert after["train"]["loss"] == pytest.approx(before["train"]["loss"], rel=1e-5)
        assert after["train"]["accuracy"] == before["train"]["accuracy"]


@needs_compiler
@pytest.mark.parametrize("optimizer", ["rmsprop", "lion", "nadam"])
def test_optimizers_take_the_same_steps_compiled(optimizer: str):
    # rmsprop and lion are compiled; nadam, whose rate may be no tensor, stays as it is
    changes = {"optimizer": optimizer, "learning_rate": 0.003, "schedule": "cosine"}
    eager, _ = _train("off", mlp(), **changes)
    compiled, _ = _train("on", mlp(), **changes)
    for name, tensor in weights(eager).items():
        torch.testing.assert_close(weights(compiled)[name], tensor, rtol=1e-4, atol=1e-5)


class _Attentive(nn.Module):
    """Six numbers as three tokens of two, which attend to each other."""

    def __init__(self) -> None:
        super().__init__()
        self.pack = nn.Linear(2, 24)
        self.output = nn.Linear(24, 3)

    def forward(self, numbers: Tensor) -> Tensor:
        packed = self.pack(numbers.view(-1, 3, 2)).view(-1, 3, 3, 2, 4)
        mixed = F.scaled_dot_product_attention(*packed.permute(2, 0, 3, 1, 4), is_causal=True)
        return self.output(mixed.transpose(1, 2).flatten(1))


@needs_compiler
def test_attention_in_bfloat16_learns_the_same_compiled_and_in_32_bits():
    losses: dict[str, float] = {}
    for precision, choice in (("fp32", "off"), ("bf16", "off"), ("bf16", "on")):
        torch.manual_seed(0)
        _, result = _train(choice, _Attentive(), precision=precision)
        assert result.compilation.startswith("Compiled in ") == (choice == "on")
        losses[precision + choice] = result.history[-1]["train"]["loss"]
    assert losses["bf16off"] == pytest.approx(losses["fp32off"], rel=0.01)
    assert losses["bf16on"] == pytest.approx(losses["fp32off"], rel=0.01)


class _Recurrent(nn.Module):
    """Six numbers as three steps of two."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.lstm = nn.LSTM(2, 8, batch_first=True, bidirectional=True)
        self.output = nn.Linear(16, 3)

    def forward(self, numbers: Tensor) -> Tensor:
        outputs, _ = self.lstm(numbers.view(-1, 3, 2))
        return self.output(outputs[:, -1])


@needs_compiler
@pytest.mark.parametrize("precision", ["fp32", pytest.param("bf16", marks=pytest.mark.slow)])
def test_recurrent_layers_are_compiled_and_learn_the_same(precision: str):
    # momentum: Adam blows up the rounding of gradients near zero
    changes = {"precision": precision, "optimizer": "momentum", "learning_rate": 0.1}
    eager, before = _train("off", _Recurrent(), **changes)
    compiled, after = _train("on", _Recurrent(), **changes)
    assert after.compilation.startswith("Compiled in ")
    assert type(compiled.lstm) is nn.LSTM
    close = {"fp32": 1e-5, "bf16": 1e-2}[precision]
    for name, tensor in weights(eager).items():
        torch.testing.assert_close(weights(compiled)[name], tensor, rtol=close, atol=close)
    for one, other in zip(before.history, after.history, strict=True):
        assert other["train"]["loss"] == pytest.approx(one["train"]["loss"], rel=close)


_WHOLE = ["sgd", "momentum", "nesterov", "rmsprop", "adam", "adamw"]


@needs_compiler
@pytest.mark.parametrize("optimizer", _WHOLE)
def test_a_whole_step_is_the_step_of_the_optimizer(monkeypatch: pytest.MonkeyPatch, optimizer: str):
    """Rates that fall, decay, weights of rows, batch normalisation, a last batch of its own."""
    runs = Counter[bool]()
    run = WholeStep.run
    monkeypatch.setattr(WholeStep, "run", lambda *given: runs.update([done := run(*given)]) or done)
    changes = {
        "epochs": 3,
        "optimizer": optimizer,
        "learning_rate": 0.003,
        "schedule": "cosine",
        "weight_decay": 0.01,
    }
    rows, one, other = train_rows(weighted=True), _normalised(), _normalised()
    eager = fit(one, Classify(), rows, settings=engine(**changes, compile="off"), seed=5)
    whole = fit(other, Classify(), rows, settings=engine(**changes, compile="on"), seed=5)
    # 18 steps: not the first, not the last of an epoch, and not those that are looked into
    assert runs == {True: 13}
    for name, tensor in weights(one).items():
        torch.testing.assert_close(weights(other)[name], tensor, rtol=1e-4, atol=1e-5)
    for before, after in zip(eager.history, whole.history, strict=True):
        assert after["train"]["loss"] == pytest.approx(before["train"]["loss"], rel=1e-5)
        assert after["train"]["accuracy"] == before["train"]["accuracy"]


class _Warming(nn.Module):
    """Says what its body says, times a number that somebody else changes."""

    def __init__(self) -> None:
        super().__init__()
        self.body = mlp()
        self.factor = 1.0

    def forward(self, inputs: Tensor) -> Tensor:
        return self.body(inputs) * self.factor


class _Double(Callback):
    def __init__(self, model: _Warming) -> None:
        self._model = model

    def on_epoch_ended(self, state: TrainState) -> None:
        self._model.factor *= 2


@needs_compiler
def test_a_number_of_a_network_that_changes_is_not_compiled_in():
    inputs, targets, _ = table(rows=64)
    rows = TensorBatches((inputs,), targets, batch_size=16)
    one, other = _Warming(), _Warming()
    for model, choice in ((one, "off"), (other, "on")):
        settings = engine(epochs=3, compile=choice, learning_rate=0.01)
        fit(model, Classify(), rows, settings=settings, callbacks=[_Double(model)])
    for name, tensor in weights(one).items():
        torch.testing.assert_close(weights(other)[name], tensor, rtol=1e-4, atol=1e-5)


class _Times(nn.Module):
    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * self.factor


@needs_compiler
def test_two_networks_in_one_process_do_not_share_a_program():
    inputs, targets, _ = table(rows=64)
    rows = TensorBatches((inputs,), targets, batch_size=16)
    for seed, scale in ((0, 1.0), (1, 3.0)):
        eager, compiled = (nn.Sequential(mlp(seed), _Times(scale)) for _ in range(2))
        fit(eager, Classify(), rows, settings=engine(compile="off"))
        fit(compiled, Classify(), rows, settings=engine(compile="on"))
        for name, tensor in weights(eager).items():
            torch.testing.assert_close(weights(compiled)[name], tensor, rtol=1e-4, atol=1e-5)


@needs_compiler
def test_compiled_and_resumed_equals_never_stopped(tmp_path: Path):
    settings = engine(epochs=2, compile="on", checkpoint_every=1)
    rows = train_rows(weighted=True, augment=True)

    def run(folder: Path, *callbacks: object, resume: bool = False) -> nn.Module:
        model = _normalised(dropout=0.3)
        checkpoints = Checkpoints(folder, resume=resume)
        fit(
            model,
            Classify(),
            rows,
            settings=settings,
            callbacks=callbacks,
            checkpoints=checkpoints,
            seed=5,
        )
        return model

    whole = run(tmp_path / "whole")
    with pytest.raises(Killed):
        run(tmp_path / "parts", KillAt(3))
    assert same(weights(run(tmp_path / "parts", resume=True)), weights(whole))


@needs_compiler
def test_a_bad_number_stops_a_compiled_training_before_the_weights_are_spoiled():
    inputs, targets, _ = table(rows=48)
    inputs[20, 3] = float("nan")
    model = mlp()
    rows = TensorBatches((inputs,), targets, batch_size=16)
    with pytest.raises(TrainingError, match="The loss is not a finite number at step 2"):
        fit(model, Classify(), rows, settings=engine(epochs=1, compile="on"))
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_without_a_compiler_training_goes_on_as_it_is(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    eager, _ = _train("off")
    other, result = _train("on")
    assert "no C++ compiler" in result.compilation
    assert same(weights(eager), weights(other))


class _Undecided(nn.Module):
    """Looks at its numbers to choose a way, which no compiler can follow."""

    def __init__(self) -> None:
        super().__init__()
        self.body = mlp()

    def forward(self, rows: Tensor) -> Tensor:
        return self.body(rows) if rows.sum().item() > 0 else self.body(rows) + 1


@needs_compiler
def test_a_network_that_cannot_be_compiled_is_trained_as_it_is():
    eager, _ = _train("off", _Undecided())
    other, result = _train("on", _Undecided())
    assert result.compilation.startswith("Not compiled: ")
    assert same(weights(eager), weights(other))


def test_short_trainings_are_not_compiled_and_nothing_is_said(tmp_path: Path):
    settings = engine(epochs=8)
    assert settings.compile == "auto"
    model, twin = mlp(), mlp()
    result = fit(model, Classify(), train_rows(), settings=settings)
    fit(twin, Classify(), train_rows(), settings=engine(epochs=8, compile="off"))
    assert result.compilation == ""
    assert same(weights(model), weights(twin))


@needs_compiler
def test_auto_tries_where_it_may_pay_and_decides_the_same_again(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compilation, "SHORTEST", 0.0)
    monkeypatch.setattr(compilation, "WORTH", 1e9)
    first = mlp()
    result = fit(first, Classify(), train_rows(), settings=engine(epochs=8))
    assert "times as fast" in result.compilation
    # measuring again would now decide otherwise: what is remembered decides
    monkeypatch.setattr(compilation, "WORTH", 0.0)
    second = mlp()
    result = fit(second, Classify(), train_rows(), settings=engine(epochs=8))
    assert result.compilation.startswith("Compiled in ")
    assert same(weights(first), weights(second))


@needs_compiler
@pytest.mark.parametrize("optimizer", ["adamw", "lion"])  # lion's own step would be compiled too
def test_auto_keeps_the_plain_step_where_compiling_does_not_help(
    monkeypatch: pytest.MonkeyPatch, optimizer: str
):
    monkeypatch.setattr(compilation, "SHORTEST", 0.0)
    monkeypatch.setattr(compilation, "WORTH", 0.0)
    model, twin = _normalised(dropout=0.3), _normalised(dropout=0.3)
    chosen = {"epochs": 8, "optimizer": optimizer}
    monkeypatch.setattr(Update, "compile", lambda update: pytest.fail("compiled all the same"))
    result = fit(model, Classify(), train_rows(), settings=engine(**chosen))
    fit(twin, Classify(), train_rows(), settings=engine(**chosen, compile="off"))
    assert result.compilation.startswith("Not compiled: tried")
    assert same(weights(model), weights(twin))  # the trial left no trace


def test_what_cannot_be_compiled_is_refused_when_asked_for():
    for changes in (
        {"regularisation": {"mixup": 0.2}},
        {"sharpness": 0.05},
        {"precision": "fp16"},
        {"optimizer": "lbfgs"},
    ):
        with pytest.raises(ConfigError, match="compile=on does not go with"):
            EngineSettings.model_validate({"compile": "on", **changes})


def test_a_memory_that_cannot_be_used_is_no_obstacle(tmp_path: Path):
    path = tmp_path / "file" / "memory.json"
    (tmp_path / "file").write_text("in the way")
    compilation.remember(path, "key", True)
    assert compilation.recall(path, "key") is None
    good = tmp_path / "memory.json"
    compilation.remember(good, "key", False)
    assert compilation.recall(good, "key") is False
    good.write_text("[1, 2")
    assert compilation.recall(good, "key") is None
