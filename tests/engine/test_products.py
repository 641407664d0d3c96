"""Products of a compiled step: the same numbers, written so that the compiler can join them."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx
from torch.nn import functional as F

from deepwell.engine.products import change_products


def _changed(function: Callable[..., Tensor], *tensors: Tensor) -> tuple[GraphModule, set[str]]:
    """Trace, let the pass change the graph, and return it with the operations left in it."""
    traced = make_fx(function, tracing_mode="fake")(*tensors)
    change_products(traced.graph)
    traced.graph.lint()
    traced.recompile()
    return traced, {str(node.target) for node in traced.graph.nodes if node.op == "call_function"}


def _factors(
    rows: int, inner: int, columns: int, kind: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(3)
    left = torch.randn(rows, inner, generator=generator).to(kind)
    return left, torch.randn(columns, inner, generator=generator).to(kind)


def _product(left: Tensor, weight: Tensor) -> Tensor:
    return torch.mm(left, weight.t())


@pytest.mark.parametrize(("rows", "inner", "columns"), [(128, 128, 10), (3, 7, 1), (1, 1, 40)])
def test_small_products_become_sums_of_the_same_value(rows: int, inner: int, columns: int):
    left, weight = _factors(rows, inner, columns)
    graph, operations = _changed(_product, left, weight)
    assert "aten.mm.default" not in operations
    exact = left.double() @ weight.double().t()
    torch.testing.assert_close(graph(left, weight).double(), exact, rtol=1e-5, atol=1e-5)


def test_bfloat16_is_summed_in_32_bits_and_rounded_once():
    left, weight = _factors(16, 64, 16, torch.bfloat16)
    graph, operations = _changed(_product, left, weight)
    assert "aten.mm.default" not in operations
    found = graph(left, weight)
    assert found.dtype == torch.bfloat16
    exact = (left.double() @ weight.double().t()).bfloat16()
    # a unit in the last place of bfloat16 is 2**-8 of the value
    assert torch.isclose(found.float(), exact.float(), rtol=2**-7, atol=1e-6).all()
    assert (found == exact).float().mean() > 0.99


def test_large_products_stay():
    _, operations = _changed(_product, *_factors(128, 784, 128))
    assert "aten.mm.default" in operations


def test_products_whose_sums_would_jump_through_memory_stay():
    left, weight = _factors(128, 128, 10)
    _, operations = _changed(lambda a, b: torch.mm(a, b), left, weight.t().contiguous())
    assert "aten.mm.default" in operations


def test_the_bias_is_added_afterwards():
    left, weight = _factors(128, 784, 128)
    bias = torch.linspace(-1, 1, 128)
    graph, operations = _changed(lambda a, w, b: F.linear(a, w, b), left, weight, bias)
    assert {"aten.mm.default", "aten.add.Tensor"} <= operations
    assert "aten.addmm.default" not in operations
    expected = F.linear(left, weight, bias)
    torch.testing.assert_close(graph(left, weight, bias), expected, rtol=1e-5, atol=1e-4)


def test_scaled_sums_and_other_types_are_left_alone():
    left, weight = _factors(8, 8, 8)
    _, operations = _changed(
        lambda a, w, b: torch.addmm(b, a, w.t(), beta=0.5), left, weight, torch.ones(8)
    )
    assert "aten.addmm.default" in operations
    _, operations = _changed(_product, left.double(), weight.double())
    assert "aten.mm.default" in operations
