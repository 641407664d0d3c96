"""Optimizers by name. Reading this file loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from deepwell.catalog import Catalog

Option = Literal["momentum", "betas"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerEntry:
    """An optimizer with the defaults that Deepwell gives it.

    Args:
        class_name: Name of the class.
        module: Where the class is.
        summary: One line on what it does.
        source: Who wrote it down first.
        learning_rate: Used when the settings name none.
        weight_decay: Used when the settings name none.
        momentum: Used when the settings name none; None: the optimizer has no momentum.
        options: Which of the settings `momentum` and `betas` it understands.
        fixed: Arguments that make this entry what it is.
        fused_on: Kinds of device on which torch updates all weights in one kernel.
        has_foreach: Whether torch can update many weights in one call elsewhere.
        is_full_batch: Whether each step sees all batches of the epoch.
        is_searching: Whether it asks for loss and gradient several times in a step.
    """

    class_name: str
    module: str = "torch.optim"
    summary: str
    source: str
    learning_rate: float
    weight_decay: float = 0.0
    momentum: float | None = None
    options: tuple[Option, ...] = ()
    fixed: Mapping[str, Any] = field(default_factory=dict[str, Any])
    fused_on: tuple[str, ...] = ()
    has_foreach: bool = True
    is_full_batch: bool = False
    is_searching: bool = False


_EVERYWHERE = ("cpu", "cuda", "mps")
_SGD: Any = {
    "class_name": "SGD",
    "options": ("momentum",),
    "fused_on": _EVERYWHERE,
    "learning_rate": 0.01,
}
_BETAS: Any = {"options": ("betas",)}
_HOME = "deepwell.engine.optimizers"

OPTIMIZERS: Catalog[OptimizerEntry] = Catalog("optimizer")
OPTIMIZERS.add(
    "sgd",
    OptimizerEntry(
        summary="Gradient descent.",
        source="Robbins, Monro: A Stochastic Approximation Method (1951)",
        momentum=0.0,
        **_SGD,
    ),
)
OPTIMIZERS.add(
    "momentum",
    OptimizerEntry(
        summary="Gradient descent with momentum 0.9.",
        source="Polyak: Some methods of speeding up the convergence of iteration methods (1964)",
        momentum=0.9,
        **_SGD,
    ),
)
OPTIMIZERS.add(
    "nesterov",
    OptimizerEntry(
        summary="Gradient descent with Nesterov's momentum 0.9 (Sutskever 2013).",
        source="Sutskever et al.: On the importance of initialization and momentum (2013)",
        momentum=0.9,
        fixed={"nesterov": True},
        **_SGD,
    ),
)
OPTIMIZERS.add(
    "adagrad",
    OptimizerEntry(
        class_name="Adagrad",
        summary="A rate for each weight, from the sum of its squared gradients (Duchi 2011).",
        source="Duchi, Hazan, Singer: Adaptive Subgradient Methods (2011)",
        learning_rate=0.01,
        fused_on=("cpu",),
    ),
)
OPTIMIZERS.add(
    "rmsprop",
    OptimizerEntry(
        class_name="RMSprop",
        summary="Gradients divided by a running root mean square, memory 0.9 (Hinton 2012).",
        source="Tieleman, Hinton: Neural Networks for Machine Learning, lecture 6e (2012)",
        learning_rate=1e-3,
        momentum=0.0,
        options=("momentum",),
        fixed={"alpha": 0.9, "eps": 1e-7},
    ),
)
OPTIMIZERS.add(
    "adam",
    OptimizerEntry(
        class_name="Adam",
        summary="Running mean over running root mean square (Kingma 2015).",
        source="Kingma, Ba: Adam, A Method for Stochastic Optimization (2015)",
        learning_rate=1e-3,
        fused_on=_EVERYWHERE,
        **_BETAS,
    ),
)
OPTIMIZERS.add(
    "adamw",
    OptimizerEntry(
        class_name="AdamW",
        summary="Adam with weight decay apart from the gradient (Loshchilov 2019).",
        source="Loshchilov, Hutter: Decoupled Weight Decay Regularization (2019)",
        learning_rate=1e-3,
        weight_decay=0.01,
        fused_on=_EVERYWHERE,
        **_BETAS,
    ),
)
OPTIMIZERS.add(
    "nadam",
    OptimizerEntry(
        class_name="NAdam",
        summary="Adam with Nesterov's momentum (Dozat 2016).",
        source="Dozat: Incorporating Nesterov Momentum into Adam (2016)",
        learning_rate=2e-3,
        fixed={"decoupled_weight_decay": True},
        **_BETAS,
    ),
)
OPTIMIZERS.add(
    "radam",
    OptimizerEntry(
        class_name="RAdam",
        summary="Adam that corrects its variance in the first steps (Liu 2020).",
        source="Liu et al.: On the Variance of the Adaptive Learning Rate and Beyond (2020)",
        learning_rate=1e-3,
        fixed={"decoupled_weight_decay": True},
        **_BETAS,
    ),
)
OPTIMIZERS.add(
    "adamax",
    OptimizerEntry(
        class_name="Adamax",
        summary="Adam with the largest gradient instead of the mean square (Kingma 2015).",
        source="Kingma, Ba: Adam, A Method for Stochastic Optimization (2015), section 7.1",
        learning_rate=2e-3,
        **_BETAS,
    ),
)
OPTIMIZERS.add(
    "lion",
    OptimizerEntry(
        class_name="Lion",
        module=f"{_HOME}.lion",
        summary="Steps of one size, by the sign of a running mean; decay apart (Chen 2023).",
        source="Chen et al.: Symbolic Discovery of Optimization Algorithms (2023), algorithm 2",
        learning_rate=1e-4,
        weight_decay=0.1,
        has_foreach=False,
        **_BETAS,
    ),
)
OPTIMIZERS.add(
    "muon",
    OptimizerEntry(
        class_name="MuonWithAdamW",
        module=f"{_HOME}.muon",
        summary="Orthogonal steps for hidden matrices, AdamW for all else (Jordan 2024).",
        source="Jordan et al.: Muon (2024); scale of the step: Liu et al.: Muon is Scalable for "
        "LLM Training (2025)",
        learning_rate=5e-3,
        weight_decay=0.01,
        momentum=0.95,
        options=("momentum", "betas"),
        has_foreach=False,
    ),
)
OPTIMIZERS.add(
    "gradient_descent",
    OptimizerEntry(
        summary="Gradient descent on all rows at once: one step an epoch.",
        source="Cauchy: Méthode générale pour la résolution des systèmes d'équations (1847)",
        momentum=0.0,
        is_full_batch=True,
        **_SGD | {"learning_rate": 0.1},
    ),
)
OPTIMIZERS.add(
    "lbfgs",
    OptimizerEntry(
        class_name="LBFGS",
        summary="Curvature from the last 10 steps, on all rows at once: 20 searches an epoch.",
        source="Liu, Nocedal: On the limited memory BFGS method (1989); search: Nocedal, Wright, "
        "Numerical Optimization, algorithm 3.5",
        learning_rate=1.0,
        fixed={"history_size": 10, "line_search_fn": "strong_wolfe"},
        has_foreach=False,
        is_full_batch=True,
        is_searching=True,
    ),
)
