"""Preparing: read, formulate, check and split. Nothing is written here."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from torch import nn

from deepwell.data import (
    Schema,
    Source,
    Splits,
    Table,
    check,
    conform,
    infer_schema,
    read,
    rows_with_target,
    split,
    without_leaks,
)
from deepwell.data.audit import GivenTest, audit
from deepwell.data.proposals import propose
from deepwell.data.split import Cleaned
from deepwell.data.storing import StoredData
from deepwell.engine import resolve_device
from deepwell.engine.best import BestEpoch
from deepwell.engine.loggers.catalog import check_loggers
from deepwell.errors import ConfigError, ModelError, SplitError, TaskError, listing
from deepwell.evaluation import applicable, check_success, parse_success
from deepwell.evaluation.asked import check_asked
from deepwell.evaluation.leakage import Leak
from deepwell.evaluation.numerals import plural
from deepwell.evaluation.shift import Shift
from deepwell.evaluation.slicing import check_columns
from deepwell.models import resolve as resolve_model
from deepwell.models.catalog import MODELS
from deepwell.nn.augment.settings import refuse_without_pictures
from deepwell.runs.folder import SplitName
from deepwell.tasks import Formulation, Task, formulate
from deepwell.tasks.decisions import check_decision, check_uncertainty, needs_rows
from deepwell.workflows.forewarn import forewarn
from deepwell.workflows.plan import costs_of_numbers, has_images, resolve
from deepwell.workflows.portfolio import is_race
from deepwell.workflows.settings import TrainSettings
from deepwell.workflows.trees import check_for_trees, is_grown

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """Data that are ready for a network.

    Args:
        settings: All settings, resolved.
        source: Where the data come from.
        schema: What the columns are.
        task: The question, with classes and scales learned from the training rows.
        splits: Which row is on which side.
        train: Rows to learn from.
        val: Rows that decide when to stop.
        test: Rows that are scored once, at the end.
        notes: What a person should know about the data.
        leaks: Columns that give the target away, worst first; see `look`.
        shift: Whether training and test rows differ, None if they were not compared.
        stored: The training rows on the disk, if they are not all in memory; `train` is then a
            sample of them.
        audit: The check of the split, plain JSON, empty without one; see `data.audit`.
    """

    settings: TrainSettings
    source: Source
    schema: Schema
    task: Task
    splits: Splits
    train: Table
    val: Table
    test: Table
    notes: tuple[str, ...]
    leaks: tuple[Leak, ...] = ()
    shift: Shift | None = None
    audit: Mapping[str, Any] = field(default_factory=dict[str, Any])
    stored: StoredData | None = None

    @property
    def num_read(self) -> int:
        """Rows that were read, apart from test rows that were given apart."""
        return len(self.source.table) if self.stored is None else self.stored.num_rows

    @property
    def num_rows(self) -> dict[str, int]:
        """Rows of each side."""
        rows = {"train": len(self.train), "val": len(self.val), "test": len(self.test)}
        return rows if self.stored is None else {**rows, "train": self.stored.num_train}

    @property
    def ids(self) -> dict[SplitName, NDArray[np.int64]]:
        """Row ids of each side; for stored rows none of train, which are all others."""
        if self.stored is not None:
            nothing = np.zeros(0, dtype=np.int64)
            return {"train": nothing, "val": self.val.ids, "test": self.test.ids}
        return {"train": self.train.ids, "val": self.val.ids, "test": self.test.ids}


def prepare(
    data: Any, overrides: Mapping[str, Any], *, module: nn.Module | None, say: Say
) -> Prepared:
    """Read the data, decide what is asked, and divide the rows.

    Args:
        data: A path or an object of Python; see `data.read`.
        overrides: The user's settings, nested as in `TrainSettings`.
        module: The user's own network, which is given every input; None takes the catalog's.
        say: Called with each finding, in words.

    Raises:
        DeepwellError: The data, the target or a setting cannot be used.
    """
    asked = TrainSettings.model_validate(overrides)
    check_choices(asked, module)
    source = read(data, asked.data, target=asked.target)
    targets = asked.target or source.target or ()
    require_target(targets, source.table)
    say(f"{source.name}: {size_words(len(source.table), len(source.table.names))}")
    schema = infer_schema(source.table, targets=targets, settings=asked.data, test=source.test)
    if not has_images(schema):
        refuse_without_pictures(asked.augment)
    proposals = propose(source.table, schema)
    notes = [*source.notes, *check(source.table, schema), *proposals]
    table = rows_with_target(conform(source.table, schema), schema)
    formulation = formulate(schema, table, asked.task)
    overrides = costs_of_numbers(overrides, formulation.name)
    asked = TrainSettings.model_validate(overrides)
    check_uncertainty(asked.decide, formulation.name)
    say(f"{', '.join(targets)} — {formulation.reason}")
    for proposal in proposals:
        say(proposal)
    if module is None:
        schema = readable_by_model(schema, overrides, len(table))
    splits, sides, checked = _sides(source.test, table, schema, formulation, asked)
    train, val, test = sides
    _require_weight(schema, {"training": train, "validation": val, "test": test})
    say(splits.reason)
    say(checked["verdict"])
    resolved = resolve(
        overrides, schema, len(train), question=formulation.name, is_own=module is not None
    )
    if module is None and is_race(asked, schema, len(train), len(val)):
        resolved = asked  # each model of the race gets what suits it
    resolved = pinned(resolved, targets)
    task = _fit_task(formulation, train, val, test, resolved)
    check_evaluation(resolved, task, schema)
    check_columns(schema, test, resolved.evaluation.fairness)
    check_decision(resolved.decide, task)
    if not len(val):
        needs_rows(resolved.decide)
    for warning in forewarn(resolved, overrides, task=task, schema=schema, train=train, val=val):
        say(warning)
    return Prepared(
        settings=resolved,
        source=source,
        schema=schema,
        task=task,
        splits=splits,
        train=train,
        val=val,
        test=test,
        notes=tuple(dict.fromkeys([*notes, *splits.notes])),
        audit=checked,
    )


def size_words(rows: int, columns: int) -> str:
    """Say how large a table is.

    Example:
        >>> size_words(1, 1), size_words(2930, 74)
        ('1 row, 1 column', '2,930 rows, 74 columns')
    """
    return f"{plural(rows, 'row')}, {plural(columns, 'column')}"


def check_choices(asked: TrainSettings, module: nn.Module | None) -> None:
    """Refuse what can be refused before the data are read."""
    resolve_device(asked.engine.device)
    check_loggers(asked.engine.loggers)
    if asked.evaluation.success is not None:
        parse_success(asked.evaluation.success)
    if asked.is_many and asked.engine.devices > 1:
        raise ConfigError(
            "--folds and --ensemble train one model after the other in one process: leave "
            "--devices out."
        )
    if asked.is_many and module is not None:
        raise ConfigError(
            "--folds and --ensemble build a network anew for each training, which is not possible "
            "with a network of your own: take one of the catalog, or train it several times."
        )
    if asked.model.name in MODELS and MODELS[asked.model.name].learner == "blend":
        raise ModelError(
            f"A {asked.model.name} is made of trained models: leave --model out, and the best of "
            "several models are blended."
        )
    if module is None and asked.model.name != "auto":
        resolve_model(asked.model.name, asked.model.options, group="model")
    if module is None and is_grown(asked.model.name):
        check_for_trees(asked)


def pinned(settings: TrainSettings, targets: tuple[str, ...]) -> TrainSettings:
    """Fill in what a resume from another folder of the disk must find again."""
    data = settings.data.model_copy(update={"memory": "resident"})
    if data.test is not None:
        data = data.model_copy(update={"test": str(Path(data.test).absolute())})
    return settings.model_copy(update={"target": targets, "data": data})


def require_target(targets: Sequence[str], table: Table) -> None:
    """Refuse a question without targets, and names that are no columns."""
    if not targets:
        raise TaskError(
            "Name the column to predict, as in --target price. "
            f"Columns: {listing(table.names, limit=30)}."
        )
    for name in targets:
        table[name]  # a wrong name raises here, with a suggestion


def readable_by_model(schema: Schema, overrides: Mapping[str, Any], num_rows: int) -> Schema:
    """Ignore, and say so, the columns that the chosen architecture cannot read."""
    entry = MODELS[resolve(overrides, schema, num_rows).model.name]
    if "numbers" in entry.inputs:
        return schema
    if not has_images(schema):
        raise ModelError(
            f"The model {entry.name} reads pictures, and these data have no column of pictures: "
            "choose another --model, such as mlp."
        )
    others = [column.name for column in schema.inputs if column.kind != "image"]
    return schema.set_role(others, "ignored", f"the model {entry.name} reads pictures only")


def _sides(
    given_test: Table | None,
    table: Table,
    schema: Schema,
    formulation: Formulation,
    asked: TrainSettings,
) -> tuple[Splits, tuple[Table, Table, Table], dict[str, Any]]:
    test, given, notes = None, None, ()
    if given_test is not None:
        test = rows_with_target(conform(given_test, schema), schema)
        cleaned = without_leaks(table, test, schema, asked.split.copies)
        table = cleaned.kept
        given = GivenTest(
            rows=test,
            left_out=cleaned.dropped,
            near=cleaned.near,
            ordinary=cleaned.ordinary,
        )
        notes = _notes_on_given(cleaned)
    splits = split(
        table,
        schema,
        asked.split,
        seed=asked.seed,
        stratify=formulation.strata(table),
        has_test=test is not None,
    )
    apart = "" if test is None else f" The {len(test):,} test rows were given apart."
    splits = replace(splits, reason=splits.reason + apart, notes=(*splits.notes, *notes))
    checked = audit(table, schema, splits, given=given)
    if test is None:
        test = table.take(splits.test)
    if not len(test):
        raise SplitError(
            "There are no test rows, so nothing could be said about the network: choose "
            "split.test above 0, or give a file with --test."
        )
    return splits, (table.take(splits.train), table.take(splits.val), test), checked


def _notes_on_given(cleaned: Cleaned) -> tuple[str, ...]:
    """Say which training rows are like test rows that were given apart, and what became of them."""
    if cleaned.ordinary:
        return (
            f"{cleaned.ordinary:,} training rows equal a test row; so few combinations exist that "
            "this is ordinary, so they stay.",
        )
    if cleaned.dropped:
        changed = f" ({cleaned.near:,} of them changed)" if cleaned.near else ""
        return (f"{cleaned.dropped:,} training rows are also in the test rows{changed}: left out.",)
    return ()


def _require_weight(schema: Schema, sides: Mapping[str, Table]) -> None:
    """Refuse a side on which no row counts, before anything is learned."""
    name = schema.name_of("weight")
    for side, rows in sides.items():
        if name is None or not len(rows):
            continue
        if not (rows.series(name).cast(pl.Float64) > 0).any():
            raise SplitError(
                f'Weight column "{name}": all {len(rows):,} {side} rows weigh 0, so none would '
                "count. Correct the weights, or divide otherwise (--seed, split.test, split.val)."
            )


def _fit_task(
    formulation: Formulation, train: Table, val: Table, test: Table, settings: TrainSettings
) -> Task:
    task = formulation.fit(train, settings.task)
    for name, table in (("validation", val), ("test", test)):
        try:
            task.encode(table)
        except TaskError as error:
            raise TaskError(f"In the {name} rows: {error}") from error
    return task


def check_evaluation(settings: TrainSettings, task: Task, schema: Schema) -> None:
    """Refuse settings of the evaluation that do not fit the task, before training."""
    BestEpoch(settings.engine.monitor, score_names=task.score_names)
    applicable(schema, settings.evaluation)
    check_asked(task, settings.evaluation)
    if settings.evaluation.success is not None:
        has_prices = settings.decide.cost is not None
        check_success(settings.evaluation.success, task.name, has_prices=has_prices)
