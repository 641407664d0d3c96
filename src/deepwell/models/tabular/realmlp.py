"""RealMLP: a perceptron with the tricks that pay off on tables, tuned together.

Beside a plain perceptron it has

- numbers embedded as themselves and learned waves ("PBLD"), categories one-hot up to 9 values;
- a scale for each input, which learns six times faster than the weights;
- linear layers W x / √F + b with all weights of size one (neural tangent parametrisation), so that
  one learning rate suits every width; W starts such that outputs over the training rows have
  spread 1, and b such that each unit bends at a point amid the training rows ("he+5");
- activations x + a · (f(x) − x) with a learned for each unit;
- a recipe of training: rates along cosines on a logarithmic axis (schedule "coslog"), betas
  (0.9, 0.95), decay and dropout that fade out.

===================  ==========================================  ==================
part                 what it does                                shape
===================  ==========================================  ==================
scale                x · scale                                   (batch, F)
layer, 3 ×           linear, activation, dropout                 (batch, D)
head                 linear                                      (batch, H)
===================  ==========================================  ==================

Parameters for F joined inputs: F, then for each layer (inputs + 2) D, then (D + 1) H. For 10
plain inputs, D = 256, three layers and one output: 135,435.

Reference:
    Holzmüller, Grinsztajn, Steinwart: Better by Default, Strong Pre-Tuned MLPs and Boosted Trees
    on Tabular Data (2024), section 3 and appendix A ("RealMLP-TD").
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from deepwell.errors import ConfigError
from deepwell.models.base import Share, Width
from deepwell.models.tabular.table_input import NumberEmbedding, TableInputSettings, table_input
from deepwell.nn.activation import ActivationName, width_factor
from deepwell.nn.activation import activation as make_activation
from deepwell.nn.flat_input import FlatInput, FlatNetwork
from deepwell.nn.learned_mish import is_quick, learned_mish
from deepwell.nn.quick_dropout import QuickDropout
from deepwell.types import InputSpec

_SMALLEST = 1e-6


class RealMLPSettings(TableInputSettings):
    """Depth, width and regularisation of RealMLP."""

    hidden_sizes: tuple[Width, ...] = (256, 256, 256)
    """Units of each hidden layer."""
    activation: ActivationName = "mish"
    """Activation f of the hidden layers, by name; selu is the paper's choice for classes."""
    dropout: Share = 0.15
    """Share of the hidden units that is set to zero in training."""
    number_embedding: NumberEmbedding = "periodic"
    """Numbers as themselves and learned waves ("PBLD"); as they are ("none"); as learned waves cut
    at zero ("periodic_relu"); or with bins ("piecewise")."""
    one_hot_limit: Annotated[int, Field(ge=0)] = 9
    """Categories with at most this many values are one-hot, the others learned vectors."""
    embedding_size: Annotated[int, Field(ge=1)] | None = 8
    """Numbers that stand for a category; None: more for columns with more values, up to 32."""


class Scale(nn.Module):
    """A learned factor for each input.

    Args:
        num_features: F.

    Shape:
        (batch, F) → (batch, F).
    """

    rate_scales = {"weight": 6.0}  # noqa: RUF012 -- read only
    """Own parameters that learn faster or slower than the learning rate says."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(num_features))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return inputs · scale."""
        return inputs * self.weight


class TangentLinear(nn.Module):
    """A linear layer W x / √F + b with weights of size one.

    `adapt` gives each output the spread 1 over training rows, and puts the bias where the output
    of a random mean of five training rows is zero.

    Args:
        in_features: F.
        out_features: Outputs.

    Shape:
        (batch, F) → (batch, out_features).

    Reference:
        Jacot, Gabriel, Hongler: Neural Tangent Kernel (2018). The first values of the biases:
        Steinwart: A Sober Look at Neural Network Initializations (2019).
    """

    rate_scales = {"bias": 0.1}  # noqa: RUF012 -- read only

    def __init__(self, in_features: int, *, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features))
        self.bias = nn.Parameter(torch.randn(out_features))
        self._gain = in_features**-0.5

    def forward(self, inputs: Tensor) -> Tensor:
        """Return W x / √F + b."""
        return torch.addmm(self.bias, inputs, self.weight.T, alpha=self._gain)

    @torch.no_grad()
    def adapt(self, inputs: Tensor) -> None:
        """Set the first values by training rows, shape (rows, F)."""
        outputs = inputs @ self.weight.T * self._gain
        spread = outputs.std(dim=0, correction=0)
        spread = torch.where(spread > _SMALLEST, spread, 1.0)
        self.weight /= spread[:, None]
        rows = torch.randint(len(inputs), (len(self.bias), 5))
        shares = torch.empty(len(self.bias), 5).exponential_()
        shares = (shares / shares.sum(dim=1, keepdim=True)).to(outputs)
        units = torch.arange(len(self.bias), device=outputs.device)[:, None]
        chosen = (outputs / spread)[rows.to(outputs.device), units]
        self.bias.copy_(-(chosen * shares).sum(dim=1))


class LearnedActivation(nn.Module):
    """x + a · (f(x) − x): between the identity (a = 0) and f (a = 1), learned for each unit.

    Args:
        name: f, by name.
        num_features: F.

    Shape:
        (batch, F) → (batch, F).
    """

    rate_scales = {"amount": 0.1}  # noqa: RUF012 -- read only

    def __init__(self, name: str, *, num_features: int) -> None:
        super().__init__()
        self.function = make_activation(name)
        self.amount = nn.Parameter(torch.ones(num_features))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the mixture."""
        if isinstance(self.function, nn.Mish) and inputs.ndim == 2 and is_quick(inputs):
            return learned_mish(inputs, self.amount)
        return torch.addcmul(inputs, self.function(inputs) - inputs, self.amount)


class RealMLP(nn.Module):
    """The perceptron behind the embedding of the row.

    Args:
        in_features: F.
        out_features: H.
        hidden_sizes: Units of each hidden layer.
        activation: By name; one that keeps the number of features.
        dropout: Share of the hidden units that is set to zero in training.

    Shape:
        inputs (batch, F) → (batch, H).

    Raises:
        ConfigError: An unknown activation, or one that halves the features.

    Reference:
        Holzmüller, Grinsztajn, Steinwart (2024), section 3.

    Example:
        >>> network = RealMLP(10, out_features=1)
        >>> sum(weight.numel() for weight in network.parameters())
        135435
    """

    def __init__(
        self,
        in_features: int,
        *,
        out_features: int,
        hidden_sizes: Sequence[int] = (256, 256, 256),
        activation: str = "mish",
        dropout: float = 0.15,
    ) -> None:
        super().__init__()
        if width_factor(activation) != 1:
            raise ConfigError(
                "RealMLP needs an activation that keeps the number of features. "
                f'Got: "{activation}".'
            )
        self.scale = Scale(in_features)
        self.hidden = nn.Sequential()
        for before, after in pairwise((in_features, *hidden_sizes)):
            self.hidden.append(
                nn.Sequential(
                    TangentLinear(before, out_features=after),
                    LearnedActivation(activation, num_features=after),
                    QuickDropout(dropout),
                )
            )
        last = hidden_sizes[-1] if hidden_sizes else in_features
        self.head = TangentLinear(last, out_features=out_features)

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs of the head."""
        return self.head(self.hidden(self.scale(inputs)))


def build(spec: InputSpec, head_size: int, settings: RealMLPSettings) -> nn.Module:
    """Make the network for a table."""
    flatten = table_input(spec, settings, "realmlp")
    _slow_down(flatten)
    body = RealMLP(
        flatten.out_features,
        out_features=head_size,
        hidden_sizes=settings.hidden_sizes,
        activation=settings.activation,
        dropout=settings.dropout,
    )
    return FlatNetwork(flatten, body)


def _slow_down(flatten: FlatInput) -> None:
    """Let the embedding of numbers learn at a tenth of the rate."""
    for name, numbers in flatten.parts.items():
        if name == "numbers":
            own = [key for key, _ in numbers.named_parameters(recurse=False)]
            object.__setattr__(numbers, "rate_scales", dict.fromkeys(own, 0.1))
