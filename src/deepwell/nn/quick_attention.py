"""Attention in bfloat16 as whole products of matrices, which processors with matrix units like."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils.flop_counter import register_flop_formula

MOST_KEYS = 1024
"""Keys up to which the weights of the mixtures are kept for the way back: they are queries × keys
for each head, and beyond that they would outgrow everything else that is kept."""


class QuickAttention(TorchFunctionMode):
    """While it is entered, `scaled_dot_product_attention` on the processor computes as here.

    torch's own kernel works on small tiles and never holds all weights of the mixtures, which
    saves memory, but its way back is five times as slow as the five products it consists of. Here
    each of them is one call, and the weights are kept in bfloat16. It is for training with bfloat16
    autocast; calls with a mask of their own, with dropout, with more than `MOST_KEYS` keys or
    without autocast go to torch as they are.

    Reference:
        Vaswani et al.: Attention Is All You Need (2017), section 3.2.1.

    Example:
        >>> tokens = torch.ones(1, 1, 2, 4)
        >>> with QuickAttention(), torch.autocast("cpu", dtype=torch.bfloat16):
        ...     mixed = F.scaled_dot_product_attention(tokens, tokens, tokens, is_causal=True)
        >>> mixed.dtype, mixed.shape
        (torch.bfloat16, torch.Size([1, 1, 2, 4]))
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Compute a call of torch."""
        named = kwargs or {}
        if func is F.scaled_dot_product_attention:
            return _attend(*args, **named)
        return func(*args, **named)


def _attend(
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Tensor:
    """Take the arguments of torch's function, under its names."""
    is_plain = attn_mask is None and dropout_p == 0.0 and not enable_gqa
    if not (is_plain and _is_known(query, key, value)):
        return F.scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=attn_mask,
            dropout_p=dropout_p,
            is_causal=is_causal,
            scale=scale,
            enable_gqa=enable_gqa,
        )
    factor = query.shape[-1] ** -0.5 if scale is None else scale
    asked = query * factor
    rows = [block.to(torch.bfloat16).contiguous().flatten(0, 1) for block in (asked, key, value)]
    return _Mixtures.apply(*rows, is_causal)[0].view(query.shape)


def _is_known(query: Tensor, key: Tensor, value: Tensor) -> bool:
    return (
        query.device.type == "cpu"
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
        and query.ndim == 4
        and query.shape[:2] == key.shape[:2]
        and key.shape == value.shape
        and key.shape[2] <= MOST_KEYS
    )


# a compiler takes what is registered as one step and does not look into it: what it makes of the
# softmax is several times as slow as torch's
_LIBRARY = torch.library.Library("deepwell", "FRAGMENT")
_LIBRARY.define("mixtures(Tensor query, Tensor key, Tensor value, bool is_causal) -> Tensor[]")
_LIBRARY.define(
    "mixtures_backward(Tensor gradient, Tensor query, Tensor key, Tensor value, Tensor weights)"
    " -> Tensor[]"
)


def _mix(query: Tensor, key: Tensor, value: Tensor, is_causal: bool) -> list[Tensor]:
    """Return the mixtures (rows, Q, D) and their weights (rows, Q, K).

    Args:
        query: (rows, Q, D), where each head of a batch has a row.
        key: (rows, K, D).
        value: (rows, K, D).
        is_causal: Whether a query sees only the keys up to its own place.
    """
    weights = _scores(query.float(), key.float(), is_causal)
    torch.softmax(weights, -1, out=weights)
    kept = weights.to(query.dtype)
    return [torch.bmm(kept, value), kept]


def _scores(query: Tensor, key: Tensor, is_causal: bool) -> Tensor:
    """Return the products as 32-bit floats: rounded, they would spoil sharp mixtures."""
    keys = key.transpose(1, 2)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("medium")  # the factors lose nothing: they are bfloat16
    try:
        with torch.autocast("cpu", enabled=False):
            if not is_causal:
                return torch.bmm(query, keys)
            later = query.new_full((query.shape[1], key.shape[1]), float("-inf")).triu_(1)
            return torch.baddbmm(later, query, keys)
    finally:
        torch.set_float32_matmul_precision(before)


def _shapes_of_mix(query: Tensor, key: Tensor, value: Tensor, is_causal: bool) -> list[Tensor]:
    return [
        torch.empty_like(query),
        query.new_empty(query.shape[0], query.shape[1], key.shape[1]),
    ]


def _mix_backward(
    gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, weights: Tensor
) -> list[Tensor]:
    """Return the gradients of query, key and value for that of the mixtures, (rows, Q, D)."""
    of_value = torch.bmm(weights.transpose(1, 2), gradient)
    of_weights = torch.bmm(gradient, value.transpose(1, 2))
    # in place: what flows through the softmax
    torch.ops.aten._softmax_backward_data.out(
        of_weights, weights, -1, weights.dtype, grad_input=of_weights
    )
    return [torch.bmm(of_weights, key), torch.bmm(of_weights.transpose(1, 2), query), of_value]


def _shapes_of_mix_backward(
    gradient: Tensor, query: Tensor, key: Tensor, value: Tensor, weights: Tensor
) -> list[Tensor]:
    return [torch.empty_like(block) for block in (query, key, value)]


for _name, _compute, _shapes in (
    ("mixtures", _mix, _shapes_of_mix),
    ("mixtures_backward", _mix_backward, _shapes_of_mix_backward),
):
    _LIBRARY.impl(_name, _compute, "CPU")
    torch.library.register_fake(f"deepwell::{_name}", _shapes, lib=_LIBRARY)


def _work_of_mix(query: torch.Size, key: torch.Size, *_: object, **__: object) -> int:
    """Return the multiplications and additions of two products, for torch's counter."""
    rows, num_queries, size = query
    return 4 * rows * num_queries * key[1] * size


def _work_of_mix_backward(
    _gradient: torch.Size, query: torch.Size, key: torch.Size, *_: object, **__: object
) -> int:
    return 2 * _work_of_mix(query, key)


register_flop_formula(torch.ops.deepwell.mixtures)(_work_of_mix)
register_flop_formula(torch.ops.deepwell.mixtures_backward)(_work_of_mix_backward)


class _Mixtures(torch.autograd.Function):
    """The two computations as one function that can be differentiated."""

    @staticmethod
    def forward(
        query: Tensor, key: Tensor, value: Tensor, is_causal: bool
    ) -> tuple[Tensor, Tensor]:
        mixed, weights = torch.ops.deepwell.mixtures(query, key, value, is_causal)
        return mixed, weights

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        weights = output[1]
        ctx.mark_non_differentiable(weights)
        ctx.save_for_backward(*inputs[:3], weights)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        gradient = gradients[0].contiguous()
        return (*torch.ops.deepwell.mixtures_backward(gradient, *ctx.saved_tensors), None)
