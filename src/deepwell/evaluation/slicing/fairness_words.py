"""The gaps between groups in plain words, under the names that the literature has for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from deepwell.evaluation.numerals import is_number, metric_texts, number, percent, plural

FOUR_FIFTHS = 0.8
NO_VERDICT = (
    "These numbers describe. Whether a difference is just depends on what the answers are used "
    "for, and that no number here knows."
)

Json = Mapping[str, Any]


def sentences(column: str, groups: Sequence[Json], rates: Sequence[Json]) -> list[str]:
    """Return what to know about the groups of a column."""
    found: list[str] = []
    for outcome in dict.fromkeys(rate["outcome"] for rate in rates):
        by_name = {rate["name"]: rate for rate in rates if rate["outcome"] == outcome}
        found += _parity(by_name.get("selection_rate"), outcome)
        found += _odds(by_name, outcome)
        found += _numbers(by_name.get("mean_absolute_error"), by_name.get("bias"), outcome)
    small = [group for group in groups if group["is_small"]]
    if small:
        names = ", ".join(str(group["name"]) for group in small[:5])
        more = ", …" if len(small) > 5 else ""
        found.append(
            f"{plural(len(small), 'group')} of {column} ({names}{more}) "
            f"{'has' if len(small) == 1 else 'have'} too few test rows to say anything."
        )
    return found


def widest(rate: Json | None) -> Json | None:
    """Return the group that is farthest from the best-off group, or None."""
    if rate is None:
        return None
    others = [one for one in rate["values"] if one["difference"] is not None]
    return max(others, key=lambda one: abs(one["difference"]["value"]), default=None)


def gap_text(rate: Json, one: Json) -> str:
    """Write a difference to the best-off group with its interval."""
    difference = one["difference"]
    value, low, high = (difference[key] for key in ("value", "low", "high"))
    if rate["unit"] == "share":
        text = f"{number(100 * value, 2)} points"
        return f"{text} ({_ends(low, high, 100)})" if is_number(low) else text
    text = number(value, 3)
    return f"{text} ({_ends(low, high, 1)})" if is_number(low) else text


def _ends(low: float, high: float, factor: float) -> str:
    return f"{number(factor * low, 2)} to {number(factor * high, 2)}"


def rate_text(rate: Json, value: Any) -> str:
    """Write the value of a rate."""
    return percent(value) if rate["unit"] == "share" else number(value, 3)


def _parity(rate: Json | None, outcome: str) -> list[str]:
    one = widest(rate)
    if rate is None or one is None:
        return []
    best = next(v for v in rate["values"] if v["group"] == rate["reference"])
    text = (
        f'Demographic parity: "{outcome}" is answered for {rate_text(rate, one["value"])} of '
        f"{one['group']} and {rate_text(rate, best['value'])} of {best['group']}, a difference of "
        f"{gap_text(rate, one)}"
    )
    ratio = one["ratio"]
    if not ratio or not is_number(ratio["value"]):
        return [f"{text}."]
    _, interval = metric_texts("mcc", ratio)
    text += f" and a ratio of {number(ratio['value'], 2)}" + (f" ({interval})" if interval else "")
    if ratio["value"] < FOUR_FIFTHS:
        text += ", below the four fifths that US guidelines on hiring take as a reason to look"
    return [f"{text}."]


def _odds(rates: Mapping[str, Json], outcome: str) -> list[str]:
    parts: list[str] = []
    for name in ("true_positive_rate", "false_positive_rate"):
        rate = rates.get(name)
        one = widest(rate)
        if rate is not None and one is not None:
            parts.append(
                f"{rate['title'].lower()} {rate_text(rate, one['value'])} for {one['group']} "
                f"against {rate['reference']}, {gap_text(rate, one)}"
            )
    return [f'Equalised odds ("{outcome}"): widest gaps: {"; ".join(parts)}.'] if parts else []


def _numbers(error: Json | None, bias: Json | None, outcome: str) -> list[str]:
    found: list[str] = []
    one = widest(error)
    if error is not None and one is not None:
        found.append(
            f"{outcome}: the mean absolute error is largest for {one['group']} "
            f"({rate_text(error, one['value'])}), {gap_text(error, one)} above "
            f"{error['reference']}."
        )
    other = max(bias["values"], key=lambda v: abs(v["value"]), default=None) if bias else None
    if bias is not None and other is not None:
        side = "too high" if other["value"] > 0 else "too low"
        is_sure = is_number(other["low"]) and not other["low"] <= 0 <= other["high"]
        sure = "" if is_sure else ", which is within the noise"
        found.append(
            f"{outcome}: predictions for {other['group']} are {side} by "
            f"{rate_text(bias, abs(other['value']))} on average{sure}."
        )
    return found
