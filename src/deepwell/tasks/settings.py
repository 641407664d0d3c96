"""Settings of the question that is asked. Imports no torch."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from deepwell.config import Settings
from deepwell.errors import ConfigError
from deepwell.tasks.loss_catalog import LOSSES

TaskChoice = Literal["auto", "regression", "classification", "multilabel"]


class TaskSettings(Settings):
    """What is asked of the network and how its mistakes are counted.

    Raises:
        ConfigError: An unknown loss, a value outside its range, or an option of another loss.

    Example:
        >>> TaskSettings(loss="quantile", quantile=0.9).quantile
        0.9
        >>> TaskSettings(quantile=0.9)
        Traceback (most recent call last):
            ...
        deepwell.errors.ConfigError: quantile is for loss="quantile". Got: loss="auto".
    """

    kind: TaskChoice = "auto"
    """The kind of question; "auto" decides by the target column."""
    loss: str = "auto"
    """What training makes small, by name: mse, mae, huber, quantile, poisson, cross_entropy, focal
    and more, see `deepwell models --parts`; "auto": squared error for numbers, cross-entropy for
    classes."""
    quantile: float | None = Field(default=None, gt=0, lt=1)
    """For the loss "quantile": the share of targets that lie below the answer; None: 0.5."""
    quantiles: tuple[float, ...] | None = None
    """For the loss "quantile": several such shares at once, ascending, such as [0.05, 0.5, 0.95];
    the one next to 0.5 is the answer."""
    focal_gamma: float | None = Field(default=None, ge=0, allow_inf_nan=False)
    """For the loss "focal": how little rows weigh that are right already; None: 2."""
    class_weight: Literal["none", "balanced"] = "none"
    """"balanced" gives rare classes the same total weight as common ones."""
    positive: str | None = None
    """Two classes: the one whose precision and recall are reported. Default: the later by name."""
    label_smoothing: float = Field(default=0.0, ge=0.0, lt=1.0)
    """Share of the target probability that is spread over all classes (Szegedy et al. 2016)."""
    target_transform: Literal["none", "log"] = "none"
    """Numbers: "log" learns the logarithm, for positive targets that span magnitudes."""

    @field_validator("loss")
    @classmethod
    def _known_loss(cls, name: str) -> str:
        if name != "auto":
            try:
                LOSSES[name]
            except ConfigError as error:
                raise ValueError(str(error).removesuffix(".")) from None
        return name

    @field_validator("quantiles")
    @classmethod
    def _ascend(cls, shares: tuple[float, ...] | None) -> tuple[float, ...] | None:
        if shares is None:
            return None
        ascend = all(first < second for first, second in pairwise(shares))
        if len(shares) < 2 or not ascend or not shares[0] > 0 or not shares[-1] < 1:
            raise ValueError("Write two shares or more between 0 and 1, the smallest first")
        return shares

    @model_validator(mode="after")
    def _options_fit_the_loss(self) -> TaskSettings:
        owners = {"quantile": "quantile", "quantiles": "quantile", "focal_gamma": "focal"}
        for option, owner in owners.items():
            if getattr(self, option) is not None and self.loss != owner:
                raise ValueError(f'{option} is for loss="{owner}". Got: loss="{self.loss}".')
        if self.quantile is not None and self.quantiles is not None:
            raise ValueError("choose one of quantile and quantiles: a single share, or several")
        if self.label_smoothing and self.loss != "auto" and not LOSSES[self.loss].smooths:
            raise ValueError(
                f'The loss "{self.loss}" has no probabilities to smooth: leave label_smoothing out '
                'or use loss="cross_entropy".'
            )
        if self.loss == "poisson" and self.target_transform == "log":
            raise ValueError(
                'The loss "poisson" learns a logarithm by itself: leave target_transform out.'
            )
        return self

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON for a model folder."""
        values = self.model_dump(mode="json")
        if self.quantiles is None:
            del values["quantiles"]  # older versions then read the folder as well
        return values
