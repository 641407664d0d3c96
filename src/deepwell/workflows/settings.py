"""All settings of a training, composed of those of the rooms."""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field

from deepwell.config import Settings
from deepwell.data.settings import DataSettings, EncodeSettings
from deepwell.data.split import SplitSettings
from deepwell.engine.settings import EngineSettings
from deepwell.evaluation.settings import EvaluationSettings
from deepwell.nn.augment.settings import AugmentSettings
from deepwell.tasks.decisions.settings import DecisionSettings
from deepwell.tasks.settings import TaskSettings


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
    data: DataSettings = DataSettings()
    """How the data are read."""
    split: SplitSettings = SplitSettings()
    """How the rows are divided."""
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
    decide: DecisionSettings = DecisionSettings()
    """How predictions become answers."""
    evaluation: EvaluationSettings = EvaluationSettings()
    """Scores, intervals and baselines."""
