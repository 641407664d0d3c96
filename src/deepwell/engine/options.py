"""Groups of settings within those of the engine. Imports no torch."""

from __future__ import annotations

from pydantic import Field, model_validator

from deepwell.config import Settings


class ScheduleOptions(Settings):
    """What shapes the curve of the learning rate; each value is for the schedule that it names.

    Raises:
        ConfigError: A value outside its range.

    Example:
        >>> ScheduleOptions(power=1.0).given()
        {'power': 1.0}
    """

    factor: float | None = Field(default=None, gt=0, lt=1)
    """step and plateau: what the rate is multiplied by; None: 0.1."""
    floor: float | None = Field(default=None, gt=0, lt=1)
    """exponential: share of the rate that is left at the end; None: 0.01."""
    power: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """polynomial: the power of the share of steps that is left; None: 2."""
    cycles: int | None = Field(default=None, ge=1)
    """warm_restarts and coslog: how often the rate falls from the top; None: 4."""
    decay_share: float | None = Field(default=None, gt=0, le=1)
    """stable_decay: share of the steps in which the rate falls; None: 0.2."""
    patience: int | None = Field(default=None, ge=1)
    """plateau: epochs without improvement before the rate falls; None: 5."""

    def given(self) -> dict[str, float | int]:
        """Return the values that are set."""
        return {name: value for name, value in self if value is not None}


USED_BY = {
    "factor": ("step", "plateau"),
    "floor": ("exponential",),
    "power": ("polynomial",),
    "cycles": ("warm_restarts", "coslog"),
    "decay_share": ("stable_decay",),
    "patience": ("plateau",),
}
"""Schedules that understand an option."""


class RegularisationSettings(Settings):
    """What keeps a network from learning its training rows by heart. Zero or none is off.

    Weight decay apart from the gradient is `engine.weight_decay`; dropout, drop path and
    normalisation belong to the architectures, label smoothing to the task.

    Raises:
        ConfigError: A value outside its range.

    Example:
        >>> RegularisationSettings(l1=1e-4).is_penalised
        True
    """

    l1: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """l1 · Σ|w| over matrices and kernels is added to the mean loss."""
    l2: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """½ · l2 · Σw² over matrices and kernels is added to the mean loss; with l1: elastic net."""
    max_norm: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Largest length of the weights into one unit, kept after every step; None: no limit."""
    noise: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """Standard deviation of the noise that is added to (scaled) numbers in training."""
    picture_noise: float = Field(default=0.0, ge=0, le=1)
    """Standard deviation of the noise on training pictures, as a share of full brightness."""
    mixup: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """α of mixup: each training row is mixed with another one; 0.2 is usual. 0: off."""
    cutmix: float = Field(default=0.0, ge=0, allow_inf_nan=False)
    """α of cutmix: a part of each picture comes from another one; 1 is usual. 0: off."""

    @property
    def is_penalised(self) -> bool:
        """Whether a penalty is added to the loss."""
        return self.l1 > 0 or self.l2 > 0

    @property
    def changes_rows(self) -> bool:
        """Whether training rows are changed."""
        return any((self.noise, self.picture_noise, self.mixup, self.cutmix))


class AveragingSettings(Settings):
    """Means of weights over the time of training; validated and kept instead of the last ones.

    Raises:
        ConfigError: Both kinds at once, or a value outside its range.

    Example:
        >>> AveragingSettings(ema_decay=0.999).is_on
        True
    """

    ema_decay: float | None = Field(default=None, gt=0, lt=1)
    """Share of the running mean that stays at each step, such as 0.999; None: no running mean."""
    last_epochs: int | None = Field(default=None, ge=1)
    """The plain mean of the weights at the ends of this many last epochs; None: no mean."""

    @property
    def is_on(self) -> bool:
        """Whether any mean is taken."""
        return self.ema_decay is not None or self.last_epochs is not None

    @model_validator(mode="after")
    def _one_kind(self) -> AveragingSettings:
        if self.ema_decay is not None and self.last_epochs is not None:
            raise ValueError(
                "Weights are averaged either by ema_decay or over last_epochs: set one of the two."
            )
        return self
