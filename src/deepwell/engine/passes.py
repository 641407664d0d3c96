"""Steps that see their batches more than once: sharpness-aware ones and line searches."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from itertools import islice

import torch
from torch import Tensor, nn

from deepwell.engine.best import copy_weights
from deepwell.engine.snapshot import random_state, set_random_state
from deepwell.engine.trainer import Trainer
from deepwell.types import Batch

_SMALLEST = 1e-12


def sharp_step(trainer: Trainer, rows: Iterator[Batch]) -> bool:
    """Do one sharpness-aware step on the next `accumulate` batches.

    The gradient of all of them leads ρ uphill; the gradient that is found there is applied to the
    weights from below. The running statistics of batch normalisation see the first pass only, and
    dropout draws anew in the second.

    Reference:
        Foret et al.: Sharpness-Aware Minimization for Efficiently Improving Generalization (2021),
        algorithm 1.

    Returns:
        False if the epoch has no batch left; nothing was done then.
    """
    batches = list(islice(rows, trainer.micro_batches))
    if not batches:
        return False
    _gradient(trainer, batches, is_first=True)
    with _uphill(trainer), _still_statistics(trainer.model):
        correction, _ = _gradient(trainer, batches, is_first=False)
    trainer.update(correction)
    return True


def search_step(trainer: Trainer, rows: Iterator[Batch]) -> bool:
    """Do one step of an optimizer that asks for loss and gradient of all batches several times.

    Each time the network draws the same random numbers, so that it is one and the same function.

    Returns:
        False if the epoch has no batch left; nothing was done then.
    """
    batches = list(rows)
    if not batches:
        return False
    random = random_state(trainer.device)
    evaluations = 0

    def evaluate() -> Tensor:
        nonlocal evaluations
        set_random_state(random, trainer.device)
        trainer.forget_gradients()
        evaluations += 1
        with contextlib.nullcontext() if evaluations == 1 else _still_statistics(trainer.model):
            correction, loss = _gradient(trainer, batches, is_first=evaluations == 1)
        return trainer.complete(loss, correction)

    trainer.search(evaluate)
    return True


def _gradient(
    trainer: Trainer, batches: Sequence[Batch], *, is_first: bool
) -> tuple[Tensor | None, Tensor]:
    """Sum the gradients of batches, as `train_step` does.

    Returns:
        Factor that puts the gradients right, or None for 1, and the mean loss.
    """
    first: Tensor | None = None
    weight = loss_sum = torch.zeros((), device=trainer.device)
    for batch in batches:
        with trainer.precision.for_training():
            loss, outputs = trainer.task.training_step(trainer.model, batch)
        if is_first:
            trainer.note(batch, loss, outputs)
        if first is None:
            first = loss.weight.detach().clamp_min(_SMALLEST)
            weight = first
        else:
            weight = weight + loss.weight.detach()
        loss_sum = loss_sum + loss.sum.detach()
        trainer.scale(loss.sum / first).backward()
    correction = None if first is weight else first / weight if first is not None else None
    return correction, loss_sum / weight


@contextlib.contextmanager
def _uphill(trainer: Trainer) -> Generator[None]:
    """Move the weights ρ along the gradient, forget it, and bring them back bit for bit."""
    weights = [p for p in trainer.model.parameters() if p.grad is not None]
    gradients = [p.grad for p in weights if p.grad is not None]
    before = [weight.detach().clone() for weight in weights]
    length = nn.utils.get_total_norm(gradients).clamp_min(_SMALLEST)
    radius = trainer.settings.sharpness or 0.0
    with torch.no_grad():
        for weight, gradient in zip(weights, gradients, strict=True):
            weight.add_(gradient * (radius / length))
    trainer.forget_gradients()
    try:
        yield
    finally:
        with torch.no_grad():
            for weight, old in zip(weights, before, strict=True):
                weight.copy_(old)


@contextlib.contextmanager
def _still_statistics(model: nn.Module) -> Generator[None]:
    """Keep normalisation from counting the rows of a batch twice: its buffers are put back."""
    buffers = dict(model.named_buffers())
    before = {name: buffer.clone() for name, buffer in buffers.items()}
    try:
        yield
    finally:
        copy_weights(buffers, before)
