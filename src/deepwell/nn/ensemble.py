"""Many networks in one: members that share matrices and differ by vectors.

Inside, every tensor has the shape (batch, members, features), so that one matrix product serves
all members.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

Start = Literal["ones", "signs", "normal"]
"""First values of a scale: 1, or ±1 at random, or from a normal distribution."""

Link = Literal["none", "sigmoid", "softmax", "exp"]
"""What turns outputs into answers: nothing, or the function whose value is the answer."""


class MemberScale(nn.Module):
    """Multiplies the features by numbers that each member has of its own.

    Args:
        chunks: Sizes of groups of neighbouring features that start with the same number: all
            numbers that stand for one column of the table.
        num_members: K.
        start: First values.

    Shape:
        (batch, F) or (batch, K, F) → (batch, K, F), F the sum of the chunks.

    Example:
        >>> MemberScale((3,), num_members=4)(torch.zeros(2, 3)).shape
        torch.Size([2, 4, 3])
    """

    vectors = ("weight",)
    """Own parameters that are no matrices: one vector for each member. They are not decayed."""

    def __init__(self, chunks: Sequence[int], *, num_members: int, start: Start = "signs") -> None:
        super().__init__()
        self.weight = nn.Parameter(_start(chunks, num_members, start))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return inputs · scale."""
        return (inputs.unsqueeze(1) if inputs.ndim == 2 else inputs) * self.weight


class BatchEnsembleLinear(nn.Module):
    """A linear layer whose matrix is shared; member i computes ((x · r_i) Wᵀ) · s_i + b_i.

    So member i has the matrix W scaled by column (r_i) and by row (s_i).

    Args:
        chunks: Input features, in groups that start alike; see `MemberScale`.
        out_features: Outputs of each member.
        num_members: K.
        start: First values of r; those of s are 1, and the biases of all members start alike.

    Shape:
        (batch, F) or (batch, K, F) → (batch, K, out_features).

    Reference:
        Wen, Tran, Ba: BatchEnsemble (2020), equation 5.

    Example:
        >>> BatchEnsembleLinear((3,), out_features=2, num_members=4)(torch.zeros(5, 3)).shape
        torch.Size([5, 4, 2])
    """

    vectors = ("input_scale", "output_scale", "bias")

    def __init__(
        self, chunks: Sequence[int], *, out_features: int, num_members: int, start: Start = "ones"
    ) -> None:
        super().__init__()
        in_features = sum(chunks)
        bound = in_features**-0.5
        self.weight = nn.Parameter(torch.empty(out_features, in_features).uniform_(-bound, bound))
        self.input_scale = nn.Parameter(_start(chunks, num_members, start))
        self.output_scale = nn.Parameter(torch.ones(num_members, out_features))
        bias = torch.empty(out_features).uniform_(-bound, bound)
        self.bias = nn.Parameter(bias.repeat(num_members, 1))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs of all members."""
        inputs = inputs.unsqueeze(1) if inputs.ndim == 2 else inputs
        outputs = F.linear(inputs * self.input_scale, self.weight)
        return torch.addcmul(self.bias, outputs, self.output_scale.to(outputs.dtype))


class MemberLinear(nn.Module):
    """A linear layer for each member; nothing is shared.

    Args:
        in_features: F.
        out_features: Outputs of each member.
        num_members: K.

    Shape:
        (batch, K, F) → (batch, K, out_features).

    Example:
        >>> MemberLinear(3, out_features=2, num_members=4)(torch.zeros(5, 4, 3)).shape
        torch.Size([5, 4, 2])
    """

    vectors = ("bias",)

    def __init__(self, in_features: int, *, out_features: int, num_members: int) -> None:
        super().__init__()
        bound = in_features**-0.5
        shape = (num_members, in_features, out_features)
        self.weight = nn.Parameter(torch.empty(shape).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(num_members, out_features).uniform_(-bound, bound))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the outputs of all members."""
        return torch.einsum("bkf,kfo->bko", inputs, self.weight) + self.bias


class MemberMean(nn.Module):
    """Averages the answers of the members in evaluation; in training it leaves them apart.

    Args:
        link: See `average_members`.

    Shape:
        (batch, K, H) → (batch, H) in evaluation; in training (batch · K, H), the answers of all
        members to the first row first, as `deepwell.tasks.Task.training_step` wants them.
    """

    def __init__(self, link: Link = "none") -> None:
        super().__init__()
        self.link: Link = link

    def forward(self, members: Tensor) -> Tensor:
        """Return the answers, or outputs that stand for their mean."""
        return members.flatten(0, 1) if self.training else average_members(members, self.link)

    def extra_repr(self) -> str:
        """Return what `print` shows."""
        return f"link={self.link!r}"


def average_members(outputs: Tensor, link: Link = "none", weights: Tensor | None = None) -> Tensor:
    """Average the answers of the members, and return outputs that stand for that mean.

    Args:
        outputs: (batch, K, H).
        link: With "sigmoid" and "softmax" the mean is one of probabilities and what is returned
            are its logits; with "exp" the mean is one of exponentials, and its logarithm is
            returned.
        weights: Share of each member, (K,), with sum 1; None: the same for all.

    Returns:
        (batch, H).

    Example:
        >>> logits = torch.tensor([[[0.0], [2.0]]])
        >>> mean = average_members(logits, "sigmoid").sigmoid()
        >>> torch.isclose(mean, logits.sigmoid().mean(dim=1)).item()
        True
    """
    if link == "none":
        if weights is None:
            return outputs.mean(dim=1)
        return torch.einsum("bkh,k->bh", outputs, weights.to(outputs.dtype))
    outputs = outputs.float() if outputs.dtype in (torch.float16, torch.bfloat16) else outputs
    shares = -math.log(outputs.shape[1]) if weights is None else weights.log()[:, None]
    if link == "sigmoid":
        yes = (F.logsigmoid(outputs) + shares).logsumexp(dim=1)
        return yes - (F.logsigmoid(-outputs) + shares).logsumexp(dim=1)
    logs = outputs.log_softmax(dim=2) if link == "softmax" else outputs
    return (logs + shares).logsumexp(dim=1)


def _start(chunks: Sequence[int], num_members: int, start: Start) -> Tensor:
    if start == "ones":
        return torch.ones(num_members, sum(chunks))
    draws = torch.randn(num_members, len(chunks))
    if start == "signs":
        draws = torch.where(draws < 0, -1.0, 1.0)
    return torch.repeat_interleave(draws, torch.tensor(chunks, device="cpu"), dim=1)
