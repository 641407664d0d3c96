"""Residual networks of 18, 34, 50, 101 and 152 layers.

Parameters for 1000 classes and three channels:

=====  ==========  ===============  ============
depth  block       blocks a stage   parameters
=====  ==========  ===============  ============
18     basic       2, 2, 2, 2       11,689,512
34     basic       3, 4, 6, 3       21,797,672
50     bottleneck  3, 4, 6, 3       25,557,032
101    bottleneck  3, 4, 23, 3      44,549,160
152    bottleneck  3, 8, 36, 3      60,192,808
=====  ==========  ===============  ============

Names and shapes of the weights are those of torchvision, whose published files load unchanged.
That is why the short names `conv1`, `bn1`, `fc` appear here.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from torch import Tensor, nn

from deepwell.errors import ModelError, listing
from deepwell.models.base import PixelSettings, Share, image_shape
from deepwell.nn.drop_path import DropPath
from deepwell.nn.image_input import ImageInput
from deepwell.types import InputSpec

Stem = Literal["imagenet", "small"]

LARGEST_SMALL_IMAGE = 64
"""Pixels a side up to which `stem="auto"` takes the stem for small pictures."""


class ResNetSettings(PixelSettings):
    """First layers and first values of a residual network; the depth belongs to the name."""

    depth: ClassVar[int] = 18
    stem: Literal["auto", "imagenet", "small"] = "auto"
    """First layers: "imagenet" makes pictures four times smaller at once, "small" keeps their
    size; "auto" takes "small" up to 64 pixels a side."""
    zero_init_residual: bool = False
    """Start every block as the identity (the last normalisation of a block scales by zero)."""
    drop_path: Share = 0.0
    """Share of the rows that skip the last block in training; less for the blocks before."""


class ResNet18Settings(ResNetSettings):
    """Settings of resnet18."""


class ResNet34Settings(ResNetSettings):
    """Settings of resnet34."""

    depth: ClassVar[int] = 34


class ResNet50Settings(ResNetSettings):
    """Settings of resnet50."""

    depth: ClassVar[int] = 50


class ResNet101Settings(ResNetSettings):
    """Settings of resnet101."""

    depth: ClassVar[int] = 101


class ResNet152Settings(ResNetSettings):
    """Settings of resnet152."""

    depth: ClassVar[int] = 152


class BasicBlock(nn.Module):
    """Two 3 × 3 convolutions beside a short cut.

    Shape:
        (batch, in_channels, H, W) → (batch, channels, H / stride, W / stride).
    """

    expansion = 1

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _conv(in_channels, channels, 3, stride)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv(channels, channels, 3, 1)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, channels, stride)
        self.drop_path: DropPath | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        """Return relu(F(x) + x), eq. 1 of the paper."""
        residual = self.relu(self.bn1(self.conv1(inputs)))
        residual = self.bn2(self.conv2(residual))
        if self.drop_path is not None:
            residual = self.drop_path(residual)
        shortcut = inputs if self.downsample is None else self.downsample(inputs)
        return self.relu(residual + shortcut)


class Bottleneck(nn.Module):
    """1 × 1, 3 × 3 and 1 × 1 convolutions beside a short cut; the middle one is narrow.

    The stride is in the 3 × 3 convolution, as in all published weights; the paper had it in the
    first 1 × 1, which is half a percent worse.

    Shape:
        (batch, in_channels, H, W) → (batch, 4 · channels, H / stride, W / stride).
    """

    expansion = 4

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        out_channels = channels * self.expansion
        self.conv1 = _conv(in_channels, channels, 1, 1)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = _conv(channels, channels, 3, stride)
        self.bn2 = nn.BatchNorm2d(channels)
        self.conv3 = _conv(channels, out_channels, 1, 1)
        self.bn3 = nn.BatchNorm2d(out_channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _shortcut(in_channels, out_channels, stride)
        self.drop_path: DropPath | None = None

    def forward(self, inputs: Tensor) -> Tensor:
        """Return relu(F(x) + x), eq. 1 of the paper."""
        residual = self.relu(self.bn1(self.conv1(inputs)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        if self.drop_path is not None:
            residual = self.drop_path(residual)
        shortcut = inputs if self.downsample is None else self.downsample(inputs)
        return self.relu(residual + shortcut)


def _conv(in_channels: int, out_channels: int, size: int, stride: int) -> nn.Conv2d:
    padding = size // 2
    return nn.Conv2d(in_channels, out_channels, size, stride, padding, bias=False)


def _shortcut(in_channels: int, out_channels: int, stride: int) -> nn.Sequential | None:
    """Return the projection that is needed where a block changes the shape (option B)."""
    if stride == 1 and in_channels == out_channels:
        return None
    return nn.Sequential(_conv(in_channels, out_channels, 1, stride), nn.BatchNorm2d(out_channels))


LAYOUTS: dict[int, tuple[type[BasicBlock] | type[Bottleneck], tuple[int, int, int, int]]] = {
    18: (BasicBlock, (2, 2, 2, 2)),
    34: (BasicBlock, (3, 4, 6, 3)),
    50: (Bottleneck, (3, 4, 6, 3)),
    101: (Bottleneck, (3, 4, 23, 3)),
    152: (Bottleneck, (3, 8, 36, 3)),
}
"""Depth to kind of block and blocks in each of the four stages (table 1 of the paper)."""


class ResNet(nn.Module):
    """A residual network.

    Args:
        depth: 18, 34, 50, 101 or 152.
        out_features: Outputs of the last layer, which is linear.
        in_channels: K.
        stem: "imagenet" (7 × 7 convolution with stride 2, pooling) or "small" (3 × 3 with
            stride 1, no pooling) for pictures up to about 64 pixels a side.
        zero_init_residual: Start every block as the identity (Goyal et al. 2017, section 5.1).
        drop_path: Share of the rows that skip the last block in training; it grows evenly from
            the first block on (Huang et al. 2016).

    Shape:
        images (batch, K, H, W), floating point, normalised as the weights want it →
        (batch, out_features). Any height and width.

    Raises:
        ModelError: There is no layout of this depth.

    Reference:
        He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition (2015), table 1.

    Example:
        >>> import torch
        >>> with torch.device("meta"):
        ...     network = ResNet(18)
        >>> sum(weight.numel() for weight in network.parameters())
        11689512
    """

    def __init__(
        self,
        depth: int,
        *,
        out_features: int = 1000,
        in_channels: int = 3,
        stem: Stem = "imagenet",
        zero_init_residual: bool = False,
        drop_path: float = 0.0,
    ) -> None:
        super().__init__()
        if depth not in LAYOUTS:
            known = listing(str(known) for known in LAYOUTS)
            raise ModelError(f"A ResNet has one of these depths: {known}. Got: depth={depth}.")
        block, counts = LAYOUTS[depth]
        is_small = stem == "small"
        self.conv1 = _conv(in_channels, 64, 3, 1) if is_small else _conv(in_channels, 64, 7, 2)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.Identity() if is_small else nn.MaxPool2d(3, stride=2, padding=1)
        width = block.expansion
        self.layer1 = _stage(block, 64, 64, counts[0], stride=1)
        self.layer2 = _stage(block, 64 * width, 128, counts[1], stride=2)
        self.layer3 = _stage(block, 128 * width, 256, counts[2], stride=2)
        self.layer4 = _stage(block, 256 * width, 512, counts[3], stride=2)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512 * width, out_features)
        _initialise(self, zero_init_residual)
        if drop_path:
            _drop_paths(self, drop_path)

    def forward(self, images: Tensor) -> Tensor:
        """Return the outputs of the last layer."""
        # sizes for 224 × 224 pictures and the stem "imagenet"
        features = self.maxpool(self.relu(self.bn1(self.conv1(images))))  # 56 × 56
        features = self.layer1(features)  # 56 × 56
        features = self.layer2(features)  # 28 × 28
        features = self.layer3(features)  # 14 × 14
        features = self.layer4(features)  # 7 × 7
        return self.fc(self.avgpool(features).flatten(1))


def _stage(
    block: type[BasicBlock] | type[Bottleneck],
    in_channels: int,
    channels: int,
    num_blocks: int,
    *,
    stride: int,
) -> nn.Sequential:
    first = block(in_channels, channels, stride)
    out_channels = channels * block.expansion
    return nn.Sequential(first, *(block(out_channels, channels, 1) for _ in range(num_blocks - 1)))


def _initialise(network: ResNet, zero_init_residual: bool) -> None:
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif zero_init_residual and isinstance(module, BasicBlock):
            nn.init.zeros_(module.bn2.weight)
        elif zero_init_residual and isinstance(module, Bottleneck):
            nn.init.zeros_(module.bn3.weight)


def _drop_paths(network: ResNet, largest: float) -> None:
    blocks = [m for m in network.modules() if isinstance(m, BasicBlock | Bottleneck)]
    for number, block in enumerate(blocks, start=1):
        block.drop_path = DropPath(largest * number / len(blocks))


def build(spec: InputSpec, head_size: int, settings: ResNetSettings) -> nn.Module:
    """Make the network with its input of bytes; `stem="auto"` looks at the size of the pictures."""
    channels, height, width = image_shape(spec, f"resnet{settings.depth}")
    is_small = max(height, width) <= LARGEST_SMALL_IMAGE
    automatic: Stem = "small" if is_small else "imagenet"
    body = ResNet(
        settings.depth,
        out_features=head_size,
        in_channels=channels,
        stem=automatic if settings.stem == "auto" else settings.stem,
        zero_init_residual=settings.zero_init_residual,
        drop_path=settings.drop_path,
    )
    return ImageInput(body, num_channels=channels, mean=settings.mean, std=settings.std)
