import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepwell.errors import ConfigError, ModelError
from deepwell.models import CNN, build
from deepwell.types import InputSpec


def _reference(state: dict[str, Tensor], images: Tensor, blocks: int) -> Tensor:
    """The same network as functions, evaluation mode."""
    for block in range(blocks):
        for place in (0, 3):
            images = F.conv2d(images, state[f"blocks.{block}.{place}.weight"], padding=1)
            norm = f"blocks.{block}.{place + 1}"
            images = F.batch_norm(
                images,
                state[f"{norm}.running_mean"],
                state[f"{norm}.running_var"],
                state[f"{norm}.weight"],
                state[f"{norm}.bias"],
            ).relu()
        images = F.max_pool2d(images, 2)
    features = images.mean(dim=(2, 3))
    return features @ state["classifier.0.weight"].T + state["classifier.0.bias"]


def test_equals_the_functions() -> None:
    network = CNN((2, 9, 11), out_features=3, channels=(4, 6, 8)).double()
    images = torch.randn(5, 2, 9, 11, dtype=torch.double)
    network(images)  # running means leave their start
    network.eval()
    torch.testing.assert_close(network(images), _reference(network.state_dict(), images, blocks=3))


def test_head_flatten_keeps_the_places() -> None:
    network = CNN((1, 16, 24), out_features=3, channels=(4, 8), head="flatten", hidden_size=7)
    shapes = [tuple(w.shape) for w in network.classifier.parameters()]
    assert shapes == [(7, 8 * 4 * 6), (7,), (3, 7), (3,)]
    network.eval()
    images = torch.randn(2, 1, 16, 24)
    features = network.blocks(images).reshape(2, -1)
    torch.testing.assert_close(network(images), network.classifier(features))


@pytest.mark.parametrize("channels", [1, 3])
def test_pictures_stay_channels_last(channels: int) -> None:
    network = build("cnn", InputSpec(image_shape=(channels, 16, 16)), 2)
    seen: list[Tensor] = []
    network.body.blocks[0][0].register_forward_hook(lambda _m, _i, output: seen.append(output))
    network(torch.randint(256, (2, channels, 16, 16), dtype=torch.uint8))
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_layout_does_not_change_the_numbers() -> None:
    network = build("cnn", InputSpec(image_shape=(3, 8, 8)), 2, {"channels": (4, 8)}).eval()
    images = torch.randint(256, (4, 3, 8, 8), dtype=torch.uint8)
    expected = network.body((images / 255 - 0.5) / 0.5)
    torch.testing.assert_close(network(images), expected, rtol=1e-5, atol=1e-5)


def test_too_small_pictures_are_explained() -> None:
    with pytest.raises(ModelError, match="at least 8 × 8 pixels; these have 8 × 7"):
        CNN((3, 8, 7), out_features=2)
    CNN((3, 8, 7), out_features=2, channels=(4, 8))(torch.randn(2, 3, 8, 7))


@pytest.mark.parametrize("settings", [{"channels": ()}, {"head": "mean"}, {"dropout": -0.1}])
def test_wrong_settings_are_refused(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=next(iter(settings))):
        build("cnn", InputSpec(image_shape=(1, 16, 16)), 2, settings)


@pytest.mark.parametrize("hidden_size", [0, 6])
def test_gated_activations_keep_the_channels(hidden_size: int) -> None:
    network = CNN(
        (1, 8, 8), out_features=2, channels=(4, 6), activation="swiglu", hidden_size=hidden_size
    )
    widths = [m.out_channels for m in network.modules() if isinstance(m, nn.Conv2d)]
    assert widths == [8, 8, 12, 12]
    assert network(torch.randn(3, 1, 8, 8)).shape == (3, 2)
