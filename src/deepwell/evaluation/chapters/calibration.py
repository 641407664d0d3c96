"""Whether the probabilities mean what they say."""

from __future__ import annotations

from deepwell.evaluation.figures import reliability
from deepwell.evaluation.numerals import count, is_number, percent, shortened
from deepwell.evaluation.record import Record
from deepwell.evaluation.story import Chapter


def calibration_chapter(record: Record) -> Chapter | None:
    """Return whether the probabilities mean what they say."""
    calibration = record.evaluation.get("calibration")
    if not calibration or not any(one["count"] for one in calibration["bins"]):
        return None
    filled = [one for one in calibration["bins"] if one["count"]]
    rows = sum(one["count"] for one in filled)
    gap = sum(one["count"] * (one["predicted"] - one["observed"]) for one in filled) / rows
    error = calibration.get("error")
    stated, observed = calibration_axes(record)
    view = {
        "figure": reliability(calibration["bins"], stated=stated, observed=observed),
        "error": percent(error),
        "words": _calibration_words(error if is_number(error) else 0.0, gap),
        "bins": [
            {
                "predicted": percent(one["predicted"]),
                "observed": percent(one["observed"]),
                "count": count(one["count"]),
            }
            for one in filled
        ],
    }
    return Chapter("calibration", "Can its probabilities be trusted?", view)


def calibration_axes(record: Record) -> tuple[str, str]:
    """Return what the two axes of the reliability diagram are."""
    if record.task_name == "multiclass":
        return "how sure the network is (%)", "how often it is right (%)"
    labels = record.task.get("labels") or ()
    if record.task_name == "binary" and len(labels) == 2:
        name = shortened(str(labels[1]), 24)
        return f"stated probability of {name} (%)", f"share that is {name} (%)"
    return "stated probability (%)", "share for which it is so (%)"


def _calibration_words(error: float, gap: float) -> str:
    if error < 0.02:
        return "The probabilities can be taken at their word."
    size = "slightly" if error < 0.05 else "clearly" if error < 0.1 else "far"
    if abs(gap) < error / 3:
        return f"The probabilities are {size} off, partly too high and partly too low."
    side = "too high" if gap > 0 else "too low"
    advice = " Do not act on a single probability without correcting it." if error >= 0.05 else ""
    return f"The probabilities are {size} {side}.{advice}"
