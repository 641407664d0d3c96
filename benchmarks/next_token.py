"""The next token as a task for the engine: a language model is asked for it at every place."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from deepwell.types import Batch, Loss


class NextToken:
    """Cross-entropy of the next token, summed over all places; see `TaskLike`.

    Example:
        >>> task = NextToken()
        >>> tokens = torch.tensor([[0, 1]])
        >>> batch = Batch((tokens,), tokens, None, torch.arange(1))
        >>> loss, _ = task.training_step(nn.Embedding(3, 3), batch)
        >>> loss.weight.item()
        2.0
    """

    score_names: tuple[str, ...] = ()

    def training_step(self, model: nn.Module, batch: Batch) -> tuple[Loss, Tensor]:
        """Return the loss of a batch with targets (batch, steps), and the logits."""
        outputs = model(*batch.inputs)
        logits, targets = outputs.float().flatten(0, 1), batch.targets.flatten()
        if batch.weight is None:
            weight = torch.tensor(float(len(targets)), device=targets.device)
            return Loss(functional.cross_entropy(logits, targets, reduction="sum"), weight), outputs
        losses = functional.cross_entropy(logits, targets, reduction="none")
        of_token = batch.weight.repeat_interleave(batch.targets.shape[1])
        return Loss((losses * of_token).sum(), of_token.sum()), outputs

    def scores(self, outputs: Tensor, targets: Tensor) -> dict[str, Tensor]:
        """Return nothing: the loss says it all."""
        return {}
