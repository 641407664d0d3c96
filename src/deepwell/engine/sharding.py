"""Sharding: weights that are divided over processes, and put together again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from deepwell.engine.processes import Processes

LEAST = 2**18
"""Weights from which a block is divided on its own; smaller ones go with what is around them."""


def shard(model: nn.Module, processes: Processes, device: torch.device) -> nn.Module:
    """Divide all weights over the processes, in place.

    Args:
        model: The same in all processes, on the processor; it goes to the device part by part.
        processes: Two or more.
        device: Where it shall be trained.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(device.type, (processes.size,))
    for block in blocks(model):
        fully_shard(block, mesh=mesh, reshard_after_forward=True)
    # the whole gives its weights back as well, also after a forward pass alone
    fully_shard(model, mesh=mesh, reshard_after_forward=True)
    return model


def blocks(model: nn.Module, *, least: int = LEAST) -> list[nn.Module]:
    """Return the parts of a network that are large, but no more than half of it.

    Weights that several parts have in common stay with the whole.

    Args:
        model: Any network.
        least: Smallest number of weights of a part.

    Example:
        >>> layers = [nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 10), nn.Linear(10, 1)]
        >>> len(blocks(nn.Sequential(*layers), least=100))
        2
    """
    total = _size(model)
    owners: dict[int, int] = {}
    for module in model.modules():
        for parameter in module.parameters(recurse=False):
            owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    return list(_large(model, least, total, owners))


def _large(
    module: nn.Module, least: int, total: int, owners: Mapping[int, int]
) -> Iterator[nn.Module]:
    for child in module.children():
        size = _size(child)
        is_container = isinstance(child, nn.ModuleList | nn.ModuleDict)
        is_own = all(owners[id(p)] == 1 for p in child.parameters())
        if size >= least and 2 * size <= total and is_own and not is_container:
            yield child
        elif size >= least:
            yield from _large(child, least, total, owners)


def _size(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def whole(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return tensors with their divided ones put together; all processes must call it."""
    # one after the other to the processor: a device has no room for all
    return {
        name: whole_tensor(tensor).cpu() if hasattr(tensor, "full_tensor") else tensor
        for name, tensor in tensors.items()
    }


def whole_tensor(tensor: Any) -> Tensor:
    """Return a divided tensor as a whole, any other as it is."""
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor


def here(tensor: Any) -> Tensor:
    """Return the part of a tensor that this process has."""
    return tensor.to_local() if hasattr(tensor, "to_local") else tensor


def divided_like(tensor: Tensor, template: Any) -> Tensor:
    """Return a whole tensor divided as another one is, if it is divided."""
    if not hasattr(template, "device_mesh") or hasattr(tensor, "device_mesh"):
        return tensor
    from torch.distributed.tensor import distribute_tensor

    mesh, places = template.device_mesh, template.placements
    # all processes have the whole: each takes its part, and nothing is sent
    return distribute_tensor(tensor.to(mesh.device_type), mesh, places, src_data_rank=None)
