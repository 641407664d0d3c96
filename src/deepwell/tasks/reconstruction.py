"""Reconstruction: what an autoencoder is asked, to say what stood in each cell of a row."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from deepwell.types import Batch, InputSpec, Loss

if TYPE_CHECKING:
    from torch import Tensor, nn


class Reconstruction:
    """The mean over the columns of the squared error of numbers and the cross-entropy of codes.

    It needs no target: the inputs of a batch are the truth, before the network damages them. The
    cross-entropy is divided by the logarithm of the number of codes, so that a guess costs about 1
    in each column, as it does for a number of spread 1.

    Args:
        spec: Numbers, categories or both.

    Example:
        >>> import torch
        >>> task = Reconstruction(InputSpec(num_numbers=1, cardinalities=(2,)))
        >>> inputs = torch.tensor([[1.0]]), torch.tensor([[0]])
        >>> outputs = torch.tensor([[0.0, 0.0, 0.0]])
        >>> task.losses(outputs, inputs).tolist()  # (1² + log 2 / log 2) / 2
        [1.0]
    """

    score_names: tuple[str, ...] = ()

    def __init__(self, spec: InputSpec) -> None:
        self.spec = spec

    def training_step(self, model: nn.Module, batch: Batch) -> tuple[Loss, Tensor]:
        """Run the autoencoder on a batch; return the loss and the outputs."""
        outputs = model(*batch.inputs)
        losses = self.losses(outputs.float(), batch.inputs)
        if batch.weight is None:
            return Loss(losses.sum(), losses.new_full((), len(losses))), outputs
        return Loss((losses * batch.weight).sum(), batch.weight.sum()), outputs

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return nothing: the loss says all."""
        return {}

    def losses(self, outputs: Tensor, inputs: tuple[Tensor, ...]) -> Tensor:
        """Return the loss of each row, shape (batch,).

        Args:
            outputs: Numbers and then the logits of each category column, one beside the other.
            inputs: The undamaged rows, one tensor a block.
        """
        from torch.nn import functional as F

        columns = self.spec.num_numbers + len(self.spec.cardinalities)
        numbers, logits = outputs.tensor_split([self.spec.num_numbers], dim=1)
        total = outputs.new_zeros(len(outputs))
        if self.spec.num_numbers:
            total = total + (numbers - inputs[0]).square().sum(dim=1)
        if self.spec.cardinalities:
            pieces = logits.split(list(self.spec.cardinalities), dim=1)
            for place, piece in enumerate(pieces):
                codes = inputs[-1][:, place]
                is_known = codes < piece.shape[1]
                loss = F.cross_entropy(piece, codes * is_known, reduction="none")
                total = total + loss / math.log(max(piece.shape[1], 2))
        return total / columns
