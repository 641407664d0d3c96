"""Snapshots: optimizer, weights and random state as named tensors, and back, bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from deepwell.engine.sharding import divided_like
from deepwell.errors import RunError

Scalars = dict[str, dict[str, Any]]

_HISTORIES = ("old_dirs", "old_stps", "ro")
"""Parts of the state of L-BFGS that are lists of tensors."""
_SCRATCH = ("al",)
"""Parts that are only room for intermediate results."""


def prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors under longer names."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the tensors whose names begin with a prefix, under their short names."""
    start = f"{prefix}."
    return {n.removeprefix(start): t for n, t in tensors.items() if n.startswith(start)}


def check_fit(saved: Mapping[str, Tensor], current: Mapping[str, Tensor]) -> None:
    """Compare names and shapes of weights.

    Raises:
        RunError: The saved weights belong to another network.
    """
    for name in sorted(set(saved) | set(current)):
        there, here = saved.get(name), current.get(name)
        if there is None or here is None or there.shape != here.shape:
            words = [
                "missing" if tensor is None else f"of shape {tuple(tensor.shape)}"
                for tensor in (there, here)
            ]
            raise RunError(
                f'The checkpoint belongs to another network: "{name}" is {words[0]} in the '
                f"checkpoint and {words[1]} in the network. Resume with the same network."
            )


def optimizer_state(optimizer: torch.optim.Optimizer) -> tuple[dict[str, Tensor], Scalars]:
    """Return the state of an optimizer as tensors named ``index.key``, and what is no tensor."""
    tensors: dict[str, Tensor] = {}
    scalars: Scalars = {}
    for index, values in optimizer.state_dict()["state"].items():
        for key, value in values.items():
            if isinstance(value, Tensor):
                tensors[f"{index}.{key}"] = value
            elif key in _HISTORIES:
                tensors |= {f"{index}.{key}.{i:04d}": t for i, t in enumerate(value or ())}
            elif key not in _SCRATCH:
                scalars.setdefault(str(index), {})[key] = value
    return tensors, scalars


def load_optimizer_state(
    optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor], scalars: Scalars
) -> None:
    """Put back what `optimizer_state` returned.

    The memory layout of each parameter is given to the tensors of its shape: fused kernels walk
    through both side by side.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Any]] = {int(i): dict(v) for i, v in scalars.items()}
    for name, tensor in sorted(tensors.items()):
        index, _, key = name.partition(".")
        parameter = parameters[int(index)]
        key, _, place = key.partition(".")
        if place:
            # a copy: products over memory that begins elsewhere are rounded in another way
            state.setdefault(int(index), {}).setdefault(key, []).append(tensor.clone())
            continue
        if tensor.shape == parameter.shape:
            laid_out = torch.empty_like(parameter, dtype=tensor.dtype)
            tensor = laid_out.copy_(divided_like(tensor, parameter))
        state.setdefault(int(index), {})[key] = tensor.clone()
    for values in state.values():
        if "func_evals" in values:  # L-BFGS: an empty list has left no trace
            values.update({name: values.get(name, []) for name in _HISTORIES})
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def random_state(device: torch.device) -> dict[str, Tensor]:
    """Return the state of torch's global random numbers, on the processor and on the device."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: Mapping[str, Tensor], device: torch.device) -> None:
    """Put back what `random_state` returned; states of other devices are left alone."""
    torch.set_rng_state(state["cpu"])
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    elif device.type == "mps" and "mps" in state:
        torch.mps.set_rng_state(state["mps"])
