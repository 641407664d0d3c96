"""The layer table: which layers ran, what they returned, how many parameters they hold."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import is_lazy
from torch.utils.hooks import RemovableHandle

from deepwell.types import InputSpec


@dataclass(frozen=True, slots=True)
class LayerRow:
    """One layer of the table.

    Args:
        name: Its path in the network, as in the state dict.
        kind: Its class.
        output_shape: For example "(batch, 64, 28, 28)"; "" if the layer did not run by itself.
        parameters: How many it holds that no row above holds.
        trainable: How many of these receive gradients.
    """

    name: str
    kind: str
    output_shape: str
    parameters: int
    trainable: int


@dataclass(frozen=True, slots=True)
class Summary:
    """The layer table of a network.

    Args:
        rows: In the order in which the layers run; layers that did not run come last.
        parameters: All parameters, those that several layers share counted once.
        trainable: Those that receive gradients.
    """

    rows: tuple[LayerRow, ...]
    parameters: int
    trainable: int

    def to_json(self) -> dict[str, Any]:
        """Return a plain dictionary."""
        return asdict(self) | {"rows": [asdict(row) for row in self.rows]}


def summarize(model: nn.Module, inputs: tuple[Tensor, ...]) -> Summary:
    """Run the network once, without learning, and list its layers.

    A layer is a module without children, or one with parameters of its own. Layers that find
    their input size by themselves (torch's lazy modules) find it here.

    Args:
        model: Any module. Left in the mode (training or evaluation) in which it was.
        inputs: One tensor a block, as the network is called.

    Example:
        >>> network = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
        >>> for row in summarize(network, (torch.zeros(2, 4),)).rows:
        ...     print(row.name, row.kind, row.output_shape, row.parameters)
        0 Linear (batch, 3) 15
        1 ReLU (batch, 3) 0
    """
    batch = inputs[0].shape[0] if inputs and inputs[0].ndim else -1
    names = {module: name for name, module in model.named_modules()}
    layers = [module for module in names if _is_layer(module)]
    calls = _watch(model, layers, inputs, batch)
    idle = [(module, "") for module in layers if module not in dict(calls) and _own(module)]
    seen: set[int] = set()
    rows = tuple(
        _row(names[module] or type(module).__name__, module, shape, seen)
        for module, shape in (*calls, *idle)
    )
    return Summary(rows, sum(row.parameters for row in rows), sum(row.trainable for row in rows))


def _is_layer(module: nn.Module) -> bool:
    return bool(_own(module)) or next(module.children(), None) is None


def _own(module: nn.Module) -> list[nn.Parameter]:
    return list(module.parameters(recurse=False))


def _watch(
    model: nn.Module, layers: list[nn.Module], inputs: tuple[Tensor, ...], batch: int
) -> list[tuple[nn.Module, str]]:
    """Run the network; return the layers and their output shapes in the order of the calls."""
    order: list[nn.Module] = []
    shapes: list[str] = []
    open_calls: list[int] = []

    def enter(module: nn.Module, _inputs: object) -> None:
        open_calls.append(len(order))
        order.append(module)
        shapes.append("")

    def leave(_module: nn.Module, _inputs: object, outputs: object) -> None:
        shapes[open_calls.pop()] = describe_shape(outputs, batch)

    handles: list[RemovableHandle] = []
    for layer in layers:
        handles += [layer.register_forward_pre_hook(enter), layer.register_forward_hook(leave)]
    try:
        with evaluating(model), torch.no_grad():
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    return list(zip(order, shapes, strict=True))


@contextlib.contextmanager
def evaluating(model: nn.Module) -> Generator[None]:
    """Put every module into evaluation mode; afterwards each is back in the mode it had."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def describe_shape(value: object, batch: int) -> str:
    """Write the shape of a tensor, or of a nest of tensors, with the batch by name.

    Example:
        >>> describe_shape((torch.zeros(7, 3), torch.zeros(2)), batch=7)
        '(batch, 3), (2)'
    """
    if isinstance(value, Tensor):
        sizes = [str(size) for size in value.shape]
        if sizes and value.shape[0] == batch:
            sizes[0] = "batch"
        return f"({', '.join(sizes)})"
    if isinstance(value, Mapping):
        value = tuple(value.values())
    if isinstance(value, tuple | list):
        return ", ".join(filter(None, (describe_shape(part, batch) for part in value)))
    return ""


def _row(name: str, module: nn.Module, shape: str, seen: set[int]) -> LayerRow:
    new = [weight for weight in _own(module) if id(weight) not in seen and not is_lazy(weight)]
    seen.update(id(weight) for weight in new)
    return LayerRow(
        name=name,
        kind=type(module).__name__,
        output_shape=shape,
        parameters=sum(weight.numel() for weight in new),
        trainable=sum(weight.numel() for weight in new if weight.requires_grad),
    )


def example_inputs(
    spec: InputSpec, batch: int = 2, *, generator: torch.Generator | None = None
) -> tuple[Tensor, ...]:
    """Make random inputs that fit a spec, one tensor a block.

    Args:
        spec: What a network is fed.
        batch: Rows.
        generator: A random stream; default: torch's own.

    Example:
        >>> spec = InputSpec(num_numbers=3, image_shape=(1, 8, 8))
        >>> [(tuple(block.shape), block.dtype) for block in example_inputs(spec)]
        [((2, 3), torch.float32), ((2, 1, 8, 8), torch.uint8)]
    """
    blocks: list[Tensor] = []
    if spec.num_numbers:
        blocks.append(torch.randn(batch, spec.num_numbers, generator=generator))
    if spec.cardinalities:
        codes = [torch.randint(n, (batch,), generator=generator) for n in spec.cardinalities]
        blocks.append(torch.stack(codes, dim=1))
    if spec.image_shape is not None:
        shape = (batch, *spec.image_shape)
        blocks.append(torch.randint(256, shape, generator=generator, dtype=torch.uint8))
    return tuple(blocks)
