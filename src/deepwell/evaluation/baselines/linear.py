"""The linear baseline: ridge regression or logistic regression on all inputs."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from deepwell.data.schema import Schema
from deepwell.data.table import Table
from deepwell.evaluation.baselines.baseline import (
    answers,
    choose_rows,
    num_classes,
    rows_note,
    spread_out,
)
from deepwell.evaluation.baselines.features import LinearFeatures, Matrix
from deepwell.evaluation.means import Floats
from deepwell.evaluation.measures import log_loss
from deepwell.evaluation.scored import Scored
from deepwell.tasks.base import Task
from deepwell.types import Predictions

PENALTIES = (0.01, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4)
STRENGTHS = (0.01, 0.1, 1.0, 10.0)
"""Inverse penalties C that logistic regression tries, in the units of scikit-learn."""
EXACT_WORK = 2e11
"""Rows × columns² that ridge regression may cost."""
SEARCH_WORK = 5e9
"""The same for the choice of its penalty."""
ITERATIVE_WORK = 4e10
"""`_pass` × iterations that logistic regression may cost."""
FEWEST_ITERATIONS, MOST_ITERATIONS = 50, 300
CHOICE_WORK = 5e6
"""`_pass` over the rows on which the strength of logistic regression is chosen."""
FEWEST_ROWS = 1000
NEWTON_WORK = 3e9
"""(Rows + unknowns) × unknowns² up to which Newton's method, of few iterations, is the faster."""


def predict_linear(
    task: Task, schema: Schema, train: Table, test: Table, *, seed: int, weight: Floats | None
) -> tuple[str, Predictions, str]:
    """Return title, answers and note of a linear model.

    Args:
        task: The question.
        schema: Roles and kinds.
        train: The network's training rows.
        test: Rows to predict.
        seed: For the choice of rows where not all can be afforded.
        weight: Weight of each training row, or None.
    """
    features = LinearFeatures(train, schema)
    width = features.width
    if task.name == "regression":
        limit = int(EXACT_WORK / width**2)
    else:
        limit = int(ITERATIVE_WORK / FEWEST_ITERATIONS / _pass(1, width, task))
    truth: NDArray[Any] = task.truth(train)
    rows = choose_rows(truth, max(limit, FEWEST_ROWS), seed=seed, task=task.name)
    used = train if len(rows) == len(train) else train.take(rows)
    inputs, test_inputs = features.matrix(used), features.matrix(test)
    row_weight = None if weight is None else weight[rows]
    with warnings.catch_warnings():
        # a fit that stops at its last iteration is still a baseline; the note says so
        warnings.simplefilter("ignore")
        if task.name == "regression":
            predictions, note = _ridge(inputs, truth[rows], test_inputs, row_weight)
        else:
            predictions, note = _logistic(task, inputs, truth[rows], test_inputs, row_weight)
    title = "Ridge regression" if task.name == "regression" else "Logistic regression"
    return title, predictions, note + rows_note(len(rows), len(train))


def _ridge(
    inputs: Matrix, truth: Floats, test_inputs: Matrix, weight: Floats | None
) -> tuple[Predictions, str]:
    """Ridge regression; the penalty with the smallest leave-one-out error."""
    from sklearn.linear_model import Ridge, RidgeCV

    inputs, test_inputs = _precise(inputs), _precise(test_inputs)
    mean = np.average(truth, axis=0, weights=weight)
    spread = np.sqrt(np.average((truth - mean) ** 2, axis=0, weights=weight))
    spread[spread == 0] = 1.0
    scaled = (truth - mean) / spread
    few = slice(0, max(500, int(SEARCH_WORK / inputs.shape[1] ** 2)))
    few_weight = None if weight is None else weight[few]
    search: Any = RidgeCV(alphas=PENALTIES).fit(inputs[few], scaled[few], few_weight)
    penalty = float(search.alpha_)
    model = Ridge(alpha=penalty).fit(inputs, scaled, weight)
    predicted = np.asarray(model.predict(test_inputs), dtype=np.float64).reshape(-1, len(mean))
    note = f"Penalty {penalty:g}, chosen by leave-one-out."
    return Predictions(predicted * spread + mean), note


def _precise(matrix: Matrix) -> Matrix:
    """Use double precision where memory allows."""
    return matrix.astype(np.float64) if matrix.size <= 2e7 else matrix


def _logistic(
    task: Task, inputs: Matrix, truth: NDArray[np.int64], test_inputs: Matrix, weight: Floats | None
) -> tuple[Predictions, str]:
    """Logistic regression; the strength with the smallest log loss on held-out training rows."""
    inputs, test_inputs = _precise(inputs), _precise(test_inputs)
    strength = _choose_strength(task, inputs, truth, weight)
    iterations = ITERATIVE_WORK / _pass(len(inputs), inputs.shape[1], task)
    iterations = int(np.clip(iterations, FEWEST_ITERATIONS, MOST_ITERATIONS))
    probabilities, used = _fit_logistic(
        task, inputs, truth, test_inputs, weight, strength=strength, iterations=iterations
    )
    note = f"C = {strength:g}, chosen on held-out training rows."
    if used >= iterations:
        note += f" Stopped after {iterations} iterations, before it had fully converged."
    return answers(task.name, probabilities), note


def _choose_strength(
    task: Task, inputs: Matrix, truth: NDArray[np.int64], weight: Floats | None
) -> float:
    limit = max(FEWEST_ROWS, int(CHOICE_WORK / _pass(1, inputs.shape[1], task)))
    rows = choose_rows(truth, limit, seed=0, task=task.name)
    order = np.random.default_rng(0).permutation(rows)
    held, kept = np.split(order, [max(1, len(order) // 5)])
    if not len(kept):
        return 1.0
    kept_weight = None if weight is None else weight[kept]
    held_weight = np.ones(len(held)) if weight is None else weight[held]
    losses: list[float] = []
    for strength in STRENGTHS:
        probabilities, _ = _fit_logistic(
            task,
            inputs[kept],
            truth[kept],
            inputs[held],
            kept_weight,
            strength=strength,
            iterations=100,
        )
        scored = Scored(task.name, truth[held], answers(task.name, probabilities))
        losses.append(float(log_loss(scored.weighted(held_weight[:, None]))[0]))
    return STRENGTHS[int(np.argmin(losses))]


def _pass(rows: int, columns: int, task: Task) -> float:
    """Cost of one look at all rows: products, and exponentials worth about 40 columns."""
    return rows * (columns + 40) * num_classes(task)


def _solver(rows: int, columns: int, classes: int) -> Literal["newton-cholesky", "lbfgs"]:
    unknowns = columns * (classes if classes > 2 else 1)
    return "newton-cholesky" if (rows + unknowns) * unknowns**2 <= NEWTON_WORK else "lbfgs"


def _fit_logistic(
    task: Task,
    inputs: Matrix,
    truth: NDArray[np.int64],
    test_inputs: Matrix,
    weight: Floats | None,
    *,
    strength: float,
    iterations: int,
) -> tuple[Floats, int]:
    """Return probabilities of the test rows and how many iterations were used."""
    from sklearn.linear_model import LogisticRegression

    def one(answer: NDArray[np.int64], columns: int) -> tuple[Floats, int]:
        if answer.min() == answer.max():
            return spread_out(np.ones((len(test_inputs), 1)), answer[:1], columns), 0
        model: Any = LogisticRegression(
            C=strength, max_iter=iterations, solver=_solver(len(inputs), inputs.shape[1], columns)
        )
        model.fit(inputs, answer, weight)
        probabilities = np.asarray(model.predict_proba(test_inputs), dtype=np.float64)
        return spread_out(probabilities, model.classes_, columns), int(np.max(model.n_iter_))

    if task.name != "multilabel":
        return one(truth, num_classes(task))
    labels = [one(truth[:, index], 2) for index in range(truth.shape[1])]
    return np.stack([p[:, 1] for p, _ in labels], axis=1), max(used for _, used in labels)
