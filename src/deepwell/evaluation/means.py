"""Division and averages in which what is undefined is NaN, without a warning."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def divide(numerator: Floats, denominator: Floats) -> Floats:
    """Divide where it can be done; NaN elsewhere, without a warning."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    result = np.full(shape, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator > 0)
    return result


def average(values: Floats) -> Floats:
    """Mean over the first axis of the values that are defined; NaN where none is."""
    is_defined = ~np.isnan(values)
    return divide(np.where(is_defined, values, 0.0).sum(axis=0), is_defined.sum(axis=0) * 1.0)
