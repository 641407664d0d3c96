"""Labels that are probably wrong: confident learning on probabilities of unseen rows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.evaluation.diagnosis.finding import Finding
from deepwell.evaluation.diagnosis.symptoms import Symptoms
from deepwell.evaluation.numerals import is_number, percent, plural

MOST_LISTED = 200
NOISY = 0.04
"""Share of suspects from which on they are more than single slips."""
FEWEST_ROWS = 40


@dataclass(frozen=True, slots=True)
class Suspect:
    """A row whose label is probably wrong.

    Args:
        id: Its row id.
        side: train, val or test.
        given: The label that it has.
        likely: The label that the network expects.
        probability: That the network gives to `likely`.
        given_probability: That it gives to `given`.
    """

    id: int
    side: str
    given: str
    likely: str
    probability: float
    given_probability: float

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dictionary."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Unseen:
    """Rows that the network which answers them has not learned from.

    Args:
        ids: Row ids, shape (n,).
        sides: Side of each row, shape (n,).
        given: Class index of each row, shape (n,).
        probabilities: Shape (n, classes).
    """

    ids: NDArray[np.int64]
    sides: NDArray[np.str_]
    given: NDArray[np.int64]
    probabilities: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.ids)


def find_suspects(unseen: Unseen, labels: tuple[str, ...]) -> list[Suspect]:
    """Return the rows whose label is probably wrong, the surest first.

    A row is a suspect if its likeliest class is another one, at least as sure as the network is on
    average of rows that carry that label, and if the given label is then an unlikely one: it has
    at most a fifth of the other's probability.

    Args:
        unseen: Rows with probabilities from networks that did not learn from them.
        labels: Names of the classes.

    Reference:
        Northcutt, Jiang, Chuang: Confident Learning (2021), sections 3.1 and 3.2.

    Example:
        >>> sure = np.array([[0.9, 0.1]] * 5 + [[0.1, 0.9]] * 5)
        >>> rows = Unseen(np.arange(10), np.array(["val"] * 10), np.array([0] * 6 + [1] * 4), sure)
        >>> [(one.id, one.given, one.likely) for one in find_suspects(rows, ("cat", "dog"))]
        [(5, 'cat', 'dog')]
    """
    given, probabilities = unseen.given, unseen.probabilities
    classes = np.arange(probabilities.shape[1])
    means = np.array(
        [probabilities[given == k, k].mean() if np.any(given == k) else 1.1 for k in classes]
    )
    rows = np.arange(len(given))
    own = probabilities[rows, given]
    reached = np.where(probabilities >= means, probabilities, -1.0)
    likely = reached.argmax(axis=1)
    other = reached[rows, likely]
    is_suspect = (other > 0) & (likely != given) & (own <= 0.2 * other)
    order = np.flatnonzero(is_suspect)
    order = order[np.argsort(own[order] - other[order], kind="stable")]
    return [
        Suspect(
            id=int(unseen.ids[row]),
            side=str(unseen.sides[row]),
            given=labels[given[row]],
            likely=labels[likely[row]],
            probability=round(float(other[row]), 4),
            given_probability=round(float(own[row]), 4),
        )
        for row in order
    ]


def suspects_json(unseen: Unseen, labels: tuple[str, ...]) -> dict[str, Any] | None:
    """Return what `label_noise` reads, None where there are too few rows to say anything."""
    if len(unseen) < FEWEST_ROWS:
        return None
    found = find_suspects(unseen, labels)
    sides, counts = np.unique(unseen.sides, return_counts=True)
    return {
        "rows": {str(side): int(n) for side, n in zip(sides, counts, strict=True)},
        "found": len(found),
        "suspects": [one.to_json() for one in found[:MOST_LISTED]],
    }


def sureness(probability: float) -> str:
    """Write the probability of a suspect; it is never rounded up to certainty.

    Example:
        >>> sureness(0.958), sureness(0.9996)
        ('96\u202f%', 'more than 99\u202f%')
    """
    return f"more than {percent(0.99, 0)}" if probability >= 0.995 else percent(probability, 0)


def _differ_by_chance(symptoms: Symptoms) -> bool:
    """Say whether most rows repeat the inputs of others with both answers, as lots drawn would."""
    repeats = symptoms.measured.get("repeats") or {}
    rows, floor = repeats.get("rows"), repeats.get("floor")
    if not (is_number(rows) and is_number(floor)):
        return False
    return rows >= 0.5 * symptoms.rows("train") and floor > 0.01


def label_noise(symptoms: Symptoms) -> Finding | None:
    """Find labels that are probably wrong."""
    labels = symptoms.measured.get("labels") or {}
    found, rows = int(labels.get("found") or 0), sum((labels.get("rows") or {}).values())
    if not found or not rows:
        return None
    share, first = found / rows, labels["suspects"][0]
    has_train, what = "train" in labels["rows"], symptoms.noun
    is_noisy = share >= NOISY and not _differ_by_chance(symptoms)
    return Finding(
        name="label_noise",
        title="Some labels are probably wrong."
        if is_noisy
        else f"{plural(found, 'label')} may be wrong.",
        severity="warning" if is_noisy else "note",
        evidence=f"{plural(found, 'row')} of {rows:,} that the {what} had not learned from "
        f"({percent(share)}) {'contradicts' if found == 1 else 'contradict'} it where it is as "
        f'sure as usual. The first: row {first["id"]} is labelled "{first["given"]}", the {what} '
        f'says "{first["likely"]}" with {sureness(first["probability"])}.',
        cause="Mistakes of whoever labelled, or rows that belong to two classes. Look at them "
        "before anything else; the list is in diagnosis.json and in the report.",
        action="" if has_train else symptoms.diagnose(),
    )
