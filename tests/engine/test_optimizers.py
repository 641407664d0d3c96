import pytest
import torch
from torch import nn

from deepwell.engine.optimizers import OPTIMIZERS, base_rate, build_optimizer
from deepwell.engine.settings import EngineSettings


class Mixed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(5, 4)
        self.dense = nn.Linear(4, 4)
        self.norm = nn.LayerNorm(4)
        self.frozen = nn.Linear(4, 4).requires_grad_(False)


def _train(name: str, *, plain: bool, steps: int = 20) -> list[torch.Tensor]:
    torch.manual_seed(0)
    model = nn.Linear(5, 3)
    optimizer = build_optimizer(model, EngineSettings(optimizer=name, weight_decay=0.1))
    if plain:  # torch's own loop over single tensors
        for group in optimizer.param_groups:
            group["fused"], group["foreach"] = None if "fused" in group else False, False
        optimizer._need_device_dtype_check_for_fused = False
    inputs = torch.randn(8, 5)
    for _ in range(steps):
        optimizer.zero_grad()
        model(inputs).square().mean().backward()
        optimizer.step()
    return [parameter.detach().clone() for parameter in model.parameters()]


STEPPING = [name for name, entry in OPTIMIZERS.items() if not entry.is_searching]


@pytest.mark.parametrize("name", STEPPING)
def test_fused_or_foreach_equals_one_tensor_at_a_time(name: str):
    for fast, slow in zip(_train(name, plain=False), _train(name, plain=True), strict=True):
        torch.testing.assert_close(fast, slow, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", STEPPING)
def test_descends_a_bowl(name: str):
    weight = nn.Linear(3, 1, bias=False)
    nn.init.ones_(weight.weight)
    optimizer = build_optimizer(weight, EngineSettings(optimizer=name, learning_rate=0.05))
    for _ in range(60):
        optimizer.zero_grad()
        weight.weight.square().sum().backward()
        optimizer.step()
    assert weight.weight.square().sum() < 1.5


@pytest.mark.parametrize("name", STEPPING)
def test_decay_spares_biases_norms_and_embeddings(name: str):
    model = Mixed()
    optimizer = build_optimizer(model, EngineSettings(optimizer=name, weight_decay=0.1))
    decayed, spared = optimizer.param_groups
    assert [id(p) for p in decayed["params"]] == [id(model.dense.weight)]
    assert decayed["weight_decay"] == 0.1
    assert spared["weight_decay"] == 0.0
    expected = [model.embedding.weight, model.dense.bias, model.norm.weight, model.norm.bias]
    assert [id(p) for p in spared["params"]] == [id(p) for p in expected]


class _Table(nn.Module):
    """A bias for each of several columns, and names that mean something else here."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.ones(4, 3))
        self.bias = nn.Parameter(torch.ones(4, 3))
        self.norm = nn.LayerNorm((4, 3))
        self.root = nn.RMSNorm((4, 3))

    def vectors(self) -> None: ...

    def rate_scales(self) -> None: ...


def test_biases_and_norms_with_two_axes_are_spared_and_methods_are_no_declarations():
    model = _Table()
    decayed, spared = build_optimizer(model, EngineSettings(weight_decay=0.1)).param_groups
    assert [id(p) for p in decayed["params"]] == [id(model.matrix)]
    expected = [model.bias, model.norm.weight, model.norm.bias, model.root.weight]
    assert [id(p) for p in spared["params"]] == [id(p) for p in expected]


@pytest.mark.parametrize(
    ("name", "fused"), [("sgd", True), ("adam", True), ("adagrad", True), ("rmsprop", False)]
)
def test_fused_where_torch_has_it_on_the_processor(name: str, fused: bool):
    group = build_optimizer(nn.Linear(2, 2), EngineSettings(optimizer=name)).param_groups[0]
    assert bool(group.get("fused")) is fused
    assert bool(group.get("foreach")) is not fused


def test_settings_reach_the_optimizer():
    settings = EngineSettings(optimizer="momentum", learning_rate=0.3, momentum=0.5)
    group = build_optimizer(nn.Linear(2, 2), settings).param_groups[0]
    assert (group["lr"], group["momentum"]) == (0.3, 0.5)
    settings = EngineSettings(optimizer="adamw", betas=(0.5, 0.6))
    assert build_optimizer(nn.Linear(2, 2), settings).param_groups[0]["betas"] == (0.5, 0.6)
    assert base_rate(settings) == 1e-3
