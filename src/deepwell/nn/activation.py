"""Activation functions by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator
from torch import Tensor, nn

from deepwell.catalog import Catalog


class Step(nn.Module):
    """1 where the input is above zero, else 0: the answer of Rosenblatt's unit.

    Its derivative is zero everywhere, so the layers below it learn nothing by gradient descent;
    they only receive zeros.

    Example:
        >>> import torch
        >>> Step()(torch.tensor([-2.0, 0.0, 0.5])).tolist()
        [0.0, 0.0, 1.0]
    """

    def forward(self, inputs: Tensor) -> Tensor:
        """Return 0 or 1 for each element, shape and type of the input."""
        # the derivative of `sign` is zero and not missing, as it would be for a comparison
        return inputs.relu().sign()


ACTIVATIONS: Catalog[Callable[[], nn.Module]] = Catalog("activation")
"""Name to factory. Every factory makes a module that keeps the shape of its input."""

ACTIVATIONS.add("identity", nn.Identity)
ACTIVATIONS.add("linear", nn.Identity)
ACTIVATIONS.add("step", Step)
ACTIVATIONS.add("sigmoid", nn.Sigmoid)
ACTIVATIONS.add("tanh", nn.Tanh)
ACTIVATIONS.add("relu", nn.ReLU)
ACTIVATIONS.add("leaky_relu", nn.LeakyReLU)
ACTIVATIONS.add("prelu", nn.PReLU)
ACTIVATIONS.add("elu", nn.ELU)
ACTIVATIONS.add("selu", nn.SELU)
ACTIVATIONS.add("gelu", nn.GELU)
ACTIVATIONS.add("silu", nn.SiLU)
ACTIVATIONS.add("mish", nn.Mish)
ACTIVATIONS.add("softplus", nn.Softplus)
ACTIVATIONS.add("softmax", lambda: nn.Softmax(dim=-1))


def activation(name: str) -> nn.Module:
    """Make the activation of this name.

    Raises:
        ConfigError: There is no such activation (with the nearest known one).

    Example:
        >>> activation("relu")
        ReLU()
        >>> activation("rely")
        Traceback (most recent call last):
            ...
        deepwell.errors.ConfigError: Unknown activation "rely". Did you mean "relu"? Known: ...
    """
    return ACTIVATIONS[name]()


def _known(name: str) -> str:
    _ = ACTIVATIONS[name]
    return name


ActivationName = Annotated[str, AfterValidator(_known)]
"""The type of a setting that names an activation: an unknown name is refused when it is read."""
