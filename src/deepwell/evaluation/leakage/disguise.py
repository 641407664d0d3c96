"""What tells the target in disguise from a strong measurement: how it errs, and what it is called.

A column that was made from the target lies on one curve with it, but for rounding or a few rows. A
measurement of something that the target depends on scatters around the curve in every row.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from deepwell.evaluation.leakage.alone import Feature
from deepwell.evaluation.leakage.question import Question
from deepwell.evaluation.means import Floats

REACH = 2
"""Rows on each side that tell what a row should be."""
CLOSE = 0.01
"""Share of the standard deviation of the target within which a row is hit."""
FEWEST = 50
MOST_COMMON = 0.01
"""Values of the target that more rows than this share have are hit by chance too."""
SHORTEST_WORD = 4


@dataclass(frozen=True, slots=True)
class Neighbours:
    """How well rows with the nearest values of a column tell the target.

    Args:
        skill: Share of the variance that is told, 1 = all; 0 where it is not known.
        hits: Share of the rows that are told to a hundredth of the spread.
        is_known: Whether column and target are numbers with enough different values.
    """

    skill: float = 0.0
    hits: float = 0.0
    is_known: bool = False


def neighbours(one: Feature, question: Question) -> Neighbours:
    """Measure how closely a column of numbers lies on one curve with a target of numbers.

    Each row is told by the two rows below and the two above it in the order of the column: their
    mean for the skill, from which their own share of the noise is taken out, their median for the
    hits, so that a few strangers among them do no harm.

    Args:
        one: The column.
        question: The target of the same rows.

    Example:
        >>> from deepwell.evaluation.leakage.alone import numbered
        >>> x, noise = np.random.default_rng(0).normal(size=(2, 500))
        >>> copied = neighbours(numbered("", 3 * x), Question("y", x))
        >>> measured = neighbours(numbered("", x + 0.2 * noise), Question("y", x))
        >>> round(copied.hits, 1), round(measured.hits, 1), round(measured.skill, 1)
        (0.9, 0.0, 1.0)
    """
    if question.labels or one.raw is None:
        return Neighbours()
    known = ~one.is_missing
    raw, truth = one.raw[known], np.asarray(question.truth, dtype=np.float64)[known]
    spread = float(truth.std()) if len(truth) else 0.0
    if len(np.unique(raw)) < FEWEST or len(np.unique(truth)) < FEWEST or spread == 0:
        return Neighbours()
    # rows with equal values stand in any order but that of the file, which may be sorted
    truth = truth[np.lexsort((np.random.default_rng(0).permutation(len(raw)), raw))]
    around = _around(truth)
    inner = truth[REACH:-REACH]
    noise = float(np.square(inner - around.mean(axis=0)).mean()) / (1 + 1 / len(around))
    rare = _is_rare(inner)
    hits = 0.0
    if rare.sum() >= max(FEWEST, len(inner) / 2):
        close = np.abs(inner - np.median(around, axis=0)) <= CLOSE * spread
        hits = float(close[rare].mean())
    return Neighbours(max(0.0, 1 - noise / spread**2), hits, is_known=True)


def share_a_word(name: str, target: str) -> bool:
    """Say whether a column is called after the target.

    Example:
        >>> share_a_word("price_per_m2", "Sale_Price"), share_a_word("year_sold", "Sale_Price")
        (True, False)
    """
    return bool(_words(name) & _words(target))


def _words(name: str) -> set[str]:
    spaced = re.sub(r"([a-z])([A-Z])", r"\1 \2", name)
    return {word.lower() for word in re.split(r"[\W_\d]+", spaced) if len(word) >= SHORTEST_WORD}


def _around(truth: Floats) -> Floats:
    """Return the neighbours of each row but the first and last ones, shape (4, rows)."""
    size = len(truth) - 2 * REACH
    shifts = [shift for shift in range(2 * REACH + 1) if shift != REACH]
    return np.stack([truth[shift : shift + size] for shift in shifts])


def _is_rare(truth: Floats) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    _, places, counts = np.unique(truth, return_inverse=True, return_counts=True)
    return counts[places] <= max(1.0, MOST_COMMON * len(truth))
