"""Settings of the question that is asked."""

from typing import Literal

from pydantic import Field

from deepwell.config import Settings

TaskChoice = Literal["auto", "regression", "classification", "multilabel"]
LossName = Literal["auto", "mse", "mae", "huber", "cross_entropy", "perceptron"]


class TaskSettings(Settings):
    """What is asked of the network and how its mistakes are counted."""

    kind: TaskChoice = "auto"
    """The kind of question; "auto" decides by the target column."""
    loss: LossName = "auto"
    """What training makes small; "auto": squared error for numbers, cross-entropy for classes."""
    class_weight: Literal["none", "balanced"] = "none"
    """"balanced" gives rare classes the same total weight as common ones."""
    positive: str | None = None
    """Two classes: the one whose precision and recall are reported. Default: the later by name."""
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the target probability that is spread over all classes (Szegedy et al. 2016)."""
    target_transform: Literal["none", "log"] = "none"
    """Numbers: "log" learns the logarithm, for positive targets that span magnitudes."""
