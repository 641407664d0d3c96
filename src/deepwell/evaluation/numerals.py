"""Numbers for people: four digits, thousands apart, a true minus, intervals of one precision."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from deepwell.evaluation.metrics import METRICS

MISSING = "–"
THIN = "\u202f"
"""A narrow space that does not break, between a number and what follows it."""


def is_number(value: object) -> TypeGuard[float]:
    """Say whether the value is a finite number (and not a boolean)."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def decimals_for(*values: float, digits: int = 4) -> int:
    """Return how many decimals show the largest of these values with so many digits.

    The result is negative where whole digits are rounded: 123,456 with four digits has -2.

    Example:
        >>> decimals_for(0.5, 12.3456), decimals_for(123456.0)
        (2, -2)
    """
    largest = max((abs(value) for value in values if is_number(value)), default=0.0)
    if largest == 0:
        return 0
    return digits - 1 - math.floor(math.log10(largest))


def fixed(value: float, decimals: int) -> str:
    """Write a number with so many decimals and thousands apart.

    Example:
        >>> fixed(-24312.7, -1), fixed(0.5, 3)
        ('−24,310', '0.500')
    """
    rounded = round(value, decimals)
    text = f"{abs(rounded):,.{max(decimals, 0)}f}"
    is_zero = not any(digit in "123456789" for digit in text)
    return text if rounded >= 0 or is_zero else f"−{text}"


def number(value: Any, digits: int = 4) -> str:
    """Write any number with up to four digits that mean something.

    Args:
        value: A number; anything else, NaN and infinity become a dash.
        digits: How many significant digits.

    Example:
        >>> [number(v) for v in (24312.7, 0.5, 3, 1234567.0, 0.0000312, None)]
        ['24,310', '0.5', '3', '1.235 million', '3.12 × 10⁻⁵', '–']
    """
    if not is_number(value):
        return MISSING
    if value == 0:
        return "0"
    size = abs(value)
    if size < 1e-4 or size >= 1e12:
        return _scientific(float(value), digits)
    for limit, word in ((1e9, "billion"), (1e6, "million")):
        if size >= limit:
            return f"{number(value / limit, digits)} {word}"
    return _trimmed(fixed(value, decimals_for(value, digits=digits)))


def _trimmed(text: str) -> str:
    return text.rstrip("0").rstrip(".") if "." in text else text


def _scientific(value: float, digits: int) -> str:
    exponent = math.floor(math.log10(abs(value)))
    raised = str(exponent).translate(str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{_trimmed(fixed(value / 10**exponent, digits - 1))} × 10{raised}"


def count(value: Any) -> str:
    """Write a whole number in full, or a dash.

    Example:
        >>> count(60000), count(None)
        ('60,000', '–')
    """
    return f"{int(value):,}" if is_number(value) else MISSING


def percent(share: Any, decimals: int = 1) -> str:
    """Write a share of 1 as a percentage.

    Example:
        >>> percent(0.92431), percent(0.5, 0)
        ('92.4\u202f%', '50\u202f%')
    """
    return f"{fixed(share * 100, decimals)}{THIN}%" if is_number(share) else MISSING


def plural(amount: float, noun: str, many: str | None = None) -> str:
    """Write an amount with its noun.

    Example:
        >>> plural(1, "row"), plural(1200, "class", "classes")
        ('1 row', '1,200 classes')
    """
    return f"{count(amount)} {noun if amount == 1 else many or noun + 's'}"


def duration(seconds: Any) -> str:
    """Write a length of time.

    Example:
        >>> [duration(s) for s in (0.042, 3.21, 75, 7380)]
        ['0.04 s', '3.2 s', '1 min 15 s', '2 h 3 min']
    """
    if not is_number(seconds):
        return MISSING
    if seconds < 0.01:
        return "under 0.01 s"
    if seconds < 59.95:
        return f"{fixed(seconds, 1 if seconds >= 1 else 2)} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600:,} h {whole % 3600 // 60} min"


def is_share(metric: str) -> bool:
    """Say whether a metric lies between 0 and 1 and is written as a percentage."""
    return metric in METRICS and METRICS[metric].unit == "share"


def metric_texts(name: str, metric: Mapping[str, Any]) -> tuple[str, str]:
    """Write a metric and its interval with one precision.

    Args:
        name: The metric's name; shares become percentages.
        metric: `value`, `low`, `high`; each may be missing or None.

    Returns:
        The value and the interval; the interval is empty if there is none.

    Example:
        >>> metric_texts("rmse", {"value": 24312.7, "low": 22871.2, "high": 25930.0})
        ('24,310', '22,870 – 25,930')
        >>> metric_texts("accuracy", {"value": 0.92431, "low": 0.919, "high": 0.9294})
        ('92.4\u202f%', '91.9 – 92.9\u202f%')
    """
    value, low, high = (metric.get(key) for key in ("value", "low", "high"))
    if not is_number(value):
        return MISSING, ""
    if is_share(name):
        return percent(value), _percent_interval(low, high)
    parts = [float(part) for part in (value, low, high) if is_number(part)]
    if len(parts) < 3 or low == high:
        parts = parts[:1]
    texts = _alike(parts, is_pure=name in METRICS and METRICS[name].unit != "target")
    return texts[0], _interval(texts[1], texts[2]) if len(parts) == 3 else ""


def _alike(values: Sequence[float], *, is_pure: bool) -> list[str]:
    """Write values with the same number of decimals; pure numbers need three at the most."""
    size = max(abs(value) for value in values)
    if size >= 1e6 or size < 1e-3:
        return [number(value) for value in values]
    most = 3 if is_pure and size >= 0.005 else 4
    decimals = min(decimals_for(*values), most)
    return [fixed(value, decimals) for value in values]


def _percent_interval(low: Any, high: Any) -> str:
    if not (is_number(low) and is_number(high)) or low == high:
        return ""
    return f"{_interval(fixed(low * 100, 1), fixed(high * 100, 1))}{THIN}%"


def _interval(low: str, high: str) -> str:
    joint = " to " if "−" in low + high else " – "
    return f"{low}{joint}{high}"


def shortened(text: str, limit: int) -> str:
    """Cut a text in the middle so that its beginning and end stay readable.

    Example:
        >>> shortened("a_very_long_column_name", 13)
        'a_very…n_name'
    """
    text = " ".join(str(text).split())
    if len(text) <= limit:
        return text
    tail = (limit - 1) // 2
    return f"{text[: limit - 1 - tail]}…{text[len(text) - tail :]}"
