"""Devices: from a name in the settings to a device that exists."""

from __future__ import annotations

import torch

from deepwell.errors import ConfigError


def resolve_device(name: str = "auto") -> torch.device:
    """Return the device of a name.

    "auto" takes the first CUDA card if there is one, else the processor. Apple's graphics
    processor is used when asked for by "mps": small networks are faster on the processor there.

    Args:
        name: auto, cpu, cuda, cuda:1 (any number) or mps.

    Raises:
        ConfigError: This machine, or this build of torch, has no such device.

    Example:
        >>> resolve_device("cpu")
        device(type='cpu')
    """
    if name == "auto":
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    device = torch.device(name)
    if device.type == "cuda":
        return _cuda(name, device)
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ConfigError(f'The device "{name}" is not available here: use device=auto or cpu.')
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
