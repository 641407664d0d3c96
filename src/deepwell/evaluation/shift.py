"""Whether training and test rows differ: a classifier tries to tell the two sides apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.schema import Schema
from deepwell.data.table import Table
from deepwell.errors import listing
from deepwell.evaluation.intervals import Interval
from deepwell.evaluation.leakage.alone import (
    Feature,
    answers_alone,
    answers_together,
    closest,
    feature,
    folds,
    numbered,
)
from deepwell.evaluation.leakage.question import Question
from deepwell.evaluation.numerals import metric_texts

MOST_ROWS = 2500
"""Of each side, drawn at random."""
FEWEST_ROWS = 20
"""Of a smaller side nothing is said."""
MOST_COLUMNS = 100
NOTICED = 0.55
"""From this lower end of the interval of the AUC on, the sides differ; 0.5 is a coin's."""
SHOWN = 5
PIXELS = 10_000
"""Of a picture, so many numbers are enough for its brightness and contrast."""
EXPECTED: Mapping[str, str] = {
    "time": "The test rows are the later ones, so some difference is expected: the score says how "
    "the network does on what comes later.",
    "group": "The test rows are of other groups, so some difference is expected: the score says "
    "how the network does on new groups.",
    "given": "The test rows came in a file of their own: if the network shall work on such rows, "
    "the score is right, but learning from rows like them would help.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """How far a classifier can tell training rows from test rows.

    Args:
        auc: ROC AUC on rows that it has not seen: 0.5 = not at all, 1 = always.
        differs: Whether the interval is above chance by more than a trifle.
        columns: Column to the AUC that it reaches alone, the largest first.
        rows: Rows of each side that were looked at.
        verdict: In words.
    """

    auc: Interval
    differs: bool
    columns: Mapping[str, float]
    rows: Mapping[str, int]
    verdict: str

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "auc": self.auc.to_json(),
            "differs": self.differs,
            "columns": dict(self.columns),
            "rows": dict(self.rows),
            "verdict": self.verdict,
        }


def compare_sides(
    schema: Schema, train: Table, test: Table, *, made_by: str = "random", seed: int = 0
) -> Shift | None:
    """Compare the inputs of training and test rows by a cross-validated classifier.

    Boosted trees learn to tell the sides apart on at most 2,500 rows of each. The target is not
    looked at. Of pictures, brightness and contrast are compared.

    Args:
        schema: Roles and kinds of the columns.
        train: Rows to learn from.
        test: Rows that will be scored.
        made_by: How the rows were divided: random, stratified, group, time, or given = the test
            rows came in a file of their own. Says which difference is expected.
        seed: For the sample and the folds.

    Returns:
        None if a side has fewer than 20 rows, or no input can be compared.

    Reference:
        Lopez-Paz and Oquab (2017), Revisiting Classifier Two-Sample Tests.

    Example:
        >>> from deepwell.data.infer import infer_schema
        >>> table = Table({"day": pl.Series(range(400)), "y": pl.Series([0.5, 2.0] * 200)})
        >>> schema = infer_schema(table, targets=["y"])
        >>> early, late = table.take(range(300)), table.take(range(300, 400))
        >>> compare_sides(schema, early, late).differs
        True
    """
    if min(len(train), len(test)) < FEWEST_ROWS:
        return None
    sides = [_draw(train, seed), _draw(test, seed + 1)]
    is_test = np.repeat([0, 1], [len(side) for side in sides])
    features = _features(schema, sides[0], sides[1])
    if not features:
        return None
    question = Question("side", is_test, ("train", "test"))
    features = closest(features, question, MOST_COLUMNS)
    fold = folds(len(is_test), seed)
    answers, _ = answers_together(features, question, fold)
    auc = question.interval(answers, seed)
    differs = auc.low is not None and auc.low > NOTICED
    columns = _by_column(features, question, fold) if differs else {}
    return Shift(
        auc=auc,
        differs=differs,
        columns=columns,
        rows={"train": len(sides[0]), "test": len(sides[1])},
        verdict=_verdict(auc, differs, columns, made_by),
    )


def _draw(table: Table, seed: int) -> Table:
    if len(table) <= MOST_ROWS:
        return table
    chosen = np.random.default_rng(seed).choice(len(table), MOST_ROWS, replace=False)
    return table.take(np.sort(chosen))


def _features(schema: Schema, train: Table, test: Table) -> list[Feature]:
    """Return the inputs of both sides, the training rows first."""
    found: list[Feature] = []
    for spec in schema.inputs:
        ours, theirs = train[spec.name], test[spec.name]
        if isinstance(ours, pl.Series) and isinstance(theirs, pl.Series):
            if ours.dtype != theirs.dtype:
                theirs = theirs.cast(ours.dtype, strict=False)
            one = feature(spec, pl.concat([ours, theirs]))
            found += [] if one is None else [one]
        elif not isinstance(ours, pl.Series) and not isinstance(theirs, pl.Series):
            found += _of_pictures(spec.name, [*ours, *theirs])
    return [one for one in found if one.values.shape[1]]


def _of_pictures(name: str, pictures: list[NDArray[np.uint8]]) -> list[Feature]:
    pixels = [picture.reshape(-1)[:: max(1, picture.size // PIXELS)] for picture in pictures]
    means = np.array([values.mean() for values in pixels])
    spreads = np.array([values.std() for values in pixels])
    return [numbered(f"brightness of {name}", means), numbered(f"contrast of {name}", spreads)]


def _by_column(
    features: list[Feature], question: Question, fold: NDArray[np.int64]
) -> dict[str, float]:
    scores = {
        one.name: question.score(answers_alone(one, question, fold)) or 0.5 for one in features
    }
    best = sorted(scores, key=lambda name: -scores[name])[:SHOWN]
    return {name: scores[name] for name in best if scores[name] > NOTICED}


def _verdict(auc: Interval, differs: bool, columns: Mapping[str, float], made_by: str) -> str:
    value, interval = metric_texts("roc_auc", auc.to_json())
    score = f"a classifier tells them apart with ROC AUC {value} [{interval}]"
    if not differs:
        return f"Training and test rows look alike: {score}."
    names = [f'"{name}"' for name in columns]
    where = f", mostly by {listing(names[:3], 3)}" if names else ", by several columns together"
    expected = EXPECTED.get(
        made_by,
        "The rows were divided at random, so this should not be: look for copies or a column that "
        "numbers the rows.",
    )
    return f"Training and test rows differ: {score}{where}. {expected}"
