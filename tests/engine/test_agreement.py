"""A program that computes other numbers than the network is not used."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch._inductor.config as options
from engine_fakes import Classify, engine, mlp, same, train_rows, weights
from torch import Tensor

from deepwell.engine import FitResult, compilation, compiled, compiler, fit, whole
from deepwell.engine.agreement import WrongProgramError, check_agreement
from deepwell.engine.compiler import compile_whole, processor_options
from deepwell.engine.quiet import quiet_compiler

HAS_COMPILER = not compilation.missing_compiler(torch.device("cpu"))
needs_compiler = pytest.mark.skipif(not HAS_COMPILER, reason="there is no C++ compiler")


def _train(choice: str, **changes: object) -> tuple[dict[str, Tensor], FitResult]:
    model = mlp()
    settings = engine(epochs=2, compile=choice, **changes)
    result = fit(model, Classify(), train_rows(), settings=settings, seed=5)
    return weights(model), result


def test_rounding_agrees_and_garbage_does_not():
    right = {"a": torch.ones(4), "b": torch.full((4,), 1e-9), "n": torch.ones(2, dtype=torch.int)}

    def check(found: dict[str, Tensor], expected: dict[str, Tensor]) -> None:
        check_agreement({"gradient": found}, {"gradient": expected})

    check({**right, "a": right["a"] * 1.01}, right)
    check({**right, "b": -right["b"]}, right)  # nothing beside the others
    check({**right, "n": right["n"] + 1}, right)
    for wrong in (torch.tensor([1.0, 1.0, 1.0, 2.0]), torch.full((4,), float("nan"))):
        with pytest.raises(WrongProgramError, match='another gradient "a"'):
            check({**right, "a": wrong}, right)
    bad = {**right, "a": torch.full((4,), float("inf"))}
    check(right, bad)  # a batch with bad numbers says nothing


def test_a_large_loss_hides_no_wrong_gradient():
    expected = {"loss": {"sum": torch.tensor(1e6)}, "gradient": {"a": torch.ones(4)}}
    wrong = {**expected, "gradient": {"a": torch.tensor([1.0, -5.0, 2.0, 0.0])}}
    with pytest.raises(WrongProgramError, match='another gradient "a"'):
        check_agreement(wrong, expected)


def _spoiled(make: Callable[..., Any]) -> Callable[..., Any]:
    """Return a maker of programs that double the gradient of the first weights."""

    def compile_wrongly(function: Callable[..., Any]) -> Callable[..., Any]:
        program = make(function)

        def wrong(*inputs: Any) -> Any:
            gradients, *others = program(*inputs)
            first = next(iter(gradients))
            return {**gradients, first: gradients[first] * 2}, *others

        return wrong

    return compile_wrongly


@needs_compiler
def test_a_wrong_program_is_refused_and_the_training_goes_on_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(compiled, "compile_whole", _spoiled(compiled.compile_whole))
    found, result = _train("on")
    assert result.compilation.startswith("Not compiled: the program computes another gradient")
    assert same(found, _train("off")[0])


@needs_compiler
@pytest.mark.parametrize("optimizer", [pytest.param("sgd", marks=pytest.mark.slow), "adamw"])
def test_a_wrong_whole_step_leaves_the_parts(monkeypatch: pytest.MonkeyPatch, optimizer: str):
    make = whole.compile_whole

    def compile_wrongly(function: Callable[..., Any]) -> Callable[..., Any]:
        step = make(function)

        def wrong(weights: Any, states: Any, *others: Any) -> Tensor:
            told = step(weights, states, *others)
            for values in (weights, *(parts.values() for parts in states)):
                for tensors in values:
                    tensors[0].mul_(1.5).add_(0.5)
            return told

        return wrong

    monkeypatch.setattr(whole, "compile_whole", compile_wrongly)
    changes = {"optimizer": optimizer, "learning_rate": 0.003}
    found, result = _train("on", **changes)
    assert result.compilation.startswith("Compiled in ")
    for name, tensor in _train("off", **changes)[0].items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=1e-5)


@needs_compiler
def test_transposed_copies_of_bfloat16_are_copies():
    def copies(one: Tensor, other: Tensor) -> list[Tensor]:
        return [
            part.t().float().clone(memory_format=torch.contiguous_format) for part in (one, other)
        ]

    blocks = torch.randn(256, 256).bfloat16(), torch.randn(768, 256).bfloat16()
    with quiet_compiler():
        found = compile_whole(copies)(*blocks)
    for copy, block in zip(found, blocks, strict=True):
        assert torch.equal(copy, block.t().float())


def test_a_processor_that_somebody_chose_stays_chosen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(compiler.sys, "platform", "linux")
    monkeypatch.setattr(compiler.platform, "machine", lambda: "x86_64")
    with options.patch({"cpp.march": None}):
        assert processor_options() == {"cpp.march": "native -fno-tree-slp-vectorize"}
        monkeypatch.setattr(compiler.platform, "machine", lambda: "aarch64")
        assert processor_options() == {}
    monkeypatch.setattr(compiler.platform, "machine", lambda: "x86_64")
    with options.patch({"cpp.march": "x86-64-v3"}):
        assert processor_options() == {}
