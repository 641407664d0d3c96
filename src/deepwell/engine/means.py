"""Running means of loss and scores: summed on the device, read rarely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from deepwell.engine.processes import ALONE, Processes
from deepwell.types import Loss

SMALLEST_WEIGHT = 1e-12
"""What a sum is divided by where its rows weigh nothing."""


class RunningMeans:
    """Exact means over rows with weights, in double precision.

    On a processor each value is read at once, which is free there. Elsewhere the sums stay on the
    device, so that nothing waits for it, until `read` is called.

    Args:
        score_names: The scores that each batch brings beside its loss.
        device: Where losses and scores are computed.
        processes: Those whose rows count; all of them must call `read` and `totals`.

    Example:
        >>> means = RunningMeans(("accuracy",), torch.device("cpu"))
        >>> hits = {"accuracy": torch.tensor([1.0, 0.0])}
        >>> means.add(Loss(torch.tensor(3.0), torch.tensor(2.0)), hits, None)
        >>> means.read()
        {'loss': 1.5, 'accuracy': 0.5}
    """

    def __init__(
        self, score_names: Sequence[str], device: torch.device, processes: Processes = ALONE
    ) -> None:
        self._processes = processes
        self._names = tuple(score_names)
        self._device = device
        self._is_free_to_read = device.type == "cpu"
        # Apple's graphics processor has no double precision
        self._type = torch.float32 if device.type == "mps" else torch.float64
        self.load([0.0] * (3 + len(self._names)))

    def add(self, loss: Loss, scores: Mapping[str, Tensor], weight: Tensor | None) -> None:
        """Add a batch.

        Args:
            loss: Sum over the rows of the batch and their weight.
            scores: Name to values, (batch,).
            weight: Weight of each row, (batch,), or None for 1 each.
        """
        self._loss += self._value(loss.sum)
        self._loss_weight += self._value(loss.weight)
        num_rows = 0
        for index, name in enumerate(self._names):
            values = scores[name]
            num_rows = len(values)
            if weight is not None:
                values = values * weight
            self._scores[index] += self._value(values.sum(dtype=self._type))
        self._rows += num_rows if weight is None else self._value(weight.sum(dtype=self._type))

    def add_sums(self, sums: Sequence[float]) -> None:
        """Add what is read already, in the order of `sums`."""
        loss, weight, rows, *scores = sums
        self._loss += loss
        self._loss_weight += weight
        self._rows += rows
        for index, value in enumerate(scores):
            self._scores[index] += value

    def _value(self, tensor: Tensor) -> Tensor | float:
        return tensor.item() if self._is_free_to_read else tensor.detach()

    def read(self) -> dict[str, float]:
        """Return the means since the last `reset`; here the device is waited for."""
        loss, loss_weight, rows, *scores = self.totals()
        means = {"loss": _ratio(loss, loss_weight)}
        return means | {n: _ratio(s, rows) for n, s in zip(self._names, scores, strict=True)}

    def totals(self) -> list[float]:
        """Return what `sums` does, over all processes."""
        return self._processes.sum(self.sums())

    def sums(self) -> list[float]:
        """Return loss, its weight, the weight of the rows and the scores, as plain sums."""
        parts = [self._loss, self._loss_weight, self._rows, *self._scores]
        tensors = [part for part in parts if isinstance(part, Tensor)]
        if not tensors:
            return [float(part) for part in parts]
        return torch.stack(tensors).tolist()

    def load(self, sums: Sequence[float]) -> None:
        """Go on from what `sums` returned."""
        parts = [self._start(value) for value in sums]
        self._loss, self._loss_weight, self._rows, *self._scores = parts

    def reset(self) -> None:
        """Begin anew at zero."""
        self.load([0.0] * (3 + len(self._names)))

    def _start(self, value: float) -> Tensor | float:
        if self._is_free_to_read:
            return value
        return torch.tensor(value, dtype=self._type, device=self._device)


def _ratio(total: float, weight: float) -> float:
    return total / weight if weight else 0.0
