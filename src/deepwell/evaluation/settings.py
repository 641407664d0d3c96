"""Settings of the evaluation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from deepwell.config import Settings

BaselineName = Literal["constant", "linear", "boosting"]


class EvaluationSettings(Settings):
    """How the test rows are scored and what the network is compared with.

    Example:
        >>> EvaluationSettings(baselines="none").baselines
        ()
        >>> EvaluationSettings(baselines="constant,linear").baselines
        ('constant', 'linear')
    """

    baselines: tuple[BaselineName, ...] | Literal["auto"] = "auto"
    """Simple models beside the network: "auto" = all that fit the data, "none", or a list."""
    success: str | None = None
    """What counts as success, for example "rmse < 25000" or "accuracy >= 0.9"."""
    resamples: int = Field(default=1000, ge=50, le=100_000)
    """Draws of the bootstrap; very large tests use fewer (200 at least)."""
    confidence: float = Field(default=0.95, gt=0.5, lt=1.0)
    """Share of the draws inside an interval."""
    mistakes: int = Field(default=24, ge=0, le=24)
    """Number of the worst test rows that the report shows."""
    calibration_bins: int = Field(default=10, ge=2, le=100)
    """Number of bins of equal width in which predicted probabilities are compared with reality."""

    leaks: bool = True
    """Search the training rows, before training, for columns that give the target away."""
    fail_on_leak: bool = False
    """Stop before training if such a column is found."""
    shift: bool = True
    """Compare training and test rows, before training, by a classifier that tells them apart."""
    slices: bool = True
    """Search the test rows for the values of columns, and pairs of them, on which it is worse."""
    fairness: tuple[str, ...] = ()
    """Columns whose groups are compared; they may be ignored as inputs."""
    cost_over: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Numbers: cost of each unit too high; the verdict is then given by the mean cost."""
    cost_under: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """Numbers: cost of each unit too low; where only the other one is given, 1."""
    quantile: float | None = Field(default=None, gt=0, lt=1)
    """Numbers: shows the quantile loss too; the loss "quantile" brings its own."""

    @model_validator(mode="after")
    def _costs_differ_from_nothing(self) -> EvaluationSettings:
        if self.cost_over == 0 and self.cost_under == 0:
            raise ValueError("cost_over and cost_under are both 0: then no error costs anything.")
        return self

    @field_validator("fairness", mode="before")
    @classmethod
    def _names_from_text(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(name.strip() for name in value.split(",") if name.strip())
        return value

    @field_validator("baselines", mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        if value == "none":
            return ()
        if isinstance(value, str) and value != "auto":
            return tuple(part.strip() for part in value.split(","))
        return value

    @model_validator(mode="after")
    def _search_before_failing(self) -> EvaluationSettings:
        if self.fail_on_leak and not self.leaks:
            raise ValueError("fail_on_leak needs the search for leaks: leave evaluation.leaks on")
        return self
