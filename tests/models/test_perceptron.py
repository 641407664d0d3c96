import pytest
import torch
from torch import Tensor

from deepwell.errors import ConfigError, ModelError
from deepwell.models import Perceptron, build
from deepwell.types import InputSpec

CORNERS = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])


def _separable(rows: int, margin: float) -> tuple[Tensor, Tensor, Tensor]:
    """Rows in the plane that a known unit vector (with bias) separates by at least `margin`."""
    direction = torch.tensor([0.6, -0.7, 0.2])
    direction = direction / direction.norm()
    inputs = torch.randn(20 * rows, 2)
    sums = inputs @ direction[:2] + direction[2]
    keep = sums.abs() > margin
    return inputs[keep][:rows], (sums[keep][:rows] > 0).long(), direction


@pytest.mark.parametrize("answers", [[0, 0, 0, 1], [0, 1, 1, 1]])
def test_and_or_are_learned(answers: list[int]) -> None:
    unit = Perceptron(2)
    mistakes = unit.fit(CORNERS, torch.tensor(answers), epochs=50)
    assert mistakes[-1] == 0
    assert all(count > 0 for count in mistakes[:-1])
    assert unit.predict(CORNERS).flatten().tolist() == answers


def test_xor_is_never_learned() -> None:
    mistakes = Perceptron(2).fit(CORNERS, torch.tensor([0, 1, 1, 0]), epochs=100)
    assert len(mistakes) == 100
    assert min(mistakes) > 0


def test_novikoff_bound() -> None:
    inputs, targets, direction = _separable(rows=60, margin=0.15)
    with_bias = torch.cat([inputs, torch.ones(len(inputs), 1)], dim=1)
    signs = 2 * targets - 1
    margin = (signs * (with_bias @ direction)).min()
    bound = (with_bias.norm(dim=1).max() / margin) ** 2
    unit = Perceptron(2)
    mistakes = unit.fit(inputs, targets, epochs=1000)
    assert mistakes[-1] == 0
    assert 0 < sum(mistakes) <= bound
    assert torch.equal(unit.predict(inputs).flatten().long(), targets)


@pytest.mark.parametrize("learning_rate", [1.0, 0.25])
@pytest.mark.parametrize("units", [1, 3])
def test_rule_equals_gradient_descent_on_the_perceptron_loss(
    learning_rate: float, units: int
) -> None:
    inputs = torch.randn(40, 5, dtype=torch.double)
    targets = torch.randint(2, (40, units)).double()
    by_rule, by_gradient = (Perceptron(5, out_features=units).double() for _ in range(2))
    optimizer = torch.optim.SGD(by_gradient.parameters(), lr=learning_rate)
    moved = 0
    for row, target in zip(inputs, targets, strict=True):
        moved += by_rule.learn(row, target, learning_rate=learning_rate)
        margin = -(2 * target - 1) * by_gradient(row[None])[0]
        loss = torch.where(margin >= 0, margin, torch.zeros_like(margin)).sum()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        assert torch.allclose(by_rule.output.weight, by_gradient.output.weight, atol=1e-12)
        assert torch.allclose(by_rule.output.bias, by_gradient.output.bias, atol=1e-12)
    assert 0 < moved < 40 * units


def test_a_row_that_is_right_moves_nothing() -> None:
    unit = Perceptron(2)
    unit.learn(torch.tensor([1.0, 2.0]), torch.tensor([1.0]))
    before = unit.output.weight.detach().clone()
    assert before.tolist() == [[1.0, 2.0]]
    assert unit.learn(torch.tensor([1.0, 0.0]), torch.tensor([1.0])) == 0
    assert torch.equal(unit.output.weight, before)


def test_several_units_learn_class_numbers() -> None:
    centres = torch.tensor([[4.0, 0.0], [-4.0, 0.0], [0.0, 6.0]])
    targets = torch.arange(3).repeat(20)
    inputs = centres[targets] + 0.3 * torch.randn(60, 2)
    unit = Perceptron(2, out_features=3)
    assert unit.fit(inputs, targets, epochs=200)[-1] == 0
    assert torch.equal(unit.predict(inputs).argmax(dim=1), targets)


def test_fit_starts_afresh() -> None:
    unit = Perceptron(2)
    first = unit.fit(CORNERS, torch.tensor([0, 0, 0, 1]), epochs=50)
    assert unit.fit(CORNERS, torch.tensor([0, 0, 0, 1]), epochs=50) == first


def test_built_from_a_table_it_returns_sums_before_the_step() -> None:
    network = build("perceptron", InputSpec(num_numbers=2, cardinalities=(3,)), 1)
    unit = network.body
    assert isinstance(unit, Perceptron)
    unit.output.weight.data = torch.tensor([[1.0, 2.0, 10.0, 20.0]])
    codes = torch.tensor([[0], [1], [2]])
    sums = network(torch.ones(3, 2), codes)
    assert sums.flatten().tolist() == [3.0, 13.0, 23.0]  # code 0 adds nothing


@pytest.mark.parametrize("options", [{"epochs": 0}, {"epochs": 1, "learning_rate": -1.0}])
def test_bad_options_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="epochs must be at least 1 and learning_rate above 0"):
        Perceptron(2).fit(CORNERS, torch.tensor([0, 0, 0, 1]), **options)  # pyright: ignore


@pytest.mark.parametrize("targets", [[0, 1, 2, 1], [0, 1, 1]])
def test_targets_that_do_not_fit_are_refused(targets: list[int]) -> None:
    with pytest.raises(ModelError, match="must be 0 or 1"):
        Perceptron(2).fit(CORNERS, torch.tensor(targets), epochs=1)
