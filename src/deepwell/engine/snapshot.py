"""Snapshots: optimizer, weights and random state as named tensors, and back, bit for bit."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Generator, Mapping
from typing import Any

import numpy as np
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
    """Return the state of all global random numbers.

    Those are torch's, on the processor and on the device, and Python's and NumPy's, with which a
    user's loader may change rows.
    """
    state = {"cpu": torch.get_rng_state(), **host_random_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    elif device.type == "mps":
        state["mps"] = torch.mps.get_rng_state()
    return state


def set_random_state(state: Mapping[str, Tensor], device: torch.device) -> None:
    """Put back what `random_state` returned; states of other devices are left alone."""
    torch.set_rng_state(state["cpu"])
    set_host_random_state(state)
    if device.type == "cuda" and "cuda" in state:
        torch.cuda.set_rng_state(state["cuda"], device)
    elif device.type == "mps" and "mps" in state:
        torch.mps.set_rng_state(state["mps"])


def host_random_state() -> dict[str, Tensor]:
    """Return the state of the global random numbers of Python and NumPy."""
    _, numbers, spare = random.getstate()
    state = {"python": torch.tensor(numbers), "python_spare": _maybe(spare)}
    known: Any = np.random.get_state(legacy=False)  # noqa: NPY002 -- users draw from it
    if known["bit_generator"] == "MT19937":  # another one is someone's own affair
        keys = np.append(known["state"]["key"], known["state"]["pos"])
        state["numpy"] = torch.from_numpy(keys.astype(np.int64))
        state["numpy_spare"] = _maybe(known["gauss"] if known["has_gauss"] else None)
    return state


def set_host_random_state(state: Mapping[str, Tensor]) -> None:
    """Put back what `host_random_state` returned; what is missing is left alone."""
    if "python" in state:
        random.setstate((3, tuple(state["python"].tolist()), _known(state["python_spare"])))
    if "numpy" in state:
        *keys, place = state["numpy"].tolist()
        normal = _known(state["numpy_spare"])
        has_spare, normal = (0, 0.0) if normal is None else (1, normal)
        known = ("MT19937", np.array(keys, dtype=np.uint32), int(place), has_spare, normal)
        np.random.set_state(known)  # noqa: NPY002


@contextlib.contextmanager
def own_host_numbers() -> Generator[None]:
    """Give the global random numbers of Python and NumPy back as they were before."""
    before = host_random_state()
    try:
        yield
    finally:
        set_host_random_state(before)


def seed_all(seed: int) -> None:
    """Seed all global random numbers."""
    torch.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed % 2**32)  # noqa: NPY002


def _maybe(number: float | None) -> Tensor:
    """Return a number, or its absence, as a tensor of one fixed shape."""
    return torch.tensor([number is not None, number or 0.0], dtype=torch.float64)


def _known(pair: Tensor) -> float | None:
    is_there, number = pair.tolist()
    return number if is_there else None
