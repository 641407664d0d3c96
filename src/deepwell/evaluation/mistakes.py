"""The worst mistakes on the test rows, so that a person can look at them."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from deepwell.data.schema import Schema
from deepwell.data.table import Table
from deepwell.evaluation.means import Floats
from deepwell.evaluation.numerals import number, percent, shortened
from deepwell.evaluation.relevance import by_relevance
from deepwell.evaluation.scored import Scored
from deepwell.tasks.base import Task

MOST_COLUMNS = 12
LONGEST_TEXT = 80
LARGEST_PICTURE = 128


@dataclass(frozen=True, slots=True)
class Mistake:
    """One test row on which the network is wrong.

    Args:
        id: Stable id of the row.
        actual: The truth as text.
        predicted: The answer as text.
        detail: How wrong it is, in words.
        values: Input column to its value as short text, the most telling columns first.
        picture: The row's picture as a PNG data URI, or None.
    """

    id: int
    actual: str
    predicted: str
    detail: str
    values: dict[str, str]
    picture: str | None

    def to_json(self) -> dict[str, Any]:
        """Return the fields as a dictionary."""
        return asdict(self)


def worst_mistakes(
    task: Task, schema: Schema, test: Table, scored: Scored, *, limit: int = 24
) -> tuple[Mistake, ...]:
    """Return the test rows on which the network is most wrong, the worst first.

    Numbers: the largest absolute error, for several targets in units of each target's spread.
    Classes: wrong rows with the highest probability for the wrong class. Labels: rows with the
    highest loss among those with a wrong label.

    Args:
        task: The question.
        schema: Roles and kinds.
        test: The test rows.
        scored: Their truth and predictions.
        limit: How many at the most.
    """
    if not len(scored) or limit < 1:
        return ()
    severity = _severity(scored)
    order = np.argsort(-severity, kind="stable")[:limit]
    chosen = order[severity[order] > 0]
    names = [column.name for column in schema.inputs if column.kind != "image"]
    names = by_relevance(schema, test.without(_others(test, names)), scored)[:MOST_COLUMNS]
    images = [column.name for column in schema.inputs if column.kind == "image"]
    describe = _describe_numbers if task.name == "regression" else _describe_classes
    if task.name == "multilabel":
        describe = _describe_labels
    return tuple(
        Mistake(
            int(test.ids[row]),
            *describe(task, scored, int(row)),
            values={name: short_text(test.series(name)[int(row)]) for name in names},
            picture=picture_uri(np.asarray(test[images[0]][int(row)])) if images else None,
        )
        for row in chosen
    )


def _others(test: Table, names: Sequence[str]) -> list[str]:
    return [name for name in test.names if name not in names]


def _severity(scored: Scored) -> Floats:
    """How wrong each row is, shape (n,); 0 = not wrong."""
    if scored.task == "regression":
        return scored.absolute_errors @ (1 / _spread(scored)) / scored.truth.shape[1]
    is_wrong = scored.values != scored.truth
    if scored.task == "multilabel":
        is_wrong = is_wrong.any(axis=1)
    if scored.probabilities is None:
        return is_wrong.astype(np.float64)
    if scored.task == "multilabel":
        return np.where(is_wrong, scored.row_losses, 0.0)
    return np.where(is_wrong, scored.probabilities[np.arange(len(scored)), scored.values], 0.0)


def _spread(scored: Scored) -> Floats:
    spread = scored.truth.std(axis=0)
    return np.where(spread > 0, spread, 1.0)


def _describe_numbers(task: Task, scored: Scored, row: int) -> tuple[str, str, str]:
    actual, predicted = scored.truth[row], scored.values[row]
    worst = int(np.argmax(scored.absolute_errors[row] / _spread(scored)))
    error = float(predicted[worst] - actual[worst])
    detail = f"{number(abs(error), 3)} too {'high' if error > 0 else 'low'}"
    if actual[worst] != 0:
        detail += f" ({percent(abs(error / actual[worst]), 0)})"
    if len(actual) == 1:
        return number(actual[0]), number(predicted[0]), detail
    texts = [
        ", ".join(f"{name} {number(value)}" for name, value in zip(task.targets, side, strict=True))
        for side in (actual, predicted)
    ]
    return texts[0], texts[1], f"{task.targets[worst]}: {detail}"


def _describe_classes(task: Task, scored: Scored, row: int) -> tuple[str, str, str]:
    actual, predicted = int(scored.truth[row]), int(scored.values[row])
    detail = "wrong class"
    if scored.probabilities is not None:
        chances = scored.probabilities[row]
        detail = f"{_chance(chances[predicted])} sure; gave the truth {_chance(chances[actual])}"
    return task.labels[actual], task.labels[predicted], detail


def _chance(probability: float) -> str:
    """Write a probability; 100 % is kept for what is certain."""
    if 0.9995 <= probability < 1:
        return f"over {percent(0.999)}"
    return f"under {percent(0.001)}" if 0 < probability < 0.0005 else percent(probability)


def _describe_labels(task: Task, scored: Scored, row: int) -> tuple[str, str, str]:
    actual, predicted = scored.truth[row] == 1, scored.values[row] == 1
    missed = _chosen(task.labels, actual & ~predicted)
    added = _chosen(task.labels, predicted & ~actual)
    parts = [f"missed {missed}"] if missed else []
    parts += [f"added {added}"] if added else []
    texts = [_chosen(task.labels, side) or "none" for side in (actual, predicted)]
    return texts[0], texts[1], "; ".join(parts)


def _chosen(labels: Sequence[str], mask: NDArray[np.bool_]) -> str:
    return ", ".join(label for label, is_chosen in zip(labels, mask, strict=True) if is_chosen)


def short_text(value: object) -> str:
    """Write a cell in at most 80 characters.

    Example:
        >>> short_text(1234.5678), short_text(None), short_text(True)
        ('1,235', '–', 'yes')
    """
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int) and abs(value) < 10_000:
        return str(value)  # a year, a zip code: without a comma
    if isinstance(value, int | float):
        return number(value)
    return shortened(str(value), LONGEST_TEXT)


def picture_uri(pixels: NDArray[np.uint8]) -> str:
    """Return a picture as a PNG data URI, no side longer than 128 pixels.

    Args:
        pixels: Shape (height, width, channels) with 1, 3 or 4 channels, 0 … 255.
    """
    from PIL import Image

    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    image.thumbnail((LARGEST_PICTURE, LARGEST_PICTURE))
    stream = io.BytesIO()
    image.save(stream, format="PNG", optimize=True)
    return f"data:image/png;base64,{base64.b64encode(stream.getvalue()).decode('ascii')}"
