"""Profiling: where the time of a training step goes, on your data and your machine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import nn

from deepwell.artifact.architecture import CUSTOM
from deepwell.config import merge
from deepwell.engine.probing.profile import Profile
from deepwell.engine.probing.profile import profile as measure
from deepwell.errors import RunError
from deepwell.runs import RunFolder
from deepwell.workflows.find import training_batches, untrained
from deepwell.workflows.mapped import prepare_as_asked
from deepwell.workflows.prepare import Say


def profile(
    data: Any,
    target: str | Sequence[str] | None = None,
    *,
    model: str | nn.Module | None = None,
    settings: Mapping[str, Any] | None = None,
    steps: int = 30,
    say: Say | None = None,
) -> Profile:
    """Measure some training steps; nothing is written.

    Args:
        data: As for `deepwell.train`, or the path of a run folder, whose data and settings are
            then those that are measured.
        target: Name or names of the columns to predict.
        model: Name from the catalog, or your own network; None chooses by the data.
        settings: Nested settings, see `TrainSettings`; they go over those of a run.
        steps: Steps to measure; fewer if they are slow.
        say: Called with each finding, in words; None is silent.

    Raises:
        DeepwellError: The data, the target or a setting cannot be used.
    """
    overrides = dict(settings or {})
    if target is not None:
        overrides["target"] = (target,) if isinstance(target, str) else tuple(target)
    if isinstance(model, str):
        overrides = merge(overrides, {"model": {"name": model}})
    module = model if isinstance(model, nn.Module) else None
    if isinstance(data, str | Path) and (Path(data) / "status.json").is_file():
        data, overrides = _of_run(RunFolder.open(data), overrides, module)
    prepared = prepare_as_asked(data, overrides, module=module, say=say or (lambda text: None))
    predictor = untrained(prepared, module)
    return measure(
        predictor.model,
        prepared.task,
        training_batches(prepared, predictor),
        settings=prepared.settings.engine,
        seed=prepared.settings.seed,
        steps=steps,
    )


def _of_run(
    run: RunFolder, overrides: Mapping[str, Any], module: nn.Module | None
) -> tuple[str, dict[str, Any]]:
    """Return the data and the settings of a run."""
    config, source = run.read_config(), run.read("manifest.json")["data"]["path"]
    if source is None:
        raise RunError(
            f"{run.path} was trained on an object of Python, not on a file: profile it from "
            "Python with deepwell.workflows.profile.profile(data, …)."
        )
    if config.get("model", {}).get("name") == CUSTOM and module is None:
        raise RunError(
            f"{run.path} trained a network of your own: profile it from Python with "
            f'deepwell.workflows.profile.profile("{run.path}", model=…).'
        )
    return source, merge(config, overrides)
