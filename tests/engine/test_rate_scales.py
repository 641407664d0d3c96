"""Shares of the rate that modules ask for, vectors that are not decayed, decay that changes."""

import pytest
import torch
from torch import Tensor, nn

from deepwell.engine import EngineSettings
from deepwell.engine.optimizers import build_optimizer, shrinkable
from deepwell.engine.schedules import SCHEDULES
from deepwell.engine.update import Update
from deepwell.errors import ConfigError


class Own(nn.Module):
    rate_scales = {"slow": 0.1}  # noqa: RUF012 -- read only
    vectors = ("rows",)

    def __init__(self) -> None:
        super().__init__()
        self.slow = nn.Parameter(torch.ones(3))
        self.rows = nn.Parameter(torch.ones(2, 3))
        self.matrix = nn.Parameter(torch.ones(2, 3))

    def forward(self, inputs: Tensor) -> Tensor:
        return inputs * self.slow + (self.rows * self.matrix).sum(dim=0)


def _update(model: nn.Module, **changes: object) -> Update:
    settings = EngineSettings.model_validate({"learning_rate": 0.5, **changes})
    device = torch.device("cpu")
    return Update(model, settings=settings, total_steps=100, device=device, needs_scaler=False)


def _rates(update: Update, model: nn.Module) -> dict[str, tuple[float, float]]:
    groups = {
        id(p): (group["lr"], group["weight_decay"])
        for group in update.optimizer.param_groups
        for p in group["params"]
    }
    return {name: groups[id(weight)] for name, weight in model.named_parameters()}


def _step(update: Update, model: nn.Module, step: int) -> None:
    model(torch.zeros(3)).sum().backward()
    update.prepare(None)
    update.apply(step)


def test_own_rates_and_vectors() -> None:
    model = nn.Sequential(nn.Linear(3, 3), Own())
    update = _update(model, weight_decay=0.2, schedule="constant")
    _step(update, model, 0)
    assert _rates(update, model) == {
        "0.weight": (0.5, 0.2),
        "0.bias": (0.5, 0.0),
        "1.slow": (0.05, 0.0),
        "1.rows": (0.5, 0.0),
        "1.matrix": (0.5, 0.2),
    }
    assert [id(p) for p in shrinkable(model)] == [id(model[0].weight), id(model[1].matrix)]


def test_own_rates_and_rates_by_layer_multiply() -> None:
    model = nn.Sequential(Own(), nn.Linear(3, 1))
    settings = EngineSettings(layer_decay=0.5)
    groups = build_optimizer(model, settings).param_groups
    scales = {id(p): group.get("rate_scale", 1.0) for group in groups for p in group["params"]}
    assert [scales[id(p)] for p in model.parameters()] == [0.05, 0.5, 0.5, 1.0, 1.0]


def test_decay_follows_its_schedule() -> None:
    model = Own()
    update = _update(model, weight_decay=0.2, weight_decay_schedule="flat_cosine")
    for step, share in ((0, 1.0), (49, 1.0), (75, 0.5)):
        _step(update, model, step)
        assert _rates(update, model)["matrix"][1] == pytest.approx(0.2 * share)
        assert _rates(update, model)["rows"][1] == 0.0


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"weight_decay_schedule": "flat_cosin"}, 'Did you mean "flat_cosine"'),
        ({"weight_decay_schedule": "plateau"}, "for the learning rate only"),
        (
            {"optimizer": "lbfgs", "weight_decay_schedule": "linear"},
            "leave weight_decay_schedule out",
        ),
    ],
)
def test_wrong_decay_schedules_are_refused(settings: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        EngineSettings.model_validate(settings)
    assert message in str(caught.value)


def test_coslog_swings_ever_longer() -> None:
    factors = [SCHEDULES["coslog"](step, 1500, 0, cycles=4) for step in range(1500)]
    lows = [
        step + 1
        for step in range(1, 1499)
        if factors[step] < min(factors[step - 1], factors[step + 1])
    ]
    # the swings end where 15 t + 1 is 2, 4 and 8
    assert lows == pytest.approx([100, 300, 700], abs=2)
    assert max(factors) == pytest.approx(1.0, abs=1e-4)
    warm = [SCHEDULES["coslog"](step, 1500, 100) for step in range(1500)]
    assert warm[100] == pytest.approx(1.0)
