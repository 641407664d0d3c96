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

from deepwell.engine.snapshot import random_state

MOST = 0.1
"""Deviation that rounding may have, as a share of the norm. In four workloads of the benchmarks it
was at most 0.0041 with bfloat16 and 5e-7 with 32-bit floats."""
_SMALL = 1e-3
"""Share of all norms of a kind together below which a tensor is nothing but rounding."""


class WrongProgramError(Exception):
    """A compiled program computes other numbers than the lines it was made of."""


Findings = Mapping[str, Mapping[str, Tensor]]
"""Kind of tensors (loss, gradient, ...) → name → tensor. Each kind has sizes of its own."""


def draws_numbers(compute: Callable[[], object], device: torch.device) -> bool:
    """Compute, and return whether random numbers were drawn.

    Example:
        >>> draws_numbers(lambda: torch.rand(1), torch.device("cpu"))
        True
    """
    before = random_state(device)
    compute()
    after = random_state(device)
    return any(not torch.equal(after[name], state) for name, state in before.items())


def check_agreement(found: Findings, expected: Findings) -> None:
    """Compare what two ways of computing the same have found, tensor by tensor.

    Args:
        found: By kind and name, from the program.
        expected: The same from the lines it was made of.

    Raises:
        WrongProgramError: A tensor deviates by more than `MOST` of its norm.

    Example:
        >>> right = {"gradient": {"weight": torch.ones(3)}}
        >>> check_agreement({"gradient": {"weight": torch.tensor([1.0, 1.0, 1.01])}}, right)
        >>> check_agreement({"gradient": {"weight": torch.tensor([1.0, 1.0, 2.0])}}, right)
        Traceback (most recent call last):
        ...
        deepwell.engine.agreement.WrongProgramError: the program computes another gradient ...
    """
    for kind, tensors in expected.items():
        sizes = {name: _norm(right) for name, right in tensors.items() if right.is_floating_point()}
        least = _SMALL * math.hypot(*sizes.values())
        if not math.isfinite(least):
            continue  # of a batch with bad numbers there is nothing to be learned
        for name, size in sizes.items():
            off = _norm(found[kind][name] - tensors[name])
            if not off <= MOST * (size + least):  # so written, it holds for what is no number too
                raise WrongProgramError(
                    f'the program computes another {kind} "{name}" than the network itself'
                )


def _norm(tensor: Tensor) -> float:
    return float(torch.linalg.vector_norm(tensor.detach(), dtype=torch.float64))
