import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from deepwell.nn.ensemble import (
    BatchEnsembleLinear,
    MemberLinear,
    MemberScale,
    average_members,
)


def _different(layer: torch.nn.Module) -> None:
    """Move all weights away from their equal starts."""
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(torch.randn_like(weight))


@pytest.mark.parametrize("shape", [(6, 5), (6, 3, 5)])
def test_batch_ensemble_is_members_with_scaled_matrices(shape: tuple[int, ...]) -> None:
    layer = BatchEnsembleLinear((2, 3), out_features=4, num_members=3).double()
    _different(layer)
    inputs = torch.randn(shape, dtype=torch.double, requires_grad=True)
    outputs = layer(inputs)
    targets = torch.randn_like(outputs)
    (outputs * targets).sum().backward()
    gradient = inputs.grad
    assert gradient is not None
    total = torch.zeros_like(gradient)
    for member in range(3):
        rows = inputs.detach() if inputs.ndim == 2 else inputs.detach()[:, member]
        scale_in, scale_out = layer.input_scale[member], layer.output_scale[member]
        matrix = scale_out[:, None] * layer.weight * scale_in  # the member's own matrix
        expected = F.linear(rows, matrix, layer.bias[member])
        torch.testing.assert_close(outputs[:, member], expected)
        own = targets[:, member] @ matrix
        if inputs.ndim == 2:
            total += own
        else:
            total[:, member] = own
    torch.testing.assert_close(gradient, total)


def test_derivatives_of_batch_ensemble() -> None:
    layer = BatchEnsembleLinear((1, 2), out_features=2, num_members=2).double()
    _different(layer)
    names, values = zip(*layer.named_parameters(), strict=True)
    inputs = torch.randn(3, 3, dtype=torch.double, requires_grad=True)

    def run(rows: Tensor, *weights: Tensor) -> Tensor:
        return torch.func.functional_call(layer, dict(zip(names, weights, strict=True)), (rows,))

    assert torch.autograd.gradcheck(run, (inputs, *values))


def test_member_linear_is_one_layer_a_member() -> None:
    layer = MemberLinear(5, out_features=2, num_members=3)
    inputs = torch.randn(4, 3, 5)
    for member in range(3):
        expected = inputs[:, member] @ layer.weight[member] + layer.bias[member]
        torch.testing.assert_close(layer(inputs)[:, member], expected)


@pytest.mark.parametrize("start", ["signs", "normal"])
def test_chunks_start_alike(start: str) -> None:
    weight = MemberScale((3, 1, 2), num_members=50, start=start).weight.detach()  # pyright: ignore
    assert torch.equal(weight[:, 0], weight[:, 1])
    assert torch.equal(weight[:, 1], weight[:, 2])
    assert torch.equal(weight[:, 4], weight[:, 5])
    assert not torch.equal(weight[:, 2], weight[:, 3])
    assert (set(weight.flatten().tolist()) == {-1.0, 1.0}) == (start == "signs")


def test_members_start_with_the_same_bias_and_scales_of_one() -> None:
    layer = BatchEnsembleLinear((4,), out_features=3, num_members=5)
    assert torch.equal(layer.bias, layer.bias[:1].expand(5, 3))
    assert bool((layer.input_scale == 1).all() and (layer.output_scale == 1).all())


@pytest.mark.parametrize(
    ("link", "answer"),
    [
        ("none", lambda outputs: outputs),
        ("sigmoid", torch.sigmoid),
        ("softmax", lambda outputs: outputs.softmax(dim=-1)),
        ("exp", torch.exp),
    ],
)
def test_average_is_the_mean_of_answers(link: str, answer) -> None:
    outputs = 3 * torch.randn(6, 4, 3, dtype=torch.double)
    expected = answer(outputs).mean(dim=1)
    torch.testing.assert_close(answer(average_members(outputs, link)), expected)  # pyright: ignore


def test_average_of_sure_members_is_finite() -> None:
    outputs = torch.tensor([[[200.0], [300.0]], [[-200.0], [-300.0]], [[200.0], [-200.0]]])
    mean = average_members(outputs, "sigmoid")
    assert bool(mean.isfinite().all())
    torch.testing.assert_close(mean[2], torch.zeros(1))
    assert mean[0] > 190
