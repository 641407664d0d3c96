"""The predictor: a trained network with all that turns raw rows into answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepwell.artifact.answers import attach, read_inputs
from deepwell.artifact.architecture import Architecture, unwrapped
from deepwell.artifact.drawing import draw
from deepwell.artifact.running import run_network
from deepwell.artifact.saving import save
from deepwell.data.encoders import Encoders
from deepwell.data.schema import Schema
from deepwell.data.table import Table
from deepwell.errors import ColumnError, ConfigError, listing
from deepwell.tasks.base import Task
from deepwell.tasks.decisions import Decision
from deepwell.tasks.decisions.draws import summarise
from deepwell.types import Predictions

if TYPE_CHECKING:
    import polars as pl
    import torch
    from torch import nn


class Predictor:
    """A network together with its task, encoders and schema.

    The network receives one tensor a block of `encoders.spec` and returns (rows, head_size).
    It is moved to the device; its training mode is left as it was after each call.

    Args:
        model: The trained network.
        task: What its outputs mean.
        encoders: How columns become its inputs, as fitted on the training rows.
        schema: The columns of the training table.
        architecture: How the network is built again: "name" of the catalog and "settings".
            Default: a module of your own, which `load` will want to be given.
        device: Where the network runs: "cpu", "cuda", "cuda:1", "mps".
        decision: How its predictions become answers, as learned on the validation rows; None: as
            the task decodes them.

    Raises:
        ConfigError: There is no such device.

    Example:
        >>> import polars as pl, torch
        >>> from deepwell.data.infer import infer_schema
        >>> from deepwell.models import build
        >>> from deepwell.tasks import Regression
        >>> table = Table({"rooms": pl.Series([2, 3, 4]), "price": pl.Series([20, 30, 40])})
        >>> schema = infer_schema(table, targets=["price"])
        >>> encoders = Encoders.fit(table, schema)
        >>> task = Regression(targets=("price",), mean=[30.0], std=[10.0])
        >>> network = torch.nn.Linear(encoders.spec.num_numbers, task.head_size, bias=False)
        >>> _ = torch.nn.init.constant_(network.weight, 0.5)
        >>> predictor = Predictor(network, task=task, encoders=encoders, schema=schema)
        >>> predictor.predict({"rooms": 3, "garden": "yes"}).row(0, named=True)
        {'rooms': 3, 'garden': 'yes', 'prediction': 30.0}
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        task: Task,
        encoders: Encoders,
        schema: Schema,
        architecture: Mapping[str, Any] | None = None,
        device: torch.device | str = "cpu",
        decision: Decision | None = None,
    ) -> None:
        self.model = unwrapped(model)
        self.task = task
        self.encoders = encoders
        self.schema = schema
        self.recipe = Architecture.of(
            architecture, self.model, input_spec=encoders.spec, head_size=task.head_size
        )
        self.device = device
        self.decision = decision
        self.to(device)

    @property
    def architecture(self) -> dict[str, Any]:
        """How the network is built again: "name", "settings", "input_spec", "head_size"."""
        return self.recipe.to_json()

    @property
    def input_names(self) -> list[str]:
        """Names of the columns from which the network predicts."""
        return list(dict.fromkeys(column.name for column in self.encoders.columns))

    def to(self, device: torch.device | str) -> Predictor:
        """Move the network to a device and return the predictor.

        Raises:
            ConfigError: There is no such device.
        """
        try:
            self.model.to(device)
        except (RuntimeError, AssertionError) as error:  # torch has no class of its own for it
            reason = str(error).strip().partition("\n")[0]
            raise ConfigError(f'The device "{device}" cannot be used: {reason}') from error
        self.device = device
        return self

    def predict(self, data: Any, *, batch_size: int | None = None) -> Any:
        """Predict for new data and return it with the answers beside it.

        Args:
            data: A path (table, picture or folder of pictures), a Polars or pandas frame, a
                dictionary of columns, one record or a list of them, an array, or a Table. It must
                have every input column; further columns are kept and not looked at.
            batch_size: Rows at once; default: chosen so that memory stays small.

        Returns:
            A frame with the columns of the input, `prediction` (or `prediction_<target>` for
            several targets) and, for classes, `probability_<class>`; with a promised coverage
            also `set`, or `low` and `high`; with an uncertainty `std`, `disagreement` or
            `quantile_<share>`. pandas in, pandas out with the same index; Polars
            otherwise. Pictures are left out.

            If the training data themselves had a column with the name of an answer, `_2` stands
            at the end of the names of the answers.

        Raises:
            ColumnError: Input columns are missing (all are named), a value does not fit, or there
                is already a column with the name of an answer.
            DataError: The data cannot be read.

        Example:
            >>> predictor.predict("new.csv").write_csv("answers.csv")  # doctest: +SKIP
            >>> predictor.predict([{"rooms": 3, "area": 90}])["prediction"]  # doctest: +SKIP
        """
        table, frame = read_inputs(data, self.schema, self.encoders.spec.image_shape)
        names = [str(name) for name in frame.columns]
        return attach(frame, self.answers(table, names, batch_size=batch_size))

    def answers(
        self, table: Table, columns: list[str], *, batch_size: int | None = None
    ) -> dict[str, pl.Series]:
        """Predict for a table and name the answers, so that they can stand beside its columns.

        Args:
            table: Rows with all input columns.
            columns: Names that are taken.
            batch_size: Rows at once; default: chosen so that memory stays small.

        Raises:
            ColumnError: Input columns are missing, a value does not fit, or a name is taken.
        """
        names = self._answer_names(columns)
        found = self.answer_columns(self.predict_table(table, batch_size=batch_size))
        return {names[name]: column for name, column in found.items()}

    def read(self, data: Any) -> Table:
        """Read data as `predict` does: as a table with the kinds and sizes of the training.

        Raises:
            DataError: The data cannot be read.
        """
        return read_inputs(data, self.schema, self.encoders.spec.image_shape)[0]

    def predict_table(self, table: Table, *, batch_size: int | None = None) -> Predictions:
        """Predict for a table and return decoded answers.

        Raises:
            ColumnError: Input columns are missing (all are named), or a value does not fit.
        """
        return self.decided(self.undecided(table, batch_size=batch_size))

    def undecided(self, table: Table, *, batch_size: int | None = None) -> Predictions:
        """Return what the model says of a table before calibration, threshold and the like.

        Where the decision wants several answers to each row, it is their mean, with how far they
        are apart.

        Raises:
            ColumnError: Input columns are missing (all are named), or a value does not fit.
        """
        draws = None if self.decision is None else self.decision.draws
        if draws is None:
            return self.task.decode(self.outputs(table, batch_size=batch_size))
        return draw(self, table, draws, batch_size=batch_size)

    def decode(self, outputs: NDArray[np.float32]) -> Predictions:
        """Turn raw outputs (rows, head_size) into answers, following the decision."""
        return self.decided(self.task.decode(outputs))

    def decided(self, predictions: Predictions) -> Predictions:
        """Return what is answered, following the decision."""
        return predictions if self.decision is None else self.decision.apply(predictions)

    def answer_columns(self, predictions: Predictions) -> dict[str, pl.Series]:
        """Name the answers, and the sets or intervals beside them, as columns."""
        columns = self.task.columns(predictions)
        more = {} if self.decision is None else self.decision.columns(self.task, predictions)
        return {**columns, **more}

    def outputs(self, table: Table, *, batch_size: int | None = None) -> NDArray[np.float32]:
        """Return what the network returns, float32 (rows, head_size).

        Rows are encoded and computed in pieces, so that memory does not grow with the table, and
        in evaluation mode, so that no row influences another one: only the rounding of float32
        depends on the size of the pieces.

        Args:
            table: Rows with all input columns.
            batch_size: Rows at once; default: chosen so that memory stays small.

        Raises:
            ColumnError: Input columns are missing (all are named), or a value does not fit.
            ConfigError: The batch size is less than 1.
            ModelError: The network returns another shape than (rows, head_size).
        """
        return run_network(
            self.model,
            self.encoders,
            table,
            head_size=self.task.head_size,
            device=self.device,
            batch_size=batch_size,
        )

    def save(
        self, path: str | Path, *, golden: Table, card: Mapping[str, Any] | None = None
    ) -> Path:
        """Write a model folder, prove that it loads, and only then put it in its place.

        Args:
            path: The folder to write. A model folder that is there is replaced.
            golden: Training rows; up to five of them (three with pictures) go into the folder as
                they are, with the answers that loading must find again.
            card: For the model card: "metrics" (name → value, low, high), "metric_titles" (name →
                words), "confidence" of the intervals, "verdict", and "data" with name, digest and
                rows.

        Returns:
            The path of the folder.

        Raises:
            ArtifactError: The network gives no finite answers, or does not come back as it was.
            DataError: There are no rows.
            OutputError: Something else is at the path, it cannot be written, or the disk is full.

        Example:
            >>> predictor.save("model", golden=train_table)  # doctest: +SKIP
        """
        return save(self, Path(path), golden=golden, card=card or {})

    def _answer_names(self, columns: list[str]) -> dict[str, str]:
        """Return the task's names of the answers and those in the output, before any work.

        Raises:
            ColumnError: The data have a column of such a name.
        """
        empty = np.zeros((0, self.task.head_size), dtype=np.float32)
        nothing = self.task.decode(empty)
        if self.decision is not None and self.decision.draws is not None:
            draws = self.decision.draws
            nothing = summarise(self.task, np.stack([empty] * draws.count), draws)
        names = list(self.answer_columns(self.decided(nothing)))
        is_taken = any(column.name in names for column in self.schema.columns)
        answers = {name: f"{name}_2" if is_taken else name for name in names}
        doubled = [name for name in answers.values() if name in columns]
        if doubled:
            raise ColumnError(
                f"The data already have a column {listing(doubled)}, which is the name of an "
                "answer: rename or remove it first."
            )
        return answers

    def __repr__(self) -> str:
        targets = listing(self.task.targets, 3)
        return (
            f"Predictor({self.recipe.name}: {targets} from "
            f"{len(self.input_names)} columns, {self.task.name}, on {self.device})"
        )
