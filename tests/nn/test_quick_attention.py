"""Attention as whole products: the numbers of torch's own, in both directions."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.func import grad_and_value
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from deepwell.nn.quick_attention import MOST_KEYS, QuickAttention


def blocks(queries: int = 12, keys: int = 12) -> list[Tensor]:
    numbers = torch.Generator().manual_seed(0)
    return [torch.randn(2, 3, n, 8, generator=numbers) for n in (queries, keys, keys)]


def loss(query: Tensor, key: Tensor, value: Tensor, *, is_causal: bool) -> Tensor:
    mixed = F.scaled_dot_product_attention(query, key, value, is_causal=is_causal)
    return (mixed.float() * torch.linspace(-1, 1, mixed.numel()).view(mixed.shape)).sum()


def quick(query: Tensor, key: Tensor, value: Tensor, *, is_causal: bool) -> Tensor:
    with QuickAttention(), torch.autocast("cpu", dtype=torch.bfloat16):
        return loss(query, key, value, is_causal=is_causal)


@pytest.mark.parametrize("is_causal", [False, True])
@pytest.mark.parametrize("keys", [12, 7])
def test_mixtures_and_gradients_are_those_of_32_bit_floats(is_causal: bool, keys: int) -> None:
    given = blocks(keys=keys)
    exact, expected = grad_and_value(partial(loss, is_causal=is_causal), (0, 1, 2))(*given)
    found, value = grad_and_value(partial(quick, is_causal=is_causal), (0, 1, 2))(*given)
    torch.testing.assert_close(value, expected, rtol=0.02, atol=0.02)
    for one, other in zip(found, exact, strict=True):
        assert (one - other).norm() < 0.02 * other.norm()


def test_sharp_mixtures_are_as_exact_as_those_of_torch() -> None:
    # scores with a deviation of 4: rounded to bfloat16 they would cost three times the error
    numbers = torch.Generator().manual_seed(0)
    given = [2 * torch.randn(1, 2, 128, 64, generator=numbers).bfloat16().float() for _ in "qkv"]

    def torchs(query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            return loss(query, key, value, is_causal=True)

    exact, _ = grad_and_value(partial(loss, is_causal=True), (0, 1, 2))(*given)
    found, _ = grad_and_value(partial(quick, is_causal=True), (0, 1, 2))(*given)
    others, _ = grad_and_value(torchs, (0, 1, 2))(*given)
    for one, other, right in zip(found, others, exact, strict=True):
        assert (one - right).norm() < 1.3 * (other - right).norm()


def test_the_work_is_counted_in_both_directions() -> None:
    given = [block.requires_grad_() for block in blocks(keys=7)]
    with FlopCounterMode(display=False) as counter:
        quick(*given, is_causal=False).backward()
    # six products of 12 queries with 7 keys of 8 numbers, in 2 · 3 rows
    assert counter.get_total_flops() == 6 * 2 * (2 * 3) * 12 * 7 * 8


def test_autograd_takes_the_same_way() -> None:
    given = [block.requires_grad_() for block in blocks()]
    quick(*given, is_causal=True).backward()
    found = grad_and_value(partial(quick, is_causal=True), (0, 1, 2))(*blocks())[0]
    for block, gradient in zip(given, found, strict=True):
        assert torch.equal(block.grad, gradient)  # pyright: ignore[reportArgumentType]


def test_no_place_learns_from_a_later_one() -> None:
    query, key, value = (block.requires_grad_() for block in blocks())
    with QuickAttention(), torch.autocast("cpu", dtype=torch.bfloat16):
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    mixed[:, :, :5].float().sum().backward()
    assert value.grad is not None
    assert key.grad is not None
    assert not value.grad[:, :, 5:].any()
    assert not key.grad[:, :, 5:].any()
    assert value.grad[:, :, :5].all()


@pytest.mark.parametrize(
    ("keys", "change", "is_cast"),
    [
        (12, {"attn_mask": torch.zeros(12, 12)}, True),
        (MOST_KEYS + 1, {}, True),
        (12, {}, False),
    ],
)
def test_what_it_does_not_know_goes_to_torch(
    keys: int, change: dict[str, Tensor], is_cast: bool
) -> None:
    given = blocks(keys=keys)
    cast = torch.autocast("cpu", dtype=torch.bfloat16) if is_cast else nullcontext()
    with cast:
        expected = F.scaled_dot_product_attention(*given, **change)  # pyright: ignore
        with QuickAttention():
            found = F.scaled_dot_product_attention(*given, **change)  # pyright: ignore
    assert torch.equal(found, expected)


def test_dropout_goes_to_torch() -> None:
    given = blocks()
    mixed: list[Tensor] = []
    for mode in (nullcontext(), QuickAttention()):
        torch.manual_seed(1)
        with mode, torch.autocast("cpu", dtype=torch.bfloat16):
            mixed.append(F.scaled_dot_product_attention(*given, dropout_p=0.5))
    assert torch.equal(*mixed)
