"""A recipe: data, settings, seeds, and the range in which the scores must be."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from deepwell.catalog import Catalog
from deepwell.config import Settings
from deepwell.workflows.settings import TrainSettings

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent
DATA_VARIABLE = "DEEPWELL_DATA"


class Gate(Settings):
    """A condition on the results of all seeds.

    Either the mean of a value, or of a value over that of a baseline, is within a range; or the
    verdict against a baseline has to be the same in enough seeds. A range has two ends: a score
    that is too good to be true fails too, for it is mostly a leak.
    """

    value: str | None = None
    """A metric of the test rows, training_seconds or minutes."""
    over: str | None = None
    """Divide by this baseline's value."""
    low: float | None = None
    """Least mean over the seeds."""
    high: float | None = None
    """Largest mean over the seeds."""
    better_than: str | None = None
    """A baseline that the network must beat beyond the interval of their paired difference."""
    least_better: int | None = None
    """In at least this many seeds (all, if fewer seeds are run)."""
    most_worse: int = 0
    """In at most this many seeds the baseline may win beyond the interval."""

    @model_validator(mode="after")
    def _one_kind(self) -> Gate:
        is_range = self.value is not None and self.low is not None and self.high is not None
        is_verdict = self.better_than is not None and self.least_better is not None
        if is_range == is_verdict:
            raise ValueError(
                "A gate has either value, low and high, or better_than and least_better"
            )
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError("low must be below high")
        return self


class Recipe(Settings):
    """What to train and what to expect.

    Raises:
        ConfigError: An unknown key or a wrong value.
    """

    title: str
    """What it shows."""
    data: str
    """A path in this project, or one that begins with $DEEPWELL_DATA."""
    seeds: tuple[int, ...] = Field(min_length=1)
    """Each gives one run with its own split, weights and order."""
    metric: str
    """The one that is shown for each baseline too."""
    settings: TrainSettings = TrainSettings()
    """Checked here; only what the file names is given to the training."""
    gates: tuple[Gate, ...] = Field(min_length=1)
    """All must hold."""

    @property
    def overrides(self) -> dict[str, Any]:
        """The settings that the recipe names, nested, for `deepwell.train`."""
        return self.settings.model_dump(exclude_unset=True)

    @property
    def path(self) -> Path | None:
        """Where the data are, or None if they are not at hand."""
        variable, _, rest = self.data.partition("/")
        if variable != f"${DATA_VARIABLE}":
            found = ROOT / self.data
        elif os.environ.get(DATA_VARIABLE):
            found = Path(os.environ[DATA_VARIABLE]) / rest
        else:
            return None
        return found if found.exists() else None


def names() -> tuple[str, ...]:
    """Return the names of all recipes."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.toml")))


def load(name: str) -> Recipe:
    """Read a recipe by name.

    Raises:
        ConfigError: There is no such recipe, or it has a mistake.
    """
    catalog: Catalog[Path] = Catalog("recipe")
    for known in names():
        catalog.add(known, FOLDER / f"{known}.toml")
    return Recipe.model_validate(tomllib.loads(catalog[name].read_text(encoding="utf-8")))
