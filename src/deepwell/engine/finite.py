"""Finding out why a loss or a gradient is no finite number; runs only when one is not."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from deepwell.engine.best import copy_weights
from deepwell.engine.interfaces import TaskLike
from deepwell.engine.precision import Precision
from deepwell.types import Batch


def explain_loss(batch: Batch) -> str:
    """Return the cause that the batch itself shows, or the usual remedies."""
    blocks = {f"input {index}": block for index, block in enumerate(batch.inputs)}
    blocks["target"] = batch.targets
    if batch.weight is not None:
        blocks["weight"] = batch.weight
    for name, block in blocks.items():
        bad = _first_bad_row(block)
        if bad is not None:
            row = int(batch.ids[bad])
            return f"The {name} of row {row} is not a finite number: mend or remove that row."
    return "Lower learning_rate, or set clip_norm (1.0 is usual)."


def _first_bad_row(block: Tensor) -> int | None:
    if not block.is_floating_point():
        return None
    bad = ~torch.isfinite(block).reshape(len(block), -1).all(dim=1)
    return int(bad.nonzero()[0]) if bool(bad.any()) else None


def explain_gradient(model: nn.Module) -> str:
    """Return the name of the first parameter with a bad gradient, and the usual remedies."""
    for name, parameter in model.named_parameters():
        if parameter.grad is not None and not bool(torch.isfinite(parameter.grad).all()):
            advice = "Lower learning_rate, or set clip_norm (1.0 is usual)."
            return f'The gradient of "{name}" is such. {advice}'
    return "Lower learning_rate, or set clip_norm (1.0 is usual)."


def birthplace(
    model: nn.Module, task: TaskLike, batches: Sequence[Batch], precision: Precision
) -> str:
    """Run a step again with a watch on each layer; say where the first bad number came up.

    Weights, running statistics and random numbers are as before afterwards; gradients are gone.

    Args:
        model: With the weights of before the step.
        task: Gives the loss.
        batches: Those of the step.
        precision: What the step computed with.

    Returns:
        A sentence, or "" if no bad number came up this time.
    """
    buffers = dict(model.named_buffers())
    before = {name: tensor.clone() for name, tensor in buffers.items()}
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    try:
        with torch.random.fork_rng(devices=sorted(devices, key=str)):
            for batch in batches:
                model.zero_grad(set_to_none=True)
                place = _watch(model, task, batch, precision)
                if place:
                    return f"It was born in {place}."
    finally:
        model.zero_grad(set_to_none=True)
        copy_weights(buffers, before)
    return ""


def _watch(model: nn.Module, task: TaskLike, batch: Batch, precision: Precision) -> str:
    """Return where forward or backward made the first bad number out of good ones."""
    outputs: list[tuple[str, bool]] = []
    gradients: list[tuple[str, bool]] = []

    def watch(module: nn.Module, title: str) -> RemovableHandle:
        def note_gradient(gradient: Tensor) -> None:
            gradients.append((title, _is_good(gradient)))

        def note(_module: nn.Module, _inputs: object, output: object) -> None:
            if isinstance(output, Tensor):
                outputs.append((title, _is_good(output)))
                if output.requires_grad:
                    output.register_hook(note_gradient)

        return module.register_forward_hook(note)

    handles = [
        watch(module, f'layer "{name or type(module).__name__}" ({type(module).__name__})')
        for name, module in model.named_modules()
        if next(module.children(), None) is None
    ]
    try:
        with torch.enable_grad(), precision.autocast():
            loss, _ = task.training_step(model, batch)
        for title, is_good in outputs:
            if not is_good:
                return title
        if not _is_good(loss.sum):
            return "the loss"
        loss.sum.backward()
    finally:
        for handle in handles:
            handle.remove()
    return _in_backward(model, gradients)


def _in_backward(model: nn.Module, gradients: list[tuple[str, bool]]) -> str:
    """Return where a bad gradient came up, from those of the outputs, last layer first."""
    above = "the derivative of the loss"
    for title, is_good in gradients:
        if not is_good:
            return above
        above = f"the backward pass of {title}"
    is_bad = any(p.grad is not None and not _is_good(p.grad) for p in model.parameters())
    return above if is_bad else ""


def _is_good(tensor: Tensor) -> bool:
    return not tensor.is_floating_point() or bool(torch.isfinite(tensor).all())
