"""Calibration: make stated probabilities agree with what comes true.

Two classes are one yes-or-no question, several labels are several, several classes are one choice;
each calibrator treats them so.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self, cast

import numpy as np
from numpy.typing import NDArray

from deepwell.tasks.base import TaskName

Floats = NDArray[np.float64]
CalibratorName = Literal["temperature", "platt", "isotonic"]
SMALLEST = 1e-300
FOLDS = 5
SLOPES = (1e-3, 1e3)


class Calibrator(ABC):
    """Turns the probabilities of a network into calibrated ones.

    Args:
        task: "binary", "multiclass" or "multilabel".
    """

    name: ClassVar[CalibratorName]
    keeps_order: ClassVar[bool] = False
    """Whether the likeliest answer stays the likeliest."""

    def __init__(self, task: TaskName) -> None:
        self.task: TaskName = task

    @classmethod
    @abstractmethod
    def fit(
        cls, task: TaskName, probabilities: Floats, truth: NDArray[Any], weight: Floats
    ) -> Self:
        """Learn from rows whose truth is known.

        Args:
            task: "binary", "multiclass" or "multilabel".
            probabilities: (n, classes) or (n, labels).
            truth: Class index, (n,), or 0 and 1, (n, labels).
            weight: Weight of each row, (n,).
        """

    @abstractmethod
    def __call__(self, probabilities: Floats) -> Floats:
        """Return calibrated probabilities of the same shape."""

    @property
    @abstractmethod
    def words(self) -> str:
        """What it does, in short."""

    @abstractmethod
    def to_json(self) -> dict[str, Any]:
        """Return plain JSON; `calibrator_from_json` reads it."""

    @classmethod
    @abstractmethod
    def from_json(cls, task: TaskName, state: Mapping[str, Any]) -> Self:
        """Rebuild the calibrator from `to_json`."""


class Scaling(Calibrator):
    """Net inputs times a slope plus an intercept, then probabilities again.

    Args:
        task: "binary", "multiclass" or "multilabel".
        slopes: One for each net input, or one for all.
        intercepts: One for each net input, or one for all.
    """

    has_one_slope: ClassVar[bool]
    has_intercept: ClassVar[bool]

    def __init__(
        self, task: TaskName, slopes: Sequence[float], intercepts: Sequence[float] = (0.0,)
    ) -> None:
        super().__init__(task)
        self.slopes = np.array(slopes, dtype=np.float64)
        self.intercepts = np.array(intercepts, dtype=np.float64)

    @classmethod
    def fit(
        cls, task: TaskName, probabilities: Floats, truth: NDArray[Any], weight: Floats
    ) -> Self:
        """Make the log loss of the rows as small as it goes."""
        margins = net_inputs(task, probabilities)
        goals = goals_of(task, truth, probabilities.shape[1])
        if task == "multiclass":
            slopes, intercepts = _fit(margins, goals, weight, cls, is_choice=True)
            return cls(task, slopes.tolist(), intercepts.tolist())
        pairs = [
            _fit(margins[:, [i]], goals[:, [i]], weight, cls, is_choice=False)
            for i in range(margins.shape[1])
        ]
        slopes, intercepts = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        return cls(task, slopes.tolist(), intercepts.tolist())

    def __call__(self, probabilities: Floats) -> Floats:
        """Return calibrated probabilities of the same shape."""
        margins = net_inputs(self.task, probabilities) * self.slopes + self.intercepts
        return from_net_inputs(self.task, margins)

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        return {
            "name": self.name,
            "slopes": self.slopes.tolist(),
            "intercepts": self.intercepts.tolist(),
        }

    @classmethod
    def from_json(cls, task: TaskName, state: Mapping[str, Any]) -> Self:
        """Rebuild the calibrator from `to_json`."""
        return cls(task, _finite(state["slopes"]), _finite(state["intercepts"]))


class Temperature(Scaling):
    """All net inputs divided by one number: above 1 the network was too sure of itself.

    Several labels have a temperature each. No answer changes, only how sure it is.

    Reference:
        Guo et al. (2017), On calibration of modern neural networks, section 4.2.

    Example:
        >>> sure = np.array([[0.1, 0.9]])
        >>> Temperature("binary", [0.5])(sure).round(2).tolist()
        [[0.25, 0.75]]
    """

    name: ClassVar[CalibratorName] = "temperature"
    keeps_order: ClassVar[bool] = True
    has_one_slope: ClassVar[bool] = True
    has_intercept: ClassVar[bool] = False

    @property
    def words(self) -> str:
        """The temperature."""
        values = 1 / self.slopes
        if len(values) == 1:
            return f"temperature {values[0]:.3g}"
        return f"temperatures {values.min():.3g} to {values.max():.3g}"


class Platt(Scaling):
    """A logistic regression on the net input; several classes: a slope and intercept each.

    Reference:
        Platt (1999), Probabilistic outputs for support vector machines; Guo et al. (2017),
        On calibration of modern neural networks, section 4.2 (vector scaling).
    """

    name: ClassVar[CalibratorName] = "platt"
    has_one_slope: ClassVar[bool] = False
    has_intercept: ClassVar[bool] = True

    @property
    def words(self) -> str:
        """The slope and the intercept."""
        if len(self.slopes) == 1:
            return f"Platt scaling, slope {self.slopes[0]:.3g}, intercept {self.intercepts[0]:.3g}"
        return "Platt scaling, a slope and an intercept for each"


class Isotonic(Calibrator):
    """A rising staircase from stated to observed probability; several classes: one each.

    Needs more rows than the others, about 1,000. Probabilities of exactly 0 and 1 are kept out:
    n rows cannot prove them.

    Args:
        task: "binary", "multiclass" or "multilabel".
        stairs: For each question the stated and the calibrated probabilities, both rising.

    Reference:
        Zadrozny and Elkan (2002), Transforming classifier scores into accurate multiclass
        probability estimates.
    """

    name: ClassVar[CalibratorName] = "isotonic"

    def __init__(self, task: TaskName, stairs: Sequence[tuple[Floats, Floats]]) -> None:
        super().__init__(task)
        self.stairs = tuple(stairs)

    @classmethod
    def fit(
        cls, task: TaskName, probabilities: Floats, truth: NDArray[Any], weight: Floats
    ) -> Self:
        """Fit each question by least squares under the condition that it rises."""
        from sklearn.isotonic import IsotonicRegression

        stated = probabilities[:, 1:] if task == "binary" else probabilities
        goals = goals_of(task, truth, probabilities.shape[1])
        room = 1 / (len(truth) + 2)
        stairs: list[tuple[Floats, Floats]] = []
        for column, goal in zip(stated.T, goals.T, strict=True):
            regression: Any = IsotonicRegression(y_min=room, y_max=1 - room, out_of_bounds="clip")
            regression.fit(column, goal, sample_weight=weight)
            stairs.append((regression.X_thresholds_, regression.y_thresholds_))
        return cls(task, stairs)

    def __call__(self, probabilities: Floats) -> Floats:
        """Return calibrated probabilities of the same shape."""
        stated = probabilities[:, 1:] if self.task == "binary" else probabilities
        columns = [np.interp(c, x, y) for c, (x, y) in zip(stated.T, self.stairs, strict=True)]
        found = np.stack(columns, axis=1)
        if self.task == "binary":
            return np.concatenate([1 - found, found], axis=1)
        if self.task == "multilabel":
            return found
        return found / found.sum(axis=1, keepdims=True)

    @property
    def words(self) -> str:
        """The number of steps."""
        return f"isotonic regression, {sum(len(x) for x, _ in self.stairs):,} points"

    def to_json(self) -> dict[str, Any]:
        """Return plain JSON."""
        stairs = [{"stated": x.tolist(), "calibrated": y.tolist()} for x, y in self.stairs]
        return {"name": self.name, "stairs": stairs}

    @classmethod
    def from_json(cls, task: TaskName, state: Mapping[str, Any]) -> Self:
        """Rebuild the calibrator from `to_json`."""
        return cls(
            task,
            [
                (np.array(_finite(one["stated"])), np.array(_finite(one["calibrated"])))
                for one in state["stairs"]
            ],
        )


CALIBRATORS: dict[CalibratorName, type[Temperature | Platt | Isotonic]] = {
    "temperature": Temperature,
    "platt": Platt,
    "isotonic": Isotonic,
}


def calibrator_from_json(task: TaskName, state: Mapping[str, Any]) -> Calibrator:
    """Rebuild a calibrator from `Calibrator.to_json`."""
    return CALIBRATORS[state["name"]].from_json(task, state)


def _finite(values: Sequence[float]) -> list[float]:
    found = np.array(values, dtype=np.float64)
    if found.ndim != 1 or not len(found) or not np.isfinite(found).all():
        raise ValueError("a calibrator needs finite numbers")
    return found.tolist()


def net_inputs(task: TaskName, probabilities: Floats) -> Floats:
    """Return the net inputs behind probabilities: (n, 1) for two classes, else (n, K)."""
    if task == "binary":
        no, yes = np.log(np.maximum(probabilities, 1e-16)).T
        return (yes - no)[:, None]
    if task == "multilabel":
        yes = np.maximum(probabilities, 1e-16)
        return np.log(yes) - np.log(np.maximum(1 - probabilities, 1e-16))
    return np.log(np.maximum(probabilities, SMALLEST))


def from_net_inputs(task: TaskName, margins: Floats) -> Floats:
    """Return the probabilities of net inputs, the reverse of `net_inputs`."""
    if task == "multiclass":
        return _softmax(margins)
    yes = _sigmoid(margins)
    return np.concatenate([1 - yes, yes], axis=1) if task == "binary" else yes


def goals_of(task: TaskName, truth: NDArray[Any], width: int) -> Floats:
    """Return 1 where a question is answered with yes: (n, 1) for two classes, else (n, K)."""
    if task == "binary":
        return (truth == 1).astype(np.float64)[:, None]
    if task == "multilabel":
        return truth.astype(np.float64)
    return np.eye(width)[truth]


def _sigmoid(margins: Floats) -> Floats:
    return 0.5 * (1 + np.tanh(0.5 * margins))


def _softmax(margins: Floats) -> Floats:
    powers = np.exp(margins - margins.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def _fit(
    margins: Floats, goals: Floats, weight: Floats, kind: type[Scaling], *, is_choice: bool
) -> tuple[Floats, Floats]:
    """Minimise the log loss over slopes and intercepts; it is convex in both."""
    from scipy.optimize import minimize

    weight = weight / weight.sum()
    width = margins.shape[1]
    num_slopes = 1 if kind.has_one_slope else width
    if kind.has_intercept and not is_choice:
        goals = _softened(goals, weight)
    # a class that no row has would get an intercept of minus infinity
    pull = 1 / len(margins) if kind.has_intercept and is_choice else 0.0

    def loss(parameters: Floats) -> tuple[float, Floats]:
        slopes, intercepts = parameters[:num_slopes], parameters[num_slopes:]
        moved = margins * slopes + (intercepts if len(intercepts) else 0.0)
        found = _softmax(moved) if is_choice else _sigmoid(moved)
        if is_choice:
            highest = moved.max(axis=1)
            normal = highest + np.log(np.exp(moved - highest[:, None]).sum(axis=1))
            losses = normal - (goals * moved).sum(axis=1)
        else:
            losses = (np.logaddexp(0, moved) - goals * moved)[:, 0]
        steep = (found - goals) * weight[:, None]
        of_slopes = (steep * margins).sum(axis=0)
        of_slopes = of_slopes.sum(keepdims=True) if kind.has_one_slope else of_slopes
        of_intercepts = steep.sum(axis=0) + pull * intercepts if len(intercepts) else intercepts
        total = float(weight @ losses) + 0.5 * pull * float(intercepts @ intercepts)
        return total, np.concatenate([of_slopes, of_intercepts])

    num_intercepts = width if kind.has_intercept else 0
    found: Any = minimize(
        loss,
        np.concatenate([np.ones(num_slopes), np.zeros(num_intercepts)]),
        jac=True,
        method="L-BFGS-B",
        bounds=[SLOPES] * num_slopes + [(None, None)] * num_intercepts,
        options={"ftol": 1e-14, "gtol": 1e-9, "maxiter": 1000},
    )
    parameters = cast(Floats, found.x)
    intercepts = parameters[num_slopes:] if num_intercepts else np.zeros(1)
    return parameters[:num_slopes], intercepts


def _softened(goals: Floats, weight: Floats) -> Floats:
    """Replace 0 and 1 by what n rows can prove (Platt 1999, section 2.2)."""
    rows = len(goals) * weight[:, None]
    yes = float((goals * rows).sum())
    no = float(rows.sum()) - yes
    return np.where(goals > 0.5, (yes + 1) / (yes + 2), 1 / (no + 2))


def log_loss(task: TaskName, probabilities: Floats, truth: NDArray[Any], weight: Floats) -> float:
    """Return the weighted mean of −log of the probability of the truth; labels are averaged."""
    goals = goals_of(task, truth, probabilities.shape[1])
    eps = np.finfo(np.float64).eps
    clipped = np.clip(probabilities[:, 1:] if task == "binary" else probabilities, eps, 1 - eps)
    if task == "multiclass":
        losses = -(goals * np.log(clipped)).sum(axis=1)
    else:
        losses = -(goals * np.log(clipped) + (1 - goals) * np.log(1 - clipped)).mean(axis=1)
    return float(weight @ losses / weight.sum())


@dataclass(frozen=True, slots=True)
class Contest:
    """Which calibrator is the best on rows that it was not fitted on.

    Args:
        before: Log loss of the probabilities as they are.
        scores: Calibrator → its log loss in cross-validation.
    """

    before: float
    scores: Mapping[CalibratorName, float]

    @property
    def best(self) -> CalibratorName | None:
        """The calibrator with the least log loss, or None if all make it worse."""
        name = min(self.scores, key=lambda one: self.scores[one])
        return name if self.scores[name] < self.before else None


def compare_calibrators(
    names: Sequence[CalibratorName],
    task: TaskName,
    probabilities: Floats,
    truth: NDArray[Any],
    weight: Floats,
    *,
    seed: int = 0,
) -> Contest:
    """Score calibrators by five-fold cross-validation.

    Args:
        names: The candidates.
        task: "binary", "multiclass" or "multilabel".
        probabilities: (n, classes) or (n, labels).
        truth: Class index, (n,), or 0 and 1, (n, labels).
        weight: Weight of each row, (n,).
        seed: Of the folds.
    """
    fold = np.random.default_rng(seed).permutation(len(truth)) % FOLDS
    scores: dict[CalibratorName, float] = {}
    for name in names:
        held_out = np.empty_like(probabilities)
        for one in range(FOLDS):
            rows, others = fold == one, fold != one
            fitted = CALIBRATORS[name].fit(
                task, probabilities[others], truth[others], weight[others]
            )
            held_out[rows] = fitted(probabilities[rows])
        scores[name] = log_loss(task, held_out, truth, weight)
    return Contest(log_loss(task, probabilities, truth, weight), scores)
