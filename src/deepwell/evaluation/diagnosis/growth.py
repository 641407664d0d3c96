"""What more rows would bring: a power law through errors on growing training sets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.evaluation.diagnosis.finding import Finding
from deepwell.evaluation.diagnosis.symptoms import Symptoms
from deepwell.evaluation.numerals import count

Floats = NDArray[np.float64]
EXPONENTS = np.concatenate([np.arange(0.02, 1.0, 0.02), np.arange(1.0, 2.51, 0.1)])
"""Exponents that are tried."""
DRAWS = 400
WORTHWHILE = 0.03
"""Share of the error that twice the rows must take away to be called a gain."""


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """error(n) = floor + scale · n^−exponent.

    Args:
        floor: Error with endless rows.
        scale: What is left of it with one row.
        exponent: How fast it falls.
    """

    floor: float
    scale: float
    exponent: float

    def __call__(self, rows: float) -> float:
        """Return the error with so many rows."""
        return self.floor + self.scale * rows**-self.exponent


def fit_power_law(rows: Floats, errors: Floats) -> PowerLaw:
    """Fit a power law by least squares of relative errors; floor and scale are not negative.

    Args:
        rows: Sizes of training sets, shape (m,).
        errors: Shape (m,), above 0.

    Reference:
        Hestness et al.: Deep Learning Scaling is Predictable, Empirically (2017).

    Example:
        >>> sizes = np.array([100.0, 200, 400, 800, 1600])
        >>> law = fit_power_law(sizes, 2 + 30 * sizes**-0.5)
        >>> round(law.floor, 2), round(law.exponent, 2)
        (2.0, 0.5)
    """
    floors, scales, losses = _solve(rows, errors[None, :])
    best = int(losses[0].argmin())
    return PowerLaw(float(floors[0, best]), float(scales[0, best]), float(EXPONENTS[best]))


def _solve(rows: Floats, errors: Floats) -> tuple[Floats, Floats, Floats]:
    """Solve for floor and scale at each exponent; errors (draws, m) → three of (draws, exponents).

    Relative errors are squared, so each equation is divided by the error that was measured.
    """
    weights = 1 / np.maximum(errors, 1e-30)
    slopes = (rows / rows[-1])[None, :] ** -EXPONENTS[:, None]
    ones = weights.sum(axis=1)[:, None]
    a = (weights**2).sum(axis=1)[:, None]
    b = (weights**2) @ slopes.T
    d = (weights**2) @ (slopes**2).T
    right = weights @ slopes.T
    determinant = a * d - b**2
    floors = (ones * d - b * right) / determinant
    scales = (a * right - b * ones) / determinant
    floors, scales = (
        np.where(floors < 0, 0.0, np.where(scales < 0, ones / a, floors)),
        np.where(floors < 0, right / d, np.maximum(scales, 0.0)),
    )
    fitted = floors[:, :, None] + scales[:, :, None] * slopes[None]
    losses = ((fitted * weights[:, None, :] - 1) ** 2).sum(axis=2)
    return floors, scales * rows[-1] ** EXPONENTS, losses


def extrapolate(
    rows: Sequence[int],
    errors: Floats,
    *,
    factors: Sequence[float] = (2, 4),
    seed: int = 0,
    confidence: float = 0.95,
) -> dict[str, Any]:
    """Fit a power law to a measured curve and say what more rows would bring.

    The interval redraws what the fit leaves over and what differs between repetitions, and fits
    again. It holds as far as the curve goes on as a power law; that it does is not in the interval.

    Args:
        rows: Sizes of training sets, rising, at least three.
        errors: Error of each repetition at each size, shape (repetitions, sizes). A repetition is
            scored on the same rows at all sizes.
        factors: Multiples of the largest size.
        seed: Of the draws.
        confidence: Of the intervals.

    Returns:
        `rows`, `errors` (means), `low` and `high` (of the means), `floor`, `scale`, `exponent`,
        `now` and `more`: for each factor `factor`, `rows`, `error`, `low`, `high`.
    """
    sizes = np.asarray(rows, dtype=np.float64)
    means = errors.mean(axis=0)
    law = fit_power_law(sizes, means)
    fitted = np.array([law(n) for n in sizes])
    generator = np.random.default_rng(seed)
    draws = fitted * (1 + _noise(errors, fitted, generator))
    floors, scales, losses = _solve(sizes, np.maximum(draws, 1e-30))
    best = losses.argmin(axis=1)
    pick = np.arange(len(draws))
    ends = np.array([(1 - confidence) / 2, 1 - (1 - confidence) / 2])

    def at(n: float) -> tuple[float, float]:
        values = floors[pick, best] + scales[pick, best] * n ** -EXPONENTS[best]
        low, high = np.quantile(values, ends)
        # the interval of a bent curve may miss its own middle
        return min(float(low), law(n)), max(float(high), law(n))

    spread = errors.std(axis=0, ddof=1) / len(errors) ** 0.5 if len(errors) > 1 else 0 * means
    more = [
        {"factor": f, "rows": round(f * sizes[-1]), "error": law(f * sizes[-1])} for f in factors
    ]
    for one in more:
        one["low"], one["high"] = at(one["rows"])
    low, high = at(sizes[-1])
    return {
        "rows": [int(n) for n in rows],
        "errors": means.tolist(),
        "spread": np.asarray(spread).tolist(),
        "repetitions": len(errors),
        "floor": law.floor,
        "scale": law.scale,
        "exponent": law.exponent,
        "now": {"rows": int(rows[-1]), "error": law(sizes[-1]), "low": low, "high": high},
        "more": more,
    }


def _noise(errors: Floats, fitted: Floats, generator: np.random.Generator) -> Floats:
    """Return relative deviations of means from the law, shape (draws, sizes)."""
    repetitions, sizes = errors.shape
    left = (errors.mean(axis=0) - fitted) / fitted
    # three numbers were fitted, so what is left over is too small
    scale = np.sqrt((left**2).sum() / max(1, sizes - 3))
    if repetitions > 1:
        # a repetition has exam rows of its own, which shift its whole curve and not its form
        own = errors / fitted
        form = own - own.mean(axis=1, keepdims=True)
        inner = (form - form.mean(axis=0)).std(ddof=1) / repetitions**0.5
        scale = max(scale, float(inner))
    return generator.normal(0, scale, (DRAWS, sizes))


def more_data(symptoms: Symptoms) -> Finding | None:
    """Say what more rows would bring, from a measured curve."""
    curve = symptoms.measured.get("curve") or {}
    if not curve.get("more"):
        return None
    now, twice = curve["now"], curve["more"][0]
    gain = 1 - twice["error"] / max(now["error"], 1e-30)
    is_gain = gain >= WORTHWHILE and twice["high"] < now["error"]
    told = [_prediction(symptoms, one) for one in curve["more"]]
    name = symptoms.metric_title
    sizes = f"{len(curve['rows'])} sizes up to {count(now['rows'])} rows"
    verdict = (
        "more_data" if is_gain else "more_data_unsure" if gain >= WORTHWHILE else "enough_data"
    )
    title, cause = _VERDICTS[verdict]
    cause = cause.replace("another network", f"another {symptoms.noun}")
    return Finding(
        name=verdict,
        title=title,
        severity="note",
        evidence=f"Twice the rows would bring {name} from {symptoms.told(now['error'])} to about "
        f"{told[0]}, four times the rows to about {told[1]}: extrapolated from {sizes}, "
        f"{curve['repetitions']} times each.{symptoms.measured_on}",
        cause=cause,
    )


_VERDICTS = {
    "more_data": (
        "More rows would help.",
        "The error still falls with the size of the training set.",
    ),
    "more_data_unsure": (
        "More rows may help, but that is not sure.",
        "The score still improves with the size of the training set, within an interval that holds "
        "no gain as well.",
    ),
    "enough_data": (
        "More rows would hardly help.",
        "The curve over growing training sets has become flat: other columns, another model or "
        "better labels help, more of the same rows do not.",
    ),
}


def _prediction(symptoms: Symptoms, one: dict[str, Any]) -> str:
    ends = [symptoms.told(one["low"]), symptoms.told(one["high"])]
    if symptoms.metric is not None and symptoms.metric.better == "higher":
        ends.reverse()
    return f"{symptoms.told(one['error'])} ({ends[0]} to {ends[1]})"
