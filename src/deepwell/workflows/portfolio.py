"""The portfolio: the models that `--model auto` lets compete on a table, and by which rules."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from deepwell.config import merge
from deepwell.data import Schema, Table
from deepwell.tasks import Regression, Task
from deepwell.workflows.plan import has_images
from deepwell.workflows.settings import TrainSettings

FEWEST_ROWS = 200
"""With fewer rows their scores differ by chance alone: then a single network is trained."""
NUM_FOLDS = 5
_FEW_ROWS = 10_000
"""Up to so many rows there is time for models that are seldom the best."""
MANY_ROWS = 20_000
"""From so many rows on a network needs fewer epochs."""


_SKEWED = 0.5
"""Skewness from which a logarithm may help."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A model that takes part.

    Args:
        title: What people read, and the name of its folder.
        overrides: Settings over those recommended for the model.
        of_many: Further ones where there are many rows: fewer epochs, as each gives many steps.
            What the user asks for goes over those that are not of the model.
        beyond_few: Whether it takes part where rows are more than few, and time is short: "always",
            "never", or with "classes" only.
        targets: Which ones it is for: "any", "skewed" or "even"; see `is_skewed`.
    """

    title: str
    overrides: Mapping[str, Any] = field(default_factory=dict[str, Any])
    of_many: Mapping[str, Any] = field(default_factory=dict[str, Any])
    beyond_few: Literal["always", "classes", "never"] = "always"
    targets: Literal["any", "skewed", "even"] = "any"

    @property
    def model(self) -> str:
        """Its name in the catalog."""
        return self.overrides["model"]["name"]

    def settings(self, given: Mapping[str, Any], num_rows: int) -> dict[str, Any]:
        """Return the settings to train with: those of the user over those for many rows."""
        of_many = dict(self.of_many) if num_rows > MANY_ROWS else {}
        own = merge(dict(self.overrides), of_many)
        return merge(merge(own, dict(given)), {"model": own["model"]})


_FEW_COLUMNS = {
    "name": "boosted_trees",
    "max_features": 0.4,
    "max_leaves": 15,
    "learning_rate": 0.06,
    "min_leaf_rows": 8,
    "l2": 1.0,
}
_SLOW = {**_FEW_COLUMNS, "max_leaves": 31, "learning_rate": 0.03}
_SYMMETRIC_LOGARITHM = {"name": "symmetric_trees", "learning_rate": 0.1, "log_targets": True}
_LINEAR = {
    "model": {"name": "linear"},
    "engine": {
        "optimizer": "lbfgs",
        "epochs": 10,
        "regularisation": {"l2": 0.003},
    },
}

ENTRANTS = (
    Entrant("symmetric_trees", {"model": {"name": "symmetric_trees"}}),
    Entrant("boosted_trees", {"model": {"name": "boosted_trees"}}),
    Entrant("boosted_trees, few columns", {"model": _FEW_COLUMNS}, beyond_few="never"),
    Entrant("boosted_trees, slow", {"model": _SLOW}, beyond_few="never", targets="even"),
    Entrant(
        "boosted_trees, logarithm",
        {"model": {**_SLOW, "log_targets": True}},
        beyond_few="never",
        targets="skewed",
    ),
    Entrant("symmetric_trees, logarithm", {"model": _SYMMETRIC_LOGARITHM}, targets="skewed"),
    Entrant("linear", _LINEAR, beyond_few="never"),
    Entrant(
        "realmlp",
        {
            "model": {"name": "realmlp", "number_embedding": "piecewise"},
            # the race judges probabilities, which smoothed labels bend
            "task": {"label_smoothing": 0.0},
        },
        of_many={"engine": {"epochs": 24}},
    ),
    Entrant(
        "tabm",
        {"model": {"name": "tabm"}},
        of_many={"model": {"name": "tabm", "num_members": 8}, "engine": {"epochs": 12}},
        beyond_few="classes",
    ),
    Entrant("mlp", {"model": {"name": "mlp"}}, beyond_few="never"),
)
"""In the order in which they are trained: what is quick and usually good comes first."""


def entrants_for(task: Task, rows: Table) -> tuple[Entrant, ...]:
    """Return the models that compete.

    Args:
        task: The question.
        rows: All that may be learned from.
    """
    kinds = ("always",) if task.name == "regression" else ("always", "classes")
    targets = ("any", "skewed" if is_skewed(task, rows) else "even")
    are_few = len(rows) <= _FEW_ROWS
    return tuple(
        one for one in ENTRANTS if one.targets in targets and (are_few or one.beyond_few in kinds)
    )


def is_skewed(task: Task, rows: Table) -> bool:
    """Tell whether targets are numbers above zero of which a few are far larger than the others.

    Sums of money are often so: the skewness, the mean cube of the standardised values, is over 0.5.
    """
    if not isinstance(task, Regression) or task.settings.target_transform != "none":
        return False
    values = task.truth(rows)
    spread = values.std(axis=0)
    if not (values > 0).all() or not (spread > 0).all():
        return False
    skewness = (((values - values.mean(axis=0)) / spread) ** 3).mean(axis=0)
    return bool((skewness > _SKEWED).all())


def is_race(settings: TrainSettings, schema: Schema, num_train: int, num_val: int) -> bool:
    """Tell whether a choice of model stands for a competition.

    Settings of a network, such as a dropout, are for the single network that "auto" stood for, and
    so is an ensemble.
    """
    choice = settings.model
    return (
        choice.name == "auto"
        and settings.ensemble == 1
        and settings.decide.uncertainty == "none"
        and settings.engine.devices == 1
        and not choice.options
        and not has_images(schema)
        and num_train + num_val >= FEWEST_ROWS
        and (num_val > 0 or num_folds(schema) > 1)
    )


def num_folds(schema: Schema) -> int:
    """Return how many folds each model is trained on; 1 stands for the validation rows as given."""
    return NUM_FOLDS if schema.name_of("time") is None else 1
