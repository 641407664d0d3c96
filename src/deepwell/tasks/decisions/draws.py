"""Draws: several answers to one row, and what they say together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
from numpy.typing import NDArray

from deepwell.tasks.base import Task
from deepwell.tasks.regression import Regression
from deepwell.types import Predictions

Floats = NDArray[np.float64]
Source = Literal["mc_dropout", "ensemble", "folds"]
SOURCES: tuple[Source, ...] = ("mc_dropout", "ensemble", "folds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Draws:
    """How several answers to a row are had.

    Args:
        source: "mc_dropout": networks drawn by dropout; "ensemble": the members of a blend;
            "folds": the models of a cross-validation.
        count: How many.
        seed: Of the networks that are drawn.
        noise: Standard deviation of the targets around the mean answer that the draws do not
            explain, one a target: in units of the data, or as a share of the answer. Learned
            from validation rows.
        is_ratio: Whether the noise is a share of the answer.
    """

    source: Source
    count: int
    seed: int = 0
    noise: tuple[float, ...] = ()
    is_ratio: bool = False

    @property
    def words(self) -> str:
        """What is asked, in words."""
        if self.source == "mc_dropout":
            return f"MC dropout ({self.count} draws)"
        return f"the ensemble of {self.count}" if self.source == "ensemble" else "the folds"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "source": self.source,
            "count": self.count,
            "seed": self.seed,
            "noise": list(self.noise),
            "is_ratio": self.is_ratio,
        }

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Draws:
        """Rebuild the draws from `to_json`.

        Raises:
            ValueError: An unknown source, or numbers that make no sense.
        """
        noise = tuple(float(value) for value in state["noise"])
        count = int(state["count"])
        is_sound = count > 0 and all(math.isfinite(value) and value >= 0 for value in noise)
        if state["source"] not in SOURCES or not is_sound:
            raise ValueError("draws have a known source, a count and a finite noise")
        return cls(
            source=state["source"],
            count=count,
            seed=int(state["seed"]),
            noise=noise,
            is_ratio=bool(state["is_ratio"]),
        )


def summarise(task: Task, outputs: NDArray[np.float32], draws: Draws) -> Predictions:
    """Return the mean answer to each row, and how far the answers are apart.

    Numbers: `spread` is the standard deviation of the answers, joined with the one that the
    networks state themselves, if they do. Classes: `disagreement` is the mutual information
    between answer and network as a share of the largest possible one.

    Args:
        task: The question.
        outputs: (draws, rows, head_size).
        draws: Where they come from.

    Reference:
        Lakshminarayanan et al.: Simple and Scalable Predictive Uncertainty Estimation using Deep
        Ensembles (2017). Houlsby et al.: Bayesian Active Learning (2011), for the disagreement.
    """
    import torch

    from deepwell.nn.ensemble import average_members

    mean = task.decode(
        average_members(torch.from_numpy(outputs).transpose(0, 1), task.link).numpy()
    )
    each = [task.decode(one) for one in outputs]
    if draws.source == "folds":
        parts = [one.values if one.probabilities is None else one.probabilities for one in each]
        return Predictions(mean.values, mean.probabilities, parts=np.stack(parts).astype(float))
    if mean.probabilities is not None:
        return Predictions(
            mean.values,
            mean.probabilities,
            disagreement=_disagreement(task, mean.probabilities, each),
        )
    return Predictions(mean.values, spread=_spread(task, mean, each), quantiles=mean.quantiles)


def with_noise(draws: Draws, predictions: Predictions) -> Floats:
    """Return the spread of the answers together with the noise, (n, targets)."""
    scale = np.abs(predictions.values) if draws.is_ratio else 1.0
    return np.hypot(cast(Floats, predictions.spread), np.array(draws.noise) * scale)


def fit_noise(
    task: Task, predictions: Predictions, truth: Floats, weight: Floats
) -> tuple[float, ...]:
    """Return the noise that the draws do not explain, one a target.

    Chosen so that the mean squared error of the rows is the mean of the stated variances. Networks
    that state a variance of their own need none.

    Args:
        task: The question.
        predictions: From `summarise`, of rows that nobody learned from.
        truth: (n, targets).
        weight: (n,).
    """
    settings = cast(Regression, task).settings
    if settings.loss == "gaussian_nll" or weight.sum() <= 0:
        return (0.0,) * len(task.targets)
    values, spread = cast(Floats, predictions.values), cast(Floats, predictions.spread)
    errors = truth - values
    if is_ratio(task):
        errors, spread = np.log(truth) - np.log(values), spread / values
    left = np.average(errors**2 - spread**2, axis=0, weights=weight)
    return tuple(float(one) for one in np.sqrt(np.maximum(left, 0.0)))


def is_ratio(task: Task) -> bool:
    """Say whether errors of a task are told as a ratio: its targets are learned as logarithms."""
    return isinstance(task, Regression) and task.settings.target_transform == "log"


def _spread(task: Task, mean: Predictions, each: list[Predictions]) -> Floats:
    values = np.stack([cast(Floats, one.values) for one in each])
    answers = np.log(values) if is_ratio(task) else values
    variance = answers.var(axis=0, ddof=1) if len(each) > 1 else np.zeros_like(answers[0])
    if is_ratio(task):
        variance = variance * cast(Floats, mean.values) ** 2  # to first order
    own = [one.spread for one in each]
    known = [one for one in own if one is not None]
    if len(known) == len(each):
        variance = variance + np.mean([one**2 for one in known], axis=0)
    return np.sqrt(variance)


def _disagreement(task: Task, mean: Floats, each: list[Predictions]) -> Floats:
    """Return the entropy of the mean answer less the mean entropy of the answers, 0 … 1."""
    parts = [_entropy(task, cast(Floats, one.probabilities)) for one in each]
    largest = math.log(2 if task.name == "multilabel" else mean.shape[1])
    return np.clip((_entropy(task, mean) - np.mean(parts, axis=0)) / largest, 0.0, 1.0)


def _entropy(task: Task, probabilities: Floats) -> Floats:
    if task.name == "multilabel":
        stated = np.stack([probabilities, 1 - probabilities], axis=2)
        return _surprise(stated).sum(axis=2).mean(axis=1)
    return _surprise(probabilities).sum(axis=1)


def _surprise(shares: Floats) -> Floats:
    return -shares * np.log(np.maximum(shares, 1e-300))
