import pytest
import torch
from torch.nn import functional as F

from deepwell.engine import EngineSettings
from deepwell.engine.optimizers import build_optimizer
from deepwell.errors import ConfigError
from deepwell.models import build
from deepwell.models.tabular.realmlp import RealMLP, TangentLinear
from deepwell.nn.adapt import adapt
from deepwell.types import InputSpec


def test_equals_the_formula() -> None:
    torch.manual_seed(0)
    network = RealMLP(5, out_features=2, hidden_sizes=(7, 4)).double().eval()
    with torch.no_grad():
        for weight in network.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    inputs = torch.randn(6, 5, dtype=torch.double)
    hidden = inputs * network.scale.weight
    for block in network.hidden:
        linear, activation, _ = block
        hidden = hidden @ linear.weight.T / hidden.shape[1] ** 0.5 + linear.bias
        hidden = (1 - activation.amount) * hidden + activation.amount * F.mish(hidden)
    expected = hidden @ network.head.weight.T / 4**0.5 + network.head.bias
    torch.testing.assert_close(network(inputs), expected)


def test_first_values_fit_the_rows() -> None:
    torch.manual_seed(0)
    layer = TangentLinear(6, out_features=200)
    rows = torch.randn(500, 6) * torch.tensor([0.1, 1, 10, 1, 1, 1]) + 5
    layer.adapt(rows)
    outputs = layer(rows)
    torch.testing.assert_close(outputs.std(dim=0, correction=0), torch.ones(200))
    # each unit bends between the rows: both signs occur
    assert bool(((outputs > 0).any(dim=0) & (outputs < 0).any(dim=0)).all())
    assert outputs.mean(dim=0).abs().mean() < 1


def test_a_constant_input_leaves_finite_weights() -> None:
    layer = TangentLinear(2, out_features=3)
    layer.adapt(torch.zeros(10, 2))
    assert bool(layer.weight.isfinite().all() and layer.bias.isfinite().all())


def test_rates_and_decay_of_the_recipe() -> None:
    spec = InputSpec(num_numbers=3, cardinalities=(4, 30))
    network = build("realmlp", spec, 1, {"hidden_sizes": (8,)})
    adapt(network, (torch.randn(20, 3), torch.randint(0, 4, (20, 2))))
    optimizer = build_optimizer(network, EngineSettings(weight_decay=0.02))
    rates = {
        id(p): (group.get("rate_scale", 1.0), group["weight_decay"])
        for group in optimizer.param_groups
        for p in group["params"]
    }
    found = {name: rates[id(weight)] for name, weight in network.named_parameters()}
    assert found["body.scale.weight"] == (6.0, 0.0)
    assert found["body.hidden.0.0.weight"] == (1.0, 0.02)
    assert found["body.hidden.0.0.bias"] == (0.1, 0.0)
    assert found["body.hidden.0.1.amount"] == (0.1, 0.0)
    assert found["flatten.parts.numbers.frequencies"][0] == 0.1
    assert found["flatten.parts.categories.embedding.tables.0.weight"] == (1.0, 0.0)


def test_gated_activations_are_refused() -> None:
    with pytest.raises(ConfigError, match="geglu"):
        build("realmlp", InputSpec(num_numbers=2), 1, {"activation": "geglu"})
