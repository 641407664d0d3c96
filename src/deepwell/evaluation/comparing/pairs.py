"""Two models on the same rows: difference with interval, p-values, and correction for many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from deepwell.evaluation.intervals import percentiles
from deepwell.evaluation.means import Floats
from deepwell.evaluation.metrics import Metric
from deepwell.evaluation.scored import Scored

Winner = Literal["first", "second", "undecided"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two contenders on the same rows.

    Args:
        first: Name.
        second: Name.
        difference: Metric of the first − metric of the second; None where undefined.
        low: Lower end of its interval.
        high: Upper end.
        p: Chance of so large a difference if both were equally good; None where undefined.
        p_corrected: The same after Holm's correction for all pairs of the table.
        better: Who is better, after the correction.
        mcnemar: Classes: `only_first` and `only_second` (rows that one alone has right) and `p`.
    """

    first: str
    second: str
    difference: float | None
    low: float | None
    high: float | None
    p: float | None
    p_corrected: float | None
    better: Winner
    mcnemar: dict[str, Any] | None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dictionary."""
        return asdict(self)


def bootstrap_p(draws: Floats) -> float | None:
    """Return the two-sided p-value of a difference from its bootstrap draws.

    Twice the share of draws on the rarer side of 0, so that it is below 5 % where the 95 %
    interval leaves out 0.

    Example:
        >>> bootstrap_p(np.linspace(1.0, 2.0, 99)), bootstrap_p(np.linspace(-1.0, 1.0, 99))
        (0.02, 1.0)
    """
    defined = draws[np.isfinite(draws)]
    if len(defined) * 2 <= len(draws):
        return None
    rarer = min(int((defined <= 0).sum()), int((defined >= 0).sum()))
    return min(1.0, 2 * (rarer + 1) / (len(defined) + 1))


def holm(values: Sequence[float | None]) -> list[float | None]:
    """Correct p-values for their number; None stays None.

    Reference:
        Holm (1979), A simple sequentially rejective multiple test procedure.

    Example:
        >>> holm([0.01, None, 0.04, 0.03])
        [0.03, None, 0.06, 0.06]
    """
    known = sorted((p, index) for index, p in enumerate(values) if p is not None)
    corrected: list[float | None] = [None] * len(values)
    largest = 0.0
    for rank, (p, index) in enumerate(known):
        largest = max(largest, min(1.0, p * (len(known) - rank)))
        corrected[index] = largest
    return corrected


def mcnemar(first: Scored, second: Scored) -> dict[str, Any] | None:
    """Test by the rows that only one of two models has right, exactly; None for numbers.

    Reference:
        McNemar (1947), Note on the sampling error of the difference between correlated
        proportions or percentages.

    Example:
        >>> from deepwell.types import Predictions
        >>> truth = np.zeros(6, dtype=np.int64)
        >>> right, wrong = Predictions(truth), Predictions(truth + 1)
        >>> mcnemar(Scored("binary", truth, right), Scored("binary", truth, wrong))
        {'only_first': 6, 'only_second': 0, 'p': 0.03125}
    """
    if first.task == "regression":
        return None
    from scipy.stats import binomtest

    sides = [_is_right(scored) for scored in (first, second)]
    only_first = int((sides[0] & ~sides[1]).sum())
    only_second = int((sides[1] & ~sides[0]).sum())
    total = only_first + only_second
    p = float(binomtest(only_first, total).pvalue) if total else 1.0
    return {"only_first": only_first, "only_second": only_second, "p": p}


def _is_right(scored: Scored) -> Any:
    is_right = scored.values == scored.truth
    return is_right.all(axis=1) if scored.task == "multilabel" else is_right


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """The difference of two contenders, and what is known of its spread.

    Args:
        first: Name.
        second: Name.
        difference: On all rows, or None.
        draws: In each resample, shape (resamples,), or None where `known` says it.
        known: Low, high and p-value where they come from elsewhere than resamples.
        mcnemar: See `Pair`.
    """

    first: str
    second: str
    difference: float | None
    draws: Floats | None = None
    known: tuple[float | None, float | None, float | None] = (None, None, None)
    mcnemar: dict[str, Any] | None = None


def judge(pairs: Sequence[Draws], metric: Metric, confidence: float) -> tuple[Pair, ...]:
    """Give each pair its interval and p-value, and decide after Holm's correction."""
    spreads = [_spread(pair, confidence) for pair in pairs]
    corrected = holm([p for _, _, p in spreads])
    return tuple(
        Pair(
            first=pair.first,
            second=pair.second,
            difference=pair.difference,
            low=low,
            high=high,
            p=p,
            p_corrected=after,
            better=_better(pair.difference, after, metric, confidence),
            mcnemar=pair.mcnemar,
        )
        for pair, (low, high, p), after in zip(pairs, spreads, corrected, strict=True)
    )


def _spread(pair: Draws, confidence: float) -> tuple[float | None, float | None, float | None]:
    if pair.difference is None:
        return None, None, None
    if pair.draws is None:
        return pair.known
    return *percentiles(pair.draws, confidence), bootstrap_p(pair.draws)


def _better(difference: float | None, p: float | None, metric: Metric, confidence: float) -> Winner:
    if not difference or p is None or p >= 1 - confidence:
        return "undecided"
    return "first" if (difference > 0) == (metric.better == "higher") else "second"
