"""What a caller hands to `fit` and `predict`: checked as scikit-learn wants it, read as we do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, check_consistent_length, column_or_1d
from sklearn.utils.validation import validate_data as sklearn_validate

from deepwell.artifact import Predictor
from deepwell.artifact.answers import is_pandas
from deepwell.data import DataSettings, Table, read, read_table
from deepwell.data.arrays import image_array
from deepwell.errors import DataError, ImageError

PICTURE_DIMENSIONS = (3, 4)


def check_rows(estimator: BaseEstimator, rows: Any, *, is_fit: bool) -> Any:
    """Check X and note, or compare, the number and the names of its columns.

    Args:
        estimator: Keeps `n_features_in_` and `feature_names_in_`.
        rows: A pandas or Polars frame, pictures as an array of bytes with three or four
            dimensions, or anything of which scikit-learn makes a two-dimensional array of numbers.
        is_fit: Whether this is X of `fit`.

    Returns:
        The frame, the pictures (rows, H, W, K), or an array of finite numbers (rows, columns).

    Raises:
        ValueError: What scikit-learn's `check_array` refuses, or other columns than in `fit`.
        ImageError: Pictures that are not bytes.
    """
    if isinstance(rows, pl.LazyFrame):
        rows = rows.collect()
    if is_frame(rows):
        sklearn_validate(estimator, rows, skip_check_array=True, reset=is_fit)
        return rows
    if is_pictures(rows):
        if rows.dtype != np.uint8:
            raise ImageError(
                f"Pictures must be bytes, dtype uint8, from 0 to 255. Got: {rows.dtype}. If the "
                "values lie within 0 … 1, pass (255 * X).round().astype(np.uint8)."
            )
        rows, _ = image_array(rows)
        pixels = rows.reshape(len(rows), -1)
        sklearn_validate(estimator, pixels, skip_check_array=True, reset=is_fit)
        return rows
    return sklearn_validate(
        estimator, rows, dtype="numeric", ensure_min_samples=2 if is_fit else 1, reset=is_fit
    )


def is_frame(rows: object) -> bool:
    """Say whether X is a frame with named columns."""
    return isinstance(rows, pl.DataFrame) or is_pandas(rows)


def is_pictures(rows: object) -> bool:
    """Say whether X is an array of pictures."""
    return isinstance(rows, np.ndarray) and rows.ndim in PICTURE_DIMENSIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingRows:
    """What `fit` was given.

    Args:
        table: The columns of X, and the weights.
        names: Names of the columns of X.
        answers: y, shape (rows,) or (rows, answers).
        targets: Names for the columns of y.
        weight: Name of the column of weights, or None.
    """

    table: Table
    names: tuple[str, ...]
    answers: NDArray[Any]
    targets: tuple[str, ...]
    weight: str | None


def read_training_rows(
    estimator: BaseEstimator, rows: Any, answers: Any, sample_weight: Any, settings: DataSettings
) -> TrainingRows:
    """Check and read X, y and the weights; rows of weight 0 are left out, as if not there.

    Args:
        estimator: Keeps what scikit-learn notes about the columns.
        rows: X, see `check_rows`.
        answers: y, see `check_answers`.
        sample_weight: One number, not negative, for each row; None: 1 each.
        settings: How the columns are read.

    Raises:
        ValueError: Something is missing, of another length, not finite or of no use.
    """
    rows = check_rows(estimator, rows, is_fit=True)
    values = check_answers(estimator, answers, rows)
    table = read(rows, settings).table
    names = tuple(table.names)
    count = 1 if values.ndim == 1 else int(values.shape[1])
    targets = answer_names(answers, count, names)
    column = None
    if sample_weight is not None:
        weight = check_weights(sample_weight, len(values))
        column = free_name("sample_weight", [*names, *targets])
        table = table.with_column(column, pl.Series(column, weight))
        table, values = table.take(weight > 0), values[weight > 0]
    return TrainingRows(table=table, names=names, answers=values, targets=targets, weight=column)


def check_weights(weights: Any, count: int) -> NDArray[np.float64]:
    """Return the weights of the rows, (rows,).

    Raises:
        ValueError: Another number of weights than of rows, or values that are no finite numbers.
        DataError: A weight is negative, or all are 0.
    """
    if isinstance(weights, int | float):
        weights = np.full(count, weights)
    found: NDArray[np.float64] = check_array(
        weights, ensure_2d=False, dtype="float64", input_name="sample_weight"
    )
    if found.shape != (count,):
        raise DataError(
            f"sample_weight must hold one number for each of the {count} rows. "
            f"Got: shape {found.shape}."
        )
    if (found < 0).any():
        row = int((found < 0).argmax())
        raise DataError(
            f"Negative values in data passed to `sample_weight`: row {row} has {found[row]:g}, "
            "but a weight is 0 or more."
        )
    if not found.any():
        raise DataError("All sample_weight are zero, so no row would count: give weights above 0.")
    return found


def read_new_rows(predictor: Predictor, rows: Any, names: Sequence[str], *, named: bool) -> Table:
    """Read X of `predict` as the training rows were read.

    Args:
        predictor: Knows the kinds of the columns.
        rows: As `check_rows` returned them.
        names: Names of the columns in training.
        named: Whether they came from a frame. If only one of the two X was a frame, the columns
            are matched by their order; scikit-learn warns of it.

    Raises:
        DataError: The rows cannot be read, or pictures and columns are mixed up.
    """
    is_named = is_frame(rows)
    if is_pictures(rows) != (not named and predictor.encoders.spec.image_shape is not None):
        raise DataError(
            "The estimator was fitted on "
            f"{'columns' if is_pictures(rows) else 'pictures'}. Got: X of another sort, with "
            f"{rows.ndim if hasattr(rows, 'ndim') else 2} dimensions."
        )
    if is_named == named:
        return predictor.read(rows)
    table = read_table(rows)
    if len(table.names) != len(names):
        raise DataError(f"X has {len(table.names)} columns, but training had {len(names)}.")
    return Table(dict(zip(names, table.columns.values(), strict=True)), ids=table.ids)


def check_answers(estimator: BaseEstimator, answers: Any, rows: Any) -> NDArray[Any]:
    """Check y; return (rows,) or (rows, answers).

    Raises:
        ValueError: There is no y, it has another number of rows, or a value is missing.
    """
    if answers is None:
        raise ValueError(
            f"{type(estimator).__name__} requires y to be passed, but the target y is None."
        )
    if hasattr(answers, "toarray"):
        answers = answers.toarray()
    kept: Any = None  # the type stays; the signature of scikit-learn knows of texts only
    checked = check_array(answers, ensure_2d=False, dtype=kept, input_name="y", estimator=estimator)
    if checked.ndim == 2 and checked.shape[1] == 1:
        checked = column_or_1d(checked, warn=True)
    check_consistent_length(rows, checked)
    return cast("NDArray[Any]", checked)


def answer_names(answers: Any, count: int, taken: Iterable[str]) -> tuple[str, ...]:
    """Name the target columns: as in y, if it has names, else target or target_0 and so on.

    Args:
        answers: y as the caller gave it.
        count: How many columns it has.
        taken: Names of the columns of X.

    Example:
        >>> answer_names(pl.Series("price", [1, 2]), 1, ["rooms"])
        ('price',)
        >>> answer_names([3, 4], 1, ["target"])
        ('target_',)
    """
    given: Any = getattr(answers, "columns", None)
    if given is None:
        given = [getattr(answers, "name", None)]
    names = list(given)
    if len(names) != count or not all(isinstance(name, str) and name.strip() for name in names):
        names = ["target"] if count == 1 else [f"target_{index}" for index in range(count)]
    used = set(taken)
    free: list[str] = []
    for name in names:
        free.append(free_name(name, used))
        used.add(free[-1])
    return tuple(free)


def free_name(name: str, taken: Iterable[str]) -> str:
    """Return the name, with underscores at its end as long as it is taken."""
    used = set(taken)
    while name in used:
        name += "_"
    return name
