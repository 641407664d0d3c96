"""The networks of the workloads as plain torch modules, one a file.

Everything that trains torch modules trains these; `contenders/keras_networks.py` has the same for
Keras. They import neither Deepwell nor other libraries: peers run in an environment of their own.
"""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.workloads import Rows, Workload


def build(name: str) -> nn.Module:
    """Return the network of a workload as torch initialises it."""
    return importlib.import_module(f"benchmarks.networks.{name}").network()


def loss(outputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean cross-entropy; outputs (batch, …, classes), targets (batch, …)."""
    return functional.cross_entropy(outputs.flatten(0, -2), targets.flatten())


def optimizer(work: Workload, network: nn.Module) -> torch.optim.Optimizer:
    """Return the optimizer of a workload with torch's defaults otherwise."""
    if work.optimizer == "rmsprop":
        return torch.optim.RMSprop(network.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)
    return torch.optim.Adam(network.parameters(), lr=1e-3)


def tensors(rows: Rows) -> tuple[Tensor, ...]:
    """Return the blocks of inputs and the targets as tensors."""
    return (*(torch.from_numpy(block) for block in rows.inputs), torch.from_numpy(rows.targets))


def predict(network: nn.Module, blocks: tuple[NDArray[Any], ...]) -> NDArray[np.float32]:
    """Return the outputs of a network; batch normalisation takes the means of the batch."""
    network.eval()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.train()
    with torch.no_grad():
        return network(*(torch.from_numpy(block) for block in blocks)).float().numpy()
