"""Groups of parameters: which are decayed, and how fast each layer learns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import nn


def shrinkable(model: nn.Module) -> list[nn.Parameter]:
    """Return the trainable matrices and kernels: what decay, penalties and max-norm act upon.

    Left out are biases and scales: all parameters of fewer than two dimensions, what is called
    `bias`, and what a module names in an attribute `vectors`; and all of embeddings and norms.
    """
    spared = _spared_modules(model) | _vectors(model)
    return [
        p for p in model.parameters() if p.requires_grad and p.ndim >= 2 and id(p) not in spared
    ]


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Divide the trainable parameters into those with and those without weight decay.

    Without any weight decay there is one group, in the order of the network.
    """
    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if weight_decay == 0.0:
        return [{"params": trainable, "weight_decay": 0.0}]
    decayed = shrinkable(model)
    chosen = {id(parameter) for parameter in decayed}
    groups = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": [p for p in trainable if id(p) not in chosen], "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def with_rates_by_layer(
    groups: Sequence[dict[str, Any]], model: nn.Module, layer_decay: float
) -> list[dict[str, Any]]:
    """Divide groups further by layer; each gets `rate_scale` = layer_decay^(layers above it).

    A layer is a module that owns a matrix or kernel itself, in the order of the module tree; the
    last one is the head, with scale 1. Parameters of other modules, such as normalisation, belong
    to the layer before them.

    Reference:
        Clark et al.: ELECTRA (2020), appendix B.
    """
    depths = layer_depths(model)
    divided: list[dict[str, Any]] = []
    for group in groups:
        by_depth: dict[int, list[nn.Parameter]] = {}
        for parameter in group["params"]:
            by_depth.setdefault(depths[id(parameter)], []).append(parameter)
        for depth, parameters in by_depth.items():
            divided.append({**group, "params": parameters, "rate_scale": layer_decay**depth})
    return divided


def with_own_rates(groups: Sequence[dict[str, Any]], model: nn.Module) -> list[dict[str, Any]]:
    """Divide groups by the shares of the learning rate that modules ask for.

    A module may have an attribute `rate_scales`: name of an own parameter → factor. Groups of
    which no parameter has one stay whole.
    """
    factors = {
        id(parameter): float(scales[name])
        for module in model.modules()
        if (scales := _declared(module, "rate_scales", dict))
        for name, parameter in module.named_parameters(recurse=False)
        if name in scales
    }
    divided: list[dict[str, Any]] = []
    for group in groups:
        by_factor: dict[float, list[nn.Parameter]] = {}
        for parameter in group["params"]:
            by_factor.setdefault(factors.get(id(parameter), 1.0), []).append(parameter)
        for factor, parameters in by_factor.items():
            scale = {} if factor == 1.0 else {"rate_scale": factor * group.get("rate_scale", 1.0)}
            divided.append({**group, "params": parameters, **scale})
    return divided


def layer_depths(model: nn.Module) -> dict[int, int]:
    """Return for the `id` of each trainable parameter how many layers lie above its own."""
    layer_of: dict[int, int] = {}
    layer = 0
    for module in model.modules():
        own = [p for p in module.parameters(recurse=False) if p.requires_grad]
        if any(p.ndim >= 2 for p in own):
            layer += 1
        for parameter in own:
            layer_of.setdefault(id(parameter), max(layer, 1))
    return {key: layer - index if layer else 0 for key, index in layer_of.items()}


def _vectors(model: nn.Module) -> set[int]:
    """Return the `id` of biases and of what modules call vectors, one for each of several."""
    return {
        id(parameter)
        for module in model.modules()
        for name, parameter in module.named_parameters(recurse=False)
        if name == "bias" or name in _declared(module, "vectors", tuple)
    }


def _declared(module: nn.Module, name: str, kind: type[Any]) -> Any:
    """Return what a module declares under a name; a method of that name is something else."""
    value = getattr(module, name, None)
    return value if isinstance(value, kind) else kind()


def _spared_modules(model: nn.Module) -> set[int]:
    """Return the `id` of the parameters of embeddings and norms, which may have two axes."""
    from torch import nn

    kinds = nn.Embedding | nn.EmbeddingBag | nn.LayerNorm | nn.RMSNorm
    return {
        id(parameter)
        for module in model.modules()
        if isinstance(module, kinds)
        for parameter in module.parameters(recurse=False)
    }
