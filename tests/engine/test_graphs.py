"""CUDA graphs: what is recorded gives the steps of what is computed anew.

A processor records nothing: here a stand-in replays, into the same places, as a card does.
"""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from engine_fakes import Classify, engine, mlp, same, train_rows, weights
from torch import Tensor, nn

from deepwell.engine import compilation, compiled, fit, graphs


def _stand_in(compute: Callable[[], Any]) -> tuple[Callable[[], object], Any]:
    found = compute()

    def replay() -> None:
        for place, values in zip(_flat(found), _flat(compute()), strict=True):
            place.copy_(values)

    return replay, found


def _flat(found: Any) -> list[Tensor]:
    gradients, loss_sum, weight, scores = found
    return [*gradients.values(), loss_sum, weight, *scores.values()]


def _normalised() -> nn.Module:
    model = mlp(dropout=0.3)
    return nn.Sequential(model[0], nn.BatchNorm1d(12), *model[1:])


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the processor pass for a card; nothing is compiled, so that equal means equal."""
    monkeypatch.setattr(graphs, "are_on", lambda device: True)
    monkeypatch.setattr(graphs, "record", _stand_in)
    monkeypatch.setattr(compiled, "compile_whole", lambda function: function)
    monkeypatch.setattr(compilation, "missing_compiler", lambda device: "")
    monkeypatch.setattr(compilation, "_can_be_whole", lambda trainer: False)


def _train(**changes: object) -> tuple[dict[str, Tensor], str]:
    model = _normalised()
    settings = engine(epochs=3, compile="on", optimizer="momentum", learning_rate=0.1, **changes)
    result = fit(model, Classify(), train_rows(weighted=True), settings=settings, seed=5)
    return weights(model), result.compilation


# 90 rows in batches of 16: the last one of an epoch has another shape
@pytest.mark.parametrize("accumulate", [1, 3])
@pytest.mark.usefixtures("card")
def test_replayed_steps_equal_computed_ones(
    accumulate: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    replayed, said = _train(accumulate=accumulate)
    assert said.endswith("A CUDA graph is replayed.")
    monkeypatch.setattr(graphs, "are_on", lambda device: False)
    computed, said = _train(accumulate=accumulate)
    assert "CUDA" not in said
    assert same(replayed, computed)


@pytest.mark.usefixtures("card")
def test_what_cannot_be_recorded_is_computed(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(compute: Callable[[], Any]) -> None:
        raise RuntimeError("operation not permitted when stream is capturing")

    monkeypatch.setattr(graphs, "record", refuse)
    computed, said = _train()
    assert said.startswith("Compiled in ")
    assert "CUDA" not in said
    monkeypatch.setattr(graphs, "record", _stand_in)
    assert same(computed, _train()[0])


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA card")
@pytest.mark.parametrize("accumulate", [1, 3])
def test_a_card_replays_the_same_steps(accumulate: int) -> None:
    found = []
    for choice in ("off", "on"):
        model = _normalised()
        model[3].p = 0.0  # a compiled program draws other random numbers
        settings = engine(
            epochs=3, compile=choice, device="cuda", accumulate=accumulate, optimizer="momentum",
            learning_rate=0.1,
        )  # fmt: skip
        result = fit(model, Classify(), train_rows(weighted=True), settings=settings, seed=5)
        found.append(weights(model))
    assert result.compilation.endswith("A CUDA graph is replayed.")
    for name, tensor in found[0].items():
        torch.testing.assert_close(found[1][name], tensor, rtol=1e-4, atol=1e-5)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA card")
def test_replays_draw_new_random_numbers_and_the_same_ones_again() -> None:
    first, again = (_train(device="cuda") for _ in range(2))
    assert first[1].endswith("A CUDA graph is replayed.")
    assert same(first[0], again[0])
