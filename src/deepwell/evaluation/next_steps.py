"""What to try next, as commands, from what the evaluation and the training have shown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from deepwell.evaluation.intervals import Interval
from deepwell.evaluation.metrics import METRICS, Metric
from deepwell.evaluation.numerals import number
from deepwell.evaluation.verdict import Comparison, amount

MOST = 4
FEW_ROWS = 1000
"""Fewer training rows than this, and more of them are the surest gain."""


@dataclass(frozen=True, slots=True)
class Training:
    """How the training went.

    Args:
        epochs: Records of metrics.jsonl of kind "epoch", in order.
        model: Name of the architecture.
        rows: Rows of "train" and "val".
    """

    epochs: Sequence[Mapping[str, Any]] = ()
    model: str = ""
    rows: Mapping[str, int] = field(default_factory=dict[str, int])


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the suggestions are drawn from.

    Args:
        metric: The one that decides.
        scores: All metrics of the network.
        comparisons: One for each baseline.
        num_test: Number of test rows.
        training: How the training went, if it is known.
        has_images: Whether an input is a picture.
        target: Name of the first target.
    """

    metric: Metric
    scores: Mapping[str, Interval]
    comparisons: Sequence[Comparison]
    num_test: int
    training: Training
    has_images: bool
    target: str


def next_steps(facts: Facts) -> tuple[str, ...]:
    """Return two to four suggestions, the most urgent first; RUN stands for the run folder."""
    found = list(_suggestions(facts))[: MOST - 1]
    if len(found) < MOST - 1:
        found.append("Look at the worst mistakes and the learning curves: deepwell report RUN")
    new = "pictures/" if facts.has_images else "new.csv"
    return (*found, f"Answer new rows: deepwell predict RUN {new} -o out.csv")


def _suggestions(facts: Facts) -> Iterator[str]:
    outcomes = {one.baseline: one.outcome for one in facts.comparisons}
    if _is_perfect(facts):
        yield (
            "The score is nearly perfect: make sure that no column gives the answer away: "
            f"deepwell data inspect FILE --target {facts.target}, then --ignore COLUMN"
        )
    if outcomes.get("constant", "better") != "better":
        yield (
            "The inputs do not help this network: check that they can hold the answer: "
            f"deepwell data inspect FILE --target {facts.target}"
        )
    if outcomes.get("boosting") == "worse":
        yield (
            "Gradient-boosted trees answer these rows better than the network: use scikit-learn's "
            "HistGradientBoosting for this question, unless you need a network"
        )
    if outcomes.get("linear") == "worse":
        yield "A linear model is better and simpler: train again with --model linear"
    yield from _from_training(facts)
    yield from _from_size(facts)


def _from_training(facts: Facts) -> Iterator[str]:
    epochs = facts.training.epochs
    losses = [_loss(record, "val") for record in epochs]
    if len(epochs) < 2 or any(loss is None for loss in losses):
        return
    values = [loss for loss in losses if loss is not None]
    best = min(range(len(values)), key=values.__getitem__)
    train_loss = _loss(epochs[best], "train")
    # less than half a percent in the last epoch is noise, not progress
    if best == len(values) - 1 and values[-1] < values[-2] * 0.995:
        yield (
            "The validation loss was still falling in the last epoch: train longer with "
            f"--set engine.epochs={2 * len(values)}"
        )
    elif train_loss is not None and values[best] > 1.5 * max(train_loss, 1e-9):
        times = number(values[best] / max(train_loss, 1e-9), 2)
        yield (
            f"The loss is {times} times higher on validation rows than on training rows: "
            "regularise with --set engine.weight_decay=0.1, or give more rows"
        )
    elif facts.has_images and not facts.training.model.startswith("resnet"):
        yield "A deeper network may see more in the pictures: train again with --model resnet18"


def _from_size(facts: Facts) -> Iterator[str]:
    score = facts.scores[facts.metric.name]
    if score.low is not None and score.high is not None and score.value is not None:
        width = score.high - score.low
        limit = 0.1 if facts.metric.unit == "share" else 0.3 * abs(score.value)
        if width > limit:
            yield (
                f"The interval from {amount(facts.metric, score.low)} to "
                f"{amount(facts.metric, score.high)} is wide: test on more rows "
                f"than {facts.num_test:,}, for example with --set split.test=0.3"
            )
    train = facts.training.rows.get("train", 0)
    if 0 < train < FEW_ROWS:
        yield f"{train:,} training rows are few for a network: collect more rows if you can"


def _is_perfect(facts: Facts) -> bool:
    name, limit = ("r2", 0.9999) if "r2" in facts.scores else ("accuracy", 0.9999)
    score = facts.scores.get(name)
    is_high = score is not None and score.value is not None and score.value >= limit
    return is_high and facts.num_test >= 50 and METRICS[name].better == "higher"


def _loss(record: Mapping[str, Any], part: str) -> float | None:
    value = (record.get(part) or {}).get("loss")
    return None if value is None else float(value)
