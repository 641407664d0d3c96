"""The update: from summed gradients to new weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from inspect import unwrap
from typing import Any

import torch
from torch import Tensor, nn

from deepwell.engine.compiler import compile_whole
from deepwell.engine.optimizers import base_rate, build_optimizer, shrinkable
from deepwell.engine.penalty import limit_norms, penalty_of
from deepwell.engine.plateau import Plateau
from deepwell.engine.quiet import quiet_compiler
from deepwell.engine.schedules import SCHEDULES
from deepwell.engine.settings import EngineSettings
from deepwell.engine.sharding import here, whole_tensor
from deepwell.engine.snapshot import Scalars, load_optimizer_state, optimizer_state


class Update:
    """Optimizer, learning rate, penalty, clipping and loss scaling of one training.

    Whether the gradient is finite is known before each update on a processor, where reading is
    free, and wherever bad steps are to be skipped. Elsewhere it is only noted on the device, for
    `is_good` to be read once in a while.

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
        self._step: Callable[[], object] = self.optimizer.step
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.base_rate = base_rate(settings)
        self._clip_norm = settings.clip_norm
        self._clip_value = settings.clip_value
        self._penalty = penalty_of(model, settings)
        self._max_norm = settings.regularisation.max_norm
        self._limited = [] if self._max_norm is None else shrinkable(model)
        self._schedule = SCHEDULES[settings.schedule]
        options = settings.schedule_options.given()
        self.plateau = Plateau(**options) if settings.schedule == "plateau" else None  # pyright: ignore[reportArgumentType]
        self._options = {} if self.plateau is not None else options
        self._decay_schedule = SCHEDULES[settings.weight_decay_schedule]
        self._decays = [group.get("weight_decay", 0.0) for group in self.optimizer.param_groups]
        self._total_steps = total_steps
        self._warmup_steps = round(settings.warmup * total_steps)
        self._scaler = torch.amp.GradScaler(device.type) if needs_scaler else None
        self._reads_each_step = device.type == "cpu" or settings.on_nan == "skip"
        # becomes NaN at the first gradient that is not finite, and stays NaN
        self._trace = torch.zeros((), device=device)
        self._good_steps = torch.zeros((), device=device, dtype=torch.int64)

    def rate(self, step: int) -> float:
        """Return the learning rate of a step (0, 1, …)."""
        factor = self._schedule(step, self._total_steps, self._warmup_steps, **self._options)
        rate = self.base_rate * factor
        return rate if self.plateau is None else rate * self.plateau.factor

    def scale(self, loss: Tensor) -> Tensor:
        """Return the loss as its gradient shall be taken: larger in 16-bit training."""
        return loss if self._scaler is None else self._scaler.scale(loss)

    def prepare(self, correction: Tensor | float | None) -> bool:
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
        if self._penalty is not None:
            self._penalty.add_gradient()
        if self._clip_value is not None:
            # an infinite value would pass for a large one afterwards
            sizes = _norms(gradients)
            nn.utils.clip_grad_value_(self.parameters, self._clip_value, foreach=True)
            if self._clip_norm is not None:
                nn.utils.clip_grad_norm_(self.parameters, self._clip_norm, foreach=True)
        elif self._clip_norm is not None:
            size = nn.utils.clip_grad_norm_(self.parameters, self._clip_norm, foreach=True)
            sizes = [whole_tensor(size)]
        else:
            sizes = _norms(gradients)
        if self._scaler is not None:
            return True  # the scaler itself leaves out steps with infinite gradients
        if self._reads_each_step:
            return math.isfinite(sum([size.item() for size in sizes]))
        self._trace += torch.stack(sizes).sum() * 0
        self._good_steps += self._trace.isfinite()
        return True

    def is_good(self) -> bool:
        """Return whether all gradients so far were finite; waits for the device."""
        return math.isfinite(self._trace.item())

    def good_steps(self) -> int:
        """Return how many steps were good before the first bad one, where that is only noted."""
        return int(self._good_steps.item())

    def apply(self, step: int) -> float:
        """Change the weights, forget the gradients, and return the learning rate.

        Args:
            step: Optimizer steps done before this one.
        """
        rate = self.set_rate(step)
        if self._scaler is None:
            self._step()
        else:
            self._scaler.step(self.optimizer)
            self._scaler.update()
        self._finish()
        return rate

    def compile(self) -> None:
        """Turn the optimizer's step into one program, where it has no fused one of its own."""
        if self._scaler is None and not any(g.get("fused") for g in self.optimizer.param_groups):
            self._step = _CompiledStep(self.optimizer)

    def search(self, evaluate: Callable[[], Tensor], step: int) -> float:
        """Let an optimizer search for better weights, and return the learning rate.

        Args:
            evaluate: Sets the gradients and returns the loss, see `complete`.
            step: Optimizer steps done before this one.
        """
        rate = self.set_rate(step)
        step_by: Any = self.optimizer.step  # torch says that a closure returns a plain number
        step_by(evaluate)
        self._finish()
        return rate

    def complete(self, loss: Tensor, correction: Tensor | None) -> Tensor:
        """Correct the gradients and add the penalty to them and to the loss, which is returned."""
        if correction is not None:
            for parameter in self.parameters:
                if parameter.grad is not None:
                    parameter.grad.mul_(correction)
        if self._penalty is None:
            return loss
        self._penalty.add_gradient()
        return loss + self._penalty.value()

    def set_rate(self, step: int) -> float:
        """Give learning rate and weight decay of a step to the optimizer; return the rate."""
        rate = self.rate(step)
        share = self._decay_schedule(step, self._total_steps, 0)
        for group, decay in zip(self.optimizer.param_groups, self._decays, strict=True):
            scaled = rate * group.get("rate_scale", 1.0)
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(scaled)
            else:
                group["lr"] = scaled
            if decay:
                group["weight_decay"] = decay * share
        return rate

    def _finish(self) -> None:
        if self._max_norm is not None:
            limit_norms(self._limited, self._max_norm)
        self.forget_gradients()

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
        plateau = None if self.plateau is None else self.plateau.to_json()
        scalars = optimizer_state(self.optimizer)[1]
        return {"optimizer": scalars, "scaler": scaler, "plateau": plateau}

    def load(self, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
        """Put back what `tensors` and `to_json` returned."""
        scalars: Scalars = state["optimizer"]
        load_optimizer_state(self.optimizer, tensors, scalars)
        if self._scaler is not None:
            self._scaler.load_state_dict(state["scaler"])
        if self.plateau is not None:
            self.plateau.load(state["plateau"])


class _CompiledStep:
    """An optimizer's step as one program; where that cannot be made, the step as it is.

    The learning rate is a tensor in it: a number would be compiled in, and changes each step.
    """

    def __init__(self, optimizer: torch.optim.Optimizer) -> None:
        self._optimizer = optimizer
        self._program: Callable[[], object] | None = None

    def __call__(self) -> None:
        if self._program is not None:
            self._program()
        elif self._optimizer.state:
            self._begin()
        else:
            self._optimizer.step()  # makes the state, which cannot be compiled

    def _begin(self) -> None:
        groups = self._optimizer.param_groups
        rates = [group["lr"] for group in groups]
        for group in groups:
            group["lr"] = torch.tensor(float(group["lr"]))
        # without the wrappers of torch, which break the graph and take longer than the step
        compiled = compile_whole(unwrap(type(self._optimizer).step))

        def program() -> None:
            with torch.no_grad():
                compiled(self._optimizer)

        try:
            with quiet_compiler():
                program()
        except Exception:  # raised while compiling, before any weight was changed
            for group, rate in zip(groups, rates, strict=True):
                group["lr"] = rate
            self._optimizer.step()
            self._program = self._optimizer.step
            return
        self._program = program


def _norms(gradients: list[Tensor]) -> list[Tensor]:
    """Return the norm of each gradient, or of the part of it that this process has.

    It is finite if and only if all numbers in it are.
    """
    # torch has no public name for norms of many tensors in one call
    parts = [here(gradient) for gradient in gradients]
    norms = torch._foreach_norm(parts)  # pyright: ignore[reportPrivateUsage, reportPrivateImportUsage]
    return list(norms)
