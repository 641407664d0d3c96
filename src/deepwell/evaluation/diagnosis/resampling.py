"""Bias and variance: how far off networks are together, and how far they are from each other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.evaluation.diagnosis import tree_advice as trees
from deepwell.evaluation.diagnosis.finding import Finding
from deepwell.evaluation.diagnosis.symptoms import Symptoms
from deepwell.evaluation.numerals import number, percent

LARGE = 0.4
"""Share of the error that is variance from which on it is worth fighting."""
LEARNT = 0.6
"""Error on training rows over error on new rows, below which a larger model is no remedy."""


def split_squared_error(
    answers: NDArray[np.float64], truth: NDArray[np.float64]
) -> dict[str, float]:
    """Split the mean squared error into variance, and bias² with the noise of the target.

    With few networks their mean is off by chance; both parts are corrected for it.

    Args:
        answers: Of networks trained on resamples, for the same unseen rows: (networks, rows, T).
        truth: Shape (rows, T).

    Returns:
        `error`, `variance` and `bias` (bias² and noise); `bias` + `variance` = `error`.

    Reference:
        Geman, Bienenstock, Doursat: Neural networks and the bias/variance dilemma (1992).

    Example:
        >>> answers = np.array([[[1.0]], [[3.0]]])
        >>> split_squared_error(answers, np.array([[0.0]]))
        {'error': 5.0, 'variance': 2.0, 'bias': 3.0}
    """
    networks = len(answers)
    error = float(((answers - truth) ** 2).mean())
    variance = float(answers.var(axis=0, ddof=1).mean()) if networks > 1 else 0.0
    return {"error": error, "variance": variance, "bias": error - variance}


def split_wrong_answers(
    answers: NDArray[np.int64], truth: NDArray[np.int64], num_classes: int
) -> dict[str, float]:
    """Split the share of wrong answers into bias and variance.

    The main answer of a row is that of most networks. Where it is wrong, that is bias. Networks
    that leave it do harm where it is right (variance), and good where it is wrong and they are
    right (luck): error = bias + variance − luck.

    Args:
        answers: Class index of each network for the same unseen rows, shape (networks, rows).
        truth: Class index, shape (rows,).
        num_classes: K.

    Reference:
        Domingos: A unified bias-variance decomposition for zero-one and squared loss (2000).

    Example:
        >>> answers = np.array([[0, 1], [0, 1], [1, 0]])
        >>> parts = split_wrong_answers(answers, np.array([0, 0]), 2)
        >>> [round(parts[name], 2) for name in ("error", "bias", "variance", "luck")]
        [0.5, 0.5, 0.17, 0.17]
    """
    counts = np.stack([(answers == k).sum(axis=0) for k in range(num_classes)])
    main = counts.argmax(axis=0)
    is_biased = main != truth
    wrong = answers != truth
    return {
        "error": float(wrong.mean()),
        "bias": float(is_biased.mean()),
        "variance": float((wrong & ~is_biased).mean()),
        "luck": float((~wrong & is_biased).mean()),
    }


def bias_and_variance(symptoms: Symptoms) -> Finding | None:
    """Say which of the two makes the error, from a measured decomposition."""
    parts = symptoms.measured.get("spread") or {}
    error = parts.get("error")
    if not error:
        return None
    share = parts["variance"] / error
    is_squared = parts.get("kind") == "squared"
    is_large, nouns = share >= LARGE, f"{symptoms.noun}s"
    is_able = not is_large and _fits_its_rows(symptoms)
    return Finding(
        name="variance" if is_large else "bias",
        title=f"Much of the error is variance: {nouns} trained on other rows answer otherwise."
        if is_large
        else f"Most of the error is bias or noise: {nouns} trained on other rows err alike.",
        severity="note",
        evidence=_parts(parts, share, is_squared, nouns) + symptoms.measured_on,
        cause=_beyond_size(symptoms) if is_able else _cause(symptoms, is_large),
        action="" if is_able else _against(symptoms, is_large),
    )


def _fits_its_rows(symptoms: Symptoms) -> bool:
    """Say whether the training rows are answered so well that size is not what is lacking."""
    train, new = symptoms.error("train"), symptoms.error("test") or symptoms.error("val")
    return train is not None and new is not None and train.value < LEARNT * new.value


def _beyond_size(symptoms: Symptoms) -> str:
    train = symptoms.error("train")
    told = symptoms.told(train.value) if train is not None else ""
    return (
        f"On its own training rows the {symptoms.noun} has {told} {symptoms.metric_title}: it is "
        "large enough. What is left is noise, or hangs on columns that are not here."
    )


def _cause(symptoms: Symptoms, is_large: bool) -> str:
    if is_large and symptoms.is_trees:
        return "More rows take variance away, and so do smaller trees."
    if is_large:
        return f"Averaging {symptoms.noun}s, more rows or more regularisation take variance away."
    if symptoms.is_trees:
        return "Larger trees or other inputs take bias away; nothing takes noise away."
    return (
        f"A larger {symptoms.noun}, other inputs or longer training take bias away; nothing takes "
        "noise away."
    )


def _parts(parts: dict[str, Any], share: float, is_squared: bool, nouns: str) -> str:
    networks = f"{parts['networks']} {nouns} on resamples of the training rows"
    if is_squared:
        root = number(parts["error"] ** 0.5, 3)
        return (
            f"Of the squared error of {networks} (RMSE {root}) {percent(share, 0)} is variance and "
            f"{percent(1 - share, 0)} bias and noise."
        )
    return (
        f"Of the answers of {networks} {percent(parts['error'])} are wrong: "
        f"{percent(parts['bias'])} where most of them err (bias), and "
        f"{percent(parts['variance'])} where only a few do (variance); where most err, "
        f"{percent(parts['luck'])} hit the truth by luck, which is taken off."
    )


def _against(symptoms: Symptoms, is_large: bool) -> str:
    if symptoms.is_trees:
        return trees.smaller(symptoms) if is_large else trees.larger(symptoms)
    if symptoms.competed:
        return symptoms.more_time()
    if is_large:
        dropout = symptoms.setting("model", "dropout")
        if isinstance(dropout, int | float):
            return symptoms.retrain(model__dropout=min(0.6, max(0.2, 2 * dropout)))
        return symptoms.retrain(engine__weight_decay=0.1)
    sizes = symptoms.setting("model", "hidden_sizes")
    if isinstance(sizes, list) and sizes:
        return symptoms.retrain(model__hidden_sizes=[2 * size for size in sizes])
    epochs = int(symptoms.setting("engine", "epochs", 20))
    return symptoms.retrain(engine__epochs=2 * epochs)
