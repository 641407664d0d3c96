"""The perceptron: one unit with a step, or one a class, and the first rule by which a net learned.

Parameters: head_size · (features + 1); 10 numbers and one output: 11.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from deepwell.errors import ConfigError, ModelError
from deepwell.models.base import PixelSettings
from deepwell.nn.activation import Step
from deepwell.nn.embedding import OneHot
from deepwell.nn.flat_input import FlatInput, FlatNetwork
from deepwell.types import InputSpec


class PerceptronSettings(PixelSettings):
    """The perceptron has no settings beside those of the pixels."""


class Perceptron(nn.Module):
    """Rosenblatt's unit: says 1 if a weighted sum of the inputs is above zero, else 0.

    Its rule looks at one row after the other and moves the weights only on a mistake:
    w ← w + η (t − y) x, with target t and answer y in {0, 1}; a row on the boundary counts as a
    mistake, whatever its class. If a plane separates the classes with margin γ and no row is
    longer than R (bias included), the rule makes at most (R / γ)² mistakes in all (Novikoff); if
    none does, as for XOR, it never stops. Several units learn each for itself.

    Called as a module it returns the weighted sums z before the step, so that the common loop
    can train it too: a step of stochastic gradient descent on the loss max(0, −s z), s = 2 t − 1,
    one row at a time, is the same rule. The weights start at zero.

    Args:
        in_features: F.
        out_features: Units: 1, or one a class.

    Shape:
        inputs (batch, F) → (batch, out_features).

    Reference:
        Rosenblatt: The Perceptron (1958). Novikoff: On Convergence Proofs on Perceptrons (1962).

    Example:
        >>> inputs = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
        >>> unit = Perceptron(2)
        >>> mistakes = unit.fit(inputs, torch.tensor([0, 0, 0, 1]), epochs=20)
        >>> mistakes[-1], unit.predict(inputs).flatten().tolist()
        (0, [0.0, 0.0, 0.0, 1.0])
    """

    def __init__(self, in_features: int, *, out_features: int = 1) -> None:
        super().__init__()
        self.output = nn.Linear(in_features, out_features)
        self.step = Step()
        self._forget()

    def _forget(self) -> None:
        nn.init.zeros_(self.output.weight)
        nn.init.zeros_(self.output.bias)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the weighted sums z before the step."""
        return self.output(inputs)

    @torch.no_grad()
    def predict(self, inputs: Tensor) -> Tensor:
        """Return the answers 0 or 1, shape (batch, out_features)."""
        return self.step(self.output(inputs))

    @torch.no_grad()
    def learn(self, row: Tensor, target: Tensor, *, learning_rate: float = 1.0) -> int:
        """Apply the rule to one row.

        Args:
            row: (F,).
            target: 0 or 1 for each unit, (out_features,).
            learning_rate: η.

        Returns:
            How many units were wrong.
        """
        sign = 2 * target - 1
        error = sign * (sign * self.output(row) <= 0)  # t − y, and ±1 on the boundary
        self.output.weight += learning_rate * torch.outer(error, row)
        self.output.bias += learning_rate * error
        return int(error.count_nonzero())

    def fit(
        self, inputs: Tensor, targets: Tensor, *, epochs: int, learning_rate: float = 1.0
    ) -> list[int]:
        """Start from zero weights and apply the rule to the rows in turn.

        Args:
            inputs: (rows, F).
            targets: 0 or 1, (rows,) for one unit; class numbers (rows,) or 0 and 1
                (rows, out_features) for several.
            epochs: Passes through the rows at the most; a pass without a mistake ends it.
            learning_rate: η, above 0. From zero weights it changes only their length.

        Returns:
            Mistakes in each pass. The last is 0 if the rows are separated.

        Raises:
            ConfigError: `epochs` or `learning_rate` is not positive.
            ModelError: The targets do not fit.
        """
        if epochs < 1 or learning_rate <= 0:
            raise ConfigError(
                "epochs must be at least 1 and learning_rate above 0. "
                f"Got: epochs={epochs}, learning_rate={learning_rate}."
            )
        self._forget()
        wanted = self._answers(targets, len(inputs))
        mistakes: list[int] = []
        for _ in range(epochs):
            rows = zip(inputs, wanted, strict=True)
            mistakes.append(sum(self.learn(x, t, learning_rate=learning_rate) for x, t in rows))
            if mistakes[-1] == 0:
                break
        return mistakes

    def _answers(self, targets: Tensor, num_rows: int) -> Tensor:
        """Return the wanted answers as 0 and 1, (rows, out_features)."""
        units = self.output.out_features
        if targets.ndim == 1 and units > 1:
            targets = (targets.unsqueeze(1) == torch.arange(units, device=targets.device)).long()
        wanted = targets.to(self.output.weight.dtype).reshape(len(targets), -1)
        if wanted.shape != (num_rows, units) or not bool(((wanted == 0) | (wanted == 1)).all()):
            raise ModelError(
                f"The targets must be 0 or 1, one for each of {num_rows} rows and {units} units. "
                f"Got: shape {tuple(targets.shape)}, values {targets.unique()[:5].tolist()}."
            )
        return wanted


def build(spec: InputSpec, head_size: int, settings: PerceptronSettings) -> nn.Module:
    """Make the model for a table or for pictures: categories one-hot, pixels scaled."""
    categories = OneHot(spec.cardinalities) if spec.cardinalities else None
    flatten = FlatInput(spec, categories=categories, mean=settings.mean, std=settings.std)
    return FlatNetwork(flatten, Perceptron(flatten.out_features, out_features=head_size))
