"""What an optimizer remembers ends at zero, and no weight feels it."""

import pytest
import torch
from engine_fakes import Classify, engine, mlp, train_rows
from torch import nn

from deepwell.engine import fit, trainer
from deepwell.engine.denormal import drop_faded

TINY = torch.finfo(torch.float32).tiny


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_only_what_has_faded_is_dropped(dtype: torch.dtype):
    weight = nn.Parameter(torch.zeros(6, dtype=dtype))
    smallest = torch.finfo(dtype).tiny
    kept = [2 * smallest, -2 * smallest, 0.5, float("nan"), float("-inf")]
    optimizer = torch.optim.SGD([weight], lr=0.1, momentum=0.9)
    memory = torch.tensor([smallest / 2, *kept], dtype=dtype)
    optimizer.state[weight] = {"momentum_buffer": memory, "step": torch.tensor(3.0)}
    drop_faded(optimizer)
    expected = torch.tensor([0.0, *kept], dtype=dtype)
    torch.testing.assert_close(memory, expected, rtol=0, atol=0, equal_nan=True)
    assert optimizer.state[weight]["step"].item() == 3.0


@pytest.mark.parametrize(
    "short_memory",
    [{"optimizer": "rmsprop", "momentum": 0.6}, {"optimizer": "adamw", "betas": (0.6, 0.9)}],
)
def test_a_unit_without_gradient_is_not_slow_for_ever(
    monkeypatch: pytest.MonkeyPatch, short_memory: dict[str, object]
):
    def train() -> tuple[list[torch.Tensor], dict[str, torch.Tensor]]:
        model, found = mlp(), list[torch.Tensor]()

        class Silence:
            """Lets one unit die after ten steps, and keeps what the optimizer remembers."""

            def on_step_logged(self, state: object) -> None:
                if getattr(state, "step", 0) == 10:
                    model[0].bias.data[0] = -1e6

            def on_fit_ended(self, state: object) -> None:
                memory = running[0].state.update.optimizer.state[model[0].weight]
                found.extend(memory[n] for n in ("exp_avg", "momentum_buffer") if n in memory)

        settings = engine(epochs=32, weight_decay=0.0, **short_memory)  # 192 steps
        fit(model, Classify(), train_rows(), settings=settings, callbacks=[Silence()])
        return found, {name: p.detach().clone() for name, p in model.named_parameters()}

    running: list[trainer.Trainer] = []
    begin = trainer.Trainer._begin
    monkeypatch.setattr(
        trainer.Trainer, "_begin", lambda own: (running.insert(0, own), begin(own))[1]
    )
    found, with_drops = train()
    monkeypatch.setattr(trainer, "drop_faded", lambda optimizer: None)
    faded, without = train()
    assert any(((part != 0) & (part.abs() < TINY)).any() for part in faded)
    assert not any(((part != 0) & (part.abs() < TINY)).any() for part in found)
    for name, weight in with_drops.items():
        assert torch.equal(weight, without[name])
