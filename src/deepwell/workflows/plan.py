"""The plan: which architecture and which settings suit these data, where the user chose none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deepwell.artifact.architecture import CUSTOM
from deepwell.config import merge
from deepwell.data import Schema
from deepwell.errors import ConfigError
from deepwell.models.catalog import MODELS
from deepwell.models.catalog import resolve as resolve_model
from deepwell.tasks.base import TaskName
from deepwell.tasks.decisions.thresholds import read_cost
from deepwell.workflows.settings import TrainSettings


def choose_model(settings: TrainSettings, schema: Schema) -> str:
    """Return the name of the architecture.

    Raises:
        ModelError: The name is not in the catalog.
    """
    if settings.model.name != "auto":
        name = settings.model.name
        MODELS[name]  # an unknown name raises here, with a suggestion
        return name
    return "cnn" if has_images(schema) else "mlp"


def has_images(schema: Schema) -> bool:
    """Tell whether a network will see pictures."""
    return any(column.kind == "image" for column in schema.inputs)


def resolve(
    overrides: Mapping[str, Any],
    schema: Schema,
    num_rows: int,
    *,
    question: TaskName | None = None,
    is_own: bool = False,
) -> TrainSettings:
    """Lay the user's choices over the model's recommendations and those over the defaults.

    Args:
        overrides: What the user chose, nested as in `TrainSettings`.
        schema: Of the data.
        num_rows: Number of training rows.
        question: What is asked; None leaves out what is recommended for some questions only.
        is_own: Whether the network is the user's own: nothing is recommended for it then.

    Raises:
        ConfigError: An unknown setting or a wrong value.
        ModelError: An unknown architecture.
    """
    asked = TrainSettings.model_validate(overrides)
    name = CUSTOM if is_own else choose_model(asked, schema)
    defaults = image_defaults() if has_images(schema) else table_defaults(num_rows)
    recommended = defaults if is_own else merge(defaults, recommendations(name, question))
    if asked.augment.preset != "auto":
        recommended = {key: value for key, value in recommended.items() if key != "augment"}
    if "optimizer" in overrides.get("engine", {}):
        recommended = without_rates(recommended)
    chosen = merge(recommended, overrides)
    own = recommended.get("model", {})
    options = {} if is_own else model_options(name, asked.model.options, own)
    return TrainSettings.model_validate({**chosen, "model": {"name": name, **options}})


def costs_of_numbers(overrides: Mapping[str, Any], question: TaskName) -> Mapping[str, Any]:
    """Take two costs for those of an error above and below, where the target is a number.

    Args:
        overrides: What the user chose, nested as in `TrainSettings`.
        question: What is asked.

    Raises:
        ConfigError: No two costs, or costs that are said twice.

    Example:
        >>> costs_of_numbers({"decide": {"cost": "1,5"}}, "regression")
        {'decide': {}, 'evaluation': {'cost_over': 1.0, 'cost_under': 5.0}}
    """
    decide = dict(overrides.get("decide", {}))
    given = decide.pop("cost", None)
    if question != "regression" or given in (None, "none") or "threshold" in decide:
        return overrides
    cost, evaluation = read_cost(given), overrides.get("evaluation", {})
    if len(cost) != 2 or cost[0][0] or cost[1][1]:
        raise ConfigError(
            "The target is a number: give two costs, of a unit too high and of a unit too low, "
            "such as --cost 1,5."
        )
    if "cost_over" in evaluation or "cost_under" in evaluation:
        raise ConfigError(
            "--cost and evaluation.cost_over or cost_under say the same of a number: leave one "
            "of them out."
        )
    of_errors = {"cost_over": cost[0][1], "cost_under": cost[1][0]}
    return {**overrides, "decide": decide, "evaluation": {**evaluation, **of_errors}}


def recommendations(name: str, question: TaskName | None) -> dict[str, Any]:
    """Return what suits an architecture: always, and over that for the question."""
    entry = MODELS[name]
    if question is None:
        return dict(entry.recommended)
    kind = "numbers" if question == "regression" else "classes"
    return merge(dict(entry.recommended), entry.recommended_for.get(kind, {}))


def model_options(
    name: str, given: Mapping[str, Any], recommended: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Return all settings of an architecture, so that a run remembers what was the default.

    The scaling of pixels and the link are left out where nobody chose them: the training rows and
    the question decide.

    Raises:
        ModelError: An unknown architecture.
        ConfigError: An unknown setting or preset, or a wrong value.
    """
    preset = MODELS[name].presets.get(str(given.get("preset")), {})
    own = {key: value for key, value in (recommended or {}).items() if key not in preset}
    complete = resolve_model(name, {**own, **given}, group="model").plain()
    measured = {"mean", "std", "link"} - set(given) - set(preset)
    return {key: value for key, value in complete.items() if key not in measured}


def without_rates(recommended: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out what suits one optimizer only: another one has defaults of its own."""
    of_optimizer = ("optimizer", "learning_rate", "weight_decay")
    engine = {k: v for k, v in recommended.get("engine", {}).items() if k not in of_optimizer}
    return {**recommended, "engine": engine}


def image_defaults() -> dict[str, Any]:
    """Return settings for pictures: found on Fashion-MNIST's validation rows (recipes/)."""
    return {
        "augment": {"shift": 0.08},
        "engine": {
            "epochs": 10,
            "batch_size": 128,
            "optimizer": "adamw",
            "learning_rate": 3e-3,
            "weight_decay": 0.05,
            "schedule": "one_cycle",
        },
    }


def table_defaults(num_rows: int) -> dict[str, Any]:
    """Return settings for tables: small tables need small batches and more epochs."""
    batch_size = 32 if num_rows < 1_000 else 128 if num_rows < 20_000 else 256
    epochs = 60 if num_rows < 20_000 else 40
    return {
        "engine": {
            "epochs": epochs,
            "batch_size": batch_size,
            "optimizer": "adamw",
            "learning_rate": 1e-3,
            "weight_decay": 0.01,
            "schedule": "cosine",
            "warmup": 0.05,
            "patience": epochs // 2,
        },
    }
