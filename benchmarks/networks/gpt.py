"""A GPT of four layers on bytes (Radford et al. 2019), 3,356,160 parameters."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

VOCABULARY, CONTEXT, WIDTH, HEADS, LAYERS = 256, 256, 256, 4, 4


class Block(nn.Module):
    """Causal attention and a feed-forward network, each beside a short cut."""

    def __init__(self) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(WIDTH)
        self.query_key_value = nn.Linear(WIDTH, 3 * WIDTH)
        self.project = nn.Linear(WIDTH, WIDTH)
        self.norm2 = nn.LayerNorm(WIDTH)
        self.widen = nn.Linear(WIDTH, 4 * WIDTH)
        self.narrow = nn.Linear(4 * WIDTH, WIDTH)

    def forward(self, inputs: Tensor) -> Tensor:
        features = inputs + self.attend(self.norm1(inputs))
        hidden = functional.gelu(self.widen(self.norm2(features)))
        return features + self.narrow(hidden)

    def attend(self, inputs: Tensor) -> Tensor:
        rows, steps, _ = inputs.shape
        packed = self.query_key_value(inputs).view(rows, steps, 3, HEADS, WIDTH // HEADS)
        query, key, value = packed.permute(2, 0, 3, 1, 4)  # each (rows, heads, steps, size)
        mixed = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.project(mixed.transpose(1, 2).reshape(rows, steps, WIDTH))


class GPT(nn.Module):
    """Bytes (batch, steps) → logits of the next byte (batch, steps, 256)."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, WIDTH)
        self.places = nn.Embedding(CONTEXT, WIDTH)
        self.blocks = nn.Sequential(*(Block() for _ in range(LAYERS)))
        self.norm = nn.LayerNorm(WIDTH)
        self.output = nn.Linear(WIDTH, VOCABULARY, bias=False)
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        places = torch.arange(tokens.shape[1], device=tokens.device)
        features = self.tokens(tokens) + self.places(places)
        return self.output(self.norm(self.blocks(features)))


def network() -> nn.Module:
    """Return the network."""
    return GPT()
