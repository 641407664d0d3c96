"""Finding: learning rate and batch size by short trials before training."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import nn

from deepwell.artifact import Predictor
from deepwell.engine import MappedBatches, TensorBatches
from deepwell.engine.probing.batch_sizes import (
    Trial,
    find_batch_size,
    refuse_full_batch,
)
from deepwell.engine.probing.memory import readable
from deepwell.engine.probing.rates import find_rate, refuse_without_rate
from deepwell.engine.probing.settings import FindSettings
from deepwell.engine.processes import joined_processes
from deepwell.errors import ConfigError
from deepwell.workflows.learn import (
    assemble,
    batches_of,
    fit_encoders,
    show_rows,
    stored_batches,
)
from deepwell.workflows.prepare import Prepared, Say
from deepwell.workflows.settings import TrainSettings
from deepwell.workflows.trees import is_grown

LR_FILE, BATCH_FILE = "find_lr.json", "find_batch_size.json"
_OPTIONS = {"learning_rate": ("--find-lr", "--learning-rate"),
            "batch_size": ("--find-batch-size", "--batch-size")}  # fmt: skip


def refuse_unfindable(overrides: Mapping[str, Any]) -> None:
    """Refuse, before the data are read, to find what is given as well, or in several processes.

    Raises:
        ConfigError: It is asked for.

    Example:
        >>> refuse_unfindable({"find": {"learning_rate": True}})
    """
    settings = TrainSettings.model_validate(overrides)
    asked = settings.find
    is_alone = settings.engine.devices == 1 and joined_processes().is_alone
    if (asked.learning_rate or asked.batch_size) and not is_alone:
        raise ConfigError(
            "--find-lr and --find-batch-size look at one process: find the values without "
            "--devices, and give them to the training as --learning-rate and --batch-size."
        )
    if (asked.learning_rate or asked.batch_size) and is_grown(settings.model.name):
        raise no_steps(settings.model.name)
    given = overrides.get("engine") or {}
    for name, (finding, giving) in _OPTIONS.items():
        if getattr(asked, name) and given.get(name) is not None:
            raise ConfigError(
                f"{finding} finds engine.{name}, and {given[name]} is given for it: leave out one "
                f"of {finding} and {giving}."
            )


def no_steps(model: str) -> ConfigError:
    """Return the error for trees where training steps are looked at."""
    return ConfigError(
        f"{model} grows trees and makes no training steps that could be looked at: choose another "
        "--model, such as mlp."
    )


def find(
    prepared: Prepared, *, module: nn.Module | None, say: Say
) -> tuple[Prepared, dict[str, Any]]:
    """Find what the settings ask for, and put it into the settings.

    Args:
        prepared: The divided rows.
        module: The user's own network; it is copied.
        say: Called with what was found.

    Returns:
        The same rows with the new settings, and the files of the run folder that tell how they
        came about.

    Raises:
        ConfigError: What is asked for has no meaning for this optimizer or loss.
        TrainingError: Nothing can be found.
    """
    asked = prepared.settings.find
    if not (asked.learning_rate or asked.batch_size):
        return prepared, {}
    if asked.batch_size:
        refuse_full_batch(prepared.settings.engine)
    if asked.learning_rate:
        _refuse_loss(prepared.settings)
        refuse_without_rate(prepared.settings.engine)
    predictor = untrained(prepared, module)
    files: dict[str, Any] = {}
    if asked.batch_size:
        prepared, files[BATCH_FILE] = _find_batch_size(prepared, predictor, say)
    if asked.learning_rate:
        prepared, files[LR_FILE] = _find_rate(prepared, predictor, say)
    # what was found is now given, so that the settings of the run say it all
    settings = prepared.settings.model_copy(update={"find": FindSettings()})
    return replace(prepared, settings=settings), files


def untrained(prepared: Prepared, module: nn.Module | None) -> Predictor:
    """Return a network as training will begin with it, with encoders and task.

    Raises:
        ConfigError: The model is none that is trained in steps.
    """
    settings = prepared.settings
    if settings.model.name == "auto":
        raise ConfigError(
            "Here --model auto lets several models compete, and this looks at one network: name "
            "it, as in --model mlp."
        )
    if is_grown(settings.model.name):
        raise no_steps(settings.model.name)
    # the user's own network must be as it was, also where its layers look at the rows first
    module = copy.deepcopy(module)
    encoders = fit_encoders(prepared.train, prepared.schema, prepared.task, settings, module)
    predictor = assemble(encoders, prepared.task, prepared.schema, settings, module)
    show_rows(predictor, prepared.train, seed=settings.seed)
    return predictor


def training_batches(
    prepared: Prepared, predictor: Predictor, settings: TrainSettings | None = None
) -> TensorBatches | MappedBatches:
    """Return the training rows in the batches of a training, from memory or from the disk."""
    settings = settings or prepared.settings
    if prepared.stored is not None:
        return stored_batches(prepared.stored.rows, predictor, settings)
    return batches_of(prepared.train, predictor, settings, shuffle=True)


def _refuse_loss(settings: TrainSettings) -> None:
    if settings.task.loss == "perceptron":
        raise ConfigError(
            "With the perceptron loss the learning rate only scales all weights and changes no "
            "answer, so there is none to find: leave --find-lr out."
        )


def _find_rate(
    prepared: Prepared, predictor: Predictor, say: Say
) -> tuple[Prepared, dict[str, Any]]:
    settings = prepared.settings
    test = find_rate(
        predictor.model,
        prepared.task,
        training_batches(prepared, predictor),
        settings=settings.engine,
        seed=settings.seed,
        steps=settings.find.steps,
    )
    say(
        f"Learning rate {test.suggestion:g}, found by a range test of {len(test.rates)} steps. "
        f"{test.rule}"
    )
    return _with(prepared, "learning_rate", test.suggestion), test.to_json()


def _find_batch_size(
    prepared: Prepared, predictor: Predictor, say: Say
) -> tuple[Prepared, dict[str, Any]]:
    settings = prepared.settings

    def batches(size: int) -> TensorBatches | MappedBatches:
        sized = _with(prepared, "batch_size", size).settings
        return training_batches(prepared, predictor, sized)

    search = find_batch_size(
        predictor.model,
        prepared.task,
        batches,
        rows=training_batches(prepared, predictor).rows,
        settings=settings.engine,
        seed=settings.seed,
    )
    for trial in search.trials:
        say(trial_line(trial))
    say(search.reason)
    if not settings.find.learning_rate:
        say("Another batch size often wants another learning rate: see --find-lr.")
    return _with(prepared, "batch_size", search.batch_size), search.to_json()


def trial_line(trial: Trial) -> str:
    """Return a line of the table of batch sizes.

    Example:
        >>> trial_line(Trial(batch_size=64, rows_per_second=12345.6, memory=3 * 2**20))
        'batch     64       12,346 rows/s     3 MiB'
    """
    if trial.rows_per_second is None:
        return f"batch {trial.batch_size:>6,}   not enough memory"
    speed = f"{trial.rows_per_second:,.0f} rows/s"
    return f"batch {trial.batch_size:>6,}  {speed:>18} {readable(trial.memory):>9}"


def _with(prepared: Prepared, name: str, value: float) -> Prepared:
    engine = prepared.settings.engine.model_copy(update={name: value})
    return replace(prepared, settings=prepared.settings.model_copy(update={"engine": engine}))
