"""Loading: from a folder to a predictor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from deepwell.artifact.folder import locate
from deepwell.artifact.opening import open_folder
from deepwell.artifact.predictor import Predictor

if TYPE_CHECKING:
    import torch
    from torch import nn


def load(
    path: str | Path, *, model: nn.Module | None = None, device: torch.device | str = "cpu"
) -> Predictor:
    """Load a model folder.

    The checks come in this order: the manifest and its format, every file against its hash, no
    pickle anywhere in the folder, the weights against the network. Then the network is built, and
    the golden rows are computed again from their raw values and compared with the answers of the
    day on which the model was saved. No code of the folder is ever executed.

    Args:
        path: A model folder, or a run folder with the folder `model` in it.
        model: For a model of your own: a module with the right shapes, which is filled in place.
        device: Where the network shall run: "cpu", "cuda", "cuda:1", "mps".

    Raises:
        ArtifactError: The folder is missing, damaged, unsafe, made by a newer Deepwell, or does
            not answer as it did.
        ConfigError: There is no such device.

    Example:
        >>> predictor = load("runs/houses")  # doctest: +SKIP
        >>> predictor.predict("new.csv")["prediction"]  # doctest: +SKIP
    """
    opened = open_folder(locate(path), model)
    return Predictor(
        opened.model,
        task=opened.task,
        encoders=opened.encoders,
        schema=opened.schema,
        architecture=opened.architecture.to_json(),
        device=device,
        decision=opened.decision,
    )
