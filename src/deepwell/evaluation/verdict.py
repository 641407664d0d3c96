"""The verdict: is the network better than the simple models, and how sure is that?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from deepwell.evaluation.intervals import Difference, Interval
from deepwell.evaluation.metrics import Metric
from deepwell.evaluation.numerals import fixed, number, percent
from deepwell.models.catalog import MODELS
from deepwell.tasks.base import TaskName

Outcome = Literal["better", "worse", "undecided"]
ROUNDING = 1e-6
"""Two scores that differ by less than this share of them differ by rounding only."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """The network against one baseline.

    Args:
        baseline: Its name.
        metric: Name of the metric that decides.
        difference: Metric of the network − metric of the baseline; None where undefined.
        low: Lower end of the interval of this difference.
        high: Upper end.
        outcome: What this means for the network; "undecided" while the interval holds 0.
    """

    baseline: str
    metric: str
    difference: float | None
    low: float | None
    high: float | None
    outcome: Outcome

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dictionary."""
        return asdict(self)


def compare(baseline: str, metric: Metric, paired: Difference) -> Comparison:
    """Decide whether a difference is beyond its interval.

    Example:
        >>> from deepwell.evaluation.metrics import METRICS
        >>> compare("linear", METRICS["rmse"], Difference(-3.0, -5.0, -1.0)).outcome
        'better'
    """
    outcome: Outcome = "undecided"
    if paired.low is not None and paired.high is not None and not paired.low <= 0 <= paired.high:
        is_higher = paired.low > 0
        outcome = "better" if is_higher == (metric.better == "higher") else "worse"
    return Comparison(baseline, metric.name, paired.difference, paired.low, paired.high, outcome)


def noun_of(baseline: str, task: TaskName, metric: str = "") -> str:
    """Name a baseline inside a sentence.

    Args:
        baseline: Its name.
        task: Name of the task.
        metric: Name of the metric that decides; by cost the constant guess is the cheapest one.

    Example:
        >>> noun_of("constant", "regression")
        'the mean'
    """
    if baseline == "constant" and metric == "cost" and task != "regression":
        return "the cheapest constant answer"
    if baseline == "constant":
        constants = {"regression": "the mean", "multilabel": "the most common answers"}
        return constants.get(task, "the most common class")
    return {"linear": "the linear model", "boosting": "gradient boosting"}.get(baseline, baseline)


def what_is(model: str) -> str:
    """Name a model of the catalog, or one of the user's own, inside a sentence.

    Example:
        >>> what_is("mlp"), what_is("boosted_trees"), what_is("blend")
        ('network', 'model', 'model')
    """
    is_network = model not in MODELS or MODELS[model].learner == "gradient"
    return "network" if is_network else "model"


def amount(metric: Metric, value: float | None) -> str:
    """Write a value of a metric for people.

    Example:
        >>> from deepwell.evaluation.metrics import METRICS
        >>> amount(METRICS["rmse"], 52318.4), amount(METRICS["mcc"], 0.51234)
        ('52,300', '0.512')
    """
    return percent(value) if metric.unit == "share" else number(value, 3)


def title_inside(metric: Metric) -> str:
    """Write a metric's title inside a sentence."""
    word = metric.title.split()[0]
    is_acronym = word.upper() == word or metric.title == "Matthews correlation"
    return metric.title if is_acronym else metric.title[0].lower() + metric.title[1:]


def _apart(metric: Metric, difference: float | None) -> str:
    """Write the size of a difference."""
    size = None if difference is None else abs(difference)
    if metric.unit == "share" and size is not None:
        return fixed(100 * size, 1) if size >= 0.001 else number(100 * size, 1)
    return number(size, 3)


def is_rounding(difference: float | None, score: float | None) -> bool:
    """Say whether a difference of two scores is none but for rounding.

    Example:
        >>> is_rounding(6.6e-12, 25_000.0), is_rounding(3.0, 25_000.0), is_rounding(None, 1.0)
        (True, False, False)
    """
    if difference is None or score is None:
        return False
    return abs(difference) <= ROUNDING * max(abs(score), abs(difference))


def size_text(metric: Metric, size: float | None) -> str:
    """Write the size of a difference with its unit.

    Example:
        >>> from deepwell.evaluation.metrics import METRICS
        >>> size_text(METRICS["accuracy"], 0.0123)
        '1.2 percentage points of accuracy'
    """
    return f"{_apart(metric, size)} {_unit(metric)}"


def _unit(metric: Metric) -> str:
    if metric.name == "cost":
        return f"in {title_inside(metric)}"
    return (
        f"percentage points of {title_inside(metric)}"
        if metric.unit == "share"
        else title_inside(metric)
    )


def verdict(
    metric: Metric,
    score: Interval,
    comparisons: Sequence[Comparison],
    *,
    task: TaskName,
    confidence: float = 0.95,
    noun: str = "network",
) -> str:
    """Say in plain words whether the network is worth its trouble.

    A network that does not beat the constant guess hears it in the first words.

    Args:
        metric: The one that decides.
        score: The network's value.
        comparisons: One for each baseline.
        task: Name of the task.
        confidence: Of the intervals.
        noun: What was trained; see `what_is`.
    """
    sure = f"{confidence * 100:g} %"
    reached = amount(metric, score.value)
    if score.low is not None:
        ends = f"{amount(metric, score.low)} to {amount(metric, score.high)}"
        reached += f" ({sure} interval {ends})"
    if score.value is None:
        return (
            f"The test rows cannot measure {title_inside(metric)}: they are too few or all alike."
        )
    if not comparisons:
        return (
            f"The {noun}'s {title_inside(metric)} is {reached}; it was compared with no baseline."
        )
    constant = [one for one in comparisons if one.baseline == "constant"]
    others = list(comparisons)
    sentences: list[str] = []
    if constant and constant[0].outcome != "better":
        sentences.append(_lost(metric, constant[0], task, sure, noun, score.value))
        others = [one for one in comparisons if one.baseline != "constant"]
    same = [one for one in others if is_rounding(one.difference, score.value)]
    others = [one for one in others if one not in same]
    if same:
        nouns = _listed([noun_of(one.baseline, task, metric.name) for one in same])
        sentences.append(f"Between the {noun} and {nouns} there is no difference.")
    sentences.append(_clauses(metric, others, task, sure, noun))
    sentences.append(f"Its {title_inside(metric)} is {reached}.")
    return " ".join(sentence for sentence in sentences if sentence)


def _lost(
    metric: Metric,
    constant: Comparison,
    task: TaskName,
    sure: str,
    what: str,
    reached: float | None,
) -> str:
    noun = noun_of("constant", task, metric.name)
    size = f"{_apart(metric, constant.difference)} {_unit(metric)}"
    if constant.outcome == "worse":
        return (
            f"The {what} does not beat {noun}: it is worse by {size}, beyond the {sure} interval."
        )
    if is_rounding(constant.difference, reached):
        return f"The {what} does not beat {noun}: there is no difference between them."
    return f"The {what} does not beat {noun}: the difference of {size} is within the noise."


def _clauses(
    metric: Metric, comparisons: Sequence[Comparison], task: TaskName, sure: str, what: str
) -> str:
    by_outcome: Mapping[Outcome, list[Comparison]] = {
        outcome: [one for one in comparisons if one.outcome == outcome]
        for outcome in ("better", "undecided", "worse")
    }
    clauses: list[str] = []
    better, undecided, worse = (by_outcome[key] for key in ("better", "undecided", "worse"))
    beyond = f"beyond the {sure} interval"
    if better:
        wins = _listed(
            [
                f"{noun_of(o.baseline, task, metric.name)} by {_apart(metric, o.difference)}"
                for o in better
            ]
        )
        each = {1: "", 2: "both "}.get(len(better), "all ")
        clauses.append(f"the {what} beats {wins} {_unit(metric)}, {each}{beyond}")
    if undecided:
        nouns = _listed([noun_of(one.baseline, task, metric.name) for one in undecided])
        sizes = _listed([_apart(metric, one.difference) for one in undecided])
        is_are = "difference of {} is" if len(undecided) == 1 else "differences of {} are"
        unit = f" {_unit(metric)}"
        clauses.append(f"against {nouns} the {is_are.format(sizes + unit)} within the noise")
    for one in worse:
        size = f"{_apart(metric, one.difference)} {_unit(metric)}"
        noun = noun_of(one.baseline, task, metric.name)
        clauses.append(f"{noun} beats the {what} by {size}, {beyond}")
    text = "; ".join(clauses)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _listed(parts: Sequence[str]) -> str:
    """Join with commas and a last "and"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
