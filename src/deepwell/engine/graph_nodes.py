"""Nodes of a graph of operations, as passes over it read and add them."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.fx import Graph, Node


def value_of(node: Any) -> Tensor:
    """Return the tensor without numbers that stands for what a node computes."""
    return node.meta["val"]


def add_node(graph: Graph, operation: Any, *arguments: Any) -> Node:
    """Add a node, with the tensor that stands for its value."""
    node = graph.call_function(operation, arguments)
    known = [value_of(a) if isinstance(a, Node) else a for a in arguments]
    node.meta["val"] = operation(*known)
    return node


def replace_node(graph: Graph, old: Node, new: Node) -> None:
    """Let another node stand where one stood."""
    old.replace_all_uses_with(new)
    graph.erase_node(old)
