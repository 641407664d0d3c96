"""Lion: steps of one size, in the direction of the sign of a running mean."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class Lion(torch.optim.Optimizer):
    """Evolved sign momentum.

    With the mean m of earlier gradients g: w ← w − lr · (sign(β₁ m + (1 − β₁) g) + decay · w),
    then m ← β₂ m + (1 − β₂) g. Each weight moves by the learning rate, which is therefore three
    to ten times smaller than for AdamW, and the decay as much larger.

    Args:
        params: Parameters, or groups of them.
        lr: Learning rate.
        betas: Share of the mean in the step (β₁) and in the next mean (β₂).
        weight_decay: Pull towards zero, apart from the gradient.

    Reference:
        Chen et al.: Symbolic Discovery of Optimization Algorithms (2023), algorithm 2.

    Example:
        >>> weight = torch.nn.Parameter(torch.tensor([1.0, -2.0]))
        >>> optimizer = Lion([weight], lr=0.5)
        >>> weight.square().sum().backward()
        >>> optimizer.step()
        >>> weight.tolist()
        [0.5, -1.5]
    """

    def __init__(
        self,
        params: Any,
        *,
        lr: float = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "betas": betas, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every weight that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            self._move(group)
        return loss

    def _move(self, group: dict[str, Any]) -> None:
        weights: list[Tensor] = [p for p in group["params"] if p.grad is not None]
        if not weights:
            return
        gradients: list[Tensor] = [p.grad for p in group["params"] if p.grad is not None]
        means = [self._mean(weight) for weight in weights]
        first, second = group["betas"]
        # torch has no public names for operations on many tensors in one call
        directions: Any = torch._foreach_lerp(means, gradients, 1 - first)  # pyright: ignore
        torch._foreach_sign_(directions)  # pyright: ignore
        if group["weight_decay"]:
            torch._foreach_mul_(weights, 1 - group["lr"] * group["weight_decay"])  # pyright: ignore
        torch._foreach_add_(weights, directions, alpha=-group["lr"])  # pyright: ignore
        torch._foreach_lerp_(means, gradients, 1 - second)  # pyright: ignore

    def _mean(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if "mean" not in state:
            state["mean"] = torch.zeros_like(weight)
        return state["mean"]
