"""Reopening a run: its data, read again, are those that it was made from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import nn

from deepwell.artifact.architecture import CUSTOM
from deepwell.errors import RunError
from deepwell.runs import RunFolder
from deepwell.workflows.mapped import prepare_as_asked
from deepwell.workflows.prepare import Prepared, Say


def made_from(
    run: RunFolder, data: Any, *, model: nn.Module | None, verb: str
) -> tuple[Any, dict[str, Any]]:
    """Return the data of a run, or where they are, and its settings.

    Args:
        run: The run folder.
        data: Needed only if the run was trained on an object of Python, or the file has moved.
        model: Needed only if the run trained the user's own network.
        verb: The function of `deepwell` that is at work, for messages.

    Raises:
        RunError: Data or network are needed and not given.
    """
    source = data if data is not None else run.read("manifest.json")["data"]["path"]
    if source is None:
        raise RunError(
            f"{run.path} was trained on an object of Python, not on a file: "
            f'{verb} it from Python with deepwell.{verb}("{run.path}", data).'
        )
    config = run.read_config()
    if config.get("model", {}).get("name") == CUSTOM and model is None:
        raise RunError(
            f"{run.path} trained a network of your own: {verb} it from Python with "
            f'deepwell.{verb}("{run.path}", model=…), and give the network as it was built.'
        )
    return source, config


def reopen(
    run: RunFolder, source: Any, config: Mapping[str, Any], *, model: nn.Module | None, say: Say
) -> Prepared:
    """Read the data of a run again and divide them as before.

    Args:
        run: The run folder.
        source: The data, or where they are.
        config: The settings of the run.
        model: The user's own network, if the run has one.
        say: Called with each finding, in words.

    Raises:
        RunError: The data have changed.
    """
    prepared = prepare_as_asked(source, config, module=model, say=say)
    _require_same_data(run, prepared)
    return prepared


def _require_same_data(run: RunFolder, prepared: Prepared) -> None:
    if prepared.source.digest != run.read("manifest.json")["data"]["digest"]:
        raise RunError(
            f"The data have changed since {run.path} was started: restore them, "
            "or start again with `deepwell train`."
        )
    for name, ids in run.read_splits().items():
        if not np.array_equal(ids, prepared.ids[name]):
            raise RunError(
                f"The {name} rows differ from those of {run.path}: it was made by another "
                "version of Deepwell. Start again with `deepwell train`."
            )
