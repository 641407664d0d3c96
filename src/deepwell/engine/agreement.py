"""Agreement: a compiled program is used only where it computes what the uncompiled one does.

Compilers make mistakes, and a wrong gradient trains without a word. One was met: on an Intel
processor of the Emerald Rapids kind, GCC 12.2 made transposed copies of bfloat16 numbers into
garbage, so that weights of attention got gradients that had nothing to do with them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor

MOST = 0.1
"""Deviation that rounding may have, as a share of the norm; bfloat16 stays below 0.02 by far."""
_SMALL = 1e-3
"""Share of all norms together below which a tensor is nothing but rounding."""


class WrongProgramError(Exception):
    """A compiled program computes other numbers than the lines it was made of."""


def draws_numbers(compute: Callable[[], object], device: torch.device) -> bool:
    """Compute, and return whether random numbers were drawn.

    Example:
        >>> draws_numbers(lambda: torch.rand(1), torch.device("cpu"))
        True
    """
    before = _states(device)
    compute()
    after = _states(device)
    return any(not torch.equal(one, other) for one, other in zip(before, after, strict=True))


def check_agreement(found: Mapping[str, Tensor], expected: Mapping[str, Tensor]) -> None:
    """Compare what two ways of computing the same have found, tensor by tensor.

    Args:
        found: By name, from the program.
        expected: The same from the lines it was made of.

    Raises:
        WrongProgramError: A tensor deviates by more than `MOST`.

    Example:
        >>> one = {"weight": torch.ones(3)}
        >>> check_agreement({"weight": torch.tensor([1.0, 1.0, 1.01])}, one)
        >>> check_agreement({"weight": torch.tensor([1.0, 1.0, 2.0])}, one)
        Traceback (most recent call last):
        ...
        deepwell.engine.agreement.WrongProgramError: the program computes another "weight" than ...
    """
    sizes = {name: _norm(right) for name, right in expected.items() if right.is_floating_point()}
    least = _SMALL * math.hypot(*sizes.values())
    if not math.isfinite(least):
        return  # of a batch with bad numbers there is nothing to be learned
    for name, size in sizes.items():
        off = _norm(found[name].detach() - expected[name].detach())
        if not off <= MOST * (size + least):  # so written, it holds for what is no number too
            raise WrongProgramError(
                f'the program computes another "{name}" than the network itself'
            )


def _norm(tensor: Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor.detach(), dtype=torch.float64))


def _states(device: torch.device) -> list[Tensor]:
    states = [torch.get_rng_state()]
    if device.type == "cuda":
        states.append(torch.cuda.get_rng_state(device))
    return states
