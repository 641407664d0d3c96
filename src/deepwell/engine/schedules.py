"""Schedules: how the learning rate changes while training. Pure functions, no torch.

Each one maps ``(step, total_steps, warmup_steps)`` to the factor by which the learning rate is
multiplied. `step` counts the optimizer steps that are done, from 0 to `total_steps` − 1. Because
nothing is remembered, a resumed run needs no state of a schedule.
"""

from collections.abc import Callable
from math import cos, pi

from deepwell.catalog import Catalog

Schedule = Callable[[int, int, int], float]


def _rise(step: int, warmup_steps: int) -> float:
    """Return the linear rise to 1, which is reached at the first step behind the warm-up."""
    return (step + 1) / (warmup_steps + 1)


def _progress(step: int, total_steps: int, warmup_steps: int) -> float:
    """Return the share of the steps behind the warm-up that is done, 0 … 1."""
    return min(1.0, (step - warmup_steps) / max(1, total_steps - warmup_steps))


def constant(step: int, total_steps: int, warmup_steps: int) -> float:
    """Stay at the learning rate.

    Example:
        >>> [constant(step, 4, 1) for step in range(4)]
        [0.5, 1.0, 1.0, 1.0]
    """
    return _rise(step, warmup_steps) if step < warmup_steps else 1.0


def linear(step: int, total_steps: int, warmup_steps: int) -> float:
    """Fall on a straight line towards zero.

    Example:
        >>> [linear(step, 4, 0) for step in range(4)]
        [1.0, 0.75, 0.5, 0.25]
    """
    if step < warmup_steps:
        return _rise(step, warmup_steps)
    return 1.0 - _progress(step, total_steps, warmup_steps)


def cosine(step: int, total_steps: int, warmup_steps: int) -> float:
    """Fall along half a cosine towards zero.

    Reference:
        Loshchilov and Hutter: SGDR, Stochastic Gradient Descent with Warm Restarts (2017),
        equation 5, without restarts.

    Example:
        >>> [round(cosine(step, 4, 0), 3) for step in range(4)]
        [1.0, 0.854, 0.5, 0.146]
    """
    if step < warmup_steps:
        return _rise(step, warmup_steps)
    return 0.5 * (1 + cos(pi * _progress(step, total_steps, warmup_steps)))


def step_down(step: int, total_steps: int, warmup_steps: int) -> float:
    """Divide by 10 at one half and again at three quarters of the way.

    Reference:
        He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition (2015), section 4.2.

    Example:
        >>> [step_down(step, 8, 0) for step in (0, 3, 4, 6)]
        [1.0, 1.0, 0.1, 0.01]
    """
    if step < warmup_steps:
        return _rise(step, warmup_steps)
    share = step / max(1, total_steps)
    return 1.0 if share < 0.5 else 0.1 if share < 0.75 else 0.01


def exponential(step: int, total_steps: int, warmup_steps: int) -> float:
    """Lose the same share at each step, down to one hundredth at the end.

    Example:
        >>> [round(exponential(step, 4, 0), 3) for step in range(4)]
        [1.0, 0.316, 0.1, 0.032]
    """
    if step < warmup_steps:
        return _rise(step, warmup_steps)
    return 0.01 ** _progress(step, total_steps, warmup_steps)


def one_cycle(step: int, total_steps: int, warmup_steps: int) -> float:
    """Rise from 1/25 to 1 and fall to almost zero, both along half a cosine.

    The rise takes the warm-up, or 30 % of the steps where no warm-up is set.

    Reference:
        Smith and Topin: Super-Convergence, Very Fast Training of Neural Networks Using Large
        Learning Rates (2018).

    Example:
        >>> [round(one_cycle(step, 10, 0), 3) for step in (0, 3, 9)]
        [0.04, 1.0, 0.05]
    """
    rise = warmup_steps or round(0.3 * total_steps)
    low, end = 1 / 25, 1e-4
    if step < rise:
        return low + (1 - low) * 0.5 * (1 - cos(pi * step / rise))
    return end + (1 - end) * 0.5 * (1 + cos(pi * _progress(step, total_steps, rise)))


SCHEDULES: Catalog[Schedule] = Catalog("schedule")
SCHEDULES.add("cosine", cosine)
SCHEDULES.add("constant", constant)
SCHEDULES.add("step", step_down)
SCHEDULES.add("exponential", exponential)
SCHEDULES.add("one_cycle", one_cycle)
SCHEDULES.add("linear", linear)
