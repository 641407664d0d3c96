"""Schedules: how the learning rate changes while training. Pure functions, no torch.

Each one maps ``(step, total_steps, warmup_steps)`` to the factor by which the learning rate is
multiplied. `step` counts the optimizer steps that are done, from 0 to `total_steps` − 1. Because
nothing is remembered, a resumed run needs no state of a schedule. What else shapes a curve is an
argument by name with a default, see `ScheduleOptions`. Only `plateau` looks at the validation
rows; what it remembers is in `deepwell.engine.plateau`.
"""

from collections.abc import Callable
from math import cos, log2, pi

from deepwell.catalog import Catalog

Schedule = Callable[..., float]


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


def step_down(step: int, total_steps: int, warmup_steps: int, *, factor: float = 0.1) -> float:
    """Divide by 10 at one half and again at three quarters of the way.

    Args:
        step: Steps done.
        total_steps: Steps in all.
        warmup_steps: Steps in which the rate rises.
        factor: What the rate is multiplied by, instead of 0.1.

    Reference:
        He, Zhang, Ren, Sun: Deep Residual Learning for Image Recognition (2015), section 4.2.

    Example:
        >>> [step_down(step, 8, 0) for step in (0, 3, 4, 6)]
        [1.0, 1.0, 0.1, 0.01]
    """
    if step < warmup_steps:
        return _rise(step, warmup_steps)
    share = step / max(1, total_steps)
    return 1.0 if share < 0.5 else factor if share < 0.75 else 1 / (1 / factor) ** 2


def exponential(step: int, total_steps: int, warmup_steps: int, *, floor: float = 0.01) -> float:
    """Lose the same share at each step, down to one hundredth at the end.

    Args:
        step: Steps done.
        total_steps: Steps in all.
        warmup_steps: Steps in which the rate rises.
        floor: What is left of the rate at the end, instead of one hundredth.

    Example:
        >>> [round(exponential(step, 4, 0), 3) for step in range(4)]
        [1.0, 0.316, 0.1, 0.032]
    """
    if step < warmup_steps:
        return _rise(step, warmup_steps)
    return floor ** _progress(step, total_steps, warmup_steps)


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


def polynomial(step: int, total_steps: int, warmup_steps: int, *, power: float = 2.0) -> float:
    """Fall towards zero as a power of the share of steps that is left, the square by default.

    Args:
        step: Steps done.
        total_steps: Steps in all.
        warmup_steps: Steps in which the rate rises.
        power: 1 is a straight line.

    Reference:
        Chen et al.: DeepLab (2017), section 4.1.1.

    Example:
        >>> [polynomial(step, 4, 0) for step in range(4)]
        [1.0, 0.5625, 0.25, 0.0625]
    """
    if step < warmup_steps:
        return _rise(step, warmup_steps)
    return (1.0 - _progress(step, total_steps, warmup_steps)) ** power


def warm_restarts(step: int, total_steps: int, warmup_steps: int, *, cycles: int = 4) -> float:
    """Fall along half a cosine, again and again from the top, four times by default.

    Args:
        step: Steps done.
        total_steps: Steps in all.
        warmup_steps: Steps in which the rate rises.
        cycles: How often; all are equally long.

    Reference:
        Loshchilov and Hutter: SGDR, Stochastic Gradient Descent with Warm Restarts (2017),
        equation 5.

    Example:
        >>> [round(warm_restarts(step, 8, 0, cycles=2), 3) for step in range(8)]
        [1.0, 0.854, 0.5, 0.146, 1.0, 0.854, 0.5, 0.146]
    """
    if step < warmup_steps:
        return _rise(step, warmup_steps)
    length = max(1, total_steps - warmup_steps)
    place = (step - warmup_steps) * cycles % length  # in whole numbers: no restart is missed
    return 0.5 * (1 + cos(pi * place / length))


def stable_decay(
    step: int, total_steps: int, warmup_steps: int, *, decay_share: float = 0.2
) -> float:
    """Stay, and fall on a straight line towards zero in the last fifth of the steps.

    Args:
        step: Steps done.
        total_steps: Steps in all.
        warmup_steps: Steps in which the rate rises.
        decay_share: Share of all steps in which the rate falls.

    Reference:
        Hu et al.: MiniCPM (2024): warm-up, stable, decay.

    Example:
        >>> [round(stable_decay(step, 10, 0), 3) for step in (0, 7, 8, 9)]
        [1.0, 1.0, 1.0, 0.5]
    """
    if step < warmup_steps:
        return _rise(step, warmup_steps)
    length = max(1.0, decay_share * total_steps)
    return min(1.0, (total_steps - step) / length)


def inverse_sqrt(step: int, total_steps: int, warmup_steps: int) -> float:
    """Fall as one over the root of the number of steps, counted from the end of the warm-up.

    Reference:
        Vaswani et al.: Attention Is All You Need (2017), equation 3, scaled to 1 at its top.

    Example:
        >>> [round(inverse_sqrt(step, 100, 3), 3) for step in (0, 3, 15)]
        [0.25, 1.0, 0.5]
    """
    if step < warmup_steps:
        return _rise(step, warmup_steps)
    return ((warmup_steps + 1) / (step + 1)) ** 0.5


def coslog(step: int, total_steps: int, warmup_steps: int, *, cycles: int = 4) -> float:
    """Swing between 0 and the rate, each swing twice as long as the one before, four by default.

    Short swings at the start, long ones at the end; the rate begins and ends near zero. A warm-up
    takes the place of the first rise.

    Args:
        step: Steps done.
        total_steps: Steps in all.
        warmup_steps: Steps in which the rate rises.
        cycles: Swings.

    Reference:
        Holzmüller, Grinsztajn, Steinwart: Better by Default (2024), appendix A.

    Example:
        >>> [round(coslog(step, 15, 0), 3) for step in (0, 1, 7, 14)]
        [0.93, 0.718, 0.074, 0.021]
    """
    if step < warmup_steps:
        return _rise(step, warmup_steps)
    # the middle of a step: at its start the first rate would be zero, and the step lost
    share = (step + 0.5) / max(1, total_steps)
    if warmup_steps:
        top = (2**0.5 - 1) / (2**cycles - 1)
        share = top + (1 - top) * _progress(step, total_steps, warmup_steps)
    return 0.5 * (1 - cos(2 * pi * log2(1 + (2**cycles - 1) * share)))


def flat_cosine(step: int, total_steps: int, warmup_steps: int) -> float:
    """Stay for half of the steps, then fall along half a cosine towards zero.

    Example:
        >>> [round(flat_cosine(step, 8, 0), 3) for step in (0, 4, 5, 7)]
        [1.0, 1.0, 0.854, 0.146]
    """
    if step < warmup_steps:
        return _rise(step, warmup_steps)
    share = _progress(step, total_steps, warmup_steps)
    return 0.5 * (1 + cos(pi * max(0.0, 2 * share - 1)))


def plateau(step: int, total_steps: int, warmup_steps: int) -> float:
    """Stay, and divide by 10 whenever the monitored value has not improved for some epochs.

    This function gives the part that depends on the step; the other one is in
    `deepwell.engine.plateau`.

    Example:
        >>> [plateau(step, 4, 1) for step in range(4)]
        [0.5, 1.0, 1.0, 1.0]
    """
    return constant(step, total_steps, warmup_steps)


SCHEDULES: Catalog[Schedule] = Catalog("schedule")
for _name, _schedule, _source in (
    ("cosine", cosine, "Loshchilov, Hutter: SGDR (2017), without restarts"),
    ("constant", constant, "Robbins, Monro: A Stochastic Approximation Method (1951)"),
    ("step", step_down, "He et al.: Deep Residual Learning (2015), section 4.2"),
    ("exponential", exponential, "Senior et al.: An empirical study of learning rates (2013)"),
    ("one_cycle", one_cycle, "Smith, Topin: Super-Convergence (2018)"),
    ("linear", linear, "Devlin et al.: BERT (2018), appendix A.2"),
    ("polynomial", polynomial, "Chen et al.: DeepLab (2017), section 4.1.1"),
    ("warm_restarts", warm_restarts, "Loshchilov, Hutter: SGDR (2017), equation 5"),
    ("stable_decay", stable_decay, "Hu et al.: MiniCPM (2024)"),
    ("coslog", coslog, "Holzmüller et al.: Better by Default (2024), appendix A"),
    ("flat_cosine", flat_cosine, "Howard, Gugger: fastai (2020), fit_flat_cos"),
    ("inverse_sqrt", inverse_sqrt, "Vaswani et al.: Attention Is All You Need (2017), equation 3"),
    ("plateau", plateau, "He et al.: Deep Residual Learning (2015), section 3.4"),
):
    _summary = (_schedule.__doc__ or "").partition("\n")[0]
    SCHEDULES.add(_name, _schedule, summary=_summary, source=_source)
