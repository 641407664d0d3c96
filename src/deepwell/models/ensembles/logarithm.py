"""What trees are asked, and the logarithm of targets that a few large values would rule."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from deepwell.errors import ConfigError

Question = Literal["numbers", "labels", "classes"]
Rows = tuple[NDArray[Any], NDArray[Any], NDArray[Any] | None]
"""Inputs, targets, and weights or None."""


def logarithm(rows: Rows, zero: NDArray[np.float64]) -> Rows:
    """Return rows with the logarithms of their targets.

    Args:
        rows: Targets (rows, K).
        zero: Where the zero of each target lies among the targets as they are given, (K,).

    Raises:
        ConfigError: A target is not above zero.

    Example:
        >>> rows = np.zeros((1, 1)), np.array([[0.0]]), None
        >>> float(logarithm(rows, np.array([-1.0]))[1][0, 0])
        0.0
    """
    inputs, targets, weight = rows
    above = np.asarray(targets, dtype=np.float64) - zero
    if not (above > 0).all():
        raise ConfigError(
            "log_targets needs targets above zero: leave it out, or choose task.loss = poisson "
            "for counts."
        )
    return inputs, np.log(above), weight
