"""Health: what goes on inside a network while it learns, looked at now and then.

At a few steps the weights, their gradients and their change are measured, and the batch of the step
is sent through the network once more with a watch on each layer. Random numbers, buffers and
gradients are as before afterwards, so a training is bit for bit the same with and without it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from deepwell.engine.compiled import untouched
from deepwell.engine.interfaces import TaskLike
from deepwell.engine.precision import Precision
from deepwell.types import Batch

FIRST_LOOKS = (1, 10, 40, 160)
"""Steps that are looked at besides the regular ones: most goes wrong early."""
REGULAR_LOOKS = 10
FEWEST_STEPS = 400
"""Steps between two regular looks at least: a look costs about as much as four small steps."""
SAMPLE = 65_536
"""Weights of a layer whose change is measured; of larger layers the first units are taken."""
_ONE_SIDED = (nn.ReLU, nn.ReLU6)
_TWO_SIDED: Mapping[type[nn.Module], tuple[float, float]] = {
    nn.Tanh: (-0.99, 0.99),
    nn.Sigmoid: (0.005, 0.995),
}
_SATURATED_SHARE = 0.95
_LOOKED_UP = (nn.Embedding, nn.EmbeddingBag)
"""Layers of which a batch uses only some rows, so that their gradient says little."""


class Health:
    """Looks at a network at some of its steps.

    Args:
        model: On its device.
        task: Runs the network on a batch.
        precision: What to compute with.
        total_steps: Planned steps; the looks are spread over them.
        is_on: Whether to look at all.

    Example:
        >>> from deepwell.engine.precision import choose_precision
        >>> from deepwell.tasks import Regression
        >>> model, task = nn.Linear(1, 1), Regression(targets=("y",), mean=[0.0], std=[1.0])
        >>> exact = choose_precision("fp32", torch.device("cpu"), model, batch_rows=2)
        >>> health = Health(model, task=task, precision=exact, total_steps=10_000, is_on=True)
        >>> [step for step in range(3_000) if health.is_due(step)]
        [0, 9, 39, 159, 999, 1999, 2999]
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        task: TaskLike,
        precision: Precision,
        total_steps: int,
        is_on: bool,
    ) -> None:
        self._model = model
        self._task = task
        self._precision = precision
        self._total = total_steps
        self._is_on = is_on
        self._every = max(FEWEST_STEPS, math.ceil(total_steps / REGULAR_LOOKS))
        self._batch: Batch | None = None
        self._weights = weight_layers(model) if is_on else {}

    def is_due(self, step: int) -> bool:
        """Return whether the step after so many done ones is looked at."""
        number = step + 1
        return self._is_on and (
            number % self._every == 0 or number in FIRST_LOOKS or number == self._total
        )

    def see(self, step: int, batch: Batch) -> None:
        """Keep a batch of a step that will be looked at."""
        if self._batch is None and self.is_due(step):
            self._batch = batch

    def before_step(self, step: int) -> Before | None:
        """Measure weights and gradients, if the step after so many done ones is looked at."""
        if not self.is_due(step):
            return None
        parameters = list(self._weights.values())
        gradients = [None if p.grad is None else p.grad.detach().norm() for p in parameters]
        return Before(
            weights=[p.detach().norm() for p in parameters],
            gradients=gradients,
            samples=[_sample(p).clone() for p in parameters],
        )

    def after_step(self, before: Before | None, *, step: int, epoch: int) -> dict[str, Any] | None:
        """Measure what the step changed, and look into the layers.

        Args:
            before: From `before_step`; None leaves everything out.
            step: Number of the step, from 1.
            epoch: Number of the running epoch, from 1.

        Returns:
            A line for metrics.jsonl of the kind "health", or None.
        """
        batch, self._batch = self._batch, None
        if before is None or batch is None:
            return None
        found = _Found()
        for (name, parameter), weight, gradient, sample in zip(
            self._weights.items(), before.weights, before.gradients, before.samples, strict=True
        ):
            module, _, leaf = name.rpartition(".")
            place = module if leaf == "weight" else name
            change = (_sample(parameter) - sample).norm() / sample.norm().clamp_min(1e-30)
            numbers = {"weight": weight, "update": change}
            if gradient is not None:
                numbers["gradient"] = gradient
            found.add(place, numbers, size=parameter.numel())
        with untouched(self._model, batch.targets.device):
            self._look_inside(batch, found)
        return {"kind": "health", "step": step, "epoch": epoch, "layers": found.lines()}

    def _look_inside(self, batch: Batch, found: _Found) -> None:
        """Send a batch through the network with a watch on each layer."""
        names = {name.rpartition(".")[0] for name in self._weights}

        def watch(name: str) -> Any:
            def note(module: nn.Module, _inputs: object, output: object) -> None:
                if isinstance(output, Tensor) and output.is_floating_point():
                    found.pass_through(name, type(module).__name__, _activity(module, output))

            return note

        handles = [
            module.register_forward_hook(watch(name))
            for name, module in self._model.named_modules()
            if name in names or isinstance(module, (*_ONE_SIDED, *_TWO_SIDED))
        ]
        try:
            with torch.enable_grad(), self._precision.autocast():
                self._task.training_step(self._model, batch)
        finally:
            for handle in handles:
                handle.remove()


@dataclass(frozen=True, slots=True)
class Before:
    """Sizes before a step; one a layer of weights.

    Args:
        weights: Norms of the weights.
        gradients: Norms of the gradients, None where there is none.
        samples: Copies of (some of) the weights.
    """

    weights: Sequence[Tensor]
    gradients: Sequence[Tensor | None]
    samples: Sequence[Tensor]


@dataclass(slots=True)
class _Found:
    """Numbers of layers, left on the device until all are there."""

    layers: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])
    order: list[str] = field(default_factory=list[str])

    def add(self, name: str, numbers: Mapping[str, Tensor], **facts: Any) -> None:
        self.layers.setdefault(name, {"name": name}).update({**facts, **numbers})

    def pass_through(self, name: str, kind: str, numbers: Mapping[str, Tensor]) -> None:
        """Note a layer when a batch comes through it; one that is used twice counts once."""
        if name not in self.order:
            self.order.append(name)
            self.add(name, numbers, kind=kind)

    def lines(self) -> list[dict[str, Any]]:
        """Return the layers in the order in which a batch meets them; waits for the device."""
        names = [*self.order, *(name for name in self.layers if name not in self.order)]
        keys = [
            (name, key)
            for name in names
            for key, value in self.layers[name].items()
            if isinstance(value, Tensor)
        ]
        if keys:
            stacked = torch.stack([self.layers[name][key].float() for name, key in keys])
            for (name, key), value in zip(keys, stacked.tolist(), strict=True):
                self.layers[name][key] = float(f"{value:.4g}") if math.isfinite(value) else None
        return [self.layers[name] for name in names]


def weight_layers(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the trainable matrices and kernels by name, without tables of embeddings.

    Example:
        >>> network = nn.Sequential(nn.Embedding(5, 2), nn.Flatten(), nn.Linear(2, 1))
        >>> list(weight_layers(network))
        ['2.weight']
    """
    tables = {
        id(parameter)
        for module in model.modules()
        if isinstance(module, _LOOKED_UP)
        for parameter in module.parameters()
    }
    return {
        name: parameter
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
        and parameter.ndim >= 2
        and parameter.is_floating_point()
        and name.rpartition(".")[2].startswith("weight")
        and id(parameter) not in tables
    }


def _sample(parameter: Tensor) -> Tensor:
    units = max(1, SAMPLE // max(1, parameter[0].numel()))
    return parameter.detach()[:units]


def _activity(module: nn.Module, output: Tensor) -> dict[str, Tensor]:
    """Return mean and spread of what a layer gives out, and how many of its units do not work."""
    values = output.detach().float()
    numbers = {"mean": values.mean(), "std": values.std(correction=0)}
    if isinstance(module, _ONE_SIDED):
        numbers["dead"] = 1 - (_by_unit(values) > 0).any(dim=0).float().mean()
    for kind, (low, high) in _TWO_SIDED.items():
        if isinstance(module, kind):
            units = _by_unit(values)
            is_flat = ((units < low) | (units > high)).float().mean(dim=0) >= _SATURATED_SHARE
            numbers["saturated"] = is_flat.float().mean()
    return numbers


def _by_unit(values: Tensor) -> Tensor:
    """Return shape (places, units): channels of pictures are units, else the last axis."""
    axis = 1 if values.ndim >= 4 else -1
    return values.movedim(axis, -1).reshape(-1, values.shape[axis])
