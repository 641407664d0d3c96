"""ResNet-18 with the stem for small pictures (He et al. 2015), 11,173,962 parameters."""

from __future__ import annotations

from torch import Tensor, nn


class Block(nn.Module):
    """Two 3 × 3 convolutions beside a short cut."""

    def __init__(self, in_channels: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module | None = None
        if stride != 1 or in_channels != channels:
            project = nn.Conv2d(in_channels, channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(project, nn.BatchNorm2d(channels))

    def forward(self, inputs: Tensor) -> Tensor:
        residual = self.relu(self.bn1(self.conv1(inputs)))
        residual = self.bn2(self.conv2(residual))
        shortcut = inputs if self.downsample is None else self.downsample(inputs)
        return self.relu(residual + shortcut)


class ResNet18(nn.Module):
    """Pictures (batch, 3, 32, 32) → logits (batch, 10)."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        self.relu = nn.ReLU(inplace=True)
        self.layer1 = nn.Sequential(Block(64, 64, 1), Block(64, 64, 1))
        self.layer2 = nn.Sequential(Block(64, 128, 2), Block(128, 128, 1))
        self.layer3 = nn.Sequential(Block(128, 256, 2), Block(256, 256, 1))
        self.layer4 = nn.Sequential(Block(256, 512, 2), Block(512, 512, 1))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(512, 10)

    def forward(self, pictures: Tensor) -> Tensor:
        features = self.relu(self.bn1(self.conv1(pictures)))  # 64 channels, 32 × 32
        features = self.layer4(self.layer3(self.layer2(self.layer1(features))))  # 512, 4 × 4
        return self.fc(self.avgpool(features).flatten(1))


def network() -> nn.Module:
    """Return the network."""
    return ResNet18()
