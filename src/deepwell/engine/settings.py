"""Settings of the training loop. Imports no torch."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from deepwell.catalog import Catalog
from deepwell.config import Settings
from deepwell.engine.loggers.catalog import LOGGERS
from deepwell.engine.optimizers.catalog import OPTIMIZERS
from deepwell.engine.options import (
    USED_BY,
    AveragingSettings,
    RegularisationSettings,
    ScheduleOptions,
)
from deepwell.engine.schedules import SCHEDULES
from deepwell.engine.strategies import check_strategy
from deepwell.errors import ConfigError, listing


class EngineSettings(Settings):
    """How a network is trained.

    Raises:
        ConfigError: An unknown name, a value outside its range, or an option that the chosen
            optimizer does not have.

    Example:
        >>> EngineSettings(epochs=5, optimizer="rmsprop").batch_size
        128
        >>> EngineSettings(optimizer="adamm")
        Traceback (most recent call last):
            ...
        deepwell.errors.ConfigError: Setting "optimizer": Unknown optimizer "adamm". Did you mean \
"adam"? Known: sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw, nadam, radam, adamax, \
lion, muon, gradient_descent, lbfgs. Got: 'adamm'.
    """

    epochs: int = Field(default=20, ge=1)
    """How often the training rows are seen."""
    max_steps: int | None = Field(default=None, ge=1)
    """Stop after this many optimizer steps, also in the middle of an epoch; None: no limit."""
    batch_size: int = Field(default=128, ge=1)
    """Rows in a batch, for whoever makes the batches out of these settings."""
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients are added up for one optimizer step: less memory, same result, but
    for batch normalisation, which measures each batch by itself."""

    optimizer: str = "adamw"
    """By name: sgd, momentum, adamw, lion, muon, lbfgs and more, see `deepwell models --parts`."""
    learning_rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Step size at the top of the schedule; None: the optimizer's own default."""
    weight_decay: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Pull of the weights towards zero, not for biases, norms and embeddings; None: default."""
    weight_decay_schedule: str = "constant"
    """How the pull changes, by the name of a schedule: constant, flat_cosine, linear and more."""
    momentum: float | None = Field(default=None, ge=0, lt=1)
    """Memory of earlier steps, for sgd, momentum, nesterov, rmsprop, muon and gradient_descent;
    None: default."""
    betas: tuple[float, float] | None = None
    """Memory of mean and square, each in 0 … 1, for the family of Adam, lion and muon; None:
    default."""
    layer_decay: float | None = Field(default=None, gt=0, le=1)
    """Each layer learns at this share of the rate of the layer above it; None: all alike. For
    fine-tuning; 0.65 to 0.9 is usual."""
    sharpness: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Radius ρ within which the loss shall be low everywhere (SAM); each step then costs two.
    0.05 is usual; None: off."""
    schedule: str = "cosine"
    """By name: cosine, constant, step, one_cycle, plateau and more, see `deepwell models
    --parts`."""
    schedule_options: ScheduleOptions = ScheduleOptions()
    """What shapes the schedule."""
    warmup: float = Field(default=0.0, ge=0, lt=1)
    """Share of all steps in which the learning rate rises from zero."""
    clip_norm: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Largest length of the gradient over all weights; None: no limit."""
    clip_value: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Largest absolute value in the gradient, before clip_norm; None: no limit."""
    on_nan: Literal["stop", "skip"] = "stop"
    """A loss or gradient that is no finite number: stop, or leave the step out and go on. "skip"
    waits for the device in each step."""

    regularisation: RegularisationSettings = RegularisationSettings()
    """Penalties, limits and noise."""
    averaging: AveragingSettings = AveragingSettings()
    """Means of weights over time."""

    monitor: str = "loss"
    """What decides which epoch is the best: "loss" or a score of the task, such as accuracy."""
    patience: int | None = Field(default=None, ge=1)
    """Epochs without improvement before training stops; None: never."""

    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Numbers to compute with; "auto" takes the fastest that is safe on the device."""
    compile: Literal["auto", "on", "off"] = "auto"
    """Turn loss and gradients into one compiled program: "auto" tries it where minutes of training
    are left, and keeps it if it is faster."""
    threads: Literal["auto"] | int = Field(default="auto")
    """Threads of the processor that compute: "auto" tries fewer than all of them on the first
    batch, and takes them if they are faster, as for recurrent and very small networks."""
    device: str = "auto"
    """auto (a CUDA card if there is one, else the processor), cpu, cuda, cuda:1, mps."""
    devices: int = Field(default=1, ge=1, le=1024)
    """Processes that train together on this machine, one for each CUDA card, or on the
    processor."""
    strategy: Literal["ddp", "fsdp"] = "ddp"
    """What several processes do: each has the whole network (ddp), or a part of every weight
    (fsdp), for networks that are too large for one card."""

    log_every: int = Field(default=50, ge=1)
    """Optimizer steps between two readings of the running loss."""
    checkpoint_every: int | None = Field(default=None, ge=1)
    """Optimizer steps between two checkpoints, besides those at the ends of epochs; None: none."""
    health: bool = True
    """Look at gradients, updates and activations of the layers at some steps, for the diagnosis;
    the training is the same bit for bit. Several processes do not look."""
    loggers: tuple[str, ...] = ()
    """Who else is told of losses and scores, by name: tensorboard, mlflow. Needs the extra
    `track`."""

    @field_validator("optimizer")
    @classmethod
    def _known_optimizer(cls, name: str) -> str:
        return _known(name, OPTIMIZERS)

    @field_validator("schedule")
    @classmethod
    def _known_schedule(cls, name: str) -> str:
        return _known(name, SCHEDULES)

    @field_validator("weight_decay_schedule")
    @classmethod
    def _known_decay_schedule(cls, name: str) -> str:
        if name == "plateau":
            raise ValueError('The schedule "plateau" is for the learning rate only')
        return _known(name, SCHEDULES)

    @field_validator("loggers")
    @classmethod
    def _known_loggers(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_known(name, LOGGERS) for name in names)

    @field_validator("device")
    @classmethod
    def _well_formed_device(cls, name: str) -> str:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
            raise ValueError("A device is one of auto, cpu, cuda, cuda:1 (a number), mps")
        return name

    @field_validator("threads")
    @classmethod
    def _at_least_one_thread(cls, number: str | int) -> str | int:
        if isinstance(number, int) and not 1 <= number <= 1024:
            raise ValueError("A number of threads is 1 to 1024, or auto")
        return number

    @field_validator("betas")
    @classmethod
    def _betas_in_range(cls, betas: tuple[float, float] | None) -> tuple[float, float] | None:
        if betas is not None and not all(0 <= beta < 1 for beta in betas):
            raise ValueError("Both must be at least 0 and below 1")
        return betas

    @model_validator(mode="after")
    def _device_fits_the_devices(self) -> EngineSettings:
        if self.devices > 1 and (self.device == "mps" or ":" in self.device):
            raise ValueError(
                f"device={self.device} is one device, and devices={self.devices} asks for "
                "several: choose device=auto, cpu or cuda."
            )
        return self

    @model_validator(mode="after")
    def _options_fit_the_optimizer(self) -> EngineSettings:
        options = OPTIMIZERS[self.optimizer].options
        for name in ("momentum", "betas"):
            if getattr(self, name) is not None and name not in options:
                has = f"its only option is {options[0]}" if options else "it has no such option"
                raise ValueError(
                    f'The optimizer "{self.optimizer}" does not use {name} ({has}): '
                    f"leave {name} out or choose another optimizer."
                )
        if self.optimizer == "nesterov" and self.momentum == 0:
            raise ValueError('The optimizer "nesterov" needs a momentum above 0. Got: 0.')
        return self

    @model_validator(mode="after")
    def _options_fit_the_schedule(self) -> EngineSettings:
        for name in self.schedule_options.given():
            if self.schedule not in USED_BY[name]:
                raise ValueError(
                    f'The schedule "{self.schedule}" does not use {name}, which is for '
                    f"{listing(USED_BY[name])}: leave schedule_options.{name} out."
                )
        return self

    @model_validator(mode="after")
    def _parts_fit_together(self) -> EngineSettings:
        entry = OPTIMIZERS[self.optimizer]
        if entry.is_full_batch and self.accumulate > 1:
            raise ValueError(
                f'The optimizer "{self.optimizer}" takes one step an epoch over all batches: '
                "leave accumulate out."
            )
        if entry.is_searching:
            refused = {
                "layer_decay": self.layer_decay,
                "sharpness": self.sharpness,
                "clip_norm": self.clip_norm,
                "clip_value": self.clip_value,
                "weight_decay_schedule": None
                if self.weight_decay_schedule == "constant"
                else self.weight_decay_schedule,
                "on_nan": None if self.on_nan == "stop" else self.on_nan,
                "regularisation.max_norm": self.regularisation.max_norm,
            }
            for name, value in refused.items():
                if value is not None:
                    raise ValueError(
                        f'The optimizer "{self.optimizer}" searches along a line on the true '
                        f"loss, where {name} has no meaning: leave {name} out."
                    )
            if self.precision == "fp16":
                raise ValueError(
                    f'The optimizer "{self.optimizer}" needs the true gradient, and '
                    "precision=fp16 scales it: use fp32."
                )
        if self.sharpness is not None and self.precision == "fp16":
            raise ValueError(
                "sharpness does not go with precision=fp16, which may drop a step half-way: use "
                "bf16 or fp32."
            )
        check_strategy(self, size=self.devices)
        if self.compile == "on":
            self._check_compilable()
        last = self.averaging.last_epochs
        if last is not None and last > self.epochs:
            raise ValueError(
                f"averaging.last_epochs = {last}, and there are fewer epochs: {self.epochs}."
            )
        return self

    def _check_compilable(self) -> None:
        refused = {
            "regularisation.mixup": self.regularisation.mixup,
            "regularisation.cutmix": self.regularisation.cutmix,
            "sharpness": self.sharpness,
            "precision=fp16": self.precision == "fp16",
            f"optimizer={self.optimizer}": OPTIMIZERS[self.optimizer].is_searching,
        }
        for name, is_given in refused.items():
            if is_given:
                raise ValueError(
                    f"compile=on does not go with {name}, whose steps change their shape: use "
                    "compile=auto or off."
                )


def _known(name: str, catalog: Catalog[Any]) -> str:
    """Return the name if the catalog has it."""
    try:
        catalog[name]
    except ConfigError as error:
        raise ValueError(str(error).removesuffix(".")) from None
    return name
