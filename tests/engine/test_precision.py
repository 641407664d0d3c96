import pytest
import torch
from engine_fakes import Classify, engine, mlp, table
from torch import nn

from deepwell.engine import (
    EngineSettings,
    TensorBatches,
    choose_precision,
    fit,
    precision,
    resolve_device,
)
from deepwell.engine.placement import place
from deepwell.errors import ConfigError

CPU = torch.device("cpu")


def _convolutional() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(), nn.Linear(32, 3)
    )


@pytest.fixture(autouse=True)
def _no_matrix_units(monkeypatch: pytest.MonkeyPatch) -> None:
    """The choice shall not depend on the processor that the tests run on."""
    monkeypatch.setattr(precision, "processor_has_matrix_units", lambda: False)


def test_matrix_units_round_what_is_large_and_it_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(precision, "processor_has_matrix_units", lambda: True)
    monkeypatch.setattr(precision, "processor_has_bfloat16", lambda: True)
    small = choose_precision("auto", CPU, nn.Linear(784, 128), batch_rows=128)
    assert small.matmul == "highest"
    large = choose_precision("auto", CPU, nn.Linear(784, 512), batch_rows=128)
    assert large.matmul == "medium"
    assert "rounds their inputs to bfloat16" in large.sentence
    much = choose_precision("auto", CPU, nn.Linear(784, 512), batch_rows=128, work=1e9)
    assert much.autocast_type == torch.bfloat16


@pytest.mark.parametrize("has_bfloat16", [True, False])
def test_auto_on_the_processor(monkeypatch: pytest.MonkeyPatch, has_bfloat16: bool):
    monkeypatch.setattr(precision, "processor_has_bfloat16", lambda: has_bfloat16)
    chosen = choose_precision("auto", CPU, _convolutional(), batch_rows=128)
    assert (chosen.autocast_type == torch.bfloat16) is has_bfloat16
    assert ("has it" in chosen.sentence) is has_bfloat16
    dense = choose_precision("auto", CPU, nn.Linear(784, 128), batch_rows=128)
    assert (dense.autocast_type, dense.matmul) == (None, "medium")
    assert "oneDNN" in dense.sentence
    small = choose_precision("auto", CPU, nn.Linear(30, 64), batch_rows=128)
    assert (small.autocast_type, small.matmul) == (None, "highest")


def test_what_is_asked_for_is_taken():
    chosen = choose_precision("fp32", CPU, _convolutional(), batch_rows=1)
    assert (chosen.autocast_type, chosen.matmul) == (None, "highest")
    chosen = choose_precision("bf16", CPU, nn.Linear(2, 2), batch_rows=1)
    assert chosen.autocast_type == torch.bfloat16
    with pytest.raises(ConfigError, match="needs a CUDA card"):
        choose_precision("fp16", CPU, nn.Linear(2, 2), batch_rows=1)


def test_auto_takes_bfloat16_where_dense_networks_gain(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(precision, "processor_has_bfloat16", lambda: True)
    recurrent = choose_precision("auto", CPU, nn.LSTM(4, 4), batch_rows=32)
    assert recurrent.autocast_type == torch.bfloat16
    assert "recurrent" in recurrent.sentence
    dense = nn.Linear(784, 128)
    assert choose_precision("auto", CPU, dense, batch_rows=128, work=3e9).autocast_type is not None
    assert choose_precision("auto", CPU, dense, batch_rows=128, work=3e7).autocast_type is None
    # bytes lose nothing in 8 bits of precision; tables of floats would
    compiled = choose_precision("auto", CPU, dense, batch_rows=128, compiles_bytes=True)
    assert compiled.autocast_type == torch.bfloat16


def test_counting_the_work_of_a_batch_leaves_no_trace():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 12), nn.BatchNorm1d(12), nn.Dropout(0.5), nn.Linear(12, 3))
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    state = torch.get_rng_state()
    work = precision.forward_work(model, (torch.randn(64, 6, generator=torch.Generator()),))
    assert work == 2 * 64 * (6 * 12 + 12 * 3)
    assert model.training
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], t) for name, t in model.state_dict().items())


def test_matrix_precision_holds_only_inside():
    chosen = choose_precision("auto", CPU, nn.Linear(784, 128), batch_rows=128)
    before = torch.get_float32_matmul_precision()
    with chosen.in_force():
        assert torch.get_float32_matmul_precision() == "medium"
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.parametrize("kind", ["dense", "convolutional"])
def test_bfloat16_stays_within_the_bounds_that_are_promised(kind: str):
    # docs/training.md: a gradient within a tenth in length, a training's loss within a hundredth
    generator = torch.Generator().manual_seed(0)
    inputs, targets, _ = table(128)
    make = mlp if kind == "dense" else _convolutional
    if kind == "convolutional":
        inputs = torch.rand(128, 1, 6, 6, generator=generator) + targets.view(-1, 1, 1, 1)
    rows = TensorBatches((inputs,), targets, batch_size=32, shuffle=True)
    gradients, losses = [], []
    for numbers in ("fp32", "bf16"):
        model, start = make(), torch.cat([p.detach().flatten() for p in make().parameters()])
        one = {"epochs": 1, "max_steps": 1, "optimizer": "sgd", "schedule": "constant"}
        settings = engine(precision=numbers, learning_rate=1.0, **one)
        fit(model, Classify(), rows, settings=settings)
        after = torch.cat([p.detach().flatten() for p in model.parameters()])
        gradients.append(start - after)
        settings = engine(precision=numbers, epochs=6, learning_rate=0.003)
        losses.append(fit(make(), Classify(), rows, settings=settings).history[-1]["train"]["loss"])
    assert not torch.equal(gradients[0], gradients[1])
    assert (gradients[1] - gradients[0]).norm() < 0.1 * gradients[0].norm()
    assert losses[1] == pytest.approx(losses[0], rel=0.01)


def test_pictures_learn_in_bfloat16_with_weights_in_32_bits():
    generator = torch.Generator().manual_seed(0)
    targets = torch.randint(0, 3, (96,), generator=generator)
    pictures = torch.rand(96, 1, 6, 6, generator=generator) + targets.view(-1, 1, 1, 1)
    rows = TensorBatches((pictures,), targets, batch_size=32, shuffle=True)
    seen: set[torch.dtype] = set()
    model = _convolutional()
    model[0].register_forward_hook(lambda module, args, out: seen.add(out.dtype))
    settings = engine(precision="bf16", epochs=30, learning_rate=0.02)
    result = fit(model, Classify(), rows, val_batches=rows, settings=settings)
    assert seen == {torch.bfloat16}
    assert "bfloat16" in result.precision
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    assert model[0].weight.is_contiguous(memory_format=torch.channels_last)
    assert result.history[-1]["val"]["accuracy"] > 0.9


@pytest.mark.parametrize("name", ["cuda:99", "mps", "cuda"])
def test_devices_that_do_not_exist_are_named(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=f'"{name}" is not available here'):
        resolve_device(name)
    assert resolve_device("auto") == CPU


def test_floats_with_the_values_of_bytes_count_as_bytes(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(precision, "processor_has_bfloat16", lambda: True)
    generator = torch.Generator().manual_seed(0)
    pictures = torch.randint(0, 256, (128, 784), generator=generator)
    inputs = {
        "bytes": pictures.byte(),
        "floats": pictures.float() / 255,
        "numbers": torch.randn(128, 784, generator=generator),
    }
    chosen = {}
    for name, block in inputs.items():
        rows = TensorBatches((block,), torch.arange(128) % 3, batch_size=128)
        for compiles in ("on", "off"):
            placed = place(
                nn.Linear(784, 128),
                rows,
                None,
                settings=EngineSettings.model_validate({"compile": compiles}),
                device=CPU,
                is_sharded=False,
            )
            chosen[name, compiles] = placed.precision.autocast_type
    compiled = {name: kind for (name, compiles), kind in chosen.items() if compiles == "on"}
    assert compiled == {"bytes": torch.bfloat16, "floats": torch.bfloat16, "numbers": None}
    assert not any(kind for (_, compiles), kind in chosen.items() if compiles == "off")
