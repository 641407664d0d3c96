"""Layers that find their input size by themselves, under the names of the lectures.

They are ordinary torch modules, channels first inside: the input size is read from the first
batch. Names, defaults and first weights are those of Keras.
"""

from __future__ import annotations

import math
import warnings
from typing import Any, Literal, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.modules.lazy import LazyModuleMixin
from torch.nn.parameter import UninitializedBuffer, UninitializedParameter

from deepwell.errors import ConfigError, ModelError
from deepwell.nn.activation import activation as make_activation
from deepwell.nn.activation import width_factor

Padding = Literal["valid", "same"]


class _LazyLayer(LazyModuleMixin, nn.Module):
    """A layer whose weights get their shape from the first batch."""

    def __init__(self) -> None:
        with warnings.catch_warnings():
            # torch announces that lazy modules may change; that is our concern, not the user's
            warnings.simplefilter("ignore", UserWarning)
            cast("Any", super()).__init__()


class Dense(_LazyLayer):
    """A fully connected layer.

    Args:
        units: Outputs.
        activation: By name, or None for none.
        use_bias: Whether a bias is added.

    Shape:
        inputs (batch, …, F) → (batch, …, units).

    Raises:
        ConfigError: `units` is not positive, or an unknown activation.

    Example:
        >>> Dense(3, activation="relu")(torch.zeros(2, 5)).shape
        torch.Size([2, 3])
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(self, units: int, *, activation: str | None = None, use_bias: bool = True) -> None:
        super().__init__()
        self.units = _positive("units", units)
        self._width = units * width_factor(activation or "identity")
        self.weight = UninitializedParameter()
        self.bias = nn.Parameter(torch.zeros(self._width)) if use_bias else None
        self.activation = make_activation(activation or "identity")

    def initialize_parameters(self, inputs: Tensor) -> None:
        """Give the weight its shape and its first values (Xavier, uniform)."""
        _fill(self.weight, (self._width, inputs.shape[-1]), inputs)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return activation(W x + b)."""
        return self.activation(F.linear(inputs, self.weight, self.bias))

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"units={self.units}"


class Conv2D(_LazyLayer):
    """A convolution over pictures.

    Args:
        filters: Channels of the output.
        kernel_size: Side of the kernel in pixels.
        strides: Step of the kernel in pixels.
        padding: "valid" (none) or "same" (output as large as the input, divided by `strides`).
        activation: By name, or None for none.
        use_bias: Whether a bias is added.

    Shape:
        images (batch, K, H, W) → (batch, filters, H', W').

    Raises:
        ConfigError: A size that is not positive, another padding, an unknown activation.
        ModelError: The input is not pictures, or smaller than the kernel.

    Example:
        >>> Conv2D(8, 3, padding="same")(torch.zeros(2, 3, 5, 5)).shape
        torch.Size([2, 8, 5, 5])
    """

    weight: Tensor
    bias: Tensor | None

    def __init__(
        self,
        filters: int,
        kernel_size: int = 3,
        *,
        strides: int = 1,
        padding: Padding = "valid",
        activation: str | None = None,
        use_bias: bool = True,
    ) -> None:
        super().__init__()
        self.filters = _positive("filters", filters)
        self.kernel_size = _positive("kernel_size", kernel_size)
        self.strides = _positive("strides", strides)
        self.padding: Padding = _padding(padding)
        self._width = filters * width_factor(activation or "identity")
        self.weight = UninitializedParameter()
        self.bias = nn.Parameter(torch.zeros(self._width)) if use_bias else None
        self.activation = make_activation(activation or "identity")

    def initialize_parameters(self, images: Tensor) -> None:
        """Give the weight its shape and its first values (Xavier, uniform)."""
        _check_pictures(images, type(self).__name__)
        shape = (self._width, images.shape[1], self.kernel_size, self.kernel_size)
        _fill(self.weight, shape, images)

    def forward(self, images: Tensor) -> Tensor:
        """Return activation(W * x + b)."""
        images = _pad(images, self.kernel_size, self.strides, self.padding, value=0.0)
        _check_size(images, self.kernel_size, type(self).__name__)
        return self.activation(F.conv2d(images, self.weight, self.bias, self.strides))

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return (
            f"filters={self.filters}, kernel_size={self.kernel_size}, strides={self.strides}, "
            f"padding={self.padding!r}"
        )


class _LazyBuffer(UninitializedBuffer):
    """A buffer whose shape is still open, and which can be copied; torch's own cannot."""

    def __deepcopy__(self, memo: dict[int, Any]) -> _LazyBuffer:
        kind = cast("Any", type(self))  # the arguments of a tensor's `__new__` are not annotated
        twin = cast("_LazyBuffer", kind(device=self.data.device, dtype=self.data.dtype))
        memo[id(self)] = twin
        return twin


class BatchNormalization(_LazyLayer):
    """Subtracts the mean of the batch and divides by its standard deviation, for each channel.

    Args:
        momentum: Share of the running mean and variance that stays at each step.
        epsilon: Added to the variance.

    Shape:
        inputs (batch, F, …) → the same.

    Reference:
        Ioffe, Szegedy: Batch Normalization (2015).

    Example:
        >>> BatchNormalization()(torch.tensor([[0.0], [2.0]])).round().flatten().tolist()
        [-1.0, 1.0]
    """

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, *, momentum: float = 0.99, epsilon: float = 1e-3) -> None:
        super().__init__()
        self.momentum = momentum
        self.epsilon = epsilon
        self.weight = UninitializedParameter()
        self.bias = UninitializedParameter()
        self.register_buffer("running_mean", _LazyBuffer())
        self.register_buffer("running_var", _LazyBuffer())

    @torch.no_grad()
    def initialize_parameters(self, inputs: Tensor) -> None:
        """Give all four vectors one number a channel."""
        starts = {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}
        for name, start in starts.items():
            vector = getattr(self, name)
            if isinstance(vector, UninitializedParameter | UninitializedBuffer):
                vector.materialize((inputs.shape[1],), device=inputs.device)
                vector.fill_(start)

    def forward(self, inputs: Tensor) -> Tensor:
        """Normalise by the batch in training, by the running mean and variance otherwise."""
        return F.batch_norm(
            inputs,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            training=self.training,
            momentum=1.0 - self.momentum,  # torch gives the share of the new value
            eps=self.epsilon,
        )


class MaxPooling2D(nn.Module):
    """The largest value of each window.

    Args:
        pool_size: Side of the window in pixels.
        strides: Step of the window; default: `pool_size`.
        padding: "valid" (what does not fill a window is dropped) or "same".

    Shape:
        images (batch, K, H, W) → (batch, K, H', W').

    Raises:
        ConfigError: A size that is not positive, or another padding.
        ModelError: The pictures are smaller than the window.

    Example:
        >>> MaxPooling2D()(torch.arange(16.0).reshape(1, 1, 4, 4)).tolist()
        [[[[5.0, 7.0], [13.0, 15.0]]]]
    """

    def __init__(
        self, pool_size: int = 2, *, strides: int | None = None, padding: Padding = "valid"
    ) -> None:
        super().__init__()
        self.pool_size = _positive("pool_size", pool_size)
        self.strides = self.pool_size if strides is None else _positive("strides", strides)
        self.padding: Padding = _padding(padding)

    def forward(self, images: Tensor) -> Tensor:
        """Return the largest values."""
        images = _pad(images, self.pool_size, self.strides, self.padding, value=-math.inf)
        _check_size(images, self.pool_size, type(self).__name__)
        return F.max_pool2d(images, self.pool_size, self.strides)


class GlobalAveragePooling2D(nn.Module):
    """The mean of each channel over all places.

    Shape:
        images (batch, K, H, W) → (batch, K).

    Example:
        >>> GlobalAveragePooling2D()(torch.ones(2, 3, 4, 4)).shape
        torch.Size([2, 3])
    """

    def forward(self, images: Tensor) -> Tensor:
        """Return the means."""
        _check_pictures(images, type(self).__name__)
        return images.mean(dim=(2, 3))


class Flatten(nn.Module):
    """All numbers of a row side by side.

    Shape:
        inputs (batch, …) → (batch, F).

    Example:
        >>> Flatten()(torch.zeros(2, 3, 4)).shape
        torch.Size([2, 12])
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the rows as vectors."""
        return inputs.flatten(1)


class Dropout(nn.Module):
    """Sets a share of the values to zero in training and enlarges the others accordingly.

    Args:
        rate: The share, from 0 to below 1.

    Raises:
        ConfigError: `rate` lies outside.

    Reference:
        Srivastava et al.: Dropout (2014).
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        if not 0 <= rate < 1:
            raise ConfigError(f"rate must be at least 0 and below 1. Got: rate={rate}.")
        self.rate = rate

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the thinned values in training, the input otherwise."""
        return F.dropout(inputs, self.rate, self.training)


def _fill(weight: Tensor, shape: tuple[int, ...], inputs: Tensor) -> None:
    if isinstance(weight, UninitializedParameter):
        with torch.no_grad():
            weight.materialize(shape, device=inputs.device)
            nn.init.xavier_uniform_(weight)


def _pad(images: Tensor, size: int, strides: int, padding: Padding, *, value: float) -> Tensor:
    """Pad for "same" as TensorFlow does: the odd pixel goes to the right and below."""
    _check_pictures(images, "This layer")
    if padding == "valid":
        return images
    sides: list[int] = []
    for length in (images.shape[3], images.shape[2]):
        missing = max((math.ceil(length / strides) - 1) * strides + size - length, 0)
        sides += [missing // 2, missing - missing // 2]
    return F.pad(images, sides, value=value) if any(sides) else images


def _check_pictures(images: Tensor, layer: str) -> None:
    if images.ndim != 4:
        raise ModelError(
            f"{layer} reads pictures, shape (batch, channels, height, width). "
            f"Got: {tuple(images.shape)}."
        )


def _check_size(images: Tensor, size: int, layer: str) -> None:
    height, width = images.shape[2:]
    if min(height, width) < size:
        raise ModelError(
            f"{layer} looks at {size} × {size} pixels, but its input has only {height} × {width}: "
            'use fewer poolings, a smaller window, or padding="same".'
        )


def _positive(name: str, value: int) -> int:
    if value < 1:
        raise ConfigError(f"{name} must be 1 or more. Got: {name}={value}.")
    return value


def _padding(padding: Padding) -> Padding:
    if padding not in ("valid", "same"):
        raise ConfigError(f'padding is "valid" or "same". Got: "{padding}".')
    return padding
