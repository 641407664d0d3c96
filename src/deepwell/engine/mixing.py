"""Mixing: noise on training rows, and rows mixed with each other, a batch at a time."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from deepwell.engine.batches import seed_of
from deepwell.engine.interfaces import TaskLike
from deepwell.engine.options import RegularisationSettings
from deepwell.errors import ConfigError
from deepwell.types import Batch, Loss

_STREAM = 3
"""Name of the stream of random numbers; 0 to 2 are order, augmentation and the network itself."""


@dataclass(slots=True)
class MixedBatch(Batch):
    """Rows of which each holds a part of another row.

    Args:
        other_targets: Targets of the other rows.
        other_weight: Weight of the other rows, or None for 1 each.
        share: How much of each row is its own, ½ … 1.
    """

    other_targets: Tensor
    other_weight: Tensor | None
    share: float


class MixingTask:
    """A task that counts both targets of mixed rows.

    The loss is share · loss(own target) + (1 − share) · loss(other target), in weight and sum.
    Cross-entropy and squared error then have the gradient that the mixed target would give.
    Scores compare with the own target, which is the larger part.

    Args:
        task: It must have a method ``loss(outputs, targets, weight)``.

    Raises:
        ConfigError: The task has no such method.

    Reference:
        Zhang et al.: mixup, Beyond Empirical Risk Minimization (2018).
    """

    def __init__(self, task: TaskLike) -> None:
        if not hasattr(task, "loss"):
            raise ConfigError(
                "mixup and cutmix need a task with the method loss(outputs, targets, weight). "
                f"Got: {type(task).__name__}."
            )
        self._task: Any = task
        self.score_names = task.score_names

    def training_step(self, model: nn.Module, batch: Batch) -> tuple[Loss, Tensor]:
        """Run the network on a batch; return the loss and the outputs."""
        if not isinstance(batch, MixedBatch):
            return self._task.training_step(model, batch)
        answers = model(*batch.inputs)

        def answered(*_inputs: Tensor) -> Tensor:
            return answers

        # the network has answered already: both targets are compared with the same answers
        own, outputs = self._task.training_step(answered, batch)
        others = Batch(batch.inputs, batch.other_targets, batch.other_weight, batch.ids)
        other, _ = self._task.training_step(answered, others)
        share, rest = batch.share, 1 - batch.share
        mixed = Loss(share * own.sum + rest * other.sum, share * own.weight + rest * other.weight)
        return mixed, outputs

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return the scores of the task."""
        return self._task.scores(outputs, targets)


class Mixing:
    """Changes training batches on their device; the same seed, epoch and place: the same change.

    Args:
        settings: Which changes.
        seed: Of the random numbers.

    Raises:
        ConfigError: A change does not fit the rows (raised at the first batch).

    Reference:
        mixup: Zhang et al. (2018). cutmix: Yun et al.: CutMix (2019). Noise: Bishop: Training with
        Noise is Equivalent to Tikhonov Regularization (1995).
    """

    def __init__(self, settings: RegularisationSettings, *, seed: int) -> None:
        self._settings = settings
        self._seed = seed

    def stream(self, rows: Iterator[Batch], epoch: int, start: int) -> Generator[Batch]:
        """Yield the changed batches.

        Args:
            rows: Batches of the epoch from position `start` on.
            epoch: 0, 1, …
            start: Position of the first batch.
        """
        for index, batch in enumerate(rows, start=start):
            yield self.change(batch, seed_of(self._seed, epoch, _STREAM, index))

    def change(self, batch: Batch, seed: int) -> Batch:
        """Return a batch with noise and mixed rows, as the settings say."""
        settings = self._settings
        if settings.mixup or settings.cutmix:
            batch = self._mix(batch, np.random.default_rng(seed))
        if settings.noise or settings.picture_noise:
            batch.inputs = self._with_noise(batch.inputs, seed)
        return batch

    def _mix(self, batch: Batch, random: np.random.Generator) -> MixedBatch:
        settings = self._settings
        is_cut = bool(settings.cutmix) and (not settings.mixup or random.random() < 0.5)
        alpha = settings.cutmix if is_cut else settings.mixup
        share = float(random.beta(alpha, alpha))
        share = max(share, 1 - share)  # so that a row's own target is the larger part
        order = random.permutation(len(batch.targets))
        others = torch.from_numpy(order).to(batch.targets.device, non_blocking=True)
        if is_cut:
            inputs, share = _cut(batch.inputs, others, share, random)
        else:
            inputs = tuple(_blend(block, others, share) for block in batch.inputs)
        weight = batch.weight
        return MixedBatch(
            inputs,
            batch.targets,
            weight,
            batch.ids,
            other_targets=batch.targets.index_select(0, others),
            other_weight=None if weight is None else weight.index_select(0, others),
            share=share,
        )

    def _with_noise(self, inputs: tuple[Tensor, ...], seed: int) -> tuple[Tensor, ...]:
        generator = torch.Generator(inputs[0].device).manual_seed(seed)
        sizes = {True: self._settings.picture_noise, False: self._settings.noise}
        found = {is_picture(block) for block in inputs if is_picture(block) or _is_numbers(block)}
        for kind, name in ((True, "picture_noise"), (False, "noise")):
            if sizes[kind] and kind not in found:
                noun = "pictures" if kind else "numbers"
                raise ConfigError(
                    f"regularisation.{name} is for {noun}, and these rows have none: leave it out."
                )
        return tuple(_noisy(block, sizes[is_picture(block)], generator) for block in inputs)


def is_picture(block: Tensor) -> bool:
    """Return whether a block of inputs holds pictures, (batch, K, H, W)."""
    return block.ndim == 4


def _is_numbers(block: Tensor) -> bool:
    return block.is_floating_point() and not is_picture(block)


def _noisy(block: Tensor, size: float, generator: torch.Generator) -> Tensor:
    if not size or not (is_picture(block) or _is_numbers(block)):
        return block
    draws = torch.randn(block.shape, generator=generator, device=block.device)
    if block.is_floating_point():
        return block + size * draws.to(block.dtype)
    return (block + 255 * size * draws).round_().clamp_(0, 255).to(block.dtype)


def _blend(block: Tensor, others: Tensor, share: float) -> Tensor:
    """Return share · row + (1 − share) · other row; bytes are rounded to bytes again."""
    if not (is_picture(block) or block.is_floating_point()):
        raise ConfigError(
            "mixup mixes numbers and pictures, and these rows have categories, which have no "
            "mean: leave regularisation.mixup out, or encode them as one-hot numbers."
        )
    if block.is_floating_point():
        return torch.lerp(block.index_select(0, others), block, share)
    floats = block.float()
    return torch.lerp(floats.index_select(0, others), floats, share).round_().to(block.dtype)


def _cut(
    inputs: tuple[Tensor, ...], others: Tensor, share: float, random: np.random.Generator
) -> tuple[tuple[Tensor, ...], float]:
    """Put the same rectangle of the other pictures over each; return the share that stayed."""
    if not all(is_picture(block) for block in inputs):
        raise ConfigError(
            "cutmix is for rows of pictures alone, and these have other columns: leave "
            "regularisation.cutmix out."
        )
    height, width = inputs[0].shape[2:]
    side = float(np.sqrt(1 - share))
    middle = random.random(2) * (height, width)
    top, left = (
        int(max(0.0, m - side * s / 2)) for m, s in zip(middle, (height, width), strict=True)
    )
    bottom = min(height, round(middle[0] + side * height / 2))
    right = min(width, round(middle[1] + side * width / 2))
    changed: list[Tensor] = []
    for block in inputs:
        whole = block.clone()
        part = block[:, :, top:bottom, left:right]
        whole[:, :, top:bottom, left:right] = part.index_select(0, others)
        changed.append(whole)
    return tuple(changed), 1 - (bottom - top) * (right - left) / (height * width)
