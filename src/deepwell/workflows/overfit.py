"""Overfitting one batch: can this network learn at all? No run folder is made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from deepwell.config import merge
from deepwell.engine.probing.overfit import Overfit, overfit_batch
from deepwell.engine.processes import joined_processes
from deepwell.errors import ConfigError
from deepwell.workflows.find import no_steps, training_batches, untrained
from deepwell.workflows.mapped import prepare_as_asked
from deepwell.workflows.prepare import Say
from deepwell.workflows.settings import TrainSettings
from deepwell.workflows.trees import is_grown


def overfit(
    data: Any,
    target: str | Sequence[str] | None = None,
    *,
    model: str | nn.Module | None = None,
    settings: Mapping[str, Any] | None = None,
    say: Say | None = None,
) -> Overfit:
    """Train a network on one batch of your data until it knows the rows by heart.

    Args:
        data: Path of a file or folder, a frame, arrays, or a dict of columns.
        target: Name or names of the columns to predict; folders of images need none.
        model: Name from the catalog, or your own network; None chooses by the data.
        settings: Nested settings, see `TrainSettings`.
        say: Called with each finding, in words; None is silent.

    Raises:
        DeepwellError: The data, the target or a setting cannot be used.
    """
    overrides = dict(settings or {})
    if target is not None:
        overrides["target"] = (target,) if isinstance(target, str) else tuple(target)
    if isinstance(model, str):
        overrides = merge(overrides, {"model": {"name": model}})
    refuse_more_than_a_batch(overrides)
    module = model if isinstance(model, nn.Module) else None
    prepared = prepare_as_asked(data, overrides, module=module, say=say or (lambda text: None))
    predictor = untrained(prepared, module)
    return overfit_batch(
        predictor.model,
        prepared.task,
        training_batches(prepared, predictor),
        settings=prepared.settings.engine,
        seed=prepared.settings.seed,
    )


def refuse_more_than_a_batch(overrides: Mapping[str, Any]) -> None:
    """Refuse, before the data are read, what has no meaning for one batch and one network.

    Raises:
        ConfigError: It is asked for.

    Example:
        >>> refuse_more_than_a_batch({"engine": {"devices": 1}})
    """
    settings = TrainSettings.model_validate(overrides)
    if is_grown(settings.model.name):
        raise no_steps(settings.model.name)
    refused = {
        "--find-lr": settings.find.learning_rate,
        "--find-batch-size": settings.find.batch_size,
        "--devices": settings.engine.devices > 1 or not joined_processes().is_alone,
        "--folds": settings.folds.count > 0,
        "--ensemble": settings.ensemble > 1,
    }
    for name, is_given in refused.items():
        if is_given:
            raise ConfigError(
                f"--overfit-batch trains one network on one batch, in one process, and tries its "
                f"own rates: leave {name} out."
            )


def verdict(result: Overfit) -> str:
    """Say in a sentence whether the network can learn.

    Example:
        >>> verdict(Overfit(
        ...     is_learned=True, rows=32, steps=80, rate=0.001, first=1.2, last=0.01, scores={},
        ...     advice=(),
        ... ))
        'The network can learn: it knew 32 rows by heart after 80 steps (loss 1.2 → 0.01).'
    """
    losses = f"(loss {result.first:.3g} → {result.last:.3g}{_accuracy(result)})"
    if result.is_learned:
        return (
            f"The network can learn: it knew {result.rows} rows by heart after {result.steps} "
            f"steps {losses}."
        )
    return (
        f"The network could not learn {result.rows} rows by heart in {result.steps} steps, with "
        f"three learning rates {losses}."
    )


def _accuracy(result: Overfit) -> str:
    accuracy = result.scores.get("accuracy")
    return "" if accuracy is None else f", accuracy {accuracy:.0%}"
