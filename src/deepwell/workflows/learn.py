"""Learning: encode the rows, build the network, run the engine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from deepwell.artifact import Predictor
from deepwell.artifact.architecture import CUSTOM
from deepwell.data import Encoders, Schema, Table
from deepwell.engine import (
    Checkpoints,
    FitResult,
    MappedBatches,
    TensorBatches,
    fit,
    resolve_device,
)
from deepwell.errors import ModelError
from deepwell.models import build, example_inputs, resolve, settings_class
from deepwell.models.catalog import place_columns
from deepwell.nn.adapt import Remembering, adapt, is_adaptive
from deepwell.nn.augment import augmentation
from deepwell.nn.image_input import ImageInput
from deepwell.tasks import Task
from deepwell.types import StoredRows
from deepwell.workflows.decide import check_draws, decide, hold_apart
from deepwell.workflows.pretrain import pretrain, with_note
from deepwell.workflows.settings import TrainSettings
from deepwell.workflows.trees import grow_trees, is_grown

SAMPLE_ROWS = 20_000
"""Training rows that are shown to a network before the first step, at the most."""


@dataclass(frozen=True, slots=True)
class Learned:
    """A trained network.

    Args:
        predictor: Answers questions about raw rows.
        fit: What the engine reports.
        remark: What the verdict has to say beside the scores.
        progress: How far it came, in words, for whoever stops it.
    """

    predictor: Predictor
    fit: FitResult
    remark: str = ""
    progress: str = ""


def learn(
    predictor: Predictor,
    train: Table,
    val: Table,
    *,
    settings: TrainSettings,
    callbacks: Sequence[object] = (),
    checkpoints: Checkpoints | None = None,
    stored: StoredRows | None = None,
    seconds: float = math.inf,
) -> Learned:
    """Train an assembled network on tables.

    Args:
        predictor: The untrained network with its encoders and task; trained in place.
        train: Rows to learn from.
        val: Rows that decide when to stop; may be empty.
        settings: Resolved. With `decide.coverage` half of `val` chooses nothing and keeps the
            promise.
        callbacks: Told about steps and epochs.
        checkpoints: Where the state is kept; None keeps nothing.
        stored: Encoded training rows on the disk, to learn from in place of `train`.
        seconds: How long trees may grow; networks are stopped by callbacks.

    Raises:
        TrainingError: The loss is not a finite number.
    """
    check_draws(predictor, settings)
    val, apart = hold_apart(val, predictor.task, predictor.schema, settings)
    if is_grown(settings.model.name):
        predictor, result = grow_trees(predictor, train, val, settings, seconds=seconds)
    else:
        if stored is None:
            batches = batches_of(train, predictor, settings, shuffle=True)
        else:
            batches = stored_batches(stored, predictor, settings)
        show_rows(predictor, train, seed=settings.seed, is_sample=stored is not None)
        result = _train(predictor, batches, val, settings, callbacks, checkpoints)
    predictor.decision = decide(predictor, val, apart, settings)
    return Learned(predictor, result)


def _train(
    predictor: Predictor,
    batches: TensorBatches | MappedBatches,
    val: Table,
    settings: TrainSettings,
    callbacks: Sequence[object],
    checkpoints: Checkpoints | None,
) -> FitResult:
    note = pretrain(
        predictor,
        batches,
        engine=settings.engine,
        callbacks=callbacks,
        checkpoints=checkpoints,
        seed=settings.seed,
    )
    result = fit(
        predictor.model,
        predictor.task,
        batches,
        val_batches=batches_of(val, predictor, settings) if len(val) else None,
        settings=settings.engine,
        callbacks=callbacks,
        checkpoints=checkpoints,
        seed=settings.seed,
    )
    return with_note(result, note)


def show_rows(predictor: Predictor, train: Table, *, seed: int, is_sample: bool = False) -> None:
    """Let the network see training rows before the first step, where it or its layers want to.

    Adaptive layers see a sample; a network that answers from training rows keeps them.

    Args:
        predictor: Its network is changed.
        train: Training rows.
        seed: Of the choice among them.
        is_sample: Whether the network learns from more rows than these.
    """
    model = predictor.model
    if not (is_adaptive(model) or isinstance(model, Remembering)):
        return
    order = np.random.default_rng(seed).permutation(len(train))
    device = next(model.parameters()).device

    def encoded(rows: Table) -> tuple[Tensor, ...]:
        return tuple(torch.from_numpy(b).to(device) for b in predictor.encoders.encode(rows))

    if isinstance(model, Remembering):
        if predictor.task.name != "regression" and predictor.task.link == "none":
            raise ModelError(
                f"{predictor.recipe.name} answers with the mean of what its neighbours were, a "
                "probability, which this loss does not know: leave out --set task.loss."
            )
        rows = train.take(order[: model.most_rows])
        targets = torch.from_numpy(predictor.task.encode(rows)).to(device)
        has_all = not is_sample and len(rows) == len(train)
        found = model.remember(encoded(rows), targets, has_all=has_all)
        predictor.recipe.settings.update(found)
    if is_adaptive(model):
        # first values are drawn from torch's global numbers, which are the caller's
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            adapt(model, encoded(train.take(order[:SAMPLE_ROWS])))


def fit_encoders(
    train: Table, schema: Schema, task: Task, settings: TrainSettings, module: nn.Module | None
) -> Encoders:
    """Learn the encoding of the input columns; the user's own network gets one number block."""
    encode = settings.encode
    if module is not None and encode.categories in ("auto", "codes"):
        encode = encode.model_copy(update={"categories": "onehot"})
    targets = task.encode(train) if encode.categories == "target" else None
    return Encoders.fit(train, schema, encode, targets=targets)


def assemble(
    encoders: Encoders,
    task: Task,
    schema: Schema,
    settings: TrainSettings,
    module: nn.Module | None,
) -> Predictor:
    """Build the network, seeded, and join it with encoders and task."""
    torch.manual_seed(settings.seed)
    if module is None:
        name, options = settings.model.name, settings.model.options
        if encoders.spec.image_shape is not None:
            options = {"mean": encoders.image_mean, "std": encoders.image_std, **options}
        if "link" in settings_class(name).model_fields:
            options = {"link": task.link, **options}
        codes = {column: place for place, column in enumerate(encoders.category_names)}
        complete = place_columns(name, resolve(name, options), codes, encoders.features_of)
        resolved = complete.model_dump()
        model = build(name, encoders.spec, task.head_size, resolved)
        architecture: dict[str, Any] = {"name": name, "settings": resolved}
    else:
        model, architecture = _own(module, encoders)
    _check_outputs(model, encoders, task)
    return Predictor(
        model,
        task=task,
        encoders=encoders,
        schema=schema,
        architecture=architecture,
        device=resolve_device(settings.engine.device),
    )


def _own(module: nn.Module, encoders: Encoders) -> tuple[nn.Module, dict[str, Any]]:
    kind = type(module)
    architecture: dict[str, Any] = {
        "name": CUSTOM,
        "class": f"{kind.__module__}:{kind.__qualname__}",
        "settings": {},
    }
    mean, std = encoders.image_mean, encoders.image_std
    if encoders.spec.blocks != ("images",) or mean is None or std is None:
        return module, architecture
    wrapped = ImageInput(module, num_channels=len(mean), mean=mean, std=std)
    return wrapped, {**architecture, "settings": {"mean": mean, "std": std}}


def _check_outputs(model: nn.Module, encoders: Encoders, task: Task) -> None:
    inputs = example_inputs(encoders.spec, batch=2)
    shapes = ", ".join(str(tuple(block.shape)) for block in inputs)
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            outputs = model(*inputs)
    except (RuntimeError, TypeError, ValueError, IndexError) as error:
        raise ModelError(
            f"The network cannot read this data: called with inputs of shape {shapes} it raised "
            f"{type(error).__name__}: {error}"
        ) from error
    finally:
        model.train(was_training)
    expected = (2, task.head_size)
    if not isinstance(outputs, torch.Tensor) or tuple(outputs.shape) != expected:
        shape = tuple(outputs.shape) if isinstance(outputs, torch.Tensor) else type(outputs)
        raise ModelError(
            f"The network must return a tensor of shape {expected} for two rows: {task.head_size} "
            f"per row for the task {task.name}. Got: {shape}."
        )


def batches_of(
    table: Table,
    predictor: Predictor,
    settings: TrainSettings,
    *,
    shuffle: bool = False,
) -> TensorBatches:
    """Encode a table and put it on the device; `shuffle` says that these are training rows."""
    weight = predictor.schema.name_of("weight")
    pictures = predictor.encoders.spec.image_shape
    augment = None
    if shuffle and pictures is not None:
        augment = augmentation(settings.augment, pictures)
    encoders, targets = predictor.encoders, predictor.task.encode(table)
    return TensorBatches(
        encoders.encode_training(table, targets) if shuffle else encoders.encode(table),
        targets,
        weight=None if weight is None else table.series(weight).to_numpy().astype("float32"),
        ids=table.ids,
        batch_size=settings.engine.batch_size if shuffle else 1024,
        shuffle=shuffle,
        seed=settings.seed,
        augment=augment,
    )


def stored_batches(
    stored: StoredRows, predictor: Predictor, settings: TrainSettings
) -> MappedBatches:
    """Return batches of encoded training rows that are read from the disk."""
    pictures = predictor.encoders.spec.image_shape
    return MappedBatches(
        stored,
        batch_size=settings.engine.batch_size,
        shuffle=True,
        seed=settings.seed,
        augment=None if pictures is None else augmentation(settings.augment, pictures),
    )
