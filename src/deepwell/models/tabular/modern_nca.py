"""ModernNCA: rows like this one, and how far they are, in a space that is learned.

The answer to a row is the mean of what its neighbours among the training rows were: each counts by
exp(−distance), where the distance is that of learned vectors. Neighbourhood components analysis
(2004) learned a linear map for it; here numbers are embedded as waves, blocks of a perceptron may
follow, and each step looks at a random share of the rows only, which is what lets it learn on more
than a few thousand.

=============  ===================================================  ============
part           what it does                                         shape
=============  ===================================================  ============
encode         numbers as waves, categories one-hot or learned      (batch, F)
embed          linear to D; blocks x + W₂ ReLU(W₁ norm(x)), if any  (batch, D)
compare        Euclidean distance to the vectors of N rows          (batch, N)
answer         softmax(−distance) · answers of the N rows           (batch, H)
=============  ===================================================  ============

For classes the answers are ones and zeros, so their mean is a probability; its logarithm (two
classes: its logit) is returned. A training row is never its own neighbour, nor are its exact
copies. The network keeps the rows that it answers from, and so does its model folder.

Parameters for F encoded numbers and no blocks: D (F + 1), and those of the encoding.

Reference:
    Ye, Yin, Zhan: Revisiting Nearest Neighbor for Tabular Data, A Deep Tabular Baseline Two Decades
    Later (2024), sections 4 and 5. Goldberger, Roweis, Hinton, Salakhutdinov: Neighbourhood
    Components Analysis (2004).
"""

from __future__ import annotations

import contextlib
from contextlib import AbstractContextManager
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import Tensor, nn

from deepwell.config import Settings
from deepwell.errors import ModelError
from deepwell.models.base import Share, Width
from deepwell.nn.embedding import MixedCategories
from deepwell.nn.ensemble import Link
from deepwell.nn.flat_input import FlatInput
from deepwell.nn.numeric import PeriodicReluNumbers
from deepwell.types import InputSpec

_SMALLEST = 1e-7
"""A probability from which on its logarithm is taken."""
_FAR = 1e9
"""A distance at which a neighbour counts nothing, in 32-bit floats."""
_MOST_DISTANCES = 2**23
"""Distances that are held at once when answering."""
_PRIME = 0x100000001B3
"""The prime of the hash FNV-1a."""


class ModernNCASettings(Settings):
    """Space and neighbours of ModernNCA."""

    vector_size: Width = 128
    """D, numbers that stand for a row where distances are taken."""
    num_blocks: Annotated[int, Field(ge=0)] = 0
    """Blocks of a perceptron behind the linear map."""
    hidden_size: Width = 256
    """Hidden units of a block."""
    dropout: Share = 0.1
    """Share of the hidden units that is set to zero in training."""
    number_size: Annotated[int, Field(ge=2)] = 16
    """Numbers that stand for one embedded number."""
    num_frequencies: Annotated[int, Field(ge=1)] = 32
    """Waves of each number."""
    frequency_scale: Annotated[float, Field(gt=0)] = 0.05
    """How fine the waves are at the start."""
    one_hot_limit: Annotated[int, Field(ge=0)] = 64
    """Categories with at most this many values are one-hot, the others learned vectors."""
    embedding_size: Annotated[int, Field(ge=1)] | None = None
    """Numbers that stand for a category; None: more for columns with more values, up to 32."""
    sampled_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Share of the rows that a training step looks at."""
    most_sampled: Annotated[int, Field(ge=1)] = 4096
    """Rows that it looks at, at the most."""
    most_rows: Annotated[int, Field(ge=1)] = 50_000
    """Training rows that are kept to answer from, at the most; of more, a random part."""
    num_rows: Annotated[int, Field(ge=0)] = 0
    """Rows that are kept; set by training."""
    link: Link = "none"
    """What turns outputs into answers; a training sets it by its question."""


class Block(nn.Module):
    """x + W₂ dropout(ReLU(W₁ norm(x)))."""

    def __init__(self, size: int, *, hidden_size: int, dropout: float) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.BatchNorm1d(size),
            nn.Linear(size, hidden_size),
            nn.ReLU(),
            nn.Dropout(dropout),
            nn.Linear(hidden_size, size),
        )

    def forward(self, inputs: Tensor) -> Tensor:
        """Return (batch, size) for (batch, size)."""
        return inputs + self.body(inputs)


class NeighbourMean(nn.Module):
    """The mean of the answers of known rows, each counting by softmax(−distance).

    Args:
        link: With "sigmoid" and "softmax" the answers are ones and zeros, and logits are returned.

    Shape:
        vectors (batch, D), known (N, D), answers (N, H), is_left_out (batch, N) → (batch, H).
    """

    def __init__(self, link: Link) -> None:
        super().__init__()
        self.link: Link = link

    def forward(
        self, vectors: Tensor, known: Tensor, answers: Tensor, is_left_out: Tensor | None
    ) -> Tensor:
        """Return the outputs; pairs that are left out count nothing."""
        kind = answers.dtype
        if not self.training and answers.device.type != "mps":
            # a row that is known is at distance zero, which 32-bit products miss by a hundredth
            answers = answers.double()
        with _in_full_precision(answers.device):
            distances = torch.cdist(vectors.to(answers.dtype), known.to(answers.dtype))
            if is_left_out is not None:
                distances = distances.masked_fill(is_left_out, _FAR)
            mean = torch.softmax(-distances, dim=1) @ answers
        if self.link == "none":
            return mean.to(kind)
        inside = mean.clamp(_SMALLEST, 1 - _SMALLEST)
        return (inside.logit() if self.link == "sigmoid" else inside.log()).to(kind)


class ModernNCA(nn.Module):
    """Answers from neighbours among the rows that it was shown.

    Args:
        spec: Number and category blocks.
        head_size: H.
        settings: Its `num_rows` says for how many rows there is room.

    Shape:
        one tensor a block → (batch, H). Before rows are known, outputs say nothing.

    Raises:
        ModelError: The data has pictures.

    Example:
        >>> network = ModernNCA(InputSpec(num_numbers=1), 1, ModernNCASettings())
        >>> known = torch.tensor([[0.0], [0.0], [9.0]])
        >>> network.remember((known,), torch.tensor([[1.0], [1.0], [5.0]]))
        {'num_rows': 3}
        >>> network.eval()(torch.tensor([[0.0]])).shape
        torch.Size([1, 1])
    """

    answers: Tensor
    most_rows: int
    """Rows that are kept at the most."""

    def __init__(self, spec: InputSpec, head_size: int, settings: ModernNCASettings) -> None:
        super().__init__()
        if spec.image_shape is not None:
            raise ModelError("modern_nca reads tables, but the data has images: use mlp.")
        self._settings = settings
        self.most_rows = settings.most_rows
        self._head_size = head_size
        self.encode = _encoding(spec, settings)
        self.embed = nn.Sequential(nn.Linear(self.encode.out_features, settings.vector_size))
        for _ in range(settings.num_blocks):
            block = Block(
                settings.vector_size, hidden_size=settings.hidden_size, dropout=settings.dropout
            )
            self.embed.append(block)
        if settings.num_blocks:
            self.embed.append(nn.BatchNorm1d(settings.vector_size))
        self._names: list[str] = []
        for name, width, kind in (
            ("numbers", spec.num_numbers, torch.float32),
            ("categories", len(spec.cardinalities), torch.int64),
        ):
            if width:
                self._names.append(f"known_{name}")
                room = torch.zeros(settings.num_rows, width, dtype=kind)
                self.register_buffer(self._names[-1], room)
        self.register_buffer("answers", torch.zeros(settings.num_rows, head_size))
        self.mean = NeighbourMean(settings.link)
        self._is_checked = False
        self._vectors: tuple[object, Tensor] | None = None

    @property
    def num_known(self) -> int:
        """Training rows that are kept."""
        return len(self.answers)

    def remember(
        self, blocks: tuple[Tensor, ...], targets: Tensor, *, has_all: bool = True
    ) -> dict[str, Any]:
        """Keep training rows to answer from.

        Args:
            blocks: Encoded inputs.
            targets: As the loss wants them: class indices (rows,), or numbers (rows, H).
            has_all: Whether these are all rows that it will learn from.

        Returns:
            The settings with which a network is built that has room for them.

        Raises:
            ModelError: The loss asks for something else than the mean of answers.
        """
        for name, block in zip(self._names, blocks, strict=True):
            setattr(self, name, block.clone())
        self.answers = self._as_answers(targets)
        self._is_checked = not has_all
        return {"num_rows": len(targets)}

    def _as_answers(self, targets: Tensor) -> Tensor:
        link = self._settings.link
        if not targets.is_floating_point() and link == "softmax":
            return nn.functional.one_hot(targets, self._head_size).float()
        if targets.ndim != 2 or targets.shape[1] != self._head_size or link == "exp":
            raise ModelError(
                "modern_nca answers with the mean of what its neighbours were, which the loss that "
                "was chosen cannot use: leave out --set task.loss, or choose another model."
            )
        return targets.float()

    def forward(self, *blocks: Tensor) -> Tensor:
        """Return the answers; in training, those of a random part of the other rows."""
        vectors = self.embed(self.encode(*blocks))
        if self.training:
            return self._of_other_rows(blocks, vectors)
        if not len(self.answers):
            return self.mean(vectors, vectors[:1], vectors.new_zeros(1, self._head_size), None)
        known = self._all_vectors()
        parts = vectors.split(max(1, _MOST_DISTANCES // len(known)))
        return torch.cat([self.mean(part, known, self.answers, None) for part in parts])

    def _of_other_rows(self, blocks: tuple[Tensor, ...], vectors: Tensor) -> Tensor:
        self._check(blocks)
        count = len(self.answers)
        taken = min(max(1, int(count * self._settings.sampled_share)), self._settings.most_sampled)
        chosen = torch.randperm(count)[:taken].to(self.answers.device)
        known = tuple(getattr(self, name)[chosen] for name in self._names)
        is_itself = _keys(blocks)[:, None] == _keys(known)[None]
        return self.mean(vectors, self.embed(self.encode(*known)), self.answers[chosen], is_itself)

    def train(self, mode: bool = True) -> ModernNCA:
        """Change the mode, and forget the vectors: fused optimizers change weights unnoticed."""
        self._vectors = None
        return super().train(mode)

    def _all_vectors(self) -> Tensor:
        """Return the vectors of all known rows, computed again where a weight has changed."""
        known = tuple(getattr(self, name) for name in self._names)
        if torch.is_grad_enabled():
            return self.embed(self.encode(*known))
        tensors = [*self.parameters(), *self.buffers()]
        state = [(tensor.data_ptr(), tensor._version) for tensor in tensors]
        if self._vectors is None or self._vectors[0] != state:
            self._vectors = (state, self.embed(self.encode(*known)))
        return self._vectors[1]

    def _check(self, blocks: tuple[Tensor, ...]) -> None:
        """Refuse training rows that are not among the known ones: they would find themselves."""
        if self._is_checked:
            return
        if not len(self.answers):
            raise ModelError(
                "modern_nca answers from training rows and knows none: call remember(blocks, "
                "targets) before fit, as deepwell.train does."
            )
        known = _keys(tuple(getattr(self, name) for name in self._names))
        if not torch.isin(_keys(blocks), known).all():
            raise ModelError(
                "modern_nca finds each training row among the rows that it keeps, to leave it out, "
                "and these have been changed on the way: train it without noise, mixup and swaps."
            )
        self._is_checked = True


def _in_full_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return the context in which distances are taken: in 16 bits near rows would be alike."""
    if device.type == "meta":  # shapes alone
        return contextlib.nullcontext()
    return torch.autocast(device.type, enabled=False)


def _encoding(spec: InputSpec, settings: ModernNCASettings) -> FlatInput:
    categories = None
    if spec.cardinalities:
        categories = MixedCategories(
            spec.cardinalities, one_hot_limit=settings.one_hot_limit, size=settings.embedding_size
        )
    numbers = None
    if spec.num_numbers:
        numbers = PeriodicReluNumbers(
            spec.num_numbers,
            size=settings.number_size,
            num_frequencies=settings.num_frequencies,
            frequency_scale=settings.frequency_scale,
            is_shared=True,
        )
    return FlatInput(spec, categories=categories, numbers=numbers)


def _keys(blocks: tuple[Tensor, ...]) -> Tensor:
    """Return a whole number a row, (rows,), that is the same for rows with equal inputs."""
    key = torch.zeros(len(blocks[0]), dtype=torch.int64, device=blocks[0].device)
    for block in blocks:
        bits = block.contiguous().view(torch.int32) if block.is_floating_point() else block
        for column in bits.long().unbind(dim=1):
            key = (key ^ column) * _PRIME + 1
    return key


def build(spec: InputSpec, head_size: int, settings: ModernNCASettings) -> nn.Module:
    """Make the network for a table."""
    return ModernNCA(spec, head_size, settings)
