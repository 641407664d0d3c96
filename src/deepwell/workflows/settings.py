"""All settings of a training, composed of those of the rooms."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict, Field, field_validator, model_validator

from deepwell.config import Settings
from deepwell.data.folds import FoldSettings
from deepwell.data.settings import DataSettings, EncodeSettings
from deepwell.data.split import SplitSettings
from deepwell.engine.probing.settings import FindSettings
from deepwell.engine.settings import EngineSettings
from deepwell.evaluation.settings import EvaluationSettings
from deepwell.nn.augment.settings import AugmentSettings
from deepwell.tasks.decisions.settings import DEFAULT_COVERAGE, DecisionSettings
from deepwell.tasks.settings import TaskSettings

DEFAULT_ENSEMBLE = 5
"""Networks of an ensemble where it is asked for without their number."""


class ModelChoice(Settings):
    """Which architecture, and its own settings beside the name.

    Example:
        >>> ModelChoice.model_validate({"name": "mlp", "dropout": 0.2}).options
        {'dropout': 0.2}
    """

    model_config = ConfigDict(extra="allow")

    name: str = "auto"
    """A name of the catalog; "auto" chooses by the data."""

    @property
    def options(self) -> dict[str, Any]:
        """The settings of the architecture itself; it checks them."""
        return dict(self.model_extra or {})


class TrainSettings(Settings):
    """Everything that decides a training, apart from the data themselves."""

    target: tuple[str, ...] = ()
    """The columns to predict."""
    seed: int = Field(default=0, ge=0, lt=2**31)
    """One seed gives the same run twice on the same machine."""
    time_limit: float = Field(default=90.0, gt=0, allow_inf_nan=False)
    """Seconds in which the models of `--model auto` may be trained on a table, as a number or as
    10m or 1h."""
    data: DataSettings = DataSettings()
    """How the data are read."""
    split: SplitSettings = SplitSettings()
    """How the rows are divided."""
    folds: FoldSettings = FoldSettings()
    """Cross-validation."""
    ensemble: int = Field(default=1, ge=1, le=100)
    """Networks that are trained on the same rows with other seeds and answer together."""
    encode: EncodeSettings = EncodeSettings()
    """How columns become arrays."""
    task: TaskSettings = TaskSettings()
    """What is asked."""
    model: ModelChoice = ModelChoice()
    """The architecture."""
    augment: AugmentSettings = AugmentSettings()
    """Changes to training pictures."""
    engine: EngineSettings = EngineSettings()
    """The training loop."""
    find: FindSettings = FindSettings()
    """What is found by short trials before training."""
    decide: DecisionSettings = DecisionSettings()
    """How predictions become answers."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """Scores, intervals and baselines."""

    @model_validator(mode="before")
    @classmethod
    def _spell_out_uncertainty(cls, values: Any) -> Any:
        """Let the choice of an uncertainty bring what it needs, where nobody chose that."""
        given: Any = values if isinstance(values, Mapping) else {}
        decide: Any = given.get("decide")
        asked = decide.get("uncertainty") if isinstance(decide, Mapping) else None
        if asked == "ensemble" and given.get("ensemble") is None and not given.get("folds"):
            return {**given, "ensemble": DEFAULT_ENSEMBLE}
        task: Any = given.get("task", {})
        is_chosen = not isinstance(task, Mapping) or {"loss", "quantile", "quantiles"} & set(task)
        if asked == "quantiles" and not is_chosen:
            share = decide.get("coverage", DEFAULT_COVERAGE)
            tail = round((1 - share) / 2, 6) if isinstance(share, float) and 0 < share < 1 else 0.05
            own = {"loss": "quantile", "quantiles": (tail, 0.5, 1 - tail)}
            return {**given, "task": {**task, **own}}
        return values

    @model_validator(mode="after")
    def _one_way_to_many_models(self) -> TrainSettings:
        if self.ensemble > 1 and self.folds.count:
            raise ValueError("choose one of --folds and --ensemble: both train several models")
        asked = self.decide.uncertainty
        if asked == "ensemble" and self.ensemble < 2:
            raise ValueError(
                "uncertainty = ensemble needs several networks on the same rows: --ensemble 5, "
                "and no --folds"
            )
        if asked == "mc_dropout" and self.is_many:
            raise ValueError(
                "uncertainty = mc_dropout asks one network: leave --folds and --ensemble out, or "
                "take uncertainty = ensemble"
            )
        if asked == "quantiles" and self.task.quantiles is None:
            raise ValueError(
                "uncertainty = quantiles learns several of them: leave task.loss out, or set "
                "task.loss=quantile and task.quantiles=[0.05, 0.5, 0.95]"
            )
        return self

    @property
    def is_many(self) -> bool:
        """Whether one model stands for several trainings of it."""
        return self.folds.count > 0 or self.ensemble > 1

    @field_validator("time_limit", mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        found = re.fullmatch(r"\s*([0-9.]+)\s*(s|m|min|h)?\s*", value)
        if found is None:
            raise ValueError("a time is a number of seconds, or one such as 90s, 10m or 1h")
        factor = {"m": 60, "min": 60, "h": 3600}.get(found[2] or "s", 1)
        return float(found[1]) * factor
