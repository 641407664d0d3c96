"""Calling torch's compiler: how a function becomes one program."""

from __future__ import annotations

import platform
import sys
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

import torch


def compile_whole(function: Callable[..., Any]) -> Any:
    """Compile a function as one graph that is called without looking at each tensor again.

    The caller answers for shapes, types and places of the tensors. What else the graph was built
    on, such as a number that a module counts up, is still looked at, and compiled anew if changed.
    """
    from deepwell.engine.graph_pass import StepPass  # imports the compiler

    options: dict[str, Any] = {
        "guard_filter_fn": _numbers_only,
        "size_asserts": False,
        **processor_options(),
        "post_grad_custom_post_pass": StepPass(),
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


def processor_options() -> dict[str, Any]:
    """Return options that keep the C++ compiler from a known mistake.

    On an Intel processor that it does not know (Emerald Rapids) GCC 12.2 made transposed copies of
    bfloat16 numbers into garbage where it joins neighbouring statements to vectors. Programs have
    their vectors written out already and lose nothing: no difference of speed was seen.
    """
    import torch._inductor.config as options

    known = getattr(options, "cpp", None)
    is_met = sys.platform == "linux" and platform.machine() == "x86_64"
    if not is_met or getattr(known, "march", "") is not None:
        return {}  # another system, an older torch, or chosen by the user
    return {"cpp.march": "native -fno-tree-slp-vectorize"}
