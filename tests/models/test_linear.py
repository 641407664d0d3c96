import torch

from deepwell.models import build
from deepwell.types import InputSpec


def test_equals_least_squares_when_trained() -> None:
    inputs = torch.randn(50, 3, dtype=torch.double)
    targets = inputs @ torch.tensor([[1.0], [-2.0], [0.5]], dtype=torch.double) + 0.7
    network = build("linear", InputSpec(num_numbers=3), 1).double()
    optimizer = torch.optim.LBFGS(network.parameters(), line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = (network(inputs) - targets).square().mean()
        loss.backward()
        return loss

    for _ in range(5):
        optimizer.step(closure)
    output = network.body.output
    torch.testing.assert_close(
        output.weight.flatten().tolist(), [1.0, -2.0, 0.5], atol=1e-5, rtol=0
    )
    torch.testing.assert_close(output.bias.item(), 0.7, atol=1e-5, rtol=0)


def test_starts_at_the_answer_that_knows_nothing() -> None:
    spec = InputSpec(num_numbers=2, cardinalities=(3,), image_shape=(1, 2, 2))
    network = build("linear", spec, 4)
    images = torch.randint(256, (5, 1, 2, 2), dtype=torch.uint8)
    outputs = network(torch.randn(5, 2), torch.randint(3, (5, 1)), images)
    assert torch.equal(outputs, torch.zeros(5, 4))
    assert network.body.output.in_features == 2 + 2 + 4
