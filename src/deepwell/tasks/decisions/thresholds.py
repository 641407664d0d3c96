"""From probabilities to answers: a threshold by F1, precision or recall, or the least cost."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray

from deepwell.errors import ConfigError, did_you_mean

Floats = NDArray[np.float64]
RuleName = Literal["auto", "number", "f1", "cost", "precision", "recall"]
WORDS = ("auto", "f1", "cost", "precision", "recall")
PATTERN = re.compile(r"^(?P<name>[a-z_0-9]+?)\s*(?P<sign>>=|≥|>|<=|<|=)\s*(?P<number>[^<>=≥]+)$")
FEWEST_ANSWERS = 10
"""A precision is believed only where so many rows are answered with yes."""


@dataclass(frozen=True, slots=True)
class Rule:
    """How probabilities become answers.

    Args:
        name: "auto" (the likelier answer), "number", "f1", "cost", "precision" or "recall".
        goal: The number itself, or the precision or recall to reach.
    """

    name: RuleName
    goal: float | None = None

    @property
    def text(self) -> str:
        """The rule as it is written in the settings."""
        if self.name == "number":
            return f"{self.goal:g}"
        return self.name if self.goal is None else f"{self.name}>={self.goal:g}"


def parse_rule(text: str) -> Rule:
    """Read a rule.

    Args:
        text: "auto", a number between 0 and 1, "f1", "cost", "precision>=0.9" or "recall>=0.8".

    Raises:
        ConfigError: It cannot be read.

    Example:
        >>> parse_rule("recall >= 80%")
        Rule(name='recall', goal=0.8)
        >>> parse_rule("recal>=0.8")
        Traceback (most recent call last):
            ...
        deepwell.errors.ConfigError: The threshold "recal>=0.8" cannot be read. Did you mean \
"recall"? Write a number between 0 and 1, f1, cost, precision>=0.9 or recall>=0.8.
    """
    plain = text.strip().lower()
    if plain in ("auto", "f1", "cost"):
        return Rule(cast(RuleName, plain))
    value = _share(plain)
    if value is not None:
        return Rule("number", _between(text, value))
    match = PATTERN.match(plain)
    name = match["name"] if match else plain
    if match is None or name not in ("precision", "recall"):
        hint = "" if name in WORDS else did_you_mean(name, WORDS)
        raise ConfigError(
            f'The threshold "{text}" cannot be read.{hint} Write a number between 0 and 1, f1, '
            "cost, precision>=0.9 or recall>=0.8."
        )
    goal = _share(match["number"].strip())
    if match["sign"] not in (">=", "≥", ">") or goal is None:
        raise ConfigError(
            f'The threshold "{text}" cannot be read: write the least {name} that you accept, '
            f"such as {name}>=0.9."
        )
    return Rule(cast(RuleName, name), _between(text, goal))


def _share(text: str) -> float | None:
    try:
        value = float(text.removesuffix("%"))
    except ValueError:
        return None
    return value / 100 if text.endswith("%") else value


def _between(text: str, value: float) -> float:
    if not 0 < value < 1:
        raise ConfigError(
            f'The threshold "{text}" must lie between 0 and 1, without the ends'
            + (f": for {value:g} percent write {value:g}%." if 1 < value < 100 else ".")
        )
    return value


@dataclass(frozen=True, slots=True)
class Sweep:
    """What every possible threshold gives, from the highest to the lowest.

    A row is answered with yes if its probability is at least the threshold.

    Args:
        thresholds: Halfway between two neighbouring probabilities, (T,); the last one is 0.
        precision: Share of the yes answers that are right, (T,).
        recall: Share of the true yes that are found, (T,); NaN without any.
        answered: Rows that are answered with yes, (T,).
        lowest: The lowest probability that is answered with yes, (T,).
    """

    thresholds: Floats
    precision: Floats
    recall: Floats
    answered: NDArray[np.int64]
    lowest: Floats

    @property
    def f1(self) -> Floats:
        """Harmonic mean of precision and recall, (T,)."""
        total = self.precision + self.recall
        product = 2 * self.precision * self.recall
        return np.divide(product, total, out=np.zeros_like(total), where=total > 0)

    def at(self, threshold: float) -> tuple[float, float, float]:
        """Return precision, recall and F1 of a threshold of any value.

        Above the highest probability nothing is answered with yes: all three are 0.
        """
        index = int(np.searchsorted(-self.lowest, -threshold, side="right")) - 1
        if index < 0:
            return 0.0, 0.0, 0.0
        return float(self.precision[index]), float(self.recall[index]), float(self.f1[index])


def sweep(probability: Floats, is_yes: NDArray[np.bool_], weight: Floats | None = None) -> Sweep:
    """Compute precision and recall for every possible threshold.

    Args:
        probability: Of yes, (n,).
        is_yes: The truth, (n,).
        weight: Weight of each row, (n,), or None for 1 each.

    Example:
        >>> found = sweep(np.array([0.9, 0.6, 0.2]), np.array([True, False, True]))
        >>> found.thresholds.tolist(), found.recall.tolist()
        ([0.75, 0.4, 0.0], [0.5, 0.5, 1.0])
    """
    weight = np.ones(len(probability)) if weight is None else weight
    order = np.argsort(-probability, kind="stable")
    falling = probability[order]
    ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True)[: len(falling)])
    hits = np.cumsum(weight[order] * is_yes[order])[ends]
    answered = np.cumsum(weight[order])[ends]
    upper = falling[ends]
    middle = upper - (upper - np.append(upper[1:], 0.0)) / 2
    # between two neighbouring floats there is none: then the upper one itself
    thresholds = np.where(middle > np.append(upper[1:], -1.0), middle, upper)
    thresholds[-1:] = 0.0
    total = float((weight * is_yes).sum())
    precision = np.divide(hits, answered, out=np.zeros_like(hits), where=answered > 0)
    recall = hits / total if total > 0 else np.full_like(hits, np.nan)
    return Sweep(thresholds, precision, recall, ends + 1, upper)


@dataclass(frozen=True, slots=True)
class Choice:
    """A threshold and what it gives on the rows from which it was chosen.

    Args:
        threshold: Probabilities from here on are answered with yes.
        precision: There.
        recall: There.
        f1: There.
        is_reached: Whether the asked precision or recall is reached.
    """

    threshold: float
    precision: float
    recall: float
    f1: float
    is_reached: bool = True


def choose_threshold(rule: Rule, swept: Sweep) -> Choice:
    """Choose by F1, or the best recall (precision) at the precision (recall) that is asked.

    Where a precision is not reached, the threshold of the highest one is taken and `is_reached`
    is False. Thresholds that answer fewer than 10 rows with yes are not looked at then: a
    precision of so few rows is luck.

    Args:
        rule: Of the names "f1", "precision" or "recall".
        swept: From rows with at least one true yes.

    Example:
        >>> rows = np.linspace(0.01, 0.99, 50)
        >>> choose_threshold(Rule("recall", 0.8), sweep(rows, rows > 0.5)).recall
        1.0
    """
    if rule.name == "f1":
        return _choice(swept, int(np.argmax(swept.f1)))
    goal = cast(float, rule.goal) - 1e-12
    if rule.name == "recall":
        allowed = np.flatnonzero(swept.recall >= goal)[::-1]  # of equal ones the highest recall
        return _choice(swept, int(allowed[np.argmax(swept.precision[allowed])]))
    most = int(swept.answered[-1])
    enough = swept.answered >= min(FEWEST_ANSWERS, most)
    allowed = np.flatnonzero(enough & (swept.precision >= goal))
    if len(allowed):
        return _choice(swept, int(allowed[np.argmax(swept.recall[allowed])]))
    return _choice(swept, int(np.argmax(np.where(enough, swept.precision, -1.0))), False)


def _choice(swept: Sweep, index: int, is_reached: bool = True) -> Choice:
    return Choice(
        float(swept.thresholds[index]),
        float(swept.precision[index]),
        float(swept.recall[index]),
        float(swept.f1[index]),
        is_reached,
    )


def cost_threshold(cost: Floats) -> float:
    """Return the probability of yes from which yes is the cheaper answer, for a 2 × 2 cost.

    Args:
        cost: Cost of true class (row) answered with a class (column).

    Reference:
        Elkan (2001), The foundations of cost-sensitive learning, equation 2.

    Example:
        >>> cost_threshold(np.array([[0.0, 1.0], [4.0, 0.0]]))
        0.2
    """
    false_yes, false_no = cost[0, 1] - cost[0, 0], cost[1, 0] - cost[1, 1]
    return float(false_yes / (false_yes + false_no))


def least_cost(probabilities: Floats, cost: Floats) -> NDArray[np.int64]:
    """Return the class with the least expected cost, (n,).

    Args:
        probabilities: (n, classes).
        cost: Cost of true class (row) answered with a class (column), (classes, classes).

    Example:
        >>> least_cost(np.array([[0.7, 0.3]]), np.array([[0.0, 1.0], [9.0, 0.0]])).tolist()
        [1]
    """
    return (probabilities @ cost).argmin(axis=1)


def read_cost(value: object) -> tuple[tuple[float, ...], ...]:
    """Read costs: two numbers (a false yes, a missed yes), or a square matrix.

    Args:
        value: Text such as "1,5" or "0,1,2;1,0,2;4,4,0", or nested lists.

    Raises:
        ConfigError: No such numbers, no square, or a right answer costs as much as a wrong one.

    Example:
        >>> read_cost("1,5")
        ((0.0, 1.0), (5.0, 0.0))
    """
    if isinstance(value, str):
        lines = [line for line in value.split(";") if line.strip()]
        rows: list[object] = [[part.strip() for part in line.split(",")] for line in lines]
        value = rows[0] if len(rows) == 1 else rows
    try:
        matrix = np.array(value, dtype=np.float64)
    except (TypeError, ValueError):
        raise ConfigError(_COST) from None
    if matrix.shape == (2,):
        matrix = np.array([[0.0, matrix[0]], [matrix[1], 0.0]])
    is_square = matrix.ndim == 2 and matrix.shape[0] == matrix.shape[1] > 1
    if not is_square or not np.isfinite(matrix).all():
        raise ConfigError(_COST)
    extra = matrix - matrix.diagonal()[:, None]
    if (extra < 0).any() or (extra.sum(axis=1) <= 0).any():
        row = int(np.flatnonzero((extra < 0).any(axis=1) | (extra.sum(axis=1) <= 0))[0])
        raise ConfigError(
            "A wrong answer must cost more than the right one, and the right one stands on the "
            f"diagonal. Got in line {row + 1}: {', '.join(f'{c:g}' for c in matrix[row])}."
        )
    return tuple(tuple(float(cell) for cell in line) for line in matrix)


_COST = (
    "Give two costs, of a false yes and of a missed yes, such as 1,5; or for several classes a "
    "line each true class with the cost of each answer, such as 0,1,2;1,0,2;4,4,0"
)
