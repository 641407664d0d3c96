"""The answers of a run for its test rows, beside the truth: written once, read to compare."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data.schema import Schema
from deepwell.data.table import Table
from deepwell.errors import DeepwellError, RunError
from deepwell.evaluation.asked import metrics_of, primary_of
from deepwell.evaluation.means import Floats
from deepwell.evaluation.metrics import Metric
from deepwell.evaluation.scored import Scored
from deepwell.evaluation.settings import EvaluationSettings
from deepwell.files import atomic_path
from deepwell.runs.folder import RunFolder
from deepwell.tasks import from_json as task_from_json
from deepwell.tasks.base import Task
from deepwell.tasks.decisions.settings import DecisionSettings
from deepwell.tasks.regression import prediction_names
from deepwell.types import Predictions

FILE_NAME = "predictions.parquet"


@dataclass(frozen=True)
class Answers:
    """What one run answered for its test rows.

    Args:
        folder: The run folder.
        task: The question, as the run's model knows it.
        ids: Id of each test row, rising, shape (rows,).
        scored: Truth and answers.
        weight: Weight of each row, or None.
        groups: Code of the group of each row, or None.
        settings: How the run was scored.
        config: All settings of the run.
        digest: SHA-256 of the data.
        created: When the run began.
    """

    folder: Path
    task: Task
    ids: NDArray[np.int64]
    scored: Scored
    weight: Floats | None
    groups: NDArray[np.int64] | None
    settings: EvaluationSettings
    config: Mapping[str, Any]
    digest: str
    created: str

    @property
    def name(self) -> str:
        """Name of the run."""
        return self.folder.resolve().name

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return int(self.config.get("seed", 0))

    @property
    def primary(self) -> Metric:
        """The metric by which the run was judged."""
        name = primary_of(self.task, self.settings, self.decide).name
        return next(metric for metric in self.metrics if metric.name == name)

    @cached_property
    def metrics(self) -> list[Metric]:
        """The metrics that these answers allow."""
        has_probabilities = self.scored.has_probabilities
        return metrics_of(
            self.task, self.settings, has_probabilities=has_probabilities, decide=self.decide
        )

    @cached_property
    def decide(self) -> DecisionSettings:
        """How probabilities became answers."""
        return DecisionSettings.model_validate(self.config.get("decide", {}))


def write_answers(
    path: Path, test: Table, task: Task, schema: Schema, columns: Mapping[str, pl.Series]
) -> None:
    """Write the answers for the test rows with their truth, weight and group.

    Args:
        path: The Parquet file.
        test: The test rows, targets included.
        task: The question.
        schema: Says which columns are weight and group.
        columns: The answers, as the predictor names them.
    """
    truth = task.columns(Predictions(task.truth(test)))
    series = [pl.Series("id", test.ids), *(c.alias(n) for n, c in columns.items())]
    series += [column.alias(actual_name(name)) for name, column in truth.items()]
    for role in ("weight", "group"):
        name = schema.name_of(role)
        if name is not None and name in test:
            series.append(test.series(name).alias(f"row_{role}"))
    taken: dict[str, pl.Series] = {}
    for column in series:  # a class may have a name that makes two columns equal
        taken.setdefault(column.name, column)
    with atomic_path(path) as temporary:
        pl.DataFrame(list(taken.values())).write_parquet(temporary)


def actual_name(prediction: str) -> str:
    """Return the column of the truth beside a column of answers.

    Example:
        >>> actual_name("prediction"), actual_name("prediction_price")
        ('actual', 'actual_price')
    """
    return "actual" + prediction.removeprefix("prediction")


def read_answers(run: Path | str) -> Answers:
    """Read what a run answered for its test rows.

    Raises:
        RunError: There is no run here, it was not scored, it was made before truths were stored,
            or a file of it is damaged.
    """
    folder = RunFolder.open(run)
    path = folder / FILE_NAME
    if not path.is_file():
        raise RunError(
            f"{run} has no scored test rows (the run is {folder.state}): finish it with "
            f"`deepwell resume {run}`."
        )
    config, manifest = folder.read_config(), folder.read("manifest.json")
    try:
        frame = pl.read_parquet(path).sort("id")
        task = task_from_json(folder.read("model/task.json"))
        _require_truth(run, frame, task)
        scored = _scored(task, frame)
    except RunError:
        raise
    except (pl.exceptions.PolarsError, OSError, KeyError, TypeError, DeepwellError) as error:
        raise RunError(f"{path} is damaged ({error}): train again.") from error
    return Answers(
        folder=folder.path,
        task=task,
        ids=frame["id"].to_numpy(),
        scored=scored,
        weight=_weight(frame),
        groups=_groups(frame),
        settings=EvaluationSettings.model_validate(config.get("evaluation", {})),
        config=config,
        digest=str((manifest.get("data") or {}).get("digest")),
        created=str(manifest.get("created") or ""),
    )


def _require_truth(run: Path | str, frame: pl.DataFrame, task: Task) -> None:
    wanted = [actual_name(name) for name in prediction_names(task.targets)]
    if not set(wanted) <= set(frame.columns):
        raise RunError(
            f"{run} was made by an older Deepwell, which did not store the true values of the "
            "test rows: train it again with the same settings (--config) to compare it."
        )


def _scored(task: Task, frame: pl.DataFrame) -> Scored:
    names = prediction_names(task.targets)
    truth, values = (
        task.truth(Table({t: frame[n] for t, n in zip(task.targets, columns, strict=True)}))
        for columns in ([actual_name(name) for name in names], names)
    )
    chances = [f"probability_{label}" for label in task.labels]
    if task.name == "multilabel":
        chances = [f"probability_{target}" for target in task.targets]
    has_chances = bool(chances) and set(chances) <= set(frame.columns)
    probabilities = frame.select(chances).to_numpy() if has_chances else None
    return Scored(task.name, truth, Predictions(values, probabilities))


def _weight(frame: pl.DataFrame) -> Floats | None:
    if "row_weight" not in frame.columns:
        return None
    return frame["row_weight"].cast(pl.Float64).to_numpy()


def _groups(frame: pl.DataFrame) -> NDArray[np.int64] | None:
    return group_codes(frame["row_group"]) if "row_group" in frame.columns else None


def group_codes(series: pl.Series) -> NDArray[np.int64]:
    """Number the groups of rows; rows without a group are one.

    Example:
        >>> group_codes(pl.Series(["b", "a", None, "b"])).tolist()
        [2, 1, 0, 2]
    """
    ranks = series.rank("dense").fill_null(0).to_numpy().astype(np.int64)
    return np.unique(ranks, return_inverse=True)[1].astype(np.int64)
