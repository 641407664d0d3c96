"""Principal components: the directions in which rows differ most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from deepwell.evaluation.means import Floats

MOST_COMPONENTS = 30
SHOWN = 5
LOADINGS = 8
LEAST = 0.05


@dataclass(frozen=True, slots=True)
class Components:
    """The main directions.

    Args:
        explained: Share of the variance along each direction, the largest first.
        needed: Directions that hold 90 % of the variance; None if more than were computed.
        loadings: For each of the first directions, its strongest features with their weights.
        places: Place of each row along the first two directions, shape (rows, 2).
    """

    explained: tuple[float, ...]
    needed: int | None
    loadings: tuple[tuple[tuple[str, float], ...], ...]
    places: Floats


def components(values: Floats, names: Sequence[str], *, seed: int = 0) -> Components:
    """Compute the principal components; each is turned so that its strongest weight is positive.

    Args:
        values: Points, centred, shape (rows, features).
        names: Of the features.
        seed: For the randomised solver, used on wide data.

    Reference:
        Jolliffe (2002), Principal component analysis.
    """
    from sklearn.decomposition import PCA

    number = min(MOST_COMPONENTS, *values.shape)
    model = PCA(number, random_state=seed).fit(values)
    directions = np.asarray(model.components_)
    strongest = np.abs(directions).argmax(axis=1)
    directions = directions * np.sign(directions[np.arange(number), strongest])[:, None]
    explained = np.nan_to_num(np.asarray(model.explained_variance_ratio_))
    reached = np.flatnonzero(np.cumsum(explained) >= 0.9 - 1e-12)
    places = np.zeros((len(values), 2))
    places[:, : min(2, number)] = values @ directions[:2].T
    return Components(
        explained=tuple(float(share) for share in explained),
        needed=int(reached[0]) + 1 if len(reached) else None,
        loadings=tuple(_loadings(one, names) for one in directions[:SHOWN]),
        places=places,
    )


def _loadings(direction: Floats, names: Sequence[str]) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-np.abs(direction), kind="stable")[:LOADINGS]
    return tuple((names[int(i)], float(direction[i])) for i in order if abs(direction[i]) >= LEAST)
