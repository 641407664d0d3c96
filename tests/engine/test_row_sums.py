"""Sums of rows with equal places: torch's numbers, and the same bits each time."""

from collections.abc import Iterator

import pytest
import torch
from engine_fakes import Classify, engine, same, weights
from torch import Tensor, nn
from torch._inductor.decomposition import select_decomp_table
from torch.func import functional_call, grad
from torch.fx.experimental.proxy_tensor import make_fx

from deepwell.engine import TensorBatches, compilation, fit
from deepwell.engine.row_sums import change_row_sums, fixed_sums

HAS_COMPILER = not compilation.missing_compiler(torch.device("cpu"))


@pytest.fixture
def _two_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.parametrize("padding", [None, 3])
def test_the_gradient_of_an_embedding_is_a_sum_of_rows(padding: int | None):
    torch.manual_seed(0)
    layer = nn.Embedding(11, 5, padding_idx=padding)
    codes = torch.randint(0, 11, (6, 4))

    def loss(weight: Tensor, codes: Tensor) -> Tensor:
        return functional_call(layer, {"weight": weight}, (codes,)).sin().sum()

    table = select_decomp_table()
    weight = layer.weight.detach()
    traced = make_fx(grad(loss), decomposition_table=table, tracing_mode="fake")(weight, codes)
    change_row_sums(traced.graph)
    traced.graph.lint()
    traced.recompile()
    assert "sum_rows" in traced.code
    assert "accumulate" not in traced.code
    loss(layer.weight, codes).backward()
    torch.testing.assert_close(traced(weight, codes), layer.weight.grad, rtol=1e-6, atol=1e-6)


class _Coded(nn.Module):
    """Codes (rows, columns) by an embedding, and by a table that is read by hand."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.embedding = nn.Embedding(5, 32)
        self.table = nn.Parameter(torch.randn(5, 32))
        self.output = nn.Linear(32, 3)

    def forward(self, codes: Tensor) -> Tensor:
        return self.output((self.embedding(codes) * self.table[codes].tanh()).mean(dim=1))


@pytest.mark.usefixtures("_two_threads")
@pytest.mark.parametrize(
    "choice",
    [
        "off",
        pytest.param(
            "on", marks=pytest.mark.skipif(not HAS_COMPILER, reason="there is no C++ compiler")
        ),
    ],
)
def test_one_seed_gives_one_result_with_several_threads(choice: str):
    torch.manual_seed(1)
    codes = torch.randint(0, 5, (1024, 12)).numpy()
    targets = torch.randint(0, 3, (1024,)).numpy()
    found: list[dict[str, Tensor]] = []
    for _ in range(2):
        model = _Coded()
        rows = TensorBatches((codes,), targets, batch_size=256, shuffle=True, seed=2)
        settings = engine(epochs=3, batch_size=256, compile=choice, threads=2)
        result = fit(model, Classify(), rows, settings=settings, seed=5)
        assert result.compilation.startswith("Compiled in ") == (choice == "on")
        found.append(weights(model))
    assert same(*found)


def test_what_was_set_is_given_back():
    def settings() -> tuple[bool, bool, bool]:
        return (
            torch.are_deterministic_algorithms_enabled(),
            torch.is_deterministic_algorithms_warn_only_enabled(),
            torch.utils.deterministic.fill_uninitialized_memory,
        )

    before = settings()
    with fixed_sums():
        assert settings() == (True, True, False)
    assert settings() == before
    torch.use_deterministic_algorithms(True)
    try:
        with fixed_sums():
            assert settings() == (True, False, True)
        assert settings() == (True, False, True)
    finally:
        torch.use_deterministic_algorithms(False)
