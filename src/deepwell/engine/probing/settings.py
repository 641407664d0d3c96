"""Settings of what is looked for before training. Imports no torch."""

from __future__ import annotations

from pydantic import Field

from deepwell.config import Settings


class FindSettings(Settings):
    """What is found by short trials before training, and then used.

    Example:
        >>> FindSettings(learning_rate=True).steps
        150
    """

    learning_rate: bool = False
    """Find the learning rate by a range test (`--find-lr`)."""
    batch_size: bool = False
    """Find the batch size by memory and speed (`--find-batch-size`)."""
    steps: int = Field(default=150, ge=40, le=10_000)
    """Steps of the range test, each with a higher rate."""
