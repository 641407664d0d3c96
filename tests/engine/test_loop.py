"""The loop learns exactly what the same steps by hand learn."""

import pytest
import torch
from engine_fakes import (
    Classify,
    Listener,
    StopAt,
    engine,
    mlp,
    noisy,
    same,
    table,
    timeless,
    train_rows,
    val_rows,
    weights,
)
from torch import Tensor, nn

from deepwell.engine import EngineSettings, FitResult, TensorBatches, fit, loop
from deepwell.engine.trainer import Trainer
from deepwell.errors import ConfigError, TrainingError
from deepwell.types import Batch, Loss


def _fit(
    settings: EngineSettings, *, seed: int = 0, **options: object
) -> tuple[nn.Module, FitResult]:
    model = mlp(dropout=0.3)
    result = fit(model, Classify(), train_rows(), settings=settings, seed=seed, **options)
    return model, result


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("sgd", lambda p: torch.optim.SGD(p, fused=True)),
        ("momentum", lambda p: torch.optim.SGD(p, momentum=0.9, fused=True)),
        ("nesterov", lambda p: torch.optim.SGD(p, momentum=0.9, nesterov=True, fused=True)),
        ("adagrad", lambda p: torch.optim.Adagrad(p, fused=True)),
        ("rmsprop", lambda p: torch.optim.RMSprop(p, alpha=0.9, eps=1e-7, foreach=True)),
        ("adam", lambda p: torch.optim.Adam(p, fused=True)),
        ("adamw", lambda p: torch.optim.AdamW(p, weight_decay=0.0, fused=True)),
        ("adamax", lambda p: torch.optim.Adamax(p, foreach=True)),
        ("nadam", lambda p: torch.optim.NAdam(p, foreach=True)),
        ("radam", lambda p: torch.optim.RAdam(p, foreach=True)),
    ],
)
def test_two_hundred_steps_equal_those_by_hand_bit_for_bit(name: str, make: object):
    settings = engine(
        epochs=40, max_steps=200, optimizer=name, learning_rate=0.1, weight_decay=0.0,
        schedule="linear", clip_norm=None,
    )  # fmt: skip
    model, by_hand = mlp(), mlp()
    result = fit(model, Classify(), train_rows(), settings=settings)

    optimizer = make(by_hand.parameters())  # type: ignore[operator]
    step = 0
    for epoch in range(40):
        for batch in train_rows().epoch(epoch):
            if step == 200:
                break
            optimizer.param_groups[0]["lr"] = 0.1 * (1 - step / 200)
            optimizer.zero_grad()
            nn.functional.cross_entropy(by_hand(*batch.inputs), batch.targets).backward()
            optimizer.step()
            step += 1
    assert result.steps == step == 200
    assert same(weights(model), weights(by_hand))
    assert not same(weights(model), weights(mlp()))


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("weighted", [False, True])
def test_accumulated_small_batches_equal_one_large(optimizer: str, weighted: bool):
    inputs, targets, weight = table(rows=90)  # ragged: 90 = 64 + 26, 26 = 16 + 10
    results: list[dict[str, Tensor]] = []
    for size, accumulate in [(64, 1), (16, 4)]:
        rows = TensorBatches(
            (inputs,), targets, weight=weight if weighted else None, batch_size=size
        )
        model = mlp().double()
        rows = TensorBatches(
            (inputs.double(),), targets, weight=weight if weighted else None, batch_size=size
        )
        settings = engine(
            optimizer=optimizer, accumulate=accumulate, learning_rate=0.01, clip_norm=0.5
        )
        result = fit(model, Classify(), rows, settings=settings)
        assert result.steps == 8
        results.append(weights(model))
    for name, large in results[0].items():
        torch.testing.assert_close(results[1][name], large, rtol=1e-6, atol=1e-6)


class _NextToken:
    """Predicts the token behind each one; what is behind the end of a row counts nothing."""

    score_names = ()

    def training_step(self, model: nn.Module, batch: Batch) -> tuple[Loss, Tensor]:
        (codes,) = batch.inputs
        outputs = model(codes)
        losses = nn.functional.cross_entropy(
            outputs.transpose(1, 2), (codes + 1) % 11, reduction="none"
        )
        counts = (torch.arange(codes.shape[1]) < batch.targets[:, None]).double()
        if batch.weight is not None:
            counts = counts * batch.weight[:, None]
        return Loss((losses * counts).sum(), counts.sum()), outputs

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        return {}


def _sequences(size: int, *, weighted: bool) -> list[Batch]:
    """Rows of 1 to 8 tokens; each batch is as long as its longest row."""
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(1, 9, (37,), generator=generator)
    codes = torch.randint(0, 11, (37, 8), generator=generator)
    weight = torch.rand(37, generator=generator).double() + 0.1
    return [
        Batch(
            (codes[rows, : int(lengths[rows].max())],),
            lengths[rows],
            weight[rows] if weighted else None,
            torch.arange(37)[rows],
        )
        for rows in (slice(first, first + size) for first in range(0, 37, size))
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"clip_norm": 0.05},
        {"regularisation": {"l1": 0.01, "l2": 0.1}},
        {"averaging": {"ema_decay": 0.9}},
        {"sharpness": 0.05},
    ],
    ids=["plain", "clipped", "penalised", "averaged", "sharp"],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_accumulated_padded_sequences_equal_one_large_batch(
    changes: dict[str, object], weighted: bool
):
    results: list[dict[str, Tensor]] = []
    for size, accumulate in ((40, 1), (7, 6)):  # the last of the small ones has two rows
        torch.manual_seed(0)
        model = nn.Sequential(nn.Embedding(11, 6), nn.Linear(6, 11)).double()
        settings = engine(
            accumulate=accumulate, epochs=3, optimizer="momentum", learning_rate=0.1, **changes
        )
        result = fit(model, _NextToken(), _sequences(size, weighted=weighted), settings=settings)
        assert result.steps == 3
        results.append(weights(model) | {"loss": torch.tensor(result.history[2]["train"]["loss"])})
    for name, large in results[0].items():
        torch.testing.assert_close(results[1][name], large, rtol=0, atol=1e-12)


def test_weights_of_zero_do_not_spoil_a_step():
    inputs, targets, weight = table()
    weight[:16] = 0.0
    for accumulate in (1, 3):
        rows = TensorBatches((inputs,), targets, weight=weight, batch_size=16)
        model = mlp()
        fit(model, Classify(), rows, settings=engine(epochs=2, accumulate=accumulate))
        assert all(bool(torch.isfinite(tensor).all()) for tensor in weights(model).values())


def test_same_seed_same_bits_and_another_seed_another_network():
    first, second, third = (_fit(engine(), seed=seed)[0] for seed in (1, 1, 2))
    assert same(weights(first), weights(second))
    assert not same(weights(first), weights(third))


def test_global_random_numbers_and_matrix_precision_are_given_back():
    torch.manual_seed(4)
    expected = torch.rand(1)
    torch.manual_seed(4)
    torch.set_float32_matmul_precision("high")
    try:
        model = nn.Sequential(nn.Linear(6, 9), nn.Dropout(0.5), nn.Linear(9, 3))
        torch.manual_seed(4)
        fit(model, Classify(), train_rows(), settings=engine(epochs=1))
        assert torch.get_float32_matmul_precision() == "high"
    finally:
        torch.set_float32_matmul_precision("highest")
    assert torch.equal(torch.rand(1), expected)


def test_clipping_is_torchs():
    settings = engine(
        epochs=2, optimizer="sgd", learning_rate=0.5, schedule="constant", clip_norm=0.1
    )
    model, by_hand = mlp(), mlp()
    fit(model, Classify(), train_rows(), settings=settings)
    optimizer = torch.optim.SGD(by_hand.parameters(), lr=0.5, fused=True)
    for epoch in range(2):
        for batch in train_rows().epoch(epoch):
            optimizer.zero_grad()
            nn.functional.cross_entropy(by_hand(*batch.inputs), batch.targets).backward()
            norm = nn.utils.clip_grad_norm_(by_hand.parameters(), 0.1)
            assert norm > 0.1
            optimizer.step()
    assert same(weights(model), weights(by_hand))


def test_history_holds_exact_means_over_rows_with_weights():
    inputs, targets, weight = table(rows=37)
    rows = TensorBatches((inputs,), targets, weight=weight, batch_size=8)
    model = mlp()
    settings = engine(epochs=1, optimizer="sgd", learning_rate=1e-30)  # the network stands still
    result = fit(model, Classify(), rows, val_batches=rows, settings=settings)
    with torch.no_grad():
        outputs = model(inputs)
        losses = nn.functional.cross_entropy(outputs, targets, reduction="none").double()
    hits = (outputs.argmax(dim=1) == targets).double()
    share = weight.double() / weight.double().sum()
    line = result.history[0]
    for part in ("train", "val"):
        assert line[part]["loss"] == pytest.approx(float((losses * share).sum()), rel=1e-6)
        assert line[part]["accuracy"] == pytest.approx(float((hits * share).sum()), rel=1e-6)
    assert (line["epoch"], line["step"], line["best"]) == (1, 5, True)
    assert result.device == "cpu"
    assert "32-bit floats" in result.precision


def test_early_stopping_puts_the_best_weights_back():
    class Keep(Listener):
        def __init__(self, model: nn.Module) -> None:
            super().__init__()
            self.model = model
            self.kept: list[dict[str, Tensor]] = []

        def on_epoch_ended(self, state: object) -> None:
            self.kept.append(weights(self.model))

    model = mlp()
    keep = Keep(model)
    inputs, targets, _ = table()
    val = TensorBatches((inputs,), (targets + 1) % 3)  # learning the rows makes these worse
    settings = engine(epochs=30, patience=3, learning_rate=0.05, monitor="accuracy")
    result = fit(
        model, Classify(), train_rows(), val_batches=val, settings=settings, callbacks=[keep]
    )
    scores = [line["val"]["accuracy"] for line in result.history]
    assert result.best_epoch == 1 + scores.index(max(scores))
    assert len(scores) == result.best_epoch + 3 < 30
    assert [line["epoch"] for line in result.history if line["best"]][-1] == result.best_epoch
    assert same(weights(model), keep.kept[result.best_epoch - 1])
    assert not same(weights(model), keep.kept[-1])
    assert "has not improved for 3 epochs" in result.stopped
    assert f"weights of epoch {result.best_epoch}" in result.stopped
    assert not result.interrupted
    assert not model.training


def test_without_validation_the_last_weights_stay_and_patience_watches_training():
    model, by_hand = mlp(), mlp()
    settings = engine(epochs=50, patience=2, optimizer="sgd", learning_rate=1e-30)
    result = fit(model, Classify(), train_rows(), settings=settings)
    assert len(result.history) < 50
    assert result.best_epoch is None
    assert result.history[0]["val"] == {}
    assert "training loss has not improved" in result.stopped
    assert same(weights(model), weights(by_hand))


def test_a_score_named_error_shall_fall():
    class Errors(Classify):
        score_names = ("zero_one_error",)

        def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
            return {"zero_one_error": (outputs.argmax(dim=1) != targets).float()}

    settings = engine(monitor="zero_one_error", epochs=6, learning_rate=0.05)
    result = fit(mlp(), Errors(), train_rows(), val_batches=val_rows(), settings=settings)
    errors = [line["val"]["zero_one_error"] for line in result.history]
    assert min(errors) < max(errors)
    assert result.best_epoch == 1 + errors.index(min(errors))


def test_limit_of_steps_ends_in_mid_epoch_with_a_record():
    _, result = _fit(engine(max_steps=8), val_batches=val_rows())
    assert (result.steps, len(result.history), result.history[-1]["step"]) == (8, 2, 8)
    assert result.stopped.startswith("Reached the limit of 8 steps.")


def test_a_callback_may_stop():
    _, result = _fit(engine(), callbacks=[StopAt(9)])
    assert (result.steps, result.stopped, len(result.history)) == (9, "Enough.", 2)


def test_events_and_what_they_show():
    listener = Listener()
    _, result = _fit(engine(epochs=2, log_every=4), callbacks=[listener], val_batches=val_rows())
    assert [(name, state.step, state.epoch) for name, state in listener.events] == [
        ("fit_started", 0, 0),
        ("step_logged", 4, 1),
        ("epoch_ended", 6, 1),
        ("step_logged", 8, 2),
        ("step_logged", 12, 2),
        ("epoch_ended", 12, 2),
        ("fit_ended", 12, 2),
    ]
    last = listener.events[-1][1]
    assert last.record is not None
    assert dict(last.record) == result.history[-1]
    assert (last.samples, last.micro_step, last.total_steps) == (180, 12, 12)
    with pytest.raises(TypeError):
        last.record["epoch"] = 9  # type: ignore[index]
    with pytest.raises(AttributeError):
        last.step = 0  # type: ignore[misc]


def test_logged_loss_is_the_mean_since_the_last_reading():
    each, fourth = Listener(), Listener()
    _fit(engine(epochs=1), callbacks=[each])
    _fit(engine(epochs=1, log_every=3), callbacks=[fourth])
    losses = [state.loss for name, state in each.events if name == "step_logged"]
    means = [state.loss for name, state in fourth.events if name == "step_logged"]
    assert means[0] == pytest.approx(sum(losses[:3]) / 3)
    sizes = torch.tensor([16.0, 16.0, 10.0])
    assert means[1] == pytest.approx(float((torch.tensor(losses[3:]) * sizes).sum() / 42), rel=1e-5)


def test_own_pairs_learn_the_same_as_tensor_batches():
    inputs, targets, _ = table()
    pairs = [(inputs[i : i + 16], targets[i : i + 16]) for i in range(0, 90, 16)]
    first, second = mlp(), mlp()
    fit(first, Classify(), pairs, settings=engine())
    fit(second, Classify(), TensorBatches((inputs,), targets, batch_size=16), settings=engine())
    assert same(weights(first), weights(second))


class _Spoil(Classify):
    """Makes the loss or a gradient infinite at one step."""

    def __init__(self, step: int, *, gradient: bool) -> None:
        self.step, self.gradient, self.seen = step, gradient, 0

    def training_step(self, model: nn.Module, batch: Batch) -> tuple[Loss, Tensor]:
        loss, outputs = super().training_step(model, batch)
        self.seen += model.training
        if self.seen != self.step or not model.training:
            return loss, outputs
        if self.gradient:  # the root has an infinite slope at zero
            return Loss(
                loss.sum + (loss.sum - loss.sum.detach()).abs().sqrt(), loss.weight
            ), outputs
        return Loss(loss.sum * float("nan"), loss.weight), outputs


@pytest.mark.parametrize("gradient", [False, True])
def test_a_bad_number_stops_before_the_weights_are_spoiled(gradient: bool):
    model, good = mlp(), mlp()
    fit(good, Classify(), train_rows(), settings=engine(max_steps=8, schedule="constant"))
    task = _Spoil(9, gradient=gradient)  # a look at the layers would be a call too
    with pytest.raises(TrainingError) as caught:
        fit(model, task, train_rows(), settings=engine(schedule="constant", health=False))
    assert "at step 9 (epoch 2)" in str(caught.value)
    assert "learning_rate" in str(caught.value)
    assert same(weights(model), weights(good))


def test_after_a_bad_number_the_best_epoch_is_back():
    model, good = mlp(), mlp()
    settings = engine(schedule="constant")
    fit(good, Classify(), train_rows(), settings=engine(schedule="constant", epochs=1))
    with pytest.raises(TrainingError, match="from its best epoch"):
        fit(
            model,
            _Spoil(9, gradient=False),
            train_rows(),
            val_batches=val_rows(),
            settings=settings,
        )
    assert same(weights(model), weights(good))


def test_a_bad_row_is_named():
    inputs, targets, _ = table()
    inputs[17, 2] = float("inf")
    rows = TensorBatches((inputs,), targets, ids=torch.arange(90) + 1000, batch_size=16)
    with pytest.raises(TrainingError, match="input 0 of row 1017 is not a finite number"):
        fit(mlp(), Classify(), rows, settings=engine())


def test_bad_validation_rows_are_said():
    inputs, targets, _ = table()
    inputs[3] = float("nan")
    val = TensorBatches((inputs,), targets)
    with pytest.raises(TrainingError, match="validation loss is not a finite number"):
        fit(mlp(), Classify(), train_rows(), val_batches=val, settings=engine())


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"monitor": "acuracy"}, 'Did you mean "accuracy"'),
        ({"device": "cuda:7"}, '"cuda:7" is not available here'),
        ({"precision": "fp16"}, "precision=fp16 needs a CUDA card"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_training(changes: dict[str, str], words: str):
    model = mlp()
    with pytest.raises(ConfigError) as caught:
        fit(model, Classify(), train_rows(), settings=engine(**changes))
    assert words in str(caught.value)
    assert same(weights(model), weights(mlp()))


def test_networks_that_cannot_be_trained_are_refused():
    with pytest.raises(TrainingError, match="no parameter that can be trained"):
        fit(mlp().requires_grad_(False), Classify(), train_rows(), settings=engine())
    with pytest.raises(TrainingError, match="call it once"):
        fit(nn.LazyLinear(3), Classify(), train_rows(), settings=engine())
    with pytest.raises(ConfigError, match="seed=-1"):
        fit(mlp(), Classify(), train_rows(), settings=engine(), seed=-1)


class _PartlyUsed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.frozen = nn.Linear(6, 12).requires_grad_(False)
        self.head = nn.Linear(12, 3)
        self.unused = nn.Linear(2, 2)

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(self.frozen(inputs).relu())


@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_frozen_and_unused_parts_stay_as_they_are(clip_norm: float | None):
    model = _PartlyUsed()
    before = weights(model)
    settings = engine(epochs=1, clip_norm=clip_norm, accumulate=2)
    fit(model, Classify(), train_rows(), settings=settings)
    changed = {name for name, tensor in weights(model).items() if not tensor.equal(before[name])}
    assert changed == {"head.weight", "head.bias"}


def test_running_statistics_are_restored_with_the_best_weights():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 3))
    inputs, targets, _ = table(rows=33)  # 33 = 16 + 17: no batch of a single row
    val = TensorBatches((inputs,), (targets + 1) % 3)
    rows = TensorBatches((inputs,), targets, batch_size=16)
    settings = engine(epochs=6, learning_rate=0.05)
    result = fit(model, Classify(), rows, val_batches=val, settings=settings)
    assert result.best_epoch is not None
    assert int(model[1].num_batches_tracked) == 2 * result.best_epoch < 12


class _Deferred(Trainer):
    """Reads no number while stepping, as on a graphics card."""

    def __init__(self, *arguments: object, **options: object) -> None:
        super().__init__(*arguments, **options)  # type: ignore[arg-type]
        self.safeguard.reads_each_step = False
        self.state.update._reads_each_step = False
        self.means._is_free_to_read = False
        self.means.reset()


@pytest.fixture
def deferred(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "Trainer", _Deferred)


def test_sums_kept_on_the_device_give_the_same_history():
    results = []
    for kind in (Trainer, _Deferred):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(loop, "Trainer", kind)
            model, result = _fit(engine(log_every=4), val_batches=val_rows())
        results.append((weights(model), timeless(result.history)))
    assert same(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]


@pytest.mark.usefixtures("deferred")
@pytest.mark.parametrize("gradient", [False, True])
def test_a_bad_number_on_a_device_is_found_when_logging(gradient: bool):
    model = mlp()
    task = _Spoil(9, gradient=gradient)
    words = r"no finite number by step 12 \(epoch 2\)\. The first bad gradient was that of step 9\."
    settings = engine(log_every=4, schedule="constant", health=False)
    with pytest.raises(TrainingError, match=words):
        fit(model, task, train_rows(), settings=settings)
    good = mlp()  # the end of the first epoch is the last that was known to be good
    fit(good, Classify(), train_rows(), settings=engine(epochs=1, schedule="constant"))
    assert same(weights(model), weights(good))


def test_augmentation_is_repeatable():
    inputs, targets, _ = table()
    runs = []
    for _ in range(2):
        rows = TensorBatches((inputs,), targets, batch_size=16, shuffle=True, augment=noisy)
        model = mlp()
        result = fit(model, Classify(), rows, settings=engine())
        runs.append((weights(model), timeless(result.history)))
    assert same(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]
