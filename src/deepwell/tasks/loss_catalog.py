"""Losses by name, and the questions that each one fits. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from deepwell.catalog import Catalog

Answer = Literal["numbers", "classes", "labels"]
"""What is predicted: numbers, one of several classes, or several yes-or-no labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LossEntry:
    """A loss.

    Args:
        summary: One line on what it does.
        source: Who wrote it down.
        answers: What it can be used for.
        smooths: Whether `label_smoothing` acts on it.
    """

    summary: str
    source: str
    answers: tuple[Answer, ...]
    smooths: bool = False


LOSSES: Catalog[LossEntry] = Catalog("loss")
LOSSES.add(
    "mse",
    LossEntry(
        summary="Squared difference: learns the mean.",
        source="Legendre: Nouvelles méthodes (1805)",
        answers=("numbers",),
    ),
)
LOSSES.add(
    "mae",
    LossEntry(
        summary="Absolute difference: learns the median, outliers weigh little.",
        source="Koenker, Bassett: Regression Quantiles (1978), quantile ½",
        answers=("numbers",),
    ),
)
LOSSES.add(
    "huber",
    LossEntry(
        summary="Squared up to one standard deviation of the target, absolute beyond.",
        source="Huber: Robust Estimation of a Location Parameter (1964)",
        answers=("numbers",),
    ),
)
LOSSES.add(
    "log_cosh",
    LossEntry(
        summary="log cosh of the difference: as huber, smooth everywhere.",
        source="Green: Bayesian reconstructions from emission tomography data (1990)",
        answers=("numbers",),
    ),
)
LOSSES.add(
    "quantile",
    LossEntry(
        summary="Pinball loss: learns the value below which a share of the targets lies.",
        source="Koenker, Bassett: Regression Quantiles (1978)",
        answers=("numbers",),
    ),
)
LOSSES.add(
    "poisson",
    LossEntry(
        summary="Likelihood of counts; the network learns the logarithm of their mean.",
        source="Nelder, Wedderburn: Generalized Linear Models (1972)",
        answers=("numbers",),
    ),
)
LOSSES.add(
    "gaussian_nll",
    LossEntry(
        summary="Likelihood of a normal distribution; the network learns mean and variance.",
        source="Nix, Weigend: Estimating the mean and variance of the target (1994)",
        answers=("numbers",),
    ),
)
LOSSES.add(
    "cross_entropy",
    LossEntry(
        summary="Minus the logarithm of the probability of the right class.",
        source="Cox: The Regression Analysis of Binary Sequences (1958)",
        answers=("classes", "labels"),
        smooths=True,
    ),
)
LOSSES.add(
    "focal",
    LossEntry(
        summary="Cross-entropy in which rows that are right already weigh little.",
        source="Lin et al.: Focal Loss for Dense Object Detection (2017)",
        answers=("classes", "labels"),
    ),
)
LOSSES.add(
    "hinge",
    LossEntry(
        summary="Wants a margin of 1 to the best wrong class; probabilities mean little then.",
        source="Cortes, Vapnik: Support-Vector Networks (1995); several classes: Crammer, Singer "
        "(2001)",
        answers=("classes", "labels"),
    ),
)
LOSSES.add(
    "kullback_leibler",
    LossEntry(
        summary="Distance of the probabilities from the smoothed target; 0 if they are the same.",
        source="Kullback, Leibler: On Information and Sufficiency (1951)",
        answers=("classes", "labels"),
        smooths=True,
    ),
)
LOSSES.add(
    "perceptron",
    LossEntry(
        summary="Rosenblatt's rule: only rows that are wrong count.",
        source="Rosenblatt: The Perceptron (1958)",
        answers=("classes",),
    ),
)


def losses_for(answer: Answer) -> list[str]:
    """Return the names of the losses that fit a question.

    Example:
        >>> losses_for("labels")
        ['cross_entropy', 'focal', 'hinge', 'kullback_leibler']
    """
    return [name for name, entry in LOSSES.items() if answer in entry.answers]
