"""Weights of a network that its user builds again: one safetensors file, no pickle."""

from __future__ import annotations

from pathlib import Path

from torch import nn
from torch.nn.parameter import is_lazy

from deepwell.artifact.architecture import stored_shapes, weights_of
from deepwell.errors import ArtifactError, ModelError
from deepwell.files import atomic_path


def write_weights(network: nn.Module, path: Path) -> Path:
    """Write all weights to a file.

    Raises:
        ModelError: The layers have no weights yet.
        OutputError: The file cannot be written.
    """
    from safetensors.torch import save_file

    if any(is_lazy(weight) for weight in network.parameters()):
        raise ModelError("The layers have no weights yet: fit the network first, or predict once.")
    with atomic_path(path) as temporary:
        save_file(weights_of(network), temporary)
    return path


def read_weights(network: nn.Module, path: Path) -> None:
    """Fill a network with the weights of a file; layers without weights get theirs.

    Raises:
        ArtifactError: There is no such file, it is damaged, or its weights do not fit.
    """
    from safetensors.torch import load_file

    if not path.is_file():
        raise ArtifactError(f'There is no file "{path}".')
    _ = stored_shapes(path)
    try:
        network.load_state_dict(load_file(path), strict=True)
    except RuntimeError as error:
        reason = " ".join(str(error).split()).partition(": ")[2]
        raise ArtifactError(f"The weights in {path} do not fit the network: {reason}") from error
