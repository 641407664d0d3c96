"""Settings of the training loop. Imports no torch."""

from __future__ import annotations

import re
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from deepwell.catalog import Catalog
from deepwell.config import Settings
from deepwell.engine.optimizers import OPTIMIZERS
from deepwell.engine.schedules import SCHEDULES
from deepwell.errors import ConfigError


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
"adam"? Known: sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw, nadam, radam, adamax. \
Got: 'adamm'.
    """

    epochs: int = Field(default=20, ge=1)
    """How often the training rows are seen."""
    max_steps: int | None = Field(default=None, ge=1)
    """Stop after this many optimizer steps, also in the middle of an epoch; None: no limit."""
    batch_size: int = Field(default=128, ge=1)
    """Rows in a batch, for whoever makes the batches out of these settings."""
    accumulate: int = Field(default=1, ge=1)
    """Batches whose gradients are added up for one optimizer step: less memory, same result."""

    optimizer: str = "adamw"
    """sgd, momentum, nesterov, adagrad, rmsprop, adam, adamw, nadam, radam or adamax."""
    learning_rate: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Step size at the top of the schedule; None: the optimizer's own default."""
    weight_decay: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Pull of the weights towards zero, not for biases, norms and embeddings; None: default."""
    momentum: float | None = Field(default=None, ge=0, lt=1)
    """Memory of earlier steps, for sgd, momentum, nesterov and rmsprop; None: default."""
    betas: tuple[float, float] | None = None
    """Memory of mean and square, each in 0 … 1, for the family of Adam; None: default."""
    schedule: str = "cosine"
    """cosine, constant, step, exponential, one_cycle or linear."""
    warmup: float = Field(default=0.0, ge=0, lt=1)
    """Share of all steps in which the learning rate rises from zero."""
    clip_norm: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    """Largest length of the gradient over all weights; None: no limit."""

    monitor: str = "loss"
    """What decides which epoch is the best: "loss" or a score of the task, such as accuracy."""
    patience: int | None = Field(default=None, ge=1)
    """Epochs without improvement before training stops; None: never."""

    precision: Literal["auto", "fp32", "bf16", "fp16"] = "auto"
    """Numbers to compute with; "auto" takes the fastest that is safe on the device."""
    device: str = "auto"
    """auto (a CUDA card if there is one, else the processor), cpu, cuda, cuda:1, mps."""

    log_every: int = Field(default=50, ge=1)
    """Optimizer steps between two readings of the running loss."""
    checkpoint_every: int | None = Field(default=None, ge=1)
    """Optimizer steps between two checkpoints, besides those at the ends of epochs; None: none."""

    @field_validator("optimizer")
    @classmethod
    def _known_optimizer(cls, name: str) -> str:
        return _known(name, OPTIMIZERS)

    @field_validator("schedule")
    @classmethod
    def _known_schedule(cls, name: str) -> str:
        return _known(name, SCHEDULES)

    @field_validator("device")
    @classmethod
    def _well_formed_device(cls, name: str) -> str:
        if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", name):
            raise ValueError("A device is one of auto, cpu, cuda, cuda:1 (a number), mps")
        return name

    @field_validator("betas")
    @classmethod
    def _betas_in_range(cls, betas: tuple[float, float] | None) -> tuple[float, float] | None:
        if betas is not None and not all(0 <= beta < 1 for beta in betas):
            raise ValueError("Both must be at least 0 and below 1")
        return betas

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


def _known(name: str, catalog: Catalog[Any]) -> str:
    """Return the name if the catalog has it."""
    try:
        catalog[name]
    except ConfigError as error:
        raise ValueError(str(error).removesuffix(".")) from None
    return name
