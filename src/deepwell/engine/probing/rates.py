"""The range test: at which learning rate does a network learn fast and not yet diverge?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import nn

from deepwell.engine.interfaces import Batches, TaskLike
from deepwell.engine.optimizers import OPTIMIZERS
from deepwell.engine.probing.probe import Probe
from deepwell.engine.settings import EngineSettings
from deepwell.errors import ConfigError, TrainingError

FEWEST_STEPS = 40
DECADES_BELOW, DECADES_ABOVE = 4, 3
"""The rates that are tried: so many powers of ten around the optimizer's own default."""
_WINDOW = 4.0
"""Standard deviation, in steps, of the window that smooths the losses."""
_HEAD_SHARE = 7
"""The first of so many parts of the rates, about one power of ten, shows loss and noise at rest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RangeTest:
    """What was tried, and what follows from it.

    Args:
        rates: Learning rates, rising, one a step.
        losses: The loss of the batch at each of them.
        smoothed: The same without the noise of single batches.
        suggestion: The rate to train with.
        lowest: The rate at which the smoothed loss was lowest.
        diverged: The rate from which the loss was above that of the start, or None.
        rule: How the suggestion came about, in a sentence.
    """

    rates: Sequence[float]
    losses: Sequence[float]
    smoothed: Sequence[float]
    suggestion: float
    lowest: float
    diverged: float | None
    rule: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "rates": list(self.rates),
            "losses": list(self.losses),
            "smoothed": list(self.smoothed),
            "suggestion": self.suggestion,
            "lowest": self.lowest,
            "diverged": self.diverged,
            "rule": self.rule,
        }


def find_rate(
    model: nn.Module,
    task: TaskLike,
    batches: Batches | Iterable[Any],
    *,
    settings: EngineSettings,
    seed: int = 0,
    steps: int = 150,
) -> RangeTest:
    """Raise the learning rate step by step on a copy of the network, until the loss diverges.

    The suggestion is a tenth of the rate at which the loss diverges, or a third of that at which
    the smoothed loss was lowest if this is less. The network, the rows and all random numbers stay
    as they are: a training afterwards is that with this rate, bit for bit.

    Args:
        model: Untrained; copied.
        task: Gives the loss.
        batches: The training rows.
        settings: Of the training; its optimizer is used, its learning rate is not.
        seed: Of everything random in the network.
        steps: Rates that are tried, equally far apart on a logarithmic scale.

    Raises:
        ConfigError: The optimizer searches its step itself.
        TrainingError: The loss does not fall at any rate.

    Reference:
        Smith: Cyclical Learning Rates for Training Neural Networks (2017), section 3.3.
    """
    refuse_without_rate(settings)
    if steps < FEWEST_STEPS:
        raise ConfigError(f"A range test needs at least {FEWEST_STEPS} steps. Got: {steps}.")
    default = OPTIMIZERS[settings.optimizer].learning_rate
    rates = default * np.logspace(-DECADES_BELOW, DECADES_ABOVE, steps)
    probe = Probe(model, task, batches, settings=settings, seed=seed)
    losses: list[float] = []
    is_over = False
    with probe.session():
        stream = probe.losses(steps)
        for rate in rates:
            probe.set_rate(float(rate))
            try:
                losses.append(next(stream))
            except TrainingError:
                is_over = True
            if is_over or _has_diverged(losses, steps // _HEAD_SHARE):
                is_over = True
                break
    return _judge(rates[: len(losses)], losses, head=steps // _HEAD_SHARE, is_over=is_over)


def refuse_without_rate(settings: EngineSettings) -> None:
    """Refuse optimizers for which a learning rate means nothing.

    Raises:
        ConfigError: The optimizer searches its step itself.

    Example:
        >>> refuse_without_rate(EngineSettings(optimizer="sgd"))
    """
    if OPTIMIZERS[settings.optimizer].is_searching:
        raise ConfigError(
            f'The optimizer "{settings.optimizer}" searches the length of its step by itself, so '
            "there is no learning rate to find: leave --find-lr out, or choose another optimizer."
        )


def _has_diverged(losses: Sequence[float], head: int) -> bool:
    """Say whether the loss has risen clearly: by as much as it had fallen, and beyond its noise."""
    if not math.isfinite(losses[-1]):
        return True
    if len(losses) < 2 * head:
        return False
    first, noise = _rest(losses, head)
    smoothed = _smooth(losses, head)
    fallen = max(first - min(smoothed), abs(first) / 2, 2 * noise)
    return smoothed[-1] > first + fallen


def _rest(losses: Sequence[float], head: int) -> tuple[float, float]:
    """Return mean and noise of the loss while the rates are too small to change it."""
    return float(np.mean(losses[:head])), float(np.std(losses[:head]))


def _smooth(losses: Sequence[float], head: int) -> list[float]:
    """Return weighted means around each place: unlike a running mean they do not lag behind.

    What is far above the start is cut off, or the rise at the end would reach back into the fall.
    """
    values = np.asarray(losses, dtype=np.float64)
    first, noise = _rest(losses, head)
    values = np.minimum(values, first + 3 * max(abs(first), first - float(values.min()), noise))
    places = np.arange(len(values))
    near = np.exp(-0.5 * ((places[:, None] - places[None, :]) / _WINDOW) ** 2)
    return list((near @ values) / near.sum(axis=1))


def _judge(
    rates: NDArray[np.float64], losses: list[float], *, head: int, is_over: bool
) -> RangeTest:
    while losses and not math.isfinite(losses[-1]):
        losses.pop()
    rates = rates[: len(losses)]
    if len(losses) < 2 * head:
        raise TrainingError(
            f"The loss is not a finite number after {len(losses)} steps at tiny learning rates: "
            "look for such values in the rows."
        )
    smoothed = np.asarray(_smooth(losses, head))
    lowest = int(np.argmin(smoothed))
    first, noise = _rest(losses, head)
    if first - smoothed[lowest] < max(0.02 * abs(first), 0.6 * noise) or lowest < head:
        raise TrainingError(
            "The loss fell at no learning rate of the range test, so none can be suggested: see "
            "with --overfit-batch whether the network can learn at all, or set --learning-rate."
        )
    diverged = _divergence(rates, smoothed, first) if is_over else None
    limit = math.inf if diverged is None else diverged / 10
    cautious = float(rates[lowest]) / 3
    rule = (
        f"A tenth of {diverged:.2g}, from where the loss diverges."
        if diverged is not None and limit < cautious
        else f"A third of {rates[lowest]:.2g}, where the smoothed loss is lowest."
    )
    return RangeTest(
        rates=[float(rate) for rate in rates],
        losses=losses,
        smoothed=[float(loss) for loss in smoothed],
        suggestion=float(f"{min(cautious, limit):.2g}"),
        lowest=float(rates[lowest]),
        diverged=diverged,
        rule=rule,
    )


def _divergence(rates: NDArray[np.float64], smoothed: NDArray[np.float64], first: float) -> float:
    """Return the last rate at which the smoothed loss was still below that of the start."""
    below = np.flatnonzero(smoothed <= first)
    return float(rates[min(int(below[-1]) + 1, len(rates) - 1)])
