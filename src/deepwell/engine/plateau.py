"""Plateau: a lower learning rate whenever the monitored value has stopped to improve."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class Plateau:
    """Counts epochs without improvement; what it remembers is in each checkpoint.

    Args:
        patience: Epochs without improvement before the rate falls.
        factor: What the rate is multiplied by then.

    Example:
        >>> plateau = Plateau(patience=2, factor=0.5)
        >>> [plateau.note(is_best) for is_best in (True, False, False, False, False)]
        [1.0, 1.0, 0.5, 0.5, 0.25]
    """

    def __init__(self, *, patience: int = 5, factor: float = 0.1) -> None:
        self._patience = patience
        self._step = factor
        self.factor = 1.0
        self._waited = 0

    def note(self, is_best: bool) -> float:
        """Count an epoch; return the factor of the learning rate from now on."""
        self._waited = 0 if is_best else self._waited + 1
        if self._waited >= self._patience:
            self.factor *= self._step
            self._waited = 0
        return self.factor

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {"factor": self.factor, "waited": self._waited}

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from what `to_json` returned."""
        self.factor, self._waited = float(state["factor"]), int(state["waited"])
