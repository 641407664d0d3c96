"""Overfitting on purpose: a network that cannot learn one batch by heart learns nothing else."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from deepwell.engine.batches import TensorBatches, as_batches
from deepwell.engine.interfaces import Batches, TaskLike
from deepwell.engine.optimizers import base_rate
from deepwell.engine.options import RegularisationSettings
from deepwell.engine.probing.probe import Probe
from deepwell.engine.settings import EngineSettings
from deepwell.errors import TrainingError
from deepwell.nn.drop_path import DropPath

ROWS = 32
STEPS = 500
NEAR_ZERO = 0.02
"""Of the loss at the start: what is left when the rows are known by heart."""
_LOOK_EVERY = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Overfit:
    """Whether a network learned a batch by heart.

    Args:
        is_learned: Whether the loss came near zero, or all rows were right.
        rows: Rows in the batch.
        steps: Steps that it took, or that were given.
        rate: The learning rate with which it was learned, or that of the settings.
        first: Loss before the first step.
        last: Loss after the last one, with the network as it answers questions.
        scores: Scores then.
        advice: What to look at, in sentences.
    """

    is_learned: bool
    rows: int
    steps: int
    rate: float
    first: float
    last: float
    scores: dict[str, float]
    advice: tuple[str, ...]


def overfit_batch(
    model: nn.Module,
    task: TaskLike,
    batches: Batches | Iterable[Any],
    *,
    settings: EngineSettings,
    seed: int = 0,
    steps: int = STEPS,
) -> Overfit:
    """Train a copy of a network on one batch until it knows the rows by heart.

    Everything that is there to prevent just that is switched off: dropout, drop path, penalties,
    decay, noise and mixing. The rate of the settings is tried first; if that fails, ten times and
    a tenth of it, to tell a wrong rate from a network that cannot learn.

    Args:
        model: Untrained; copied.
        task: Gives loss and scores.
        batches: The first batch is taken, of it at most 32 rows.
        settings: Of the training; its optimizer is used.
        seed: Of everything random in the network.
        steps: At most so many for each rate.

    Example:
        >>> from deepwell.tasks import Regression
        >>> inputs = torch.linspace(-1, 1, 16)[:, None]
        >>> rows = TensorBatches((inputs,), 3 * inputs, batch_size=16)
        >>> task = Regression(targets=("y",), mean=[0.0], std=[1.0])
        >>> rule = EngineSettings(optimizer="sgd", learning_rate=0.5, precision="fp32")
        >>> overfit_batch(nn.Linear(1, 1), task, rows, settings=rule).is_learned
        True
    """
    plain = without_noise(model)
    rows = _first_batch(batches)
    rate = base_rate(settings)
    tried: list[Overfit] = []
    for factor in (1.0, 10.0, 0.1):
        quiet = _bare(settings, rate * factor)
        probe = Probe(plain, task, rows, settings=quiet, seed=seed)
        tried.append(_learn(probe, task, rate * factor, steps))
        if tried[-1].is_learned:
            break
    result = tried[-1] if tried[-1].is_learned else min(tried, key=lambda one: one.last)
    advice = _rate_advice(rate, result) if result.is_learned else _advice(plain, task, rows)
    return Overfit(
        is_learned=result.is_learned,
        rows=result.rows,
        steps=result.steps,
        rate=result.rate,
        first=result.first,
        last=result.last,
        scores=result.scores,
        advice=advice,
    )


def without_noise(model: nn.Module) -> nn.Module:
    """Return a copy of a network without dropout and drop path.

    Example:
        >>> without_noise(nn.Sequential(nn.Dropout(0.5)))[0].p
        0.0
    """
    model = copy.deepcopy(model)
    kinds = (nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d, nn.AlphaDropout)
    for module in model.modules():
        if isinstance(module, kinds):
            module.p = 0.0
        elif isinstance(module, DropPath):
            module.share = 0.0
        elif isinstance(module, nn.MultiheadAttention | nn.RNNBase):
            module.dropout = 0.0
    return model


def _bare(settings: EngineSettings, rate: float) -> EngineSettings:
    changes = {
        "learning_rate": rate,
        "weight_decay": 0.0,
        "accumulate": 1,
        "sharpness": None,
        "regularisation": RegularisationSettings(),
    }
    return settings.model_copy(update=changes)


def _first_batch(batches: Batches | Iterable[Any]) -> TensorBatches:
    source: Any = copy.copy(as_batches(batches))
    if hasattr(source, "augment"):
        source.augment = None
    batch = next(iter(source.epoch(0)))
    return TensorBatches(
        [block[:ROWS] for block in batch.inputs],
        batch.targets[:ROWS],
        weight=None if batch.weight is None else batch.weight[:ROWS],
        batch_size=ROWS,
    )


def _learn(probe: Probe, task: TaskLike, rate: float, steps: int) -> Overfit:
    """Train until the rows are known; a loss that is not finite ends it as well."""
    trainer = probe.trainer
    is_learned, done, first, last = False, 0, float("nan"), float("inf")
    scores: dict[str, float] = {}
    with probe.session():
        try:
            for loss in probe.losses(steps):
                first = loss if done == 0 else first
                done += 1
                if done % _LOOK_EVERY and done != steps:
                    continue
                last, scores = _look(trainer.model, task, probe)
                if _is_known(first, last, scores):
                    is_learned = True
                    break
        except TrainingError:
            last = float("inf")
    return Overfit(
        is_learned=is_learned,
        rows=len(next(iter(trainer.batches.epoch(0))).targets),
        steps=done,
        rate=rate,
        first=first,
        last=last,
        scores=scores,
        advice=(),
    )


def _look(model: nn.Module, task: TaskLike, probe: Probe) -> tuple[float, dict[str, float]]:
    """Return loss and scores of the network in training mode: there is no noise in it.

    In evaluation mode batch normalisation would use means of many batches, and there is but one.
    """
    batch = next(iter(probe.trainer.batches.epoch(0)))
    before = {name: buffer.clone() for name, buffer in model.named_buffers()}
    with torch.no_grad(), probe.trainer.precision.autocast():
        loss, outputs = task.training_step(model, batch)
        for name, buffer in model.named_buffers():
            buffer.copy_(before[name])
    values = task.scores(outputs, batch.targets)
    means = {name: float(value.float().mean()) for name, value in values.items()}
    return float(loss.sum / loss.weight.clamp_min(1e-12)), means


def _is_known(first: float, last: float, scores: dict[str, float]) -> bool:
    if "accuracy" in scores:
        return scores["accuracy"] == 1 and last < first
    return last <= NEAR_ZERO * abs(first)


def _rate_advice(rate: float, result: Overfit) -> tuple[str, ...]:
    if result.rate == rate:
        return ()
    return (
        f"With the learning rate of the settings, {rate:.3g}, it did not learn the batch, with "
        f"{result.rate:.3g} it did: try --learning-rate {result.rate:.3g}, or --find-lr.",
    )


def _advice(model: nn.Module, task: TaskLike, batches: TensorBatches) -> tuple[str, ...]:
    """Look for the usual reasons why a network learns nothing."""
    device = next(model.parameters()).device
    batch = next(iter(batches.to(device).epoch(0)))
    probe = copy.deepcopy(model).train()
    loss, outputs = task.training_step(probe, batch)
    loss.sum.backward()
    found: list[str] = []
    dead = [name for name, p in probe.named_parameters() if _is_without_gradient(p)]
    if dead:
        shown = ", ".join(dead[:4]) + (" …" if len(dead) > 4 else "")
        found.append(
            f"{len(dead)} of {len(list(probe.parameters()))} parameters get no gradient ({shown}): "
            "look for a detach, an unused layer, or units that are all off."
        )
    if len(outputs) > 1 and bool((outputs.float().std(dim=0) < 1e-6).all()):
        found.append("The outputs are the same for all rows: the inputs do not reach the end.")
    twins = _contradictions(batch.inputs, batch.targets)
    if twins:
        found.append(
            f"{twins} rows of the batch have the inputs of another row and a different target: "
            "the columns do not tell them apart."
        )
    if not found:
        found.append(
            "Each layer gets a gradient, so look at the capacity and the question: the network "
            "may be too small to know these rows by heart (a linear one often is), or the targets "
            "are coded wrongly."
        )
    return tuple(found)


def _is_without_gradient(parameter: nn.Parameter) -> bool:
    if not parameter.requires_grad:
        return False
    return parameter.grad is None or not bool(parameter.grad.any())


def _contradictions(inputs: Sequence[Tensor], targets: Tensor) -> int:
    """Count rows whose inputs were seen before with another target."""
    flat = torch.cat([block.flatten(1).double() for block in inputs], dim=1)
    _, kinds = torch.unique(flat, dim=0, return_inverse=True)
    seen: dict[int, Tensor] = {}
    count = 0
    for kind, target in zip(kinds.tolist(), targets, strict=True):
        if not torch.equal(seen.setdefault(kind, target), target):
            count += 1
    return count
