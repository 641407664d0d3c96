"""Building an optimizer from the settings."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from deepwell.engine.optimizers.catalog import OPTIMIZERS, OptimizerEntry
from deepwell.engine.optimizers.groups import (
    parameter_groups,
    shrinkable,
    with_own_rates,
    with_rates_by_layer,
)

if TYPE_CHECKING:
    import torch
    from torch import nn

    from deepwell.engine.settings import EngineSettings


def base_rate(settings: EngineSettings) -> float:
    """Return the learning rate of the settings, or the default of their optimizer."""
    default = OPTIMIZERS[settings.optimizer].learning_rate
    return default if settings.learning_rate is None else settings.learning_rate


def build_optimizer(model: nn.Module, settings: EngineSettings) -> torch.optim.Optimizer:
    """Return the optimizer of the settings over the trainable parameters of a network.

    Weight decay is for the matrices and kernels: biases, the scales of normalisation layers (all
    parameters of fewer than two dimensions) and embeddings are left out. In `adamw`, `nadam`,
    `radam`, `lion` and `muon` it shrinks the weights directly; in the others it is added to the
    gradient. With `layer_decay` each group knows its share of the learning rate, `rate_scale`.

    Args:
        model: On the device where it is trained.
        settings: Optimizer, learning rate, weight decay, momentum, betas, layer decay.

    Example:
        >>> from torch import nn
        >>> from deepwell.engine.settings import EngineSettings
        >>> optimizer = build_optimizer(nn.Linear(2, 1), EngineSettings(optimizer="adamw"))
        >>> [group["weight_decay"] for group in optimizer.param_groups]
        [0.01, 0.0]
    """
    entry = OPTIMIZERS[settings.optimizer]
    decay = entry.weight_decay if settings.weight_decay is None else settings.weight_decay
    groups: Any = parameter_groups(model, 0.0 if entry.is_searching else decay)
    some = next(iter(groups[0]["params"]))
    # torch's fused steps do not know weights that are divided over processes
    fuses_on = "" if hasattr(some, "device_mesh") else some.device.type
    if settings.optimizer == "muon":
        groups = _with_hidden_matrices(groups, model)
    if settings.layer_decay is not None:
        groups = with_rates_by_layer(groups, model, settings.layer_decay)
    if not entry.is_searching:
        groups = with_own_rates(groups, model)
    if entry.is_searching:  # its weight decay is a penalty, see `Penalty`
        groups = groups[0]["params"]
    kind = getattr(import_module(entry.module), entry.class_name)
    return kind(groups, **_options(entry, settings, fuses_on))


def _options(entry: OptimizerEntry, settings: EngineSettings, fuses_on: str) -> dict[str, Any]:
    options: dict[str, Any] = {"lr": base_rate(settings), **entry.fixed}
    if fuses_on in entry.fused_on:
        options["fused"] = True
    elif entry.has_foreach:
        options["foreach"] = True
    if "momentum" in entry.options:
        options["momentum"] = entry.momentum if settings.momentum is None else settings.momentum
    if "betas" in entry.options and settings.betas is not None:
        options["betas"] = settings.betas
    return options


def _with_hidden_matrices(groups: list[dict[str, Any]], model: nn.Module) -> list[dict[str, Any]]:
    """Divide groups into hidden matrices and all else; the last matrix, the head, is no hidden."""
    matrices = [p for p in shrinkable(model) if p.ndim == 2]
    hidden = {id(parameter) for parameter in matrices[:-1]}
    divided: list[dict[str, Any]] = []
    for group in groups:
        for is_hidden in (True, False):
            parameters = [p for p in group["params"] if (id(p) in hidden) is is_hidden]
            if parameters:
                divided.append({**group, "params": parameters, "is_hidden": is_hidden})
    return divided
