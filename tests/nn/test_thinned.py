"""Networks drawn by dropout: the same for every row, again and again, and nothing else changes."""

import pytest
import torch
from torch import nn

from deepwell.models import build, resolve
from deepwell.nn.layers import Dropout
from deepwell.nn.thinned import Thinned, dropout_layers
from deepwell.types import InputSpec


def network(rate: float = 0.5) -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Linear(3, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(rate), nn.Linear(16, 2)]
    return nn.Sequential(*layers).eval()


def test_a_row_is_answered_for_itself() -> None:
    model, rows = network(), torch.randn(7, 3)
    together = Thinned(model, count=6, seed=1)(rows)
    alone = torch.cat([Thinned(model, count=6, seed=1)(row[None]) for row in rows])
    assert torch.allclose(together, alone, atol=1e-6)


def test_draws_differ_and_the_seed_decides() -> None:
    model, rows = network(), torch.randn(4, 3)
    first, again, other = (Thinned(model, count=3, seed=s)(rows) for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.allclose(first, other)
    assert not torch.allclose(first[:, :2], first[:, 2:4])


def test_nothing_of_the_network_changes() -> None:
    model, rows = network(), torch.randn(5, 3)
    before, state = model(rows), {k: v.clone() for k, v in model.state_dict().items()}
    Thinned(model, count=2)(rows)
    assert torch.equal(model(rows), before)  # no hook is left, and batch statistics are not moved
    assert all(torch.equal(state[name], value) for name, value in model.state_dict().items())
    assert not any(module.training for module in model.modules())


def test_the_mean_of_many_draws_is_near_the_whole_of_a_linear_network() -> None:
    model = nn.Sequential(nn.Dropout(0.3), nn.Linear(20, 1)).eval()
    rows = torch.randn(3, 20)
    draws = Thinned(model, count=4000)(rows)
    error = draws.std(dim=1) / 4000**0.5
    assert ((draws.mean(dim=1) - model(rows)[:, 0]).abs() < 4 * error).all()


def test_channels_are_dropped_as_a_whole() -> None:
    model = nn.Sequential(nn.Dropout2d(0.5)).eval()
    kept = Thinned(model, count=1)(torch.ones(2, 8, 3, 3)).flatten(2)
    assert (kept == kept[:, :, :1]).all()
    assert set(kept.unique().tolist()) == {0.0, 2.0}


def test_which_layers_count() -> None:
    layers = [nn.Dropout(0.1), Dropout(0.2), nn.Dropout(0.0), nn.ReLU()]
    assert len(dropout_layers(nn.Sequential(*layers))) == 2


@pytest.mark.parametrize("name", ["mlp", "realmlp", "tabm", "residual_mlp"])
def test_networks_of_the_catalog_can_be_drawn_from(name: str) -> None:
    spec = InputSpec(num_numbers=4)
    model = build(name, spec, 1, resolve(name, {"dropout": 0.3}).model_dump()).eval()
    draws = Thinned(model, count=3)(torch.randn(5, 4))
    assert draws.shape == (5, 3)
    assert not torch.allclose(draws[:, 0], draws[:, 1])
