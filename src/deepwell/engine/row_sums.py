"""Sums of rows that have the same place, as in the gradient of an embedding, in one fixed order.

With several threads torch's compiler adds such rows as they come: rounding then differs from run to
run, and one seed no longer gives one result. On a processor each addition also locks its number:
for 128 rows of 10 categories that took some 85 µs of a step of the `table` workload (2 cores).
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Generator
from typing import Any

import torch
from torch import Tensor
from torch.fx import Graph, Node

from deepwell.engine.graph_nodes import add_node, replace_node, value_of

aten = torch.ops.aten

_LIBRARY = torch.library.Library("deepwell", "FRAGMENT")
_LIBRARY.define("sum_rows(Tensor rows, Tensor places, int count) -> Tensor")


def _sum_rows(rows: Tensor, places: Tensor, count: int) -> Tensor:
    """Return (count, features), in which each of the rows (n, features) is added at its place."""
    # sorts the places, and lets each thread have rows of its own
    sums = rows.new_zeros(count, rows.shape[1])
    return sums.scatter_add_(0, places.unsqueeze(1).expand_as(rows), rows)


def _shape_of_sum(rows: Tensor, places: Tensor, count: int) -> Tensor:
    return rows.new_empty(count, rows.shape[1])


_LIBRARY.impl("sum_rows", _sum_rows, "CPU")
torch.library.register_fake("deepwell::sum_rows", _shape_of_sum, lib=_LIBRARY)


@contextlib.contextmanager
def fixed_sums() -> Generator[None]:
    """Let torch add in one fixed order on a processor, also in compiled programs.

    Where it has no such way, it goes on as it is.

    Example:
        >>> with fixed_sums():
        ...     torch.are_deterministic_algorithms_enabled()
        True
    """
    before = torch.are_deterministic_algorithms_enabled()
    is_warned = torch.is_deterministic_algorithms_warn_only_enabled()
    options: Any = torch.utils.deterministic  # a module whose attributes are made as it is loaded
    fills = options.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True, warn_only=is_warned if before else True)
    # it would write to all memory that is asked for, to find mistakes that are none of ours
    options.fill_uninitialized_memory = before and fills
    try:
        with warnings.catch_warnings():
            if not before:
                warnings.filterwarnings("ignore", message=".*deterministic implementation.*")
            yield
    finally:
        torch.use_deterministic_algorithms(before, warn_only=is_warned)
        options.fill_uninitialized_memory = fills


def change_row_sums(graph: Graph) -> None:
    """Write the gradients of embeddings as `sum_rows`, in place."""
    target = aten._unsafe_masked_index_put_accumulate.default
    for node in list(graph.find_nodes(op="call_function", target=target)):
        if _is_of_rows(node):
            _write(graph, node)


def _is_of_rows(node: Node) -> bool:
    """Return whether rows are added to zeros (count, features)."""
    arguments: Any = node.args
    zeros, _mask, places, rows = arguments
    value = value_of(node)
    return (
        value.device.type == "cpu"
        and value.ndim == 2
        and value.is_floating_point()
        and len(places) == 1
        and places[0] is not None
        and _is_zero(zeros)
        and value_of(rows).shape == (*value_of(places[0]).shape, value.shape[1])
    )


def _is_zero(node: Node) -> bool:
    return node.target is aten.full.default and bool(node.args[1] == 0)


def _write(graph: Graph, node: Node) -> None:
    arguments: Any = node.args
    _, mask, (places,), rows = arguments
    count, features = value_of(node).shape
    with graph.inserting_before(node):
        # what is masked, as padding is, adds nothing
        kept = add_node(graph, aten.mul.Tensor, rows, mask)
        flat = add_node(graph, aten.reshape.default, kept, [-1, features])
        # places from the end are negative; those outside, which are masked, become some inside
        inside = add_node(graph, aten.remainder.Scalar, places, count)
        where = add_node(graph, aten.reshape.default, inside, [-1])
        total = add_node(graph, torch.ops.deepwell.sum_rows.default, flat, where, count)
    replace_node(graph, node, total)
