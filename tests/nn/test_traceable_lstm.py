"""A compiled LSTM: the numbers of torch's, forwards and backwards, and what it leaves alone."""

import shutil

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.func import functional_call, grad_and_value

from deepwell.engine.quiet import quiet_compiler
from deepwell.nn.traceable_lstm import layers_of, traceable

pytestmark = pytest.mark.skipif(
    not torch.backends.mkldnn.is_available(), reason="torch has no oneDNN here"
)
LAYERS = {
    "plain": {},
    "batch_first": {"batch_first": True},
    "both_ways": {"bidirectional": True},
    "dropped": {"num_layers": 2, "dropout": 1.0},
    "deep": {"num_layers": 3, "bidirectional": True, "batch_first": True},
}


class _Read(nn.Module):
    """Sums what an LSTM says, and where it ends."""

    def __init__(self, **options: object) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.lstm = nn.LSTM(5, 7, **options)

    def forward(self, inputs: Tensor, state: tuple[Tensor, Tensor] | None = None) -> Tensor:
        outputs, (hidden, cell) = self.lstm(inputs, state)
        weights = torch.linspace(0.5, 1.5, outputs.numel()).view(outputs.shape)
        return (outputs * weights).sum() + hidden.square().sum() + cell.sin().sum()


def _inputs(options: dict[str, bool | int | float]) -> tuple[Tensor, tuple[Tensor, Tensor]]:
    torch.manual_seed(1)
    rows = (4, 6, 5) if options.get("batch_first") else (6, 4, 5)
    ends = int(options.get("num_layers", 1)) * (2 if options.get("bidirectional") else 1)
    return torch.randn(rows), (torch.randn(ends, 4, 7), torch.randn(ends, 4, 7))


def _gradients(network: nn.Module, *inputs: object) -> tuple[dict[str, Tensor], Tensor]:
    def total(weights: dict[str, Tensor]) -> Tensor:
        return functional_call(network, weights, inputs)

    return grad_and_value(total)({n: p.detach() for n, p in network.named_parameters()})


@pytest.mark.parametrize("options", LAYERS.values(), ids=LAYERS)
@pytest.mark.parametrize("has_state", [False, True])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_it_equals_torchs_bit_for_bit(
    options: dict[str, bool | int | float], has_state: bool, precision: torch.dtype
):
    network = _Read(**options)
    rows, state = _inputs(options)
    inputs = (rows, state) if has_state else (rows,)
    with torch.autocast("cpu", precision, enabled=precision != torch.float32):
        expected = network(*inputs)
        expected.backward()
        with traceable(layers_of(network)):
            found, value = _gradients(network, *inputs)
    assert torch.equal(value, expected)
    for name, parameter in network.named_parameters():
        assert parameter.grad is not None
        assert torch.equal(found[name], parameter.grad), name


def test_gradients_reach_the_inputs_and_the_state():
    network = _Read()
    rows, state = _inputs({})
    given = [rows.requires_grad_(), *(part.requires_grad_() for part in state)]
    expected = torch.autograd.grad(network(rows, state), given)
    with traceable(layers_of(network)):
        found = torch.autograd.grad(network(rows, state), given)
    for one, other in zip(found, expected, strict=True):
        assert torch.equal(one, other)


@pytest.mark.skipif(
    not any(map(shutil.which, ("g++", "clang++"))), reason="there is no C++ compiler"
)
def test_a_compiler_reads_it_in_one_piece():
    network = _Read(**LAYERS["deep"])
    rows, state = _inputs(LAYERS["deep"])
    expected, value = _gradients(network, rows, state)
    compiled = torch.compile(lambda: _gradients(network, rows, state), fullgraph=True)
    with quiet_compiler(), traceable(layers_of(network)), torch.no_grad():
        found, total = compiled()
    torch.testing.assert_close(total, value, rtol=1e-6, atol=0)
    for name, gradient in expected.items():
        torch.testing.assert_close(found[name], gradient, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16])
def test_shapes_types_and_strides_are_foretold(kind: torch.dtype):
    units, features = 7, 5
    sizes = [(6, 4, features), (4 * units, features), (4 * units, units)]
    sizes += [(4 * units,)] * 2 + [(4, units)] * 2
    layer = [torch.randn(size).to(kind) for size in sizes]
    results = torch.ops.deepwell.lstm_layer(*layer, True)
    about = [torch.ones_like(result) for result in results[:3]]
    whole = [*layer, *results, *about]
    for name, inputs in (("lstm_layer", layer), ("lstm_layer_backward", whole)):
        function = getattr(torch.ops.deepwell, name).default
        real = function(*inputs, False)
        with FakeTensorMode() as mode:
            told = function(*map(mode.from_tensor, inputs), False)
        for one, other in zip(real, told, strict=True):
            if one.dtype != torch.uint8:  # the library's notes, which nobody else reads
                assert (one.shape, one.dtype, one.stride()) == (
                    other.shape,
                    other.dtype,
                    other.stride(),
                )


def test_what_the_library_does_not_compute_stays_as_it_is():
    class Own(nn.LSTM):
        pass

    others = nn.ModuleList(
        [
            nn.LSTM(2, 3, bias=False),
            nn.LSTM(2, 3, proj_size=2),
            nn.LSTM(2, 3, dtype=torch.float64),
            nn.GRU(2, 3),
            Own(2, 3),
        ]
    )
    before = [type(layer) for layer in others]
    with traceable(layers_of(others)):
        assert [type(layer) for layer in others] == before


def test_it_is_an_lstm_again_afterwards_and_refuses_packed_rows():
    network = _Read()
    packed = nn.utils.rnn.pack_sequence([torch.ones(3, 5), torch.ones(2, 5)])
    with (
        pytest.raises(TypeError, match="reads tensors of shape"),
        traceable(layers_of(network)),
    ):
        network.lstm(packed)
    assert type(network.lstm) is nn.LSTM
