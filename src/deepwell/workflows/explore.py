"""Exploring: groups and main directions of rows, by their columns or as a network sees them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from deepwell.data import DataSettings, Schema, Table, conform, infer_schema, read
from deepwell.errors import ConfigError, DataError
from deepwell.evaluation.exploring import Exploration, explore_matrix
from deepwell.evaluation.exploring.matrix import from_columns, from_embedding, sample_rows
from deepwell.evaluation.exploring.page import render
from deepwell.files import write_json, write_text
from deepwell.workflows.predict import check_output


def explore(
    data: Any,
    *,
    columns: Sequence[str] = (),
    ignore: Sequence[str] = (),
    kinds: Mapping[str, str] | None = None,
    model: str | Path | None = None,
    clusters: int | None = None,
    seed: int = 0,
    output: str | Path | None = None,
) -> Exploration:
    """Find groups of rows by k-means and their main directions by principal components.

    Args:
        data: Path of a file or folder, a frame, or a dict of columns.
        columns: Columns to use; none means all that can be encoded.
        ignore: Columns to leave out.
        kinds: Column to kind, where the guess would be wrong.
        model: A run or model folder: the rows are then taken as its network sees them, before its
            head; its columns are used.
        clusters: How many; None chooses by the data.
        seed: Same seed, same result.
        output: A page (.html) with the numbers beside it (.json), or the numbers alone (.json);
            None writes nothing.

    Raises:
        DataError: The data cannot be read, or hold nothing that can be explored.
        ConfigError: Columns together with a model, or a number of clusters that makes no sense.
        ArtifactError: The model folder is damaged, unsafe or too new.
        OutputError: The output cannot be written.

    Example:
        >>> rows = {"x": [0.0, 0.1, 0.2, 9.0, 9.1, 9.2] * 10, "y": [1.0, 1.2, 5.0] * 20}
        >>> explore(rows, columns=["x"]).clustering.k
        2
    """
    target = None if output is None else check_output(Path(output), (".html", ".json"))
    if model is not None and (columns or ignore or kinds):
        raise ConfigError(
            "A network reads the columns that it was trained on: leave --columns, --ignore and "
            "--kind out, or leave --model out."
        )
    if model is None:
        found = _by_columns(data, tuple(columns), tuple(ignore), dict(kinds or {}), clusters, seed)
    else:
        found = _by_model(data, Path(model), clusters, seed)
    if target is not None:
        if target.suffix.lower() == ".html":
            write_text(target, render(found))
        write_json(target.with_suffix(".json"), found.to_json())
    return found


def _by_columns(
    data: Any,
    columns: tuple[str, ...],
    ignore: tuple[str, ...],
    kinds: dict[str, str],
    clusters: int | None,
    seed: int,
) -> Exploration:
    settings = DataSettings.model_validate({"ignore": ignore, "kinds": kinds})
    source = read(data, settings)
    schema = infer_schema(source.table, targets=(), settings=settings)
    for name in columns:
        schema[name]  # a wrong name raises here, with a suggestion
    if columns:
        others = [c.name for c in schema.inputs if c.name not in columns]
        schema = schema.set_role(others, "ignored", "not among --columns")
        wanted = [name for name in columns if name not in ignore]
        schema = schema.set_role(wanted, "input", "among --columns")
    if not schema.inputs:
        raise DataError("No column is left to explore: name some with --columns.")
    table = conform(source.table, schema)
    rows = sample_rows(len(table), seed)
    part = table if len(rows) == len(table) else table.take(rows)
    return explore_matrix(
        from_columns(part, schema),
        part,
        schema,
        source=source.name,
        of_rows=len(table),
        clusters=clusters,
        seed=seed,
        columns=[column.name for column in schema.inputs],
    )


def _by_model(data: Any, model: Path, clusters: int | None, seed: int) -> Exploration:
    from deepwell.artifact import load
    from deepwell.artifact.embedding import embed

    predictor = load(model)
    table = predictor.read(data)
    rows = sample_rows(len(table), seed)
    part = table if len(rows) == len(table) else table.take(rows)
    values, head = embed(predictor, part)
    what = f"what goes into the layer {head or 'of the network'} of {model}"
    schema = predictor.schema
    return explore_matrix(
        from_embedding(values, what),
        part,
        schema,
        source=data if isinstance(data, str) else "the rows",
        of_rows=len(table),
        clusters=clusters,
        seed=seed,
        columns=_nameable(part, schema),
    )


def _nameable(table: Table, schema: Schema) -> list[str]:
    """Return the columns by which clusters may be described: inputs and, if there, targets."""
    return [
        column.name
        for column in (*schema.targets, *schema.inputs)
        if column.name in table and column.kind not in ("text", "image")
    ]
