"""The basic convolutional network: three blocks and a classifier.

Parameters with the default settings, for 3 × 32 × 32 pictures and 10 classes: 288,746.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from pydantic import Field
from torch import Tensor, nn

from deepwell.errors import ModelError
from deepwell.models.base import PixelSettings, Share, Width, image_shape
from deepwell.nn.activation import ActivationName, activation, width_factor
from deepwell.nn.image_input import ImageInput
from deepwell.nn.initialise import initialise, initialiser_for
from deepwell.types import InputSpec

Head = Literal["average", "flatten"]


class CNNSettings(PixelSettings):
    """Width and regularisation of the basic convolutional network."""

    channels: Annotated[tuple[Width, ...], Field(min_length=1)] = (32, 64, 128)
    """Channels of each block; each block halves height and width."""
    dropout: Share = 0.1
    """Share of the values that is set to zero in training, after each block."""
    activation: ActivationName = "relu"
    """Activation after each convolution, by name."""
    head: Head = "average"
    """Before the classifier: the mean over all places, or all places side by side."""
    hidden_size: Annotated[int, Field(ge=0)] = 0
    """Units of a hidden layer in the classifier; 0: none."""


class CNN(nn.Module):
    """Blocks of two 3 × 3 convolutions and a pooling, then a fully connected classifier.

    A block is (convolution, batch normalisation, activation) twice, maximum over 2 × 2 places,
    dropout. With `head="average"` the network takes pictures of any size.

    Args:
        image_shape: (K, H, W) of the pictures.
        out_features: Outputs of the last layer, which is linear.
        channels: Channels of each block; each block halves height and width.
        dropout: Share of the values that is set to zero in training, after each block.
        activation: By name, see `deepwell.nn.activation.ACTIVATIONS`.
        head: "average" (mean over all places) or "flatten" (all places side by side).
        hidden_size: Units of a hidden layer in the classifier; 0: none.

    Shape:
        images (batch, K, H, W), floating point, about mean 0 and standard deviation 1 →
        (batch, out_features).

    Raises:
        ModelError: The pictures are too small for so many blocks.
        ConfigError: An unknown activation.

    Reference:
        LeCun, Bottou, Bengio, Haffner: Gradient-based learning (1998). Blocks of 3 × 3: Simonyan,
        Zisserman: Very Deep Convolutional Networks (2014). Normalisation: Ioffe, Szegedy (2015).

    Example:
        >>> network = CNN((3, 32, 32), out_features=10)
        >>> sum(weight.numel() for weight in network.parameters())
        288746
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        *,
        out_features: int,
        channels: Sequence[int] = (32, 64, 128),
        dropout: float = 0.1,
        activation: str = "relu",
        head: Head = "average",
        hidden_size: int = 0,
    ) -> None:
        super().__init__()
        in_channels, height, width = image_shape
        smallest = 2 ** len(channels)
        if min(height, width) < smallest:
            raise ModelError(
                f"A network of {len(channels)} blocks halves a picture {len(channels)} times and "
                f"needs at least {smallest} × {smallest} pixels; these have {height} × {width}: "
                "use fewer blocks (channels) or larger pictures."
            )
        befores = (in_channels, *channels[:-1])
        self.blocks = nn.Sequential(
            *(
                _block(before, after, activation, dropout)
                for before, after in zip(befores, channels, strict=True)
            )
        )
        if head == "average":
            self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
            features = channels[-1]
        else:
            self.pool = nn.Sequential(nn.Flatten())
            features = channels[-1] * (height // smallest) * (width // smallest)
        self.classifier = _classifier(features, out_features, activation, dropout, hidden_size)
        initialise(self, initialiser_for(activation))
        initialise(self.classifier[-1], "lecun_normal")

    def forward(self, images: Tensor) -> Tensor:
        """Return the outputs of the last layer."""
        features = self.blocks(images)  # (batch, channels[-1], H / 2^blocks, W / 2^blocks)
        return self.classifier(self.pool(features))


def _block(in_channels: int, out_channels: int, name: str, dropout: float) -> nn.Sequential:
    width = out_channels * width_factor(name)
    return nn.Sequential(
        # batch normalisation subtracts the mean, and with it any bias
        nn.Conv2d(in_channels, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        activation(name),
        nn.Conv2d(out_channels, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        activation(name),
        nn.MaxPool2d(2),
        nn.Dropout(dropout),
    )


def _classifier(
    features: int, out_features: int, name: str, dropout: float, hidden_size: int
) -> nn.Sequential:
    if hidden_size == 0:
        return nn.Sequential(nn.Linear(features, out_features))
    return nn.Sequential(
        nn.Linear(features, hidden_size * width_factor(name)),
        activation(name),
        nn.Dropout(dropout),
        nn.Linear(hidden_size, out_features),
    )


def build(spec: InputSpec, head_size: int, settings: CNNSettings) -> nn.Module:
    """Make the network with its input of bytes."""
    shape = image_shape(spec, "cnn")
    body = CNN(
        shape,
        out_features=head_size,
        channels=settings.channels,
        dropout=settings.dropout,
        activation=settings.activation,
        head=settings.head,
        hidden_size=settings.hidden_size,
    )
    return ImageInput(body, num_channels=shape[0], mean=settings.mean, std=settings.std)
