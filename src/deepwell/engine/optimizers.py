"""Optimizers by name. Reading this file loads no torch; building an optimizer does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from deepwell.catalog import Catalog

if TYPE_CHECKING:
    import torch
    from torch import nn

    from deepwell.engine.settings import EngineSettings

Option = Literal["momentum", "betas"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerEntry:
    """An optimizer of torch with the defaults that Deepwell gives it.

    Args:
        torch_name: Name of the class in `torch.optim`.
        summary: One line on what it does.
        learning_rate: Used when the settings name none.
        weight_decay: Used when the settings name none.
        momentum: Used when the settings name none; None: the optimizer has no momentum.
        options: Which of the settings `momentum` and `betas` it understands.
        fixed: Arguments that make this entry what it is.
        fused_on: Kinds of device on which torch updates all weights in one kernel.
    """

    torch_name: str
    summary: str
    learning_rate: float
    weight_decay: float = 0.0
    momentum: float | None = None
    options: tuple[Option, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict[str, Any])
    fused_on: tuple[str, ...] = ()


_EVERYWHERE = ("cpu", "cuda", "mps")
_SGD: Any = {"torch_name": "SGD", "options": ("momentum",), "fused_on": _EVERYWHERE}

OPTIMIZERS: Catalog[OptimizerEntry] = Catalog("optimizer")
OPTIMIZERS.add(
    "sgd",
    OptimizerEntry(summary="Gradient descent.", learning_rate=0.01, momentum=0.0, **_SGD),
)
OPTIMIZERS.add(
    "momentum",
    OptimizerEntry(
        summary="Gradient descent with momentum 0.9.", learning_rate=0.01, momentum=0.9, **_SGD
    ),
)
OPTIMIZERS.add(
    "nesterov",
    OptimizerEntry(
        summary="Gradient descent with Nesterov's momentum 0.9 (Sutskever 2013).",
        learning_rate=0.01,
        momentum=0.9,
        fixed={"nesterov": True},
        **_SGD,
    ),
)
OPTIMIZERS.add(
    "adagrad",
    OptimizerEntry(
        torch_name="Adagrad",
        summary="A rate for each weight, from the sum of its squared gradients (Duchi 2011).",
        learning_rate=0.01,
        fused_on=("cpu",),
    ),
)
OPTIMIZERS.add(
    "rmsprop",
    OptimizerEntry(
        torch_name="RMSprop",
        summary="Gradients divided by a running root mean square, memory 0.9 (Hinton 2012).",
        learning_rate=1e-3,
        momentum=0.0,
        options=("momentum",),
        fixed={"alpha": 0.9, "eps": 1e-7},
    ),
)
OPTIMIZERS.add(
    "adam",
    OptimizerEntry(
        torch_name="Adam",
        summary="Running mean over running root mean square (Kingma 2015).",
        learning_rate=1e-3,
        options=("betas",),
        fused_on=_EVERYWHERE,
    ),
)
OPTIMIZERS.add(
    "adamw",
    OptimizerEntry(
        torch_name="AdamW",
        summary="Adam with weight decay apart from the gradient (Loshchilov 2019).",
        learning_rate=1e-3,
        weight_decay=0.01,
        options=("betas",),
        fused_on=_EVERYWHERE,
    ),
)
OPTIMIZERS.add(
    "nadam",
    OptimizerEntry(
        torch_name="NAdam",
        summary="Adam with Nesterov's momentum (Dozat 2016).",
        learning_rate=2e-3,
        options=("betas",),
        fixed={"decoupled_weight_decay": True},
    ),
)
OPTIMIZERS.add(
    "radam",
    OptimizerEntry(
        torch_name="RAdam",
        summary="Adam that corrects its variance in the first steps (Liu 2020).",
        learning_rate=1e-3,
        options=("betas",),
        fixed={"decoupled_weight_decay": True},
    ),
)
OPTIMIZERS.add(
    "adamax",
    OptimizerEntry(
        torch_name="Adamax",
        summary="Adam with the largest gradient instead of the mean square (Kingma 2015).",
        learning_rate=2e-3,
        options=("betas",),
    ),
)


def base_rate(settings: EngineSettings) -> float:
    """Return the learning rate of the settings, or the default of their optimizer."""
    default = OPTIMIZERS[settings.optimizer].learning_rate
    return default if settings.learning_rate is None else settings.learning_rate


def build_optimizer(model: nn.Module, settings: EngineSettings) -> torch.optim.Optimizer:
    """Return the optimizer of the settings over the trainable parameters of a network.

    Weight decay is for the matrices and kernels: biases, the scales of normalisation layers (all
    parameters of fewer than two dimensions) and embeddings are left out. In `adamw`, `nadam` and
    `radam` it shrinks the weights directly; in the others it is added to the gradient.

    Args:
        model: On the device where it is trained.
        settings: Optimizer, learning rate, weight decay, momentum, betas.

    Example:
        >>> from torch import nn
        >>> from deepwell.engine.settings import EngineSettings
        >>> optimizer = build_optimizer(nn.Linear(2, 1), EngineSettings(optimizer="adamw"))
        >>> [group["weight_decay"] for group in optimizer.param_groups]
        [0.01, 0.0]
    """
    import torch

    entry = OPTIMIZERS[settings.optimizer]
    decay = entry.weight_decay if settings.weight_decay is None else settings.weight_decay
    groups = parameter_groups(model, decay)
    device = next(iter(groups[0]["params"])).device
    options: dict[str, Any] = {"lr": base_rate(settings), **entry.fixed}
    options["fused" if device.type in entry.fused_on else "foreach"] = True
    if "momentum" in entry.options:
        options["momentum"] = entry.momentum if settings.momentum is None else settings.momentum
    if "betas" in entry.options and settings.betas is not None:
        options["betas"] = settings.betas
    return getattr(torch.optim, entry.torch_name)(groups, **options)


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Divide the trainable parameters into those with and those without weight decay.

    Without any weight decay there is one group, in the order of the network.
    """
    from torch import nn

    trainable = [parameter for parameter in model.parameters() if parameter.requires_grad]
    if weight_decay == 0.0:
        return [{"params": trainable, "weight_decay": 0.0}]
    of_embeddings = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, nn.Embedding | nn.EmbeddingBag)
        for parameter in module.parameters(recurse=False)
    }
    decayed = [p for p in trainable if p.ndim >= 2 and id(p) not in of_embeddings]
    others = [p for p in trainable if p.ndim < 2 or id(p) in of_embeddings]
    groups = [
        {"params": decayed, "weight_decay": weight_decay},
        {"params": others, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]
