"""Symmetry: a start from which the units of a layer can never become different."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from deepwell.errors import listing
from deepwell.nn.layers import Conv2D, Dense

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, Dense, Conv2D)


@torch.no_grad()
def explain_symmetry(model: nn.Module) -> tuple[str, ...]:
    """Say which hidden layers begin with units that are all equal, inwards and outwards.

    Two units with the same weights in and the same weights out receive the same gradient for
    ever: the layer learns one feature, however wide it is. Layers are taken in the order of the
    module tree; a difference on either side is enough, such as random weights in the next layer.

    Args:
        model: Before training.

    Reference:
        Goodfellow, Bengio, Courville: Deep Learning (2016), section 8.4.

    Example:
        >>> network = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), nn.Linear(3, 1))
        >>> explain_symmetry(network)
        ()
        >>> for weight in network.parameters():
        ...     _ = nn.init.zeros_(weight)
        >>> explain_symmetry(network)[0][:53]
        'All units of layer "0" begin equal and will stay so: '
    """
    layers = [
        (name, module)
        for name, module in model.named_modules()
        if isinstance(module, _LAYERS) and module.weight.requires_grad
    ]
    alike = [
        name
        for (name, layer), (_, following) in pairwise(layers)
        if layer.weight.shape[0] > 1
        and _all_equal(layer.weight)
        and (layer.bias is None or _all_equal(layer.bias))
        and _columns_equal(following.weight, layer.weight.shape[0])
    ]
    if not alike:
        return ()
    names = listing(f'"{name}"' for name in alike)
    noun = "layer" if len(alike) == 1 else "the layers"
    return (
        f"All units of {noun} {names} begin equal and will stay so: the network cannot learn "
        "different features there. Choose a random initialiser instead of zeros.",
    )


def _all_equal(weight: Tensor) -> bool:
    """Return whether all rows are the same."""
    return bool((weight == weight[:1]).all())


def _columns_equal(weight: Tensor, units: int) -> bool:
    """Return whether what comes from each unit is the same; a flattened picture has many each."""
    if weight.shape[1] % units:
        return False
    grouped = weight.reshape(weight.shape[0], units, -1)
    return bool((grouped == grouped[:, :1]).all())
