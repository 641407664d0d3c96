"""Compilation: loss, scores and gradients of a batch as one program.

The network, its loss and its gradient become one graph, which torch's compiler turns into machine
code: fewer calls, fewer passes over memory. What was measured on the processor is in benchmarks/.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value

from deepwell.engine import graphs
from deepwell.engine.agreement import Findings, check_agreement, draws_numbers
from deepwell.engine.best import copy_weights
from deepwell.engine.compiler import compile_whole
from deepwell.engine.interfaces import TaskLike
from deepwell.engine.means import SMALLEST_WEIGHT
from deepwell.engine.precision import Precision
from deepwell.engine.quiet import quiet_compiler
from deepwell.engine.snapshot import random_state, set_random_state
from deepwell.engine.whole import WholeStep
from deepwell.nn.traceable_lstm import layers_of, traceable
from deepwell.types import Batch, Loss

if TYPE_CHECKING:
    from deepwell.engine.trainer import Trainer

Named = dict[str, Tensor]


class Program:
    """Computes loss, scores and gradients of a batch; compiled for batches of one shape.

    Batches of another shape, such as the last of an epoch, run the same lines uncompiled.

    Args:
        model: On its device, in training mode.
        task: Gives loss and scores.
        precision: What to compute with.

    Example:
        >>> from deepwell.tasks import Regression
        >>> from deepwell.engine.precision import choose_precision
        >>> model, task = nn.Linear(1, 1), Regression(targets=("y",), mean=[0.0], std=[1.0])
        >>> exact = choose_precision("fp32", torch.device("cpu"), model, batch_rows=2)
        >>> rows = Batch((torch.ones(2, 1),), torch.zeros(2, 1), None, torch.arange(2))
        >>> loss, scores, gradients = Program(model, task, exact).run(rows)
        >>> sorted(gradients)
        ['bias', 'weight']
    """

    def __init__(self, model: nn.Module, task: TaskLike, precision: Precision) -> None:
        self._model = model
        self._task = task
        self._precision = precision
        self.learned = {n: p for n, p in model.named_parameters() if p.requires_grad}
        self._fixed = {n: p for n, p in model.named_parameters() if not p.requires_grad}
        self.buffers = dict(model.named_buffers())
        self._recurrent = layers_of(model)
        self.is_recorded = False
        """Whether a CUDA graph is replayed."""
        self._compiled: Callable[..., Any] | None = None
        self._shapes: list[torch.Size] = []

    def compile(self, batch: Batch) -> None:
        """Compile for batches of this shape; random numbers and buffers are as before afterwards.

        Raises:
            WrongProgramError: The program computes other numbers.
            Exception: The compiler cannot do it, or there is none.
        """
        program = compile_whole(self.gradients)
        with self.untouched(batch), quiet_compiler():
            # once uncompiled: what modules and tasks make at their first call cannot be traced
            expected = self._plain_results(batch)
            with torch.no_grad(), self.traceable():
                known = self._values(self.learned), self.buffers, batch
                gradients, loss, _, _ = program(*known)
                if expected is not None:
                    check_agreement(self._findings(gradients, loss), expected)
                if graphs.are_on(batch.targets.device):
                    with contextlib.suppress(RuntimeError):  # some computations cannot be recorded
                        program = graphs.Recorded(program, *known)
        self.is_recorded = isinstance(program, graphs.Recorded)
        self._compiled, self._shapes = program, _shapes(batch)

    def _plain_results(self, batch: Batch) -> Findings | None:
        """Return what is found uncompiled, or None if it depends on random numbers."""
        found: dict[str, Named] = {}

        def compute() -> None:
            loss, _, gradients = self.run(batch)
            found.update(self._findings(gradients, loss.sum))

        with self.untouched(batch):
            is_random = draws_numbers(compute, batch.targets.device)
        return None if is_random else found

    def _findings(self, gradients: Named, loss: Tensor) -> dict[str, Named]:
        buffers = {name: buffer.clone() for name, buffer in self.buffers.items()}
        return {"loss": {"sum": loss}, "gradient": gradients, "buffer": buffers}

    def untouched(self, batch: Batch) -> AbstractContextManager[None]:
        """Return a context behind which buffers, random numbers and gradients are as before."""
        return untouched(self._model, batch.targets.device)

    def traceable(self) -> AbstractContextManager[None]:
        """Return a context in which the compiler can read the network."""
        return traceable(self._recurrent)

    def fits(self, batch: Batch) -> bool:
        """Return whether a batch has the shape that was compiled."""
        return _shapes(batch) == self._shapes

    def run(self, batch: Batch) -> tuple[Loss, Mapping[str, Tensor], Named]:
        """Return loss, scores (batch,) and the gradients of the mean loss by parameter."""
        is_known = self._compiled is not None and self.fits(batch)
        compute = self._compiled if is_known and self._compiled is not None else self.gradients
        with torch.no_grad(), self.traceable():
            gradients, loss_sum, weight, scores = compute(
                self._values(self.learned), self.buffers, batch
            )
        return Loss(loss_sum, weight), scores, gradients

    def store(self, gradients: Mapping[str, Tensor], share: Tensor | None) -> None:
        """Set the gradients of the parameters, or add them, times a share, to those there."""
        for name, gradient in gradients.items():
            parameter = self.learned[name]
            if parameter.grad is None:
                parameter.grad = gradient
            else:
                parameter.grad.add_(gradient if share is None else gradient * share)

    @staticmethod
    def _values(parameters: Mapping[str, Tensor]) -> Named:
        return {name: parameter.detach() for name, parameter in parameters.items()}

    def gradients(
        self, learned: Named, buffers: Named, batch: Batch
    ) -> tuple[Named, Tensor, Tensor, dict[str, Tensor]]:
        """Compute, uncompiled, as a function of tensors; buffers are changed in place.

        Returns:
            The gradients of the mean loss by name, sum and weight of the loss, scores (batch,).
        """

        def mean_loss(learned: Named) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor, Named]]:
            # functions under differentiation may change copies only
            changed = {name: buffer.clone() for name, buffer in buffers.items()}
            values = {**learned, **self._fixed, **changed}

            def network(*inputs: Tensor) -> Tensor:
                return functional_call(self._model, values, inputs)

            with self._precision.for_training():
                loss, outputs = self._task.training_step(network, batch)  # pyright: ignore
            weight = loss.weight.detach()
            mean = loss.sum / weight.clamp_min(SMALLEST_WEIGHT)
            return mean, (loss.sum, weight, outputs, changed)

        gradients, (_, found) = grad_and_value(mean_loss, has_aux=True)(learned)
        loss_sum, weight, outputs, changed = found
        for name, buffer in buffers.items():
            buffer.copy_(changed[name])
        scores = self._task.scores(outputs, batch.targets)
        return gradients, loss_sum, weight, scores


def compiled_step(
    program: Program, whole: WholeStep | None, trainer: Trainer, rows: Iterator[Batch]
) -> bool:
    """Do one optimizer step as `train_step` does, with a program.

    With a whole step, which cannot be looked into, steps that shall be looked at and batches of
    another shape go the way of parts. So does a batch with a bad number, which is explained there.

    Returns:
        False if the epoch has no batch left; nothing was done then.
    """
    if whole is not None and not trainer.health.is_due(trainer.ledger.step):
        batch = next(rows, None)
        if batch is None:
            return False
        if program.fits(batch) and whole.run(trainer, batch):
            return True
        rows = chain([batch], rows)
    first: Tensor | None = None
    total: Tensor | None = None
    for batch in islice(rows, trainer.micro_batches):
        loss, scores, gradients = program.run(batch)
        trainer.note_scores(batch, loss, scores)
        if first is None or total is None:
            first = total = loss.weight.clamp_min(SMALLEST_WEIGHT)
            program.store(gradients, None)
        else:
            total = total + loss.weight
            program.store(gradients, loss.weight / first)
    if first is None or total is None:
        return False
    trainer.update(None if first is total else first / total)
    return True


@contextlib.contextmanager
def untouched(model: nn.Module, device: torch.device) -> Generator[None]:
    """Put buffers, random numbers and gradients back as they were before."""
    buffers = dict(model.named_buffers())
    before = {name: buffer.clone() for name, buffer in buffers.items()}
    gradients = {name: parameter.grad for name, parameter in model.named_parameters()}
    random = random_state(device)
    try:
        yield
    finally:
        copy_weights(buffers, before)
        set_random_state(random, device)
        for name, parameter in model.named_parameters():
            parameter.grad = gradients[name]


def _shapes(batch: Batch) -> list[torch.Size]:
    tensors = [*batch.inputs, batch.targets]
    return [tensor.shape for tensor in tensors]
