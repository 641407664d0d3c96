"""Predicting into a file, piece by piece where the data are large."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Literal

import polars as pl

from deepwell.artifact import Predictor, load
from deepwell.artifact.answers import attach
from deepwell.data import DataSettings
from deepwell.data.blame import naming_rows
from deepwell.data.cells import Locate
from deepwell.data.conform import require_columns
from deepwell.data.memory import wants_mapping
from deepwell.data.schema import KindName
from deepwell.data.stream import Stream
from deepwell.data.survey import open_stream
from deepwell.data.table import Table
from deepwell.files import atomic_path
from deepwell.workflows.predict import check_output, predict


def predict_to_file(
    model: str | Path,
    data: str | Path,
    output: str | Path,
    *,
    memory: Literal["auto", "resident", "mapped"] = "auto",
) -> int:
    """Predict the rows of a file and write them with their predictions.

    A large CSV or Parquet file is read, computed and written in pieces, so that memory does not
    grow with it; its own columns then go out as they came in. Other data are read at once.

    Args:
        model: A model folder, or a run folder that holds one.
        data: Path of a file or folder.
        output: The file to write.
        memory: "mapped": in pieces; "resident": at once; "auto": by the size of the file and the
            memory that is free.

    Returns:
        How many rows were written.

    Raises:
        ArtifactError: The model folder is damaged, unsafe or too new.
        ColumnError: The data lack columns that the model needs, or a value does not fit.
        ConfigError: Pieces are wanted of something that cannot be read so.
        OutputError: The output cannot be written.
    """
    settings = DataSettings(memory=memory)
    if Path(data).expanduser().is_dir() or not wants_mapping(data, settings)[0]:
        return len(predict(model, data, output))
    target = check_output(Path(output))
    predictor = load(model)
    inputs: dict[str, KindName] = {c.name: c.kind for c in predictor.schema.inputs}
    stream = open_stream(data, DataSettings(kinds=inputs))
    answers = _Answers(predictor, stream)
    with atomic_path(target) as temporary:
        _WRITERS[target.suffix.lower()](answers, temporary)
    return answers.rows


class _Answers:
    """The rows of a stream with their predictions, piece by piece."""

    def __init__(self, predictor: Predictor, stream: Stream) -> None:
        self.rows = 0
        self._predictor = predictor
        self._stream = stream

    def __iter__(self) -> Iterator[pl.DataFrame]:
        for chunk in self._stream.chunks():
            frame = naming_rows(chunk, self._answer)
            self.rows += frame.height
            yield frame

    def _answer(self, frame: pl.DataFrame, locate: Locate, start: int) -> pl.DataFrame:
        names = self._predictor.input_names
        require_columns(Table.from_frame(frame[:1]), names)
        table = self._stream.settle(frame.select(names), locate)
        return attach(frame, self._predictor.answers(table, list(frame.columns)))


def _write_csv(answers: _Answers, path: Path, separator: str = ",") -> None:
    with path.open("wb") as file:
        for number, frame in enumerate(answers):
            frame.write_csv(file, separator=separator, include_header=number == 0)


def _write_lines(answers: _Answers, path: Path) -> None:
    with path.open("wb") as file:
        for frame in answers:
            frame.write_ndjson(file)


def _write_parquet(answers: _Answers, path: Path) -> None:
    _sink(answers, lambda lazy: lazy.sink_parquet(path))


def _write_arrow(answers: _Answers, path: Path) -> None:
    _sink(answers, lambda lazy: lazy.sink_ipc(path))


def _sink(answers: _Answers, write: Callable[[pl.LazyFrame], object]) -> None:
    """Let Polars write pieces to one file; what goes wrong in making them is raised as it is."""
    from polars.io.plugins import register_io_source

    pieces = iter(answers)
    first = next(pieces)
    wrong: list[BaseException] = []

    def source(
        columns: list[str] | None, predicate: pl.Expr | None, rows: int | None, size: int | None
    ) -> Iterator[pl.DataFrame]:
        yield first
        try:
            yield from pieces
        except BaseException as error:
            wrong.append(error)
            raise

    try:
        write(register_io_source(source, schema=dict(first.schema)))
    except Exception:
        if wrong:
            raise wrong[0] from None
        raise


_WRITERS: dict[str, Callable[[_Answers, Path], None]] = {
    ".csv": _write_csv,
    ".tsv": partial(_write_csv, separator="\t"),
    ".parquet": _write_parquet,
    ".jsonl": _write_lines,
    ".arrow": _write_arrow,
}
