import pytest
import torch

from deepwell.nn.quick_dropout import QuickDropout


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_share_and_mean(share: float) -> None:
    torch.manual_seed(0)
    outputs = QuickDropout(share)(torch.ones(100, 1001))
    is_zero = (outputs == 0).float()
    exact = round(256 * share) / 256
    assert abs(exact - share) < 1 / 256
    assert is_zero.mean().item() == pytest.approx(exact, abs=0.005)
    assert outputs.mean().item() == pytest.approx(1.0, abs=0.02)
    assert len(outputs.unique()) == 2
    # each of the eight bytes of a number is as random as the others, and neighbours do not agree
    by_byte = is_zero.flatten()[: 100 * 1000].reshape(-1, 8)
    assert (by_byte.mean(dim=0) - exact).abs().max() < 0.02
    assert abs(torch.corrcoef(by_byte.T)[0, 1].item()) < 0.05


def test_gradient_is_that_of_the_values_that_stay() -> None:
    inputs = torch.randn(33, 7, requires_grad=True)
    outputs = QuickDropout(0.25)(inputs)
    outputs.sum().backward()
    assert inputs.grad is not None
    torch.testing.assert_close(inputs.grad, (outputs / inputs).detach())


@pytest.mark.parametrize("share", [0.0, 0.3])
def test_evaluation_changes_nothing(share: float) -> None:
    inputs = torch.randn(5, 3)
    assert torch.equal(QuickDropout(share).eval()(inputs), inputs)


def test_no_share_draws_no_numbers() -> None:
    state = torch.random.get_rng_state()
    inputs = torch.randn(5, 3, generator=torch.Generator())
    assert torch.equal(QuickDropout(0.0).train()(inputs), inputs)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_the_same_seed_drops_the_same() -> None:
    layer = QuickDropout(0.5)
    outputs: list[torch.Tensor] = []
    for _ in range(2):
        torch.manual_seed(4)
        outputs.append(layer(torch.ones(40)))
    assert torch.equal(*outputs)
