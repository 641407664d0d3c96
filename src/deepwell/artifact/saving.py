"""Writing a model folder: complete and proved, or not at all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from deepwell.artifact.architecture import weights_of
from deepwell.artifact.card import model_card
from deepwell.artifact.folder import (
    ARCHITECTURE,
    CARD,
    DECISION,
    ENCODERS,
    GOLDEN,
    SCHEMA,
    TASK,
    WEIGHTS,
    atomic_folder,
)
from deepwell.artifact.golden import Golden, pick_rows
from deepwell.artifact.manifest import write_manifest
from deepwell.artifact.opening import open_folder
from deepwell.data.conform import require_columns
from deepwell.data.table import Table
from deepwell.errors import ArtifactError, DataError
from deepwell.files import atomic_path, write_json, write_text

if TYPE_CHECKING:
    from deepwell.artifact.predictor import Predictor

_GOLDEN_ROWS = 5
_GOLDEN_PICTURES = 3


def save(predictor: Predictor, path: Path, *, golden: Table, card: Mapping[str, Any]) -> Path:
    """Write a model folder; see `Predictor.save`."""
    proof = _proof(predictor, golden)
    with atomic_folder(path) as folder:
        _write_parts(folder, predictor, proof, card)
        write_manifest(folder, needs=_oldest_format(predictor))
        if not predictor.recipe.is_custom:
            open_folder(folder)  # builds the network anew and computes the golden rows again
    return path


def _oldest_format(predictor: Predictor) -> int:
    """Return the oldest format in which readers understand the task and the decision."""
    decision = predictor.decision
    if "quantiles" in predictor.task.to_json().get("settings", {}):
        return 3
    return 1 if decision is None or decision.is_of_format_2 else 3


def _write_parts(
    folder: Path, predictor: Predictor, golden: Golden, card: Mapping[str, Any]
) -> None:
    with atomic_path(folder / WEIGHTS) as temporary:
        _write_weights(predictor, temporary)
    write_json(folder / ARCHITECTURE, predictor.recipe.to_json())
    write_json(folder / TASK, predictor.task.to_json())
    write_json(folder / SCHEMA, predictor.schema.to_json())
    write_json(folder / ENCODERS, predictor.encoders.to_json())
    write_json(folder / GOLDEN, golden.to_json())
    if predictor.decision is not None and not predictor.decision.is_plain:
        write_json(folder / DECISION, predictor.decision.to_json())
    write_text(folder / CARD, model_card(predictor, card, num_golden=len(golden.rows)))


def _write_weights(predictor: Predictor, path: Path) -> None:
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    try:
        save_file(weights_of(predictor.model), path)
    except SafetensorError as error:
        # the writer hides the number of the operating system's error in its text
        number = re.search(r"os error (\d+)", str(error))
        raise OSError(int(number[1]) if number else 0, str(error)) from error


def _proof(predictor: Predictor, rows: Table) -> Golden:
    """Compute the expected outputs on the CPU, where loading will compute them again."""
    if not len(rows):
        raise DataError("A model folder needs at least one training row for its golden rows.")
    require_columns(rows, predictor.input_names)
    count = _GOLDEN_PICTURES if predictor.encoders.spec.image_shape else _GOLDEN_ROWS
    few = pick_rows(rows, predictor.input_names, count)
    device = predictor.device
    try:
        outputs = predictor.to("cpu").outputs(few)
    finally:
        predictor.to(device)
    if not np.isfinite(outputs).all():
        raise ArtifactError(
            "The model is not saved, because it answers with NaN or infinity for rows of its own "
            "training data: train it anew with a smaller learning rate."
        )
    return Golden(rows=few, outputs=outputs)
