"""A comparison in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from deepwell.evaluation.comparing.pairs import Pair
from deepwell.evaluation.comparing.result import Contender
from deepwell.evaluation.metrics import Metric
from deepwell.evaluation.numerals import number
from deepwell.evaluation.verdict import amount, is_rounding, size_text, title_inside


def verdict(
    metric: Metric, contenders: Sequence[Contender], pairs: Sequence[Pair], confidence: float
) -> str:
    """Say which contender is the best, and how sure that is.

    Args:
        metric: The one that decides.
        contenders: The best first.
        pairs: Each with each, corrected for their number.
        confidence: Of the intervals.
    """
    best = contenders[0]
    score = best.scores[metric.name]
    if score.value is None:
        return f"The test rows cannot measure {title_inside(metric)}: choose another metric."
    reached = amount(metric, score.value)
    if len(contenders) == 1:
        return _alone(metric, best, reached)
    own = [pair for pair in pairs if pair.first == best.name]
    beaten = [pair for pair in own if pair.better == "first"]
    open_ = [pair for pair in own if pair.better == "undecided"]
    if len(contenders) == 2:
        if is_rounding(own[0].difference, score.value):
            same = f"{best.name} and {own[0].second} have the same {title_inside(metric)}"
            return f"{same} ({reached}): no difference."
        return _two(metric, own[0], reached, confidence)
    text = f"{best.name} has the best {title_inside(metric)} ({reached})."
    many = f" after Holm's correction for {len(pairs)} comparisons"
    if beaten:
        text += f" It is better than {_joined([p.second for p in beaten])}, beyond chance{many}."
    if open_:
        names = _joined([pair.second for pair in open_])
        text += f" Against {names} it is too close to call{'' if beaten else many}."
    return text


def _alone(metric: Metric, one: Contender, reached: str) -> str:
    spread = (one.spread or {}).get(metric.name)
    by_seed = f", with a standard deviation of {size_text(metric, spread)}" if spread else ""
    return (
        f"{one.name}: over {len(one.runs)} seeds the {title_inside(metric)} is {reached} on "
        f"average{by_seed}."
    )


def _two(metric: Metric, pair: Pair, reached: str, confidence: float) -> str:
    size = size_text(metric, pair.difference)
    if pair.p is None:
        return f"{pair.first} ({reached}) and {pair.second} cannot be told apart: too few rows."
    if pair.better == "first":
        return (
            f"{pair.first} ({reached}) is better than {pair.second} by {size}, beyond the "
            f"{confidence * 100:g} % interval (p {p_text(pair.p)})."
        )
    return (
        f"{pair.first} ({reached}) and {pair.second} are too close to call: the difference of "
        f"{size} is within the noise (p {p_text(pair.p)})."
    )


def p_text(p: float | None) -> str:
    """Write a p-value with its sign.

    Example:
        >>> p_text(0.0004), p_text(0.0123), p_text(None)
        ('< 0.001', '= 0.012', '–')
    """
    if p is None:
        return "–"
    return "< 0.001" if p < 0.001 else f"= {number(p, 2)}"


def _joined(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
