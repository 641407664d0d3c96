"""Learning: encode the rows, build the network, run the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from deepwell.artifact import Predictor
from deepwell.artifact.architecture import CUSTOM
from deepwell.data import Encoders, Schema, Table
from deepwell.engine import Checkpoints, FitResult, TensorBatches, fit, resolve_device
from deepwell.errors import ModelError
from deepwell.models import build, example_inputs, resolve
from deepwell.models.catalog import place_columns
from deepwell.nn.augment import augmentation
from deepwell.nn.image_input import ImageInput
from deepwell.tasks import Task
from deepwell.workflows.decide import decide, hold_apart
from deepwell.workflows.pretrain import pretrain, with_note
from deepwell.workflows.settings import TrainSettings
from deepwell.workflows.trees import TREES, grow_trees


@dataclass(frozen=True, slots=True)
class Learned:
    """A trained network.

    Args:
        predictor: Answers questions about raw rows.
        fit: What the engine reports.
    """

    predictor: Predictor
    fit: FitResult


def learn(
    predictor: Predictor,
    train: Table,
    val: Table,
    *,
    settings: TrainSettings,
    callbacks: Sequence[object] = (),
    checkpoints: Checkpoints | None = None,
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

    Raises:
        TrainingError: The loss is not a finite number.
    """
    val, apart = hold_apart(val, predictor, settings)
    if settings.model.name == TREES:
        predictor, result = grow_trees(predictor, train, val, settings)
    else:
        result = _train(predictor, train, val, settings, callbacks, checkpoints)
    predictor.decision = decide(predictor, val, apart, settings)
    return Learned(predictor, result)


def _train(
    predictor: Predictor,
    train: Table,
    val: Table,
    settings: TrainSettings,
    callbacks: Sequence[object],
    checkpoints: Checkpoints | None,
) -> FitResult:
    batches = batches_of(train, predictor, settings, shuffle=True)
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


def fit_encoders(
    train: Table, schema: Schema, settings: TrainSettings, module: nn.Module | None
) -> Encoders:
    """Learn the encoding of the input columns; the user's own network gets one number block."""
    encode = settings.encode
    if module is not None:
        encode = encode.model_copy(update={"categories": "onehot"})
    return Encoders.fit(train, schema, encode)


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
    """Encode a table and put it on the device."""
    weight = predictor.schema.name_of("weight")
    pictures = predictor.encoders.spec.image_shape
    augment = None
    if shuffle and pictures is not None:
        augment = augmentation(settings.augment, pictures)
    return TensorBatches(
        predictor.encoders.encode(table),
        predictor.task.encode(table),
        weight=None if weight is None else table.series(weight).to_numpy().astype("float32"),
        ids=table.ids,
        batch_size=settings.engine.batch_size if shuffle else 1024,
        shuffle=shuffle,
        seed=settings.seed,
        augment=augment,
    )
