"""Muon for hidden matrices beside AdamW for everything else, as one optimizer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


class MuonWithAdamW(torch.optim.Optimizer):
    """`torch.optim.Muon` and `torch.optim.AdamW` over the groups of one network.

    Muon makes the running mean of a matrix's gradient orthogonal, so that all its directions are
    learned equally fast. The length of the step is that of AdamW (0.2 · √(larger side)), so that
    one learning rate serves both.

    Args:
        params: Groups of parameters; in those with ``is_hidden`` set all are matrices.
        lr: Learning rate of both.
        momentum: Memory of Muon.
        betas: Memory of AdamW.
        weight_decay: Pull towards zero, apart from the gradient.

    Reference:
        Jordan et al.: Muon, An optimizer for hidden layers in neural networks (2024). Liu et al.:
        Muon is Scalable for LLM Training (2025), section 2.2.

    Example:
        >>> matrix = torch.nn.Parameter(torch.eye(2))
        >>> optimizer = MuonWithAdamW([{"params": [matrix], "is_hidden": True}], lr=0.1)
        >>> matrix.sum().backward()
        >>> optimizer.step()
        >>> bool((matrix < torch.eye(2)).all())
        True
    """

    def __init__(
        self,
        params: list[dict[str, Any]],
        *,
        lr: float = 1e-3,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
        weight_decay: float = 0.0,
    ) -> None:
        defaults = {"lr": lr, "weight_decay": weight_decay, "is_hidden": False}
        super().__init__(params, defaults)
        self._parts: list[torch.optim.Optimizer] = []
        hidden = [group for group in self.param_groups if group["is_hidden"]]
        others = [group for group in self.param_groups if not group["is_hidden"]]
        if hidden:
            adjust = "match_rms_adamw"
            self._parts.append(torch.optim.Muon(hidden, momentum=momentum, adjust_lr_fn=adjust))
        if others:
            device = others[0]["params"][0].device.type
            self._parts.append(
                torch.optim.AdamW(others, betas=betas, fused=device in ("cpu", "cuda", "mps"))
            )
        self._join()

    def _join(self) -> None:
        """Give both parts the groups and the state of the whole."""
        for part in self._parts:
            is_muon = isinstance(part, torch.optim.Muon)
            part.param_groups = [g for g in self.param_groups if g["is_hidden"] is is_muon]
            part.state = self.state

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Move every weight that has a gradient."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            part.step()
        return loss

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Put back what `state_dict` returned."""
        super().load_state_dict(state_dict)
        self._join()
