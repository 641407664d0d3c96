"""Activation functions by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator
from torch import Tensor, nn

from deepwell.catalog import Catalog
from deepwell.errors import ConfigError


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


class Gated(nn.Module):
    """One half of the features, opened and closed by a function of the other half.

    The halves lie along the channels of pictures (four axes) and along the last axis otherwise.

    Args:
        gate: What the second half goes through.

    Shape:
        (…, 2 F) or (batch, 2 F, H, W) → half as many features.

    Raises:
        ConfigError: The number of features is odd.

    Reference:
        Dauphin et al.: Language Modeling with Gated Convolutional Networks (2017). Shazeer: GLU
        Variants Improve Transformer (2020).

    Example:
        >>> import torch
        >>> Gated(nn.ReLU())(torch.tensor([3.0, 5.0, -1.0, 2.0])).tolist()
        [0.0, 10.0]
    """

    def __init__(self, gate: nn.Module) -> None:
        super().__init__()
        self.gate = gate

    def forward(self, inputs: Tensor) -> Tensor:
        """Return first half × gate(second half)."""
        axis = 1 if inputs.ndim == 4 else -1
        if inputs.shape[axis] % 2:
            raise ConfigError(
                "A gated activation needs an even number of features, of which it returns half. "
                f"Got: {inputs.shape[axis]}."
            )
        values, gates = inputs.chunk(2, dim=axis)
        return values * self.gate(gates)


ACTIVATIONS: Catalog[Callable[[], nn.Module]] = Catalog("activation")
"""Name to factory. Every factory makes a module that keeps the shape of its input, but for the
gated ones, which return half of the features: see `width_factor`."""

_PERCEPTRON = "McCulloch, Pitts: A logical calculus (1943)"
_GLU = "Shazeer: GLU Variants Improve Transformer (2020)"

for _name, _make, _summary, _source in (
    ("identity", nn.Identity, "x.", "–"),
    ("linear", nn.Identity, "x, under Keras's name.", "–"),
    ("step", Step, "1 above zero, else 0; no slope to learn by.", _PERCEPTRON),
    ("sigmoid", nn.Sigmoid, "1 / (1 + exp(−x)).", "Verhulst (1845); Rumelhart et al. (1986)"),
    ("tanh", nn.Tanh, "Hyperbolic tangent, −1 … 1.", "LeCun et al.: Efficient BackProp (1998)"),
    ("relu", nn.ReLU, "max(0, x).", "Nair, Hinton (2010); Glorot et al. (2011)"),
    ("leaky_relu", nn.LeakyReLU, "x above zero, 0.01 x below.", "Maas et al. (2013)"),
    ("prelu", nn.PReLU, "x above zero, a x below with a learned.", "He et al. (2015)"),
    ("elu", nn.ELU, "x above zero, exp(x) − 1 below.", "Clevert et al. (2016)"),
    ("selu", nn.SELU, "ELU scaled so that signals keep their size.", "Klambauer et al. (2017)"),
    ("gelu", nn.GELU, "x Φ(x), Φ the normal distribution.", "Hendrycks, Gimpel (2016)"),
    ("silu", nn.SiLU, "x · sigmoid(x), also called swish.", "Elfwing et al. (2018)"),
    ("mish", nn.Mish, "x · tanh(softplus(x)).", "Misra (2019)"),
    ("softplus", nn.Softplus, "log(1 + exp(x)).", "Dugas et al. (2001)"),
    (
        "softmax",
        lambda: nn.Softmax(dim=-1),
        "exp(x) over its sum along the last axis.",
        "Bridle (1990)",
    ),
    (
        "glu",
        lambda: Gated(nn.Sigmoid()),
        "Half of the features times sigmoid of the other half.",
        "Dauphin et al.: Language Modeling with Gated Convolutional Networks (2017)",
    ),
    ("reglu", lambda: Gated(nn.ReLU()), "Half of the features times ReLU of the rest.", _GLU),
    ("geglu", lambda: Gated(nn.GELU()), "Half of the features times GELU of the rest.", _GLU),
    ("swiglu", lambda: Gated(nn.SiLU()), "Half of the features times SiLU of the rest.", _GLU),
):
    ACTIVATIONS.add(_name, _make, summary=_summary, source=_source)

GATED = ("glu", "reglu", "geglu", "swiglu")
"""Activations that return half of their features."""


def width_factor(name: str) -> int:
    """Return how many features a layer must make for each one that leaves the activation.

    Example:
        >>> width_factor("relu"), width_factor("swiglu")
        (1, 2)
    """
    return 2 if name in GATED else 1


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
