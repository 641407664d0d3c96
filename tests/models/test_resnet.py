"""ResNet against an independent one: plain functions on a state dict of torchvision's layout."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from deepwell.errors import ConfigError, ModelError
from deepwell.models import ResNet, build, count_parameters
from deepwell.models.vision.resnet import BasicBlock, Bottleneck
from deepwell.nn.image_input import ImageInput
from deepwell.types import InputSpec

# blocks a stage, and convolutions in a block, as in table 1 of the paper
TABLE = {
    18: ((2, 2, 2, 2), 2),
    34: ((3, 4, 6, 3), 2),
    50: ((3, 4, 6, 3), 3),
    101: ((3, 4, 23, 3), 3),
    152: ((3, 8, 36, 3), 3),
}
PUBLISHED = {
    18: 11_689_512,
    34: 21_797_672,
    50: 25_557_032,
    101: 44_549_160,
    152: 60_192_808,
}
State = dict[str, Tensor]


def reference_shapes(depth: int, classes: int = 1000) -> dict[str, tuple[int, ...]]:
    """Names and shapes in torchvision's published files, written out by rule."""
    counts, convolutions = TABLE[depth]
    widening = 4 if convolutions == 3 else 1
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7)}
    shapes |= _norm("bn1", 64)
    channels = 64
    for stage, count in enumerate(counts, start=1):
        width = 32 * 2**stage
        for index in range(count):
            prefix = f"layer{stage}.{index}"
            if convolutions == 2:
                plan = [(width, channels, 3), (width, width, 3)]
            else:
                plan = [(width, channels, 1), (width, width, 3), (4 * width, width, 1)]
            for number, (after, before, size) in enumerate(plan, start=1):
                shapes[f"{prefix}.conv{number}.weight"] = (after, before, size, size)
                shapes |= _norm(f"{prefix}.bn{number}", after)
            if index == 0 and channels != width * widening:
                shapes[f"{prefix}.downsample.0.weight"] = (width * widening, channels, 1, 1)
                shapes |= _norm(f"{prefix}.downsample.1", width * widening)
            channels = width * widening
    return shapes | {"fc.weight": (classes, channels), "fc.bias": (classes,)}


def _norm(name: str, size: int) -> dict[str, tuple[int, ...]]:
    vectors = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{vector}": (size,) for vector in vectors} | {f"{name}.num_batches_tracked": ()}


def reference_forward(state: State, images: Tensor, depth: int, *, training: bool) -> Tensor:
    """Run a network of torchvision's layout with functions only (stride in the 3 × 3)."""

    def norm(x: Tensor, name: str) -> Tensor:
        mean, variance = state[f"{name}.running_mean"], state[f"{name}.running_var"]
        if training:
            mean = x.mean(dim=(0, 2, 3))
            variance = (x - mean[:, None, None]).square().mean(dim=(0, 2, 3))
        scale = state[f"{name}.weight"] / (variance + 1e-5).sqrt()
        return (x - mean[:, None, None]) * scale[:, None, None] + state[f"{name}.bias"][
            :, None, None
        ]

    def block(x: Tensor, prefix: str, stride: int, convolutions: int) -> Tensor:
        where_stride = 1 if convolutions == 2 else 2
        y = x
        for number in range(1, convolutions + 1):
            weight = state[f"{prefix}.conv{number}.weight"]
            step = stride if number == where_stride else 1
            y = F.conv2d(y, weight, stride=step, padding=weight.shape[-1] // 2)
            y = norm(y, f"{prefix}.bn{number}")
            y = y.clamp(min=0) if number < convolutions else y
        if f"{prefix}.downsample.0.weight" in state:
            x = F.conv2d(x, state[f"{prefix}.downsample.0.weight"], stride=stride)
            x = norm(x, f"{prefix}.downsample.1")
        return (x + y).clamp(min=0)

    counts, convolutions = TABLE[depth]
    x = norm(F.conv2d(images, state["conv1.weight"], stride=2, padding=3), "bn1").clamp(min=0)
    x = F.max_pool2d(x, 3, stride=2, padding=1)
    for stage, count in enumerate(counts, start=1):
        for index in range(count):
            stride = 2 if stage > 1 and index == 0 else 1
            x = block(x, f"layer{stage}.{index}", stride, convolutions)
    return x.mean(dim=(2, 3)) @ state["fc.weight"].T + state["fc.bias"]


def _published_like(depth: int, classes: int) -> State:
    """A state dict as a published file holds it, with running means that are not trivial."""
    state: State = {}
    for name, shape in reference_shapes(depth, classes).items():
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif name.endswith("running_var") or ("bn" in name and name.endswith("weight")):
            state[name] = torch.rand(shape, dtype=torch.double) + 0.5
        else:
            fan_in = max(1, int(torch.tensor(shape[1:]).prod()))
            state[name] = torch.randn(shape, dtype=torch.double) / fan_in**0.5 / 2
    return state


@pytest.mark.parametrize("depth", list(TABLE))
def test_names_and_shapes_are_those_of_the_published_files(depth: int) -> None:
    with torch.device("meta"):
        state = ResNet(depth).state_dict()
    assert {name: tuple(value.shape) for name, value in state.items()} == reference_shapes(depth)
    assert list(state)[:2] == ["conv1.weight", "bn1.weight"]


@pytest.mark.parametrize("depth", list(TABLE))
def test_published_parameter_counts(depth: int) -> None:
    spec = InputSpec(image_shape=(3, 224, 224))
    assert count_parameters(f"resnet{depth}", spec, 1000) == PUBLISHED[depth]


@pytest.mark.parametrize(("depth", "training"), [(18, False), (18, True), (50, True)])
def test_outputs_and_gradients_equal_the_reference(depth: int, training: bool) -> None:
    state = _published_like(depth, classes=5)
    network = ResNet(depth, out_features=5).double()
    network.load_state_dict(state, strict=True)
    network.train(training)
    weights = {name: state[name].requires_grad_() for name, _ in network.named_parameters()}
    images = torch.randn(3, 3, 48, 48, dtype=torch.double)
    direction = torch.randn(3, 5, dtype=torch.double)
    outputs = network(images)
    expected = reference_forward(state, images, depth, training=training)
    torch.testing.assert_close(outputs, expected, rtol=1e-8, atol=1e-10)
    (outputs * direction).sum().backward()
    (expected * direction).sum().backward()
    for name, weight in network.named_parameters():
        torch.testing.assert_close(weight.grad, weights[name].grad, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("depth", [34, 152])
def test_deeper_networks_equal_the_reference(depth: int) -> None:
    state = _published_like(depth, classes=5)
    network = ResNet(depth, out_features=5).double().eval()
    network.load_state_dict(state, strict=True)
    images = torch.randn(1, 3, 33, 47, dtype=torch.double)  # any size
    with torch.no_grad():
        outputs = network(images)
        expected = reference_forward(state, images, depth, training=False)
    torch.testing.assert_close(outputs, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(
    ("side", "stem", "expected"),
    [
        (32, "auto", "small"),
        (64, "auto", "small"),
        (65, "auto", "imagenet"),
        (32, "imagenet", "imagenet"),
        (224, "small", "small"),
    ],
)
def test_stem_follows_the_size_of_the_picture(side: int, stem: str, expected: str) -> None:
    spec = InputSpec(image_shape=(1, side, side))
    with torch.device("meta"):
        network = build("resnet18", spec, 2, {"stem": stem})
        features = torch.empty(1, 1, 64, 64)
        body = network.body
        assert isinstance(body, ResNet)
        stem_output = body.maxpool(body.conv1(features))
    assert tuple(body.conv1.weight.shape) == (64, 1, *((3, 3) if expected == "small" else (7, 7)))
    assert stem_output.shape[-1] == (64 if expected == "small" else 16)


def test_zero_init_starts_every_block_as_the_identity() -> None:
    network = ResNet(18, zero_init_residual=True).eval()
    block = network.layer1[0]
    inputs = torch.rand(1, 64, 8, 8)
    assert torch.equal(block(inputs), inputs)
    assert all(bool((b.bn2.weight == 0).all()) for b in network.modules() if _is_basic(b))
    deep = ResNet(50, zero_init_residual=True)
    last = [b.bn3.weight for b in deep.modules() if isinstance(b, Bottleneck)]
    assert len(last) == 16
    assert not any(weight.any() for weight in last)


def _is_basic(module: nn.Module) -> bool:
    return isinstance(module, BasicBlock)


def test_first_values_follow_the_paper() -> None:
    weight = ResNet(18).layer3[1].conv1.weight
    assert weight.std().item() == pytest.approx((2 / (256 * 9)) ** 0.5, rel=0.02)


def test_bytes_go_in_channels_last() -> None:
    network = build("resnet18", InputSpec(image_shape=(3, 32, 32)), 2, {"stem": "imagenet"})
    assert isinstance(network, ImageInput)
    seen: list[Tensor] = []
    network.body.layer1.register_forward_hook(lambda _m, _i, output: seen.append(output))
    network(torch.randint(256, (2, 3, 32, 32), dtype=torch.uint8))
    assert seen[0].is_contiguous(memory_format=torch.channels_last)


def test_depth_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ModelError, match=r"18, 34, 50, 101, 152\. Got: depth=20"):
        ResNet(20)


def test_depth_against_the_name_is_refused() -> None:
    with pytest.raises(ConfigError, match='Unknown setting "depth"'):
        build("resnet18", InputSpec(image_shape=(3, 32, 32)), 2, {"depth": 50})


def test_drop_path_grows_with_depth_and_acts_in_training_only() -> None:
    torch.manual_seed(0)
    network = ResNet(18, out_features=3, in_channels=1, stem="small", drop_path=0.4)
    shares = [m.drop_path.share for m in network.modules() if isinstance(m, BasicBlock)]
    assert shares == pytest.approx([0.05 * number for number in range(1, 9)])
    images = torch.randn(4, 1, 8, 8)
    plain = ResNet(18, out_features=3, in_channels=1, stem="small")
    plain.load_state_dict(network.state_dict())
    torch.testing.assert_close(network.eval()(images), plain.eval()(images))
    for block in network.modules():
        if isinstance(block, BasicBlock):
            block.drop_path.share = 1 - 1e-6
            block.drop_path.train()
    dropped = network(images)
    # without any residual only the short cuts are left
    features = network.maxpool(network.relu(network.bn1(network.conv1(images))))
    for stage in (network.layer1, network.layer2, network.layer3, network.layer4):
        for block in stage:
            shortcut = features if block.downsample is None else block.downsample(features)
            features = shortcut.relu()
    expected = network.fc(network.avgpool(features).flatten(1))
    torch.testing.assert_close(dropped, expected)
