"""The update: from summed gradients to new weights."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn

from deepwell.engine.optimizers import base_rate, build_optimizer
from deepwell.engine.schedules import SCHEDULES
from deepwell.engine.settings import EngineSettings
from deepwell.engine.snapshot import Scalars, load_optimizer_state, optimizer_state


class Update:
    """Optimizer, learning rate, clipping and loss scaling of one training.

    Whether the gradient is finite is known before each update on a processor, where reading is
    free. Elsewhere it is only noted on the device, for `is_good` to be read once in a while.

    Args:
        model: On the device.
        settings: Optimizer, learning rate, schedule, clipping.
        total_steps: Length of the schedule in optimizer steps.
        device: Where the network is.
        needs_scaler: Whether gradients are 16-bit and the loss must be scaled.
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        settings: EngineSettings,
        total_steps: int,
        device: torch.device,
        needs_scaler: bool,
    ) -> None:
        self.optimizer = build_optimizer(model, settings)
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.base_rate = base_rate(settings)
        self._clip_norm = settings.clip_norm
        self._schedule = SCHEDULES[settings.schedule]
        self._total_steps = total_steps
        self._warmup_steps = round(settings.warmup * total_steps)
        self._scaler = torch.amp.GradScaler(device.type) if needs_scaler else None
        self._reads_each_step = device.type == "cpu"
        # becomes NaN at the first gradient that is not finite, and stays NaN
        self._trace = torch.zeros((), device=device)

    def rate(self, step: int) -> float:
        """Return the learning rate of a step (0, 1, …)."""
        return self.base_rate * self._schedule(step, self._total_steps, self._warmup_steps)

    def scale(self, loss: Tensor) -> Tensor:
        """Return the loss as its gradient shall be taken: larger in 16-bit training."""
        return loss if self._scaler is None else self._scaler.scale(loss)

    def prepare(self, correction: Tensor | None) -> bool:
        """Correct and clip the gradients; return False if they are known not to be finite.

        Args:
            correction: Factor for all gradients, a scalar, or None for 1.
        """
        gradients = [p.grad for p in self.parameters if p.grad is not None]
        if self._scaler is not None:
            self._scaler.unscale_(self.optimizer)
        if correction is not None:
            for gradient in gradients:
                gradient.mul_(correction)
        if self._clip_norm is not None:
            sizes = [nn.utils.clip_grad_norm_(self.parameters, self._clip_norm, foreach=True)]
        else:
            sizes = _norms(gradients)
        if self._scaler is not None:
            return True  # the scaler itself leaves out steps with infinite gradients
        if self._reads_each_step:
            return math.isfinite(sum([size.item() for size in sizes]))
        self._trace += torch.stack(sizes).sum() * 0
        return True

    def is_good(self) -> bool:
        """Return whether all gradients so far were finite; waits for the device."""
        return math.isfinite(self._trace.item())

    def apply(self, step: int) -> float:
        """Change the weights, forget the gradients, and return the learning rate.

        Args:
            step: Optimizer steps done before this one.
        """
        rate = self.rate(step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        if self._scaler is None:
            self.optimizer.step()
        else:
            self._scaler.step(self.optimizer)
            self._scaler.update()
        self.forget_gradients()
        return rate

    def forget_gradients(self) -> None:
        """Free the gradients."""
        for parameter in self.parameters:
            parameter.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """Return the state of the optimizer that consists of tensors."""
        return optimizer_state(self.optimizer)[0]

    def to_json(self) -> dict[str, Any]:
        """Return the state that does not consist of tensors."""
        scaler = None if self._scaler is None else self._scaler.state_dict()
        return {"optimizer": optimizer_state(self.optimizer)[1], "scaler": scaler}

    def load(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Put back what `tensors` and `to_json` returned."""
        scalars: Scalars = state["optimizer"]
        load_optimizer_state(self.optimizer, tensors, scalars)
        if self._scaler is not None:
            self._scaler.load_state_dict(state["scaler"])


def _norms(gradients: list[Tensor]) -> list[Tensor]:
    """Return the norm of each gradient; it is finite if and only if all numbers in it are."""
    # torch has no public name for norms of many tensors in one call
    norms = torch._foreach_norm(gradients)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
    return list(norms)
