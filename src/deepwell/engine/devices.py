"""Devices: from a name in the settings to a device that exists."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator

import torch

from deepwell.engine.kept_memory import memory_kept
from deepwell.engine.processes import are_several
from deepwell.engine.row_sums import fixed_sums
from deepwell.engine.settings import EngineSettings
from deepwell.errors import ConfigError


def resolve_device(name: str = "auto") -> torch.device:
    """Return the device of a name.

    "auto" takes the first CUDA card if there is one, else the processor. Apple's graphics
    processor is used when asked for by "mps": small networks are faster on the processor there.

    Args:
        name: auto, cpu, cuda, cuda:1 (any number) or mps.

    Where several processes train together, each takes the card of its number on its machine.

    Raises:
        ConfigError: This machine, or this build of torch, has no such device.

    Example:
        >>> resolve_device("cpu")
        device(type='cpu')
    """
    if are_several():
        return _own_device(name)
    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    device = torch.device(name)
    if device.type == "cuda":
        return _cuda(name, device)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigError(f'The device "{name}" is not available here: use device=auto or cpu.')
    return device


@contextlib.contextmanager
def in_use(device: torch.device) -> Generator[None]:
    """Hold what pays while a device trains: a processor keeps its memory and the order of sums."""
    if device.type != "cpu":
        yield
        return
    with memory_kept(), fixed_sums():
        yield


def check_devices(settings: EngineSettings) -> None:
    """Refuse more devices than there are.

    Raises:
        ConfigError: So it is, or the processes that were started are not those asked for.
    """
    asked = settings.devices
    if asked == 1:
        return
    if are_several():
        started = int(os.environ.get("LOCAL_WORLD_SIZE", asked))
        if started != asked:
            raise ConfigError(
                f"devices={asked}, but a launcher has started {started} processes on this "
                "machine: leave devices out."
            )
        return
    if settings.device == "cpu" or (settings.device == "auto" and not torch.cuda.is_available()):
        return
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if asked > count:
        found = f"{count} CUDA card{'' if count == 1 else 's'}" if count else "no CUDA card"
        raise ConfigError(
            f"devices={asked}, but this machine has {found}: choose devices={max(count, 1)}, or "
            "train on the processor with device=cpu."
        )


def _own_device(name: str) -> torch.device:
    """Return the device of this process, one of several."""
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if name not in ("auto", "cuda"):
        raise ConfigError(
            f"device={name} is one device, and several processes train: choose device=auto, cpu "
            "or cuda."
        )
    device = _cuda(name, torch.device("cuda", int(os.environ.get("LOCAL_RANK", 0))))
    torch.cuda.set_device(device)
    return device


def _cuda(name: str, device: torch.device) -> torch.device:
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    index = device.index or 0
    if index >= count:
        found = f"there are {count} CUDA cards" if count else "torch finds no CUDA card"
        raise ConfigError(
            f'The device "{name}" is not available here: {found}. Use device=auto or cpu.'
        )
    return torch.device("cuda", index)
