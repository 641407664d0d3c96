"""Settings of the decisions. Imports no torch."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, field_validator, model_validator

from deepwell.config import Settings
from deepwell.errors import ConfigError
from deepwell.tasks.decisions.thresholds import Rule, parse_rule, read_cost

UncertaintyChoice = Literal["none", "mc_dropout", "ensemble", "quantiles"]
DEFAULT_COVERAGE = 0.9
"""What intervals hold where an uncertainty of numbers is asked for and no coverage is named."""
CalibrateChoice = Literal["none", "auto", "temperature", "platt", "isotonic"]


class DecisionSettings(Settings):
    """How outputs become probabilities that hold, answers, and sets or intervals.

    All of it is learned from the validation rows.

    Raises:
        ConfigError: A rule or a cost that cannot be read, or two that contradict each other.

    Example:
        >>> DecisionSettings(cost="1,5").rule.name
        'cost'
        >>> DecisionSettings(threshold="cost")
        Traceback (most recent call last):
            ...
        deepwell.errors.ConfigError: threshold = cost needs the costs: --cost 1,5 for a false yes \
of 1 and a missed yes of 5.
    """

    calibrate: CalibrateChoice = "auto"
    """Correct the probabilities: none, temperature, platt, isotonic; auto: only where it helps."""
    threshold: str = "auto"
    """From which probability yes is answered: 0.3, f1, cost, precision>=0.9, recall>=0.8."""
    cost: tuple[tuple[float, ...], ...] | None = None
    """Cost of a false yes and of a missed yes, "1,5"; several classes: a line each true class."""
    coverage: float | None = Field(default=None, gt=0, lt=1)
    """Share of rows whose truth shall lie in a set of classes or an interval, such as 0.9."""
    per_class: bool = False
    """Keep the coverage in each class by itself, not only over all rows."""
    conformal: Literal["auto", "split", "cross"] = "auto"
    """Rows that keep the coverage: split = half of the validation rows, which choose nothing;
    cross = with folds all rows, each by the model that left it out; auto: cross with folds."""
    uncertainty: UncertaintyChoice = "none"
    """How sure each answer is, by: mc_dropout (one network, thinned again and again), ensemble
    (several networks), quantiles (numbers: a network that learns the ends of an interval)."""
    draws: int = Field(default=30, ge=2, le=1000)
    """For mc_dropout: networks that are drawn for each answer."""

    @field_validator("threshold", mode="before")
    @classmethod
    def _read_threshold(cls, value: object) -> str:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError("Write a number between 0 and 1, f1, cost, or precision>=0.9")
        try:
            return parse_rule(str(value)).text
        except ConfigError as error:
            raise ValueError(str(error)) from None

    @field_validator("cost", mode="before")
    @classmethod
    def _read_cost(cls, value: object) -> object:
        try:
            return None if value is None else read_cost(value)
        except ConfigError as error:
            raise ValueError(str(error)) from None

    @model_validator(mode="after")
    def _agree(self) -> DecisionSettings:
        rule = parse_rule(self.threshold)
        if rule.name == "cost" and self.cost is None:
            raise ValueError(
                "threshold = cost needs the costs: --cost 1,5 for a false yes of 1 and a missed "
                "yes of 5."
            )
        if self.cost is not None and rule.name not in ("auto", "cost"):
            raise ValueError(
                f"The answers follow either the costs or threshold = {self.threshold}: leave one "
                "of them out."
            )
        if self.per_class and self.coverage is None:
            raise ValueError("per_class keeps a coverage: give one, such as coverage = 0.9.")
        if self.conformal != "auto" and self.promised("regression") is None:
            raise ValueError("conformal keeps a coverage: give one, such as coverage = 0.9.")
        return self

    def promised(self, task: str) -> float | None:
        """Return the coverage that is wanted, or None.

        Args:
            task: Name of the task. Intervals of numbers are wanted with each uncertainty.
        """
        if self.coverage is None and self.uncertainty != "none" and task == "regression":
            return DEFAULT_COVERAGE
        return self.coverage

    @property
    def rule(self) -> Rule:
        """How probabilities become answers."""
        rule = parse_rule(self.threshold)
        return Rule("cost") if self.cost is not None else rule

    @property
    def is_asked(self) -> bool:
        """Whether something is asked that needs validation rows."""
        needs_rows = self.rule.name in ("f1", "precision", "recall")
        is_promise = self.coverage is not None or self.uncertainty != "none"
        return needs_rows or is_promise or self.calibrate not in ("none", "auto")
