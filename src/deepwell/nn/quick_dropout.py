"""Dropout that draws its random numbers eight at a time."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

_LOWEST = -(2**63)


class QuickDropout(nn.Dropout):
    """Dropout in half of the time on a processor, where torch draws one number a value.

    One random number of 64 bits decides on eight values, one byte each; so the share is a multiple
    of 1/256, the nearest one to what is asked, and the values that stay are enlarged accordingly.
    On other devices, and where it
    is compiled, it is torch's own.

    Args:
        p: Share of the values that is set to zero in training.

    Shape:
        any → the same.

    Reference:
        Srivastava et al.: Dropout (2014).

    Example:
        >>> QuickDropout(0.5)(torch.ones(4, 2)).unique().tolist() in ([0.0, 2.0], [0.0], [2.0])
        True
    """

    def forward(self, input: Tensor) -> Tensor:
        """Return the thinned values in training, the input otherwise."""
        dropped = round(256 * self.p)
        is_torchs = input.device.type != "cpu" or torch.compiler.is_compiling()
        if is_torchs or not 0 < dropped < 256:
            return F.dropout(input, self.p, self.training)
        if not self.training:
            return input
        count = input.numel()
        bits = torch.empty((count + 7) // 8, dtype=torch.int64).random_(_LOWEST, None)
        stays = bits.view(torch.uint8)[:count].view(input.shape) >= dropped
        return input * (stays.to(input.dtype) * (256 / (256 - dropped)))
