"""Generators of random numbers that belong to a DataLoader: part of what a resume must know."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from deepwell.engine.batches import IterableBatches
from deepwell.engine.interfaces import Batches


def generators_of(*batches: Batches | None) -> tuple[torch.Generator, ...]:
    """Return the generators that loaders and their samplers draw from, each once.

    A loader without one draws from torch's global random numbers.

    Args:
        batches: Those of a training; only wrapped loaders have any.

    Example:
        >>> from torch.utils.data import DataLoader
        >>> own = torch.Generator()
        >>> loader = DataLoader([1, 2], shuffle=True, generator=own)
        >>> generators_of(IterableBatches(loader), None) == (own,)
        True
    """
    found: dict[int, torch.Generator] = {}
    for one in batches:
        if isinstance(one, IterableBatches):
            found.update({id(generator): generator for generator in _search(one.source)})
    return tuple(found.values())


def _search(source: object) -> Iterator[torch.Generator]:
    """Look at a loader, its sampler of batches and its sampler of rows."""
    batch_sampler = getattr(source, "batch_sampler", None)
    owners = (source, getattr(source, "sampler", None), batch_sampler)
    for owner in (*owners, getattr(batch_sampler, "sampler", None)):
        generator = getattr(owner, "generator", None)
        if isinstance(generator, torch.Generator):
            yield generator
