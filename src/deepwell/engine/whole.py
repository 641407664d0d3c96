"""The whole step as one program: loss, gradients, the look for bad numbers, and the update.

Tiny networks spend most of a step between its parts. Where nothing but the optimizer stands between
gradient and weights, all of it becomes one graph, which reads the weights once and is called once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.optim.adam import adam
from torch.optim.rmsprop import rmsprop
from torch.optim.sgd import sgd

from deepwell.engine.quiet import quiet_compiler
from deepwell.engine.settings import EngineSettings
from deepwell.types import Batch

if TYPE_CHECKING:
    from deepwell.engine.compiled import Program
    from deepwell.engine.trainer import Trainer

Tensors = list[Tensor]
Group = dict[str, Any]
Parts = dict[str, Tensors]
Rule = Callable[[Group, Tensors, Tensors, Parts, Tensor], None]


def _sgd(group: Group, weights: Tensors, gradients: Tensors, state: Parts, rate: Tensor) -> None:
    sgd(
        weights,
        gradients,
        list(state.get("momentum_buffer", [None] * len(weights))),
        foreach=False,
        fused=False,
        lr=rate,  # pyright: ignore[reportArgumentType]
        **_picked(group, "weight_decay", "momentum", "dampening", "nesterov", "maximize"),
    )


def _rmsprop(
    group: Group, weights: Tensors, gradients: Tensors, state: Parts, rate: Tensor
) -> None:
    rmsprop(
        weights,
        gradients,
        state["square_avg"],
        [],
        state.get("momentum_buffer", []),
        state["step"],
        foreach=False,
        lr=rate,  # pyright: ignore[reportArgumentType]
        centered=False,
        **_picked(group, "alpha", "eps", "weight_decay", "momentum", "maximize"),
    )


def _adam(group: Group, weights: Tensors, gradients: Tensors, state: Parts, rate: Tensor) -> None:
    beta1, beta2 = group["betas"]
    adam(
        weights,
        gradients,
        state["exp_avg"],
        state["exp_avg_sq"],
        [],
        state["step"],
        foreach=False,
        # steps and rate are tensors that change, not numbers that are compiled in
        capturable=True,
        fused=False,
        decoupled_weight_decay=group["decoupled_weight_decay"],
        amsgrad=False,
        beta1=beta1,
        beta2=beta2,
        lr=rate,
        **_picked(group, "weight_decay", "eps", "maximize"),
    )


RULES: Mapping[type[torch.optim.Optimizer], Rule] = {
    torch.optim.SGD: _sgd,
    torch.optim.RMSprop: _rmsprop,
    torch.optim.Adam: _adam,
    torch.optim.AdamW: _adam,
}
"""Optimizers whose step torch also has as a function of tensors."""


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
        self._rates = [torch.zeros(()) for _ in self._groups]
        self._set_rates: list[float] = []
        names = {id(weight): name for name, weight in program.learned.items()}
        self._names = [[names[id(p)] for p in group["params"]] for group in self._groups]
        self._weights = [[p.detach() for p in group["params"]] for group in self._groups]
        self._states = [_state_of(optimizer, group["params"]) for group in self._groups]
        self._compiled: Callable[..., Tensor] | None = None

    def compile(self, batch: Batch) -> None:
        """Compile, on copies of weights and state, so that nothing is changed.

        Raises:
            Exception: The compiler cannot do it.
        """
        compiled = compile_whole(self._step)
        weights = [[p.clone() for p in group] for group in self._weights]
        states = [
            {k: [t.clone() for t in values] for k, values in parts.items()}
            for parts in self._states
        ]
        with self._program.untouched(batch), quiet_compiler(), torch.no_grad():
            compiled(weights, states, self._rates, self._program.buffers, batch)
        self._compiled = compiled

    def run(self, trainer: Trainer, batch: Batch) -> bool:
        """Do a step and count it; return False, with nothing done, if it met a bad number."""
        rate = trainer.state.update.set_rate(trainer.ledger.step)
        rates = [group["lr"] for group in self._groups]
        if rates != self._set_rates:
            for tensor, value in zip(self._rates, rates, strict=True):
                tensor.fill_(value)
            self._set_rates = rates
        compute = self._compiled or self._step
        with torch.no_grad():
            told = compute(self._weights, self._states, self._rates, self._program.buffers, batch)
        is_good, loss, loss_weight, rows, *scores = told.tolist()
        if not is_good:
            return False
        trainer.note_whole(len(batch.targets), (loss, loss_weight, rows, *scores), rate)
        return True

    def _step(
        self,
        weights: list[Tensors],
        states: list[Parts],
        rates: Tensors,
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
            self._rule(group, new, gradients, state, rates[place])
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


def compile_whole(function: Callable[..., Any]) -> Any:
    """Compile a function as one graph that is called without looking at each tensor again.

    The caller answers for shapes, types and places of the tensors. What else the graph was built
    on, such as a number that a module counts up, is still looked at, and compiled anew if changed.
    """
    from deepwell.engine.products import ShortProducts  # imports the compiler

    options: dict[str, Any] = {
        "guard_filter_fn": _numbers_only,
        "size_asserts": False,
        "post_grad_custom_post_pass": ShortProducts(),
        # numbers for which a second thread is woken; torch's 512 cost 3 % of a step of 784-128-10
        "cpp.min_chunk_size": 2048,
    }
    return torch.compile(_alone(function), fullgraph=True, dynamic=False, options=options)


def _alone(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with code of its own.

    What was compiled is kept with the code: another network would meet it there, and without the
    looks at each tensor nothing would tell the two apart.
    """
    plain = getattr(function, "__func__", function)
    copy = FunctionType(
        plain.__code__.replace(),
        plain.__globals__,
        plain.__name__,
        plain.__defaults__,
        plain.__closure__,
    )
    owner = getattr(function, "__self__", None)
    return copy if owner is None else MethodType(copy, owner)


def _numbers_only(guards: Any) -> list[bool]:
    return [guard.guard_type in ("CONSTANT_MATCH", "EQUALS_MATCH") for guard in guards]


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
