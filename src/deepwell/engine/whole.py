"""The whole step as one program: loss, gradients, the look for bad numbers, and the update.

Tiny networks spend most of a step between its parts. Where nothing but the optimizer stands between
gradient and weights, all of it becomes one graph, which reads the weights once and is called once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.optim.rmsprop import rmsprop
from torch.optim.sgd import sgd

from deepwell.engine.agreement import check_agreement, draws_numbers
from deepwell.engine.compiler import compile_whole
from deepwell.engine.quiet import quiet_compiler
from deepwell.engine.settings import EngineSettings
from deepwell.types import Batch

if TYPE_CHECKING:
    from deepwell.engine.compiled import Program
    from deepwell.engine.trainer import Trainer

Tensors = list[Tensor]
Group = dict[str, Any]
Parts = dict[str, Tensors]
Numbers = Sequence[Tensor]
"""What changes each step, each without dimensions: the rate, and what else a rule asks for."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How an optimizer takes a step, as a function of tensors.

    Args:
        step: Changes weights and state in place: (group, weights, gradients, state, numbers).
        numbers: Of a group and the number of this step, counted from 1, besides the rate. They are
            computed outside: in the program each loop over weights would compute them again for
            every 16 of them, and powers take longer than the rest (LSTM of the benchmarks: 2 ms).
    """

    step: Callable[[Group, Tensors, Tensors, Parts, Numbers], None]
    numbers: Callable[[Group, int], tuple[float, ...]] = lambda _group, _step: ()


def _sgd(group: Group, weights: Tensors, gradients: Tensors, state: Parts, by: Numbers) -> None:
    sgd(
        weights,
        gradients,
        list(state.get("momentum_buffer", [None] * len(weights))),
        foreach=False,
        fused=False,
        lr=by[0],  # pyright: ignore[reportArgumentType]
        **_picked(group, "weight_decay", "momentum", "dampening", "nesterov", "maximize"),
    )


def _rmsprop(group: Group, weights: Tensors, gradients: Tensors, state: Parts, by: Numbers) -> None:
    rmsprop(
        weights,
        gradients,
        state["square_avg"],
        [],
        state.get("momentum_buffer", []),
        state["step"],
        foreach=False,
        lr=by[0],  # pyright: ignore[reportArgumentType]
        centered=False,
        **_picked(group, "alpha", "eps", "weight_decay", "momentum", "maximize"),
    )


def _adam(group: Group, weights: Tensors, gradients: Tensors, state: Parts, by: Numbers) -> None:
    """Adam (Kingma and Ba, 2015, algorithm 1), or AdamW with decoupled decay."""
    rate, size, root = by
    beta1, beta2 = group["betas"]
    decay = group["weight_decay"]
    moments = zip(state["exp_avg"], state["exp_avg_sq"], state["step"], strict=True)
    for weight, found, (mean, square, step) in zip(weights, gradients, moments, strict=True):
        gradient = -found if group["maximize"] else found
        if decay and group["decoupled_weight_decay"]:
            weight.mul_(1 - rate * decay)
        elif decay:
            gradient = gradient + decay * weight
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        weight.sub_(size * mean / (square.sqrt() / root + group["eps"]))
        step.add_(1)


def _adam_numbers(group: Group, step: int) -> tuple[float, ...]:
    """Return the rate over what the mean lacks, and the root of what the mean square lacks."""
    beta1, beta2 = group["betas"]
    return group["lr"] / (1 - beta1**step), math.sqrt(1 - beta2**step)


_MEANS = ("exp_avg", "momentum_buffer", "square_avg")
"""State that follows the gradients; the first one that a rule has."""

RULES: Mapping[type[torch.optim.Optimizer], Rule] = {
    torch.optim.SGD: Rule(_sgd),
    torch.optim.RMSprop: Rule(_rmsprop),
    torch.optim.Adam: Rule(_adam, _adam_numbers),
    torch.optim.AdamW: Rule(_adam, _adam_numbers),
}
"""Optimizers whose step can be part of a program."""


def is_plain(settings: EngineSettings, device: torch.device) -> bool:
    """Return whether nothing but an optimizer of `RULES` stands between gradient and weights.

    Example:
        >>> cpu = torch.device("cpu")
        >>> is_plain(EngineSettings(), cpu), is_plain(EngineSettings(accumulate=2), cpu)
        (True, False)
    """
    change = settings.regularisation
    return (
        device.type == "cpu"
        and settings.accumulate == 1
        and settings.on_nan == "stop"
        and settings.clip_norm is None
        and settings.clip_value is None
        and not (change.l1 or change.l2 or change.max_norm)
        and settings.weight_decay_schedule == "constant"
    )


class WholeStep:
    """One optimizer step as a program, for batches of the shape that it was compiled for.

    If loss or gradient is no finite number, weights and optimizer are left as they were.

    Args:
        program: Computes loss, scores and gradients.
        optimizer: One of `RULES`, with the state that its first step has made.
        score_names: Of the task.
    """

    def __init__(
        self, program: Program, optimizer: torch.optim.Optimizer, score_names: tuple[str, ...]
    ) -> None:
        self._program = program
        self._score_names = score_names
        self._rule = RULES[type(optimizer)]
        # only groups with weights; their rate changes each step and is read from the optimizer
        self._groups = [group for group in optimizer.param_groups if group["params"]]
        self._fixed = [
            {k: v for k, v in g.items() if k not in ("params", "lr")} for g in self._groups
        ]
        names = {id(weight): name for name, weight in program.learned.items()}
        self._names = [[names[id(p)] for p in group["params"]] for group in self._groups]
        self._weights = [[p.detach() for p in group["params"]] for group in self._groups]
        self._states = [_state_of(optimizer, group["params"]) for group in self._groups]
        self._values: list[tuple[float, ...]] = []
        self._numbers = [
            [torch.tensor(value) for value in values] for values in self._values_of_step()
        ]
        self._compiled: Callable[..., Tensor] | None = None

    def compile(self, batch: Batch) -> None:
        """Compile, on copies of weights and state, so that nothing is changed.

        Raises:
            WrongProgramError: The program computes other numbers.
            ValueError: Weights of a group were changed in unequal numbers of steps, as after some
                had no gradient for a while.
            Exception: The compiler cannot do it.
        """
        if any(len({int(t) for t in parts.get("step", [])}) > 1 for parts in self._states):
            raise ValueError("the weights have seen unequal numbers of steps")
        compiled = compile_whole(self._step)
        with (
            self._program.untouched(batch),
            quiet_compiler(),
            torch.no_grad(),
            self._program.traceable(),
        ):
            expected: dict[str, dict[str, Tensor]] = {}
            with self._program.untouched(batch):
                is_random = draws_numbers(
                    lambda: expected.update(self._tried(self._step, batch)), batch.targets.device
                )
            found = self._tried(compiled, batch)
            if not is_random:
                check_agreement(found, expected)
        self._compiled = compiled

    def _tried(self, compute: Callable[..., Tensor], batch: Batch) -> dict[str, dict[str, Tensor]]:
        """Return loss and changes by a step on copies, as far as they follow the gradients.

        Where a rule divides by the size of a gradient, the weights do not: rounding of nothing
        becomes a whole step. There its state does.
        """
        weights = [[p.clone() for p in group] for group in self._weights]
        states = [
            {k: [t.clone() for t in values] for k, values in parts.items()}
            for parts in self._states
        ]
        told = compute(weights, states, self._numbers, self._program.buffers, batch)
        changes: dict[str, Tensor] = {}
        for place, names in enumerate(self._names):
            kind = next((kind for kind in _MEANS if kind in states[place]), None)
            after = weights[place] if kind is None else states[place][kind]
            before = self._weights[place] if kind is None else self._states[place][kind]
            for name, new, old in zip(names, after, before, strict=True):
                changes[name] = new - old
        return {"loss": {"sum": told[1]}, "change by": changes}

    def run(self, trainer: Trainer, batch: Batch) -> bool:
        """Do a step and count it; return False, with nothing done, if it met a bad number."""
        rate = trainer.state.update.set_rate(trainer.ledger.step)
        self._set_numbers()
        compute = self._compiled or self._step
        with torch.no_grad(), self._program.traceable():
            told = compute(self._weights, self._states, self._numbers, self._program.buffers, batch)
        is_good, loss, loss_weight, rows, *scores = told.tolist()
        if not is_good:
            return False
        trainer.note_whole(len(batch.targets), (loss, loss_weight, rows, *scores), rate)
        return True

    def _values_of_step(self) -> list[tuple[float, ...]]:
        """Return the numbers of the next step, for each group."""
        done = [int(parts["step"][0]) if "step" in parts else 0 for parts in self._states]
        return [
            (float(group["lr"]), *self._rule.numbers(group, steps + 1))
            for group, steps in zip(self._groups, done, strict=True)
        ]

    def _set_numbers(self) -> None:
        values = self._values_of_step()
        if values != self._values:
            for tensors, numbers in zip(self._numbers, values, strict=True):
                for tensor, number in zip(tensors, numbers, strict=True):
                    tensor.fill_(number)
            self._values = values

    def _step(
        self,
        weights: list[Tensors],
        states: list[Parts],
        numbers: list[Tensors],
        buffers: dict[str, Tensor],
        batch: Batch,
    ) -> Tensor:
        """Change weights and states in place; return good or not, sums of loss and scores."""
        learned = {
            name: weight
            for names, group in zip(self._names, weights, strict=True)
            for name, weight in zip(names, group, strict=True)
        }
        found, loss_sum, loss_weight, scores = self._program.gradients(learned, buffers, batch)
        sizes = torch.stack([gradient.abs().amax() for gradient in found.values()])
        is_good = torch.isfinite(sizes).all() & torch.isfinite(loss_sum)
        for place, group in enumerate(self._fixed):
            gradients = [found[name] for name in self._names[place]]
            new = [weight.clone() for weight in weights[place]]
            state = {k: [t.clone() for t in values] for k, values in states[place].items()}
            self._rule.step(group, new, gradients, state, numbers[place])
            _accept(is_good, weights[place], new)
            for name, values in state.items():
                _accept(is_good, states[place][name], values)
        told = [is_good, loss_sum, loss_weight, *self._sums(batch, scores)]
        return torch.stack([value.double() for value in told])

    def _sums(self, batch: Batch, scores: Mapping[str, Tensor]) -> Tensors:
        """Return the weight of the rows, and the sum of each score over them."""
        if batch.weight is None:
            rows = torch.full((), float(len(batch.targets)), dtype=torch.float64)
            return [rows, *(scores[name].sum(dtype=torch.float64) for name in self._score_names)]
        weighted = (scores[name] * batch.weight for name in self._score_names)
        return [
            batch.weight.sum(dtype=torch.float64),
            *(values.sum(dtype=torch.float64) for values in weighted),
        ]


def _accept(is_good: Tensor, old: Tensors, new: Tensors) -> None:
    for before, after in zip(old, new, strict=True):
        before.copy_(torch.where(is_good, after, before))


def _state_of(optimizer: torch.optim.Optimizer, weights: list[Tensor]) -> Parts:
    """Return the state by name, each a list in the order of the weights."""
    found: Parts = {}
    for weight in weights:
        for name, value in optimizer.state.get(weight, {}).items():
            if isinstance(value, Tensor):
                found.setdefault(name, []).append(value)
    return found


def _picked(group: Group, *names: str) -> dict[str, Any]:
    return {name: group[name] for name in names}
