"""A learning rate that is too high or too low."""

from __future__ import annotations

from itertools import pairwise

from deepwell.evaluation.diagnosis.finding import Finding
from deepwell.evaluation.diagnosis.symptoms import Symptoms, median
from deepwell.evaluation.numerals import is_number, number, percent, plural
from deepwell.evaluation.record import Json

WILD_UPDATE = 0.1
"""Change of the weights in one step over their size: a tenth and more is no small step."""
UPROOTED = 0.5
"""The same of the very first step, which a schedule may begin small, never large."""
TINY_UPDATE = 1e-4
"""Below this the weights hardly change in hundreds of steps."""
HARDLY_ANY_UPDATE = 1e-5
"""Below this no epoch shows whether the loss falls."""
ALIVE, KILLED = 0.3, 0.9
"""Share of dead units of a layer at the first step and at the last."""
SPIKE = 1.5
"""The loss of an epoch over the lowest one before it."""
LOST_AGAIN = 0.1
"""Share of the fall of the loss that a jump takes back."""


def rate_too_high(symptoms: Symptoms) -> Finding | None:
    """Find losses that jump, and steps whose numbers are not finite."""
    broken = _broken(symptoms)
    jumps, worst = _jumps(symptoms)
    updates = typical_updates(symptoms)
    peak = max(updates, default=0.0)
    start = max(
        (median(layers_of(look)) for look in symptoms.looks[:1] if layers_of(look)), default=0
    )
    # a network of one layer may have its best weights near zero: any step is large there
    is_deep = any(len(layers_of(look)) > 1 for look in symptoms.looks)
    is_wild = peak > WILD_UPDATE or start > UPROOTED
    is_lost = is_deep and is_wild and _learned_nothing(symptoms)
    is_jumping = jumps >= 3 or (jumps >= 1 and peak > WILD_UPDATE) or worst > 10
    died = _died(symptoms)
    if not (broken or is_lost or is_jumping or died):
        return None
    evidence = [broken] if broken else []
    if jumps:
        evidence.append(
            f"In {plural(jumps, 'epoch')} of {len(symptoms.epochs)} the loss was at least "
            f"{number(SPIKE)} times its lowest value before, at the worst {number(worst, 2)} times."
        )
    if is_wild:
        when = "the first" if start > peak else "one"
        evidence.append(
            f"In {when} step the weights changed by {percent(max(peak, start), 0)} of their size; "
            "0.1 to 1\u202f% is usual."
        )
    if died:
        evidence.append(died)
    if is_lost:
        evidence.append("The network is no better than the constant guess.")
    rate = rate_of(symptoms)
    return Finding(
        name="rate_too_high",
        title="The learning rate is too high.",
        severity="problem" if broken or is_lost or died else "warning",
        evidence=" ".join(evidence),
        cause="Steps so large jump over the low places of the loss instead of going down."
        + (f" The rate is {number(rate, 3)}." if rate else ""),
        action=symptoms.retrain(
            engine__learning_rate=_lowered(rate or 1e-3, max(peak, start)), engine__clip_norm=1.0
        ),
    )


def _lowered(rate: float, peak: float) -> float:
    """Return a tenth of a rate, or less: one that changes the weights by about 1 % a step."""
    return float(f"{rate / max(10.0, peak / 0.01):.2g}")


def _died(symptoms: Symptoms) -> str:
    """Say in which layer units worked at first and were killed by large steps."""
    if len(symptoms.looks) < 2:
        return ""
    first, last = (
        {one["name"]: one["dead"] for one in look["layers"] if is_number(one.get("dead"))}
        for look in (symptoms.looks[0], symptoms.looks[-1])
    )
    for name, share in last.items():
        if share >= KILLED and first.get(name, 1.0) <= ALIVE:
            return (
                f'In layer "{name}" {percent(share, 0)} of the units died while it learned; '
                f"at the start it was {percent(first[name], 0)}."
            )
    return ""


def _broken(symptoms: Symptoms) -> str:
    """Return what is known about numbers that were not finite."""
    reason = str(symptoms.record.status.get("reason") or "")
    if "finite number" in reason:
        return reason.partition(": ")[2] or reason
    skipped = (symptoms.record.result.get("training") or {}).get("skipped")
    if is_number(skipped) and skipped:
        return f"{plural(skipped, 'step')} had to be left out: loss or gradient was not finite."
    return ""


def _jumps(symptoms: Symptoms) -> tuple[int, float]:
    """Return in how many epochs the training loss was far above a former one, and how far."""
    losses = symptoms.losses("train")
    if not losses or min(losses) <= 0:
        return 0, 0.0
    lowest, ratios = losses[0], [0.0]
    for loss in losses[1:]:
        # near zero a loss doubles by a breath: a jump takes back a good part of what was learned
        is_jump = loss - lowest > LOST_AGAIN * (losses[0] - lowest)
        ratios.append(loss / lowest if is_jump else 0.0)
        lowest = min(lowest, loss)
    return sum(ratio > SPIKE for ratio in ratios), max(ratios)


def _learned_nothing(symptoms: Symptoms) -> bool:
    train, constant = symptoms.error("train"), symptoms.error("constant")
    others = [symptoms.error(name) for name in ("boosting", "linear")]
    can_learn = constant is not None and any(
        other is not None and other.value < 0.9 * constant.value for other in others
    )
    return (
        train is not None
        and constant is not None
        and can_learn
        and (train.value > 0.95 * constant.value)
    )


def rate_too_low(symptoms: Symptoms) -> Finding | None:
    """Find a loss that falls steadily, but hardly at all, because the weights hardly move."""
    updates, losses = typical_updates(symptoms), symptoms.losses("train")
    peak = max(updates, default=1.0)
    if peak >= TINY_UPDATE or len(losses) < 2 or losses[0] <= 0:
        return None
    is_steady = _falls_steadily(losses) or _falls_steadily(symptoms.losses("val"))
    # dropout moves the loss of the training rows more than steps so small do
    if not (is_steady or peak < HARDLY_ANY_UPDATE) or losses[-1] < 0.5 * losses[0]:
        return None
    rate = rate_of(symptoms)
    return Finding(
        name="rate_too_low",
        title="The learning rate is too low.",
        severity="problem",
        evidence=f"In one step the weights change by {percent(peak, 4)} of their size at the most; "
        f"0.1 to 1\u202f% is usual. In {plural(len(losses), 'epoch')} the training loss only went "
        f"from {number(losses[0])} to {number(losses[-1])}.",
        cause="Steps so small need many times as many epochs."
        + (f" The rate is {number(rate, 3)}." if rate else ""),
        action=symptoms.retrain(engine__learning_rate=_raised(rate, peak)),
    )


def _falls_steadily(losses: list[float]) -> bool:
    falls = [a > b for a, b in pairwise(losses)]
    return bool(falls) and sum(falls) >= 0.7 * len(falls)


def _raised(rate: float | None, peak: float) -> float:
    """Return a rate at which the weights would change by about half a percent a step."""
    if not rate or peak <= 0:
        return 1e-3
    raised = rate * min(0.005 / peak, 1e4)
    return float(f"{raised:.1g}")


def rate_of(symptoms: Symptoms) -> float | None:
    """Return the learning rate at the top of the schedule, as far as it is known."""
    chosen = symptoms.setting("engine", "learning_rate")
    if is_number(chosen):
        return float(chosen)
    rates = [line["learning_rate"] for line in symptoms.epochs if is_number(line["learning_rate"])]
    return max(rates, default=None)


def typical_updates(symptoms: Symptoms) -> list[float]:
    """Return the change of the weights over their size of each look: of the layer in the middle.

    The first look is left out where there are others: a schedule may begin at zero.
    """
    looks = symptoms.looks[1:] or symptoms.looks
    found = [layers_of(look) for look in looks]
    return [median(values) for values in found if values]


def layers_of(look: Json) -> list[float]:
    """Return the change of the weights over their size of each layer."""
    return [layer["update"] for layer in look["layers"] if is_number(layer.get("update"))]
