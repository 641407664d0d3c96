"""What an uncertainty buys, in words."""

from __future__ import annotations

from typing import Any

from deepwell.evaluation.metrics import METRICS
from deepwell.evaluation.numerals import is_number, percent
from deepwell.evaluation.record import Json
from deepwell.evaluation.verdict import amount

NAMES = {"mc_dropout": "MC dropout", "ensemble": "the ensemble", "quantiles": "quantiles"}


def uncertainty_sentence(judged: Json) -> str:
    """Say in one or two sentences what the uncertainty is worth on the test rows.

    Args:
        judged: `uncertainty` of evaluation.json.
    """
    parts = [_score(judged)] if judged["difference"] else []
    first = judged["parts"][0]
    if judged["coverage"] is None:
        parts.append(_of_classes(first))
    else:
        several = f' of "{first["name"]}"' if len(judged["parts"]) > 1 else ""
        parts.append(_of_intervals(judged["coverage"], several, first["lines"]))
    words = "; ".join(parts)
    return f"{judged['words'][0].upper()}{judged['words'][1:]}: {words}."


def _score(judged: Json) -> str:
    """Compare the score with that of one network."""
    metric, change = METRICS[judged["metric"]], judged["difference"]
    lines = judged["parts"][0]["lines"]
    own, other = lines[1].get(metric.name), lines[0].get(metric.name)
    low, high = change["low"], change["high"]
    is_sure = is_number(low) and is_number(high) and (low > 0 or high < 0)
    word = "better" if change["value"] < 0 else "worse"
    how = f"{word}, beyond the interval" if is_sure else "within the noise"
    of = "one network" if judged["networks"] == 1 else "one network on average"
    if len(judged["parts"]) > 1:
        return f"its {metric.title} is {how} beside that of {of}"
    name = metric.title if metric.title.isupper() else metric.title.lower()
    return f"{name} {amount(metric, own)} against {amount(metric, other)} of {of}, {how}"


def _of_classes(part: Json) -> str:
    network, own = part["lines"]
    return (
        f"calibration error {percent(own['ece'])} against {percent(network['ece'])}; "
        f"{percent(own['surest_half'])} of the surest half right against "
        f"{percent(network['surest_half'])}"
    )


def _of_intervals(coverage: float, several: str, lines: list[dict[str, Any]]) -> str:
    """Compare the intervals with those of one width, as far as both are there."""
    stated, best = lines[1], lines[-1]
    intervals = f"{percent(coverage, 0)} intervals{several} hold"
    words = f"{intervals} {percent(stated['covered']['value'], 0)} of the truths as stated"
    if best is stated:
        return words
    words += f", {percent(best['covered']['value'], 0)} as promised"
    if lines[0]["width"]:
        change = best["width"] / lines[0]["width"] - 1
        than = "narrower" if change < 0 else "wider"
        words += f" ({percent(abs(change), 0)} {than} on average than one width for all rows)"
    return words


def line_title(name: str, source: str) -> str:
    """Name a line of the table.

    Example:
        >>> line_title("stated", "ensemble")
        'The ensemble, as stated'
    """
    own = NAMES[source][0].upper() + NAMES[source][1:]
    return {
        "network": "One network",
        "own": own,
        "one width": "One network, one width",
        "stated": f"{own}, as stated",
        "promised": f"{own}, as promised",
    }[name]
