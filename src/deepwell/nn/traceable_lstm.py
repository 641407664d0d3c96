"""Recurrent layers in a compiled program: an LSTM stays one call of a library for each layer.

torch's compiler refuses recurrent layers, and its function transforms write out each step of time:
for an LSTM over 100 words that took two minutes to compile, and 50 ms where the library's own
gradient takes 6. Here the layer is the call of oneDNN that it also is uncompiled, and what stands
around it is compiled.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Sequence
from typing import Any, TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F

State = tuple[Tensor, Tensor]
_LSTM = 2
"""Of the kinds of layers that oneDNN has."""

_LIBRARY = torch.library.Library("deepwell", "FRAGMENT")
_ARGUMENTS = "Tensor x, Tensor wx, Tensor wh, Tensor bx, Tensor bh, Tensor h, Tensor c"
_RESULTS = "Tensor y, Tensor hy, Tensor cy"
_LIBRARY.define(
    f"lstm_layer({_ARGUMENTS}, bool reverse) -> (Tensor, Tensor, Tensor, Tensor)",
    tags=(torch.Tag.needs_exact_strides,),
)
_LIBRARY.define(
    f"lstm_layer_backward({_ARGUMENTS}, {_RESULTS}, Tensor space, Tensor gy, Tensor gh, Tensor gc,"
    " bool reverse) -> (Tensor, Tensor, Tensor, Tensor, Tensor, Tensor)",
    tags=(torch.Tag.needs_exact_strides,),
)


def _layer(*arguments: Any) -> tuple[Tensor, ...]:
    """Compute what `lstm_layer` says.

    x is (steps, rows, features), the weights (4 units, features) and (4 units, units), the biases
    (4 units,), hidden and cell state (rows, units).
    """
    *layer, reverse = arguments
    units = layer[-1].shape[-1]
    # the library notes what the gradient needs only where gradients are enabled
    with torch.enable_grad():
        return torch.ops.aten.mkldnn_rnn_layer(
            *layer, reverse, [], _LSTM, units, 1, True, False, False, True
        )


def _layer_backward(*arguments: Any) -> tuple[Tensor, ...]:
    *layer_and_results, space, gy, gh, gc, reverse = arguments
    units = gh.shape[-1]
    gx, gwx, gwh, gb, _, ghx, gcx = torch.ops.aten.mkldnn_rnn_layer_backward(
        *layer_and_results,
        *(gy, gh, gc),
        *(reverse, _LSTM, units, 1, True, True, False, [], False, space),
    )
    return gx, gwx, gwh, gb, ghx, gcx


def _layer_shapes(*arguments: Any) -> tuple[Tensor, ...]:
    x, *_, h, c, _reverse = arguments
    space = torch.empty(0, dtype=torch.uint8, device=x.device)
    return x.new_empty(*x.shape[:2], h.shape[-1]), torch.empty_like(h), torch.empty_like(c), space


def _layer_backward_shapes(*arguments: Any) -> tuple[Tensor, ...]:
    x, wx, wh, bx, _, h, c = arguments[:7]
    return tuple(torch.empty(t.shape, device=t.device) for t in (x, wx, wh, bx, h, c))


_LIBRARY.impl("lstm_layer", _layer, "CPU")
_LIBRARY.impl("lstm_layer_backward", _layer_backward, "CPU")
torch.library.register_fake("deepwell::lstm_layer", _layer_shapes, lib=_LIBRARY)
torch.library.register_fake("deepwell::lstm_layer_backward", _layer_backward_shapes, lib=_LIBRARY)


class _Over(torch.autograd.Function):
    """A layer over all steps in one direction, with a gradient that has no gradient itself."""

    @staticmethod
    def forward(*arguments: Any) -> tuple[Tensor, ...]:
        return torch.ops.deepwell.lstm_layer(*arguments)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        *layer, ctx.reverse = inputs
        ctx.save_for_backward(*layer, *output)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        about = [gradient.contiguous() for gradient in gradients[:3]]
        with torch.no_grad():
            gx, gwx, gwh, gb, gh, gc = torch.ops.deepwell.lstm_layer_backward(
                *ctx.saved_tensors, *about, ctx.reverse
            )
        # each its own: whoever adds to the gradient of one shall not add to that of the other
        return gx, gwx, gwh, gb, gb.clone(), gh, gc, None


class TraceableLSTM(nn.Module):
    """What an `nn.LSTM` is while a program is traced: it has the same attributes and results."""

    batch_first: bool
    bidirectional: bool
    dropout: float
    hidden_size: int
    num_layers: int

    def forward(self, x: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return the outputs of the last layer, and hidden and cell states behind the last step."""
        if not isinstance(x, Tensor) or x.ndim != 3:  # pyright: ignore[reportUnnecessaryIsInstance]
            raise TypeError("A compiled LSTM reads tensors of shape (rows, steps, features)")
        steps = x.transpose(0, 1) if self.batch_first else x
        directions = ("", "_reverse") if self.bidirectional else ("",)
        if state is None:
            shape = self.num_layers * len(directions), steps.shape[1], self.hidden_size
            state = (steps.new_zeros(shape), steps.new_zeros(shape))
        ends: list[tuple[Tensor, Tensor]] = []
        for layer in range(self.num_layers):
            if layer and self.dropout:
                steps = F.dropout(steps, self.dropout, self.training)
            outputs: list[Tensor] = []
            for direction in directions:
                names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
                weights = [getattr(self, f"{name}_l{layer}{direction}") for name in names]
                known = (steps, *weights, state[0][len(ends)], state[1][len(ends)])
                y, h, c, _ = _Over.apply(*map(_as_asked, known), bool(direction))
                outputs.append(y)
                ends.append((h, c))
            steps = torch.cat(outputs, dim=-1) if len(outputs) > 1 else outputs[0]
        hidden, cell = (torch.stack(parts) for parts in zip(*ends, strict=True))
        return steps.transpose(0, 1) if self.batch_first else steps, (hidden, cell)


def _as_asked(tensor: Tensor) -> Tensor:
    """Return a tensor in the type of autocast, as it enters the library."""
    if torch.is_autocast_enabled("cpu"):
        tensor = tensor.to(torch.get_autocast_dtype("cpu"))
    return tensor.contiguous()


def layers_of(model: nn.Module) -> tuple[nn.LSTM, ...]:
    """Return the LSTM layers of a network that the library computes.

    The others are refused by the compiler: on a GPU, with projections or without biases, in other
    types than 32-bit floats.
    """
    return tuple(module for module in model.modules() if _is_known(module))


@contextlib.contextmanager
def traceable(layers: Sequence[nn.Module]) -> Generator[None]:
    """Let the compiler read layers that `layers_of` has returned.

    Example:
        >>> layer = nn.LSTM(2, 3)
        >>> with traceable(layers_of(layer)):
        ...     type(layer).__name__
        'TraceableLSTM'
        >>> type(layer).__name__
        'LSTM'
    """
    for layer in layers:
        layer.__class__ = TraceableLSTM
    try:
        yield
    finally:
        for layer in layers:
            layer.__class__ = nn.LSTM


def _is_known(module: nn.Module) -> TypeGuard[nn.LSTM]:
    return (
        type(module) is nn.LSTM
        and module.bias
        and not module.proj_size
        and torch.backends.mkldnn.is_available()
        and all(p.device.type == "cpu" and p.dtype == torch.float32 for p in module.parameters())
    )
