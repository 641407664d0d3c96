"""First values of weights, by name.

With fan_in and fan_out the number of inputs and outputs of a unit (times the area of the kernel
for convolutions), the variance of a weight is

=========  ==========================  ======================================================
name       variance                    keeps the size of
=========  ==========================  ======================================================
he         2 / fan_in                  signals through ReLU and its relatives
xavier     2 / (fan_in + fan_out)      signals and gradients through tanh, sigmoid
lecun      1 / fan_in                  signals through identity and SELU
=========  ==========================  ======================================================

Reference:
    He, Zhang, Ren, Sun: Delving Deep into Rectifiers (2015), eq. 10. Glorot, Bengio:
    Understanding the difficulty of training deep feedforward neural networks (2010), eq. 16.
    LeCun, Bottou, Orr, Müller: Efficient BackProp (1998), eq. 16.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Annotated

from pydantic import AfterValidator
from torch import Tensor, nn

from deepwell.catalog import Catalog

Initialiser = Callable[[Tensor], Tensor]
"""Fills a weight of shape (fan_out, fan_in, …) in place and returns it."""


def _lecun_normal(weight: Tensor) -> Tensor:
    return nn.init.kaiming_normal_(weight, nonlinearity="linear")


def _lecun_uniform(weight: Tensor) -> Tensor:
    return nn.init.kaiming_uniform_(weight, nonlinearity="linear")


def _he_normal(weight: Tensor) -> Tensor:
    return nn.init.kaiming_normal_(weight, nonlinearity="relu")


def _he_uniform(weight: Tensor) -> Tensor:
    return nn.init.kaiming_uniform_(weight, nonlinearity="relu")


def _he_normal_fan_out(weight: Tensor) -> Tensor:
    return nn.init.kaiming_normal_(weight, mode="fan_out", nonlinearity="relu")


def _torch_default(weight: Tensor) -> Tensor:
    return nn.init.kaiming_uniform_(weight, a=math.sqrt(5))


def _normal(weight: Tensor) -> Tensor:
    return nn.init.normal_(weight, std=0.05)


def _uniform(weight: Tensor) -> Tensor:
    return nn.init.uniform_(weight, -0.05, 0.05)


INITIALISERS: Catalog[Initialiser] = Catalog("initialiser")
"""Name to function."""

_HE = "He et al.: Delving Deep into Rectifiers (2015)"
_GLOROT = "Glorot, Bengio: Understanding the difficulty of training (2010)"
_LECUN_1998 = "LeCun et al.: Efficient BackProp (1998)"

for _name, _fill, _summary, _source in (
    ("he_normal", _he_normal, "Normal, variance 2 / fan_in: for ReLU and its relatives.", _HE),
    ("he_uniform", _he_uniform, "Uniform, variance 2 / fan_in.", _HE),
    ("he_normal_fan_out", _he_normal_fan_out, "Normal, variance 2 / fan_out.", _HE),
    (
        "xavier_normal",
        nn.init.xavier_normal_,
        "Normal, variance 2 / (fan_in + fan_out): for tanh and sigmoid.",
        _GLOROT,
    ),
    (
        "xavier_uniform",
        nn.init.xavier_uniform_,
        "Uniform, variance 2 / (fan_in + fan_out).",
        _GLOROT,
    ),
    ("lecun_normal", _lecun_normal, "Normal, variance 1 / fan_in: for SELU.", _LECUN_1998),
    ("lecun_uniform", _lecun_uniform, "Uniform, variance 1 / fan_in.", _LECUN_1998),
    (
        "orthogonal",
        nn.init.orthogonal_,
        "Rows or columns at right angles, of length 1.",
        "Saxe et al.: Exact solutions to the nonlinear dynamics of learning (2014)",
    ),
    ("torch", _torch_default, "Uniform, variance 1 / (3 fan_in).", "PyTorch's own default"),
    ("normal", _normal, "Normal, standard deviation 0.05.", "Keras's RandomNormal"),
    ("uniform", _uniform, "Uniform, −0.05 … 0.05.", "Keras's RandomUniform"),
    ("zeros", nn.init.zeros_, "All zero: for single layers; hidden ones stay symmetric.", "–"),
):
    INITIALISERS.add(_name, _fill, summary=_summary, source=_source)

_XAVIER = {"sigmoid", "tanh", "softmax"}
_LECUN = {"identity", "linear", "selu"}


def initialiser_for(activation: str) -> str:
    """Return the name of the initialiser that suits an activation.

    Example:
        >>> [initialiser_for(name) for name in ("relu", "tanh", "selu")]
        ['he_normal', 'xavier_normal', 'lecun_normal']
    """
    if activation in _XAVIER:
        return "xavier_normal"
    return "lecun_normal" if activation in _LECUN else "he_normal"


def initialise(module: nn.Module, name: str) -> None:
    """Fill the weights of all linear and convolutional layers inside; biases become zero.

    Args:
        module: Changed in place.
        name: A name in `INITIALISERS`.

    Raises:
        ConfigError: There is no such initialiser.

    Example:
        >>> layer = nn.Linear(3, 2)
        >>> initialise(layer, "zeros")
        >>> int(layer.weight.count_nonzero())
        0
    """
    fill = INITIALISERS[name]
    for layer in module.modules():
        if isinstance(layer, nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d):
            fill(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


def _known(name: str) -> str:
    if name != "auto":
        _ = INITIALISERS[name]
    return name


InitialiserName = Annotated[str, AfterValidator(_known)]
"""The type of a setting that names an initialiser, or "auto" for the one of the activation."""
