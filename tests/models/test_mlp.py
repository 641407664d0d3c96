import pytest
import torch
from torch import nn
from torch.nn import functional as F

from deepwell.errors import ConfigError, ModelError
from deepwell.models import MLP, build, count_parameters
from deepwell.nn.activation import ACTIVATIONS
from deepwell.types import InputSpec


def test_equals_the_formula() -> None:
    network = MLP(4, out_features=2, hidden_sizes=(5, 3), activation="tanh", dropout=0.5).eval()
    weights = [(layer.weight, layer.bias) for layer in network.modules() if _is_linear(layer)]
    inputs = torch.randn(6, 4)
    (w1, b1), (w2, b2), (w3, b3) = weights
    expected = torch.tanh(torch.tanh(inputs @ w1.T + b1) @ w2.T + b2) @ w3.T + b3
    torch.testing.assert_close(network(inputs), expected)


def _is_linear(layer: nn.Module) -> bool:
    return isinstance(layer, nn.Linear)


@pytest.mark.parametrize("name", list(ACTIVATIONS))
def test_any_activation(name: str) -> None:
    network = MLP(4, out_features=1, hidden_sizes=(8,), activation=name, dropout=0.0)
    inputs = torch.randn(6, 4)
    hidden = F.linear(inputs, network.hidden[0].linear.weight)
    expected = network.output(ACTIVATIONS[name]()(hidden))
    torch.testing.assert_close(network(inputs), expected)


@pytest.mark.parametrize(
    ("hidden_sizes", "normalization", "expected"),
    [
        ((), "none", 4 * 2 + 2),
        ((7,), "none", 4 * 7 + 7 + 7 * 2 + 2),
        ((7,), "batch", 4 * 7 + 2 * 7 + 7 * 2 + 2),  # no bias, but scale and shift
        ((7, 5), "layer", 4 * 7 + 7 + 2 * 7 + 7 * 5 + 5 + 2 * 5 + 5 * 2 + 2),
    ],
)
def test_depth_and_normalization(
    hidden_sizes: tuple[int, ...], normalization: str, expected: int
) -> None:
    settings = {"hidden_sizes": hidden_sizes, "normalization": normalization}
    assert count_parameters("mlp", InputSpec(num_numbers=4), 2, settings) == expected


def test_dropout_acts_in_training_only() -> None:
    network = MLP(4, out_features=1, hidden_sizes=(64,), dropout=0.5)
    inputs = torch.ones(1, 4)
    assert not torch.equal(network(inputs), network(inputs))
    network.eval()
    assert torch.equal(network(inputs), network(inputs))


def test_signals_keep_their_size_through_many_layers() -> None:
    network = MLP(256, out_features=1, hidden_sizes=(256,) * 20, dropout=0.0)
    hidden = network.hidden(torch.randn(64, 256))
    assert 0.2 < hidden.square().mean() < 5.0


def test_lecture_network_reads_pictures_from_0_to_1() -> None:
    spec = InputSpec(image_shape=(1, 28, 28))
    network = build("mlp", spec, 10, {"preset": "lecture"})
    images = torch.randint(256, (3, 1, 28, 28), dtype=torch.uint8)
    body = network.body
    assert isinstance(body, MLP)
    torch.testing.assert_close(network(images), body(images.flatten(1) / 255))
    assert sum(weight.numel() for weight in network.parameters()) == 101_770


def test_settings_reach_the_parts() -> None:
    spec = InputSpec(num_numbers=3, cardinalities=(4, 4))
    plain = count_parameters("mlp", spec, 1, {"hidden_sizes": ()})
    wide = count_parameters("mlp", spec, 1, {"hidden_sizes": (), "embedding_size": 5})
    assert plain == 2 * 4 * 4 + (3 + 2 * 4) + 1
    assert wide == 2 * 4 * 5 + (3 + 2 * 5) + 1
    settings = {"hidden_sizes": (), "number_embedding": "periodic"}
    waves = 3 * (16 + 16 + 16 * 3 + 3)
    assert count_parameters("mlp", spec, 1, settings) == plain + waves + 3 * 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"activation": "rely"}, 'Unknown activation "rely". Did you mean "relu"?'),
        ({"initialiser": "he_norml"}, 'Did you mean "he_normal"?'),
        ({"hiden_sizes": (3,)}, 'Unknown setting "hiden_sizes". Did you mean "hidden_sizes"?'),
        ({"hidden_sizes": (0,)}, "hidden_sizes"),
        ({"dropout": 1.0}, "dropout"),
        ({"preset": "lectur"}, 'mlp has no preset "lectur". Did you mean "lecture"?'),
    ],
)
def test_wrong_settings_are_explained(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        build("mlp", InputSpec(num_numbers=2), 1, settings)
    assert message in str(caught.value)


def test_wrong_options_of_the_class_are_explained() -> None:
    with pytest.raises(ConfigError, match='Got: "group"'):
        MLP(3, out_features=1, normalization="group")  # pyright: ignore
    with pytest.raises(ConfigError, match='Unknown activation "rely"'):
        MLP(3, out_features=1, activation="rely")


def test_mean_for_other_channels_is_refused() -> None:
    with pytest.raises(ModelError, match="one for each of the 3 channels"):
        build("mlp", InputSpec(image_shape=(3, 4, 4)), 1, {"mean": (0.1, 0.2)})


@pytest.mark.parametrize("normalization", ["none", "batch", "layer"])
def test_gated_activations_keep_the_width(normalization: str) -> None:
    network = MLP(
        4, out_features=2, hidden_sizes=(5, 3), activation="geglu", normalization=normalization
    )  # pyright: ignore
    shapes = [tuple(m.weight.shape) for m in network.modules() if isinstance(m, nn.Linear)]
    assert shapes == [(10, 4), (6, 5), (2, 3)]
    assert network(torch.randn(6, 4)).shape == (6, 2)
