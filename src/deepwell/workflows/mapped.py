"""Preparing data that are larger than memory: a sample is looked at, all rows are stored."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import nn

from deepwell.data import Encoders, Schema, Source, Splits, Table, check, conform, infer_schema
from deepwell.data import rows_with_target as with_target
from deepwell.data.deal import TEST, TRAIN, VAL
from deepwell.data.memory import wants_mapping
from deepwell.data.picture_column import names_pictures
from deepwell.data.read import short_name
from deepwell.data.sides import SideRule, plan_sides
from deepwell.data.stored import cache_root
from deepwell.data.storing import Recipe, StoredData, store
from deepwell.data.stream import Stream
from deepwell.data.survey import Survey, open_stream, survey
from deepwell.engine.optimizers import OPTIMIZERS
from deepwell.engine.processes import joined_processes
from deepwell.errors import ConfigError, SplitError, listing
from deepwell.nn.augment.settings import refuse_without_pictures
from deepwell.tasks import Task, formulate
from deepwell.tasks.decisions import check_decision, check_uncertainty, needs_rows
from deepwell.workflows.learn import fit_encoders
from deepwell.workflows.plan import costs_of_numbers, has_images, resolve
from deepwell.workflows.prepare import (
    Prepared,
    Say,
    check_choices,
    check_evaluation,
    pinned,
    prepare,
    readable_by_model,
    require_target,
    size_words,
)
from deepwell.workflows.settings import TrainSettings


def prepare_as_asked(
    data: Any, overrides: Mapping[str, Any], *, module: nn.Module | None, say: Say
) -> Prepared:
    """Prepare data in memory, or on the disk where they are too large or it is asked for.

    Args:
        data: A path or an object of Python; see `data.read`.
        overrides: The user's settings, nested as in `TrainSettings`; `data.memory` decides.
        module: The user's own network; None takes the catalog's.
        say: Called with each finding, in words.

    Raises:
        DeepwellError: The data, the target or a setting cannot be used.
    """
    asked = TrainSettings.model_validate(overrides)
    check_choices(asked, module)
    is_mapped, why = wants_mapping(data, asked.data)
    if why:
        say(why)
    if not is_mapped:
        return prepare(data, overrides, module=module, say=say)
    with joined_processes().in_turn():  # the first stores the rows, the others find them
        return prepare_mapped(data, overrides, module=module, say=say)


def prepare_mapped(
    data: str | Path, overrides: Mapping[str, Any], *, module: nn.Module | None, say: Say
) -> Prepared:
    """Do what `prepare` does with rows that stay on the disk.

    The first pass draws a sample of the rows; schema, task, encoders and baselines are made from
    its training rows. The second one divides and encodes every row, and writes the training rows
    to files, which are found again the next time.

    Args:
        data: A file or folder that can be read piece by piece.
        overrides: The user's settings, nested as in `TrainSettings`.
        module: The user's own network; None takes the catalog's.
        say: Called with each finding, in words.

    Raises:
        DeepwellError: The data, the target or a setting cannot be used.
    """
    asked = TrainSettings.model_validate(overrides)
    stream = open_stream(data, asked.data)
    targets = asked.target or stream.target or ()
    seen = survey(stream, targets, seed=asked.seed)
    require_target(targets, seen.sample)
    _refuse_many(asked)
    _refuse_paths(seen.sample, asked)
    name = short_name(stream.path)
    say(f"{name}: {size_words(seen.num_rows, len(seen.sample.names))}")
    schema = infer_schema(seen.sample, targets=targets, settings=asked.data)
    if not has_images(schema):
        refuse_without_pictures(asked.augment)
    notes = [*stream.notes, *check(seen.sample, schema)]
    sample = with_target(conform(seen.sample, schema), schema)
    formulation = formulate(schema, sample, asked.task)
    overrides = costs_of_numbers(overrides, formulation.name)
    asked = TrainSettings.model_validate(overrides)
    check_uncertainty(asked.decide, formulation.name)
    say(f"{', '.join(targets)} — {formulation.reason}")
    if module is None:
        schema = readable_by_model(schema, overrides, seen.num_rows)
    rule = plan_sides(sample, schema, asked.split, num_rows=seen.num_rows, seed=asked.seed)
    train = _train_rows(sample, schema, rule)
    say(rule.reason)
    num_train = round(seen.num_rows * (1 - sum(rule.shares)))
    settings = resolve(
        overrides, schema, num_train, question=formulation.name, is_own=module is not None
    )
    if settings.encode.categories == "target":
        raise ConfigError(
            "encode.categories = target needs all training rows at once, and these are read in "
            "pieces: use codes or onehot, or data.memory = resident."
        )
    settings = _settled(pinned(settings, targets), asked)
    task = formulation.fit(train, settings.task)
    check_evaluation(settings, task, schema)
    check_decision(settings.decide, task)
    if not settings.split.val:
        needs_rows(settings.decide)
    encoders = fit_encoders(train, schema, task, settings, module)
    stored = _store(stream, _recipe(seen, schema, rule, encoders, task), settings, say)
    _check_sides(stored, settings)
    return Prepared(
        settings=settings,
        source=_source(name, stream, seen),
        schema=schema,
        task=task,
        splits=_splits(rule),
        train=train,
        val=stored.val,
        test=stored.test,
        notes=tuple(dict.fromkeys([*notes, *rule.notes, *_notes(seen, train, stored)])),
        stored=stored,
    )


def _refuse_many(asked: TrainSettings) -> None:
    """Refuse to train several models, each of which would need its own rows at once."""
    if asked.is_many:
        raise ConfigError(
            "--folds and --ensemble train several models on rows in memory, and these data are "
            "read in pieces: leave them out, or use data.memory = resident."
        )


def _refuse_paths(sample: Table, asked: TrainSettings) -> None:
    """Refuse columns that name picture files: only folders of pictures are stored so far."""
    found = [
        name
        for name, column in sample.columns.items()
        if not isinstance(column, np.ndarray)
        and name not in asked.data.ignore
        and (asked.data.kinds.get(name) == "image" or names_pictures(column))
    ]
    if found and not any(isinstance(column, np.ndarray) for column in sample.columns.values()):
        raise ConfigError(
            f"Column {listing(found)} holds paths of pictures, which data.memory=mapped cannot "
            "read: give the folder of the pictures, or use data.memory=resident."
        )


def _train_rows(sample: Table, schema: Schema, rule: SideRule) -> Table:
    sides = rule.sides(sample, schema)
    if not (sides == TRAIN).any():
        raise SplitError("No row of the sample would be in train: give more rows or groups.")
    for side, share, name in ((VAL, rule.shares[0], "val"), (TEST, rule.shares[1], "test")):
        if share * len(sample) > 1000 and not (sides == side).any():
            raise SplitError(
                f"No row would be in {name}, because the {rule.basis} column has too few values."
            )
    return sample.take(sides == TRAIN)


def _settled(settings: TrainSettings, asked: TrainSettings) -> TrainSettings:
    """Remember the decision, so that a resume decides the same, and refuse what needs all rows."""
    name = settings.engine.optimizer
    if OPTIMIZERS[name].is_full_batch:
        raise ConfigError(
            f"The optimizer {name} needs all rows at once: use adamw, or data.memory=resident."
        )
    cache = str(cache_root(asked.data.cache).absolute())
    data = settings.data.model_copy(update={"memory": "mapped", "cache": cache})
    return settings.model_copy(update={"data": data})


def _recipe(seen: Survey, schema: Schema, rule: SideRule, encoders: Encoders, task: Task) -> Recipe:
    return Recipe(
        schema=schema,
        rule=rule,
        encoders=encoders,
        encode_targets=task.encode,
        facts={"digest": seen.digest, "task": task.to_json()},
        num_rows=seen.num_rows,
    )


def _store(stream: Stream, recipe: Recipe, settings: TrainSettings, say: Say) -> StoredData:
    stored = store(stream, recipe, cache_root(settings.data.cache))
    how = "found" if stored.is_reused else "written"
    say(
        f"{stored.num_train:,} encoded training rows {how}: {stored.size / (1 << 20):,.0f} MiB in "
        f"{stored.folder}"
    )
    return stored


def _check_sides(stored: StoredData, settings: TrainSettings) -> None:
    """Refuse sides that are smaller than asked for."""
    sizes = {"train": stored.num_train, "val": len(stored.val), "test": len(stored.test)}
    if not settings.split.test:
        raise SplitError(
            "There are no test rows, so nothing could be said about the network: choose "
            "split.test above 0."
        )
    for name, size in sizes.items():
        if size < settings.split.min_rows and (name != "val" or settings.split.val):
            raise SplitError(
                f"Only {size} rows would be in {name}, at least {settings.split.min_rows} are "
                "needed: give more rows, or use data.memory=resident."
            )


def _source(name: str, stream: Stream, seen: Survey) -> Source:
    return Source(
        table=seen.sample,
        test=None,
        name=name,
        path=stream.path,
        target=stream.target,
        digest=seen.digest,
        notes=tuple(stream.notes),
    )


def _splits(rule: SideRule) -> Splits:
    nothing = np.zeros(0, dtype=np.int64)
    return Splits(nothing, nothing, nothing, rule.reason, rule.notes)


def _notes(seen: Survey, train: Table, stored: StoredData) -> list[str]:
    if len(seen.sample) == seen.num_rows:
        return []
    return [
        f"The kinds of the columns were found on {len(seen.sample):,} rows drawn at random and "
        "checked on all.",
        f"The encoding and the simple models were learned from {len(train):,} of "
        f"{stored.num_train:,} training rows, drawn at random; the network learns from all.",
    ]
