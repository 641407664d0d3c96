"""A small line chart of the loss for the terminal, in dots of braille: two by four in a letter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from deepwell.engine.callbacks import TrainState

if TYPE_CHECKING:
    from rich.text import Text

NARROWEST, WIDEST, ROWS = 60, 76, 7
"""Letters of a terminal that the chart needs, those that it takes at most, and its lines."""
LOWEST_TERMINAL = 16
_LABEL, _END = 8, 22
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
"""The bits of the eight dots of a letter of braille, line by line."""
_STYLES = ("cyan", "yellow")
_NAMES = ("training", "validation")
_FEWEST, _MOST_POINTS = 3, 4000
_LOG_FROM = 8.0

Points = list[tuple[float, float]]


class Canvas:
    """Dots in letters; each letter has the colour of the line that came last.

    Args:
        width: Letters in a line.
        height: Lines.

    Example:
        >>> canvas = Canvas(2, 1)
        >>> canvas.line([(0, 0), (3, 3)], 0)
        >>> [letter for letter, _ in canvas.letters(0)]
        ['⠑', '⢄']
    """

    def __init__(self, width: int, height: int) -> None:
        self.width, self.height = width, height
        self._bits = [[0] * width for _ in range(height)]
        self._owner = [[0] * width for _ in range(height)]

    def line(self, dots: Sequence[tuple[float, float]], owner: int) -> None:
        """Join dots (column, line counted from the top) by straight lines."""
        for (x1, y1), (x2, y2) in zip(dots, dots[1:] or dots, strict=False):
            steps = max(1, round(max(abs(x2 - x1), abs(y2 - y1))))
            for step in range(steps + 1):
                share = step / steps
                self._set(round(x1 + share * (x2 - x1)), round(y1 + share * (y2 - y1)), owner)

    def _set(self, x: int, y: int, owner: int) -> None:
        column, row = x // 2, y // 4
        if 0 <= column < self.width and 0 <= row < self.height:
            self._bits[row][column] |= _DOTS[y % 4][x % 2]
            self._owner[row][column] = owner

    def letters(self, row: int) -> list[tuple[str, int]]:
        """Return the letters of a line, each with the number of its line; blank ones are blanks."""
        pairs = zip(self._bits[row], self._owner[row], strict=True)
        return [(chr(0x2800 + bits) if bits else " ", owner) for bits, owner in pairs]


class LossChart:
    """Collects the losses of a training and draws them.

    The training loss is that of the logged steps, or of the epochs where these come more often.
    """

    def __init__(self) -> None:
        self._steps: Points = []
        self._epochs: Points = []
        self._val: Points = []

    def note_step(self, state: TrainState) -> None:
        """Add the loss of a logged step."""
        if state.loss is not None:
            self._steps.append((state.step, state.loss))
        if len(self._steps) > _MOST_POINTS:
            self._steps = self._steps[::2]

    def note_epoch(self, state: TrainState) -> None:
        """Add the losses of an epoch."""
        record = state.record or {}
        for part, points in (("train", self._epochs), ("val", self._val)):
            loss = record.get(part, {}).get("loss")
            if loss is not None:
                points.append((state.step, loss))

    def lines(self) -> list[Points]:
        """Return the points (step, loss) of training and validation."""
        train = self._steps if len(self._steps) >= len(self._epochs) else self._epochs
        both = [
            [(x, y) for x, y in points if math.isfinite(y)]
            for points in (list(train), list(self._val))
        ]
        return both if len(both[0]) >= _FEWEST else []

    def draw(self, width: int) -> Text | None:
        """Return the chart for a terminal of so many letters, or None with too little to draw."""
        from rich.text import Text

        lines = self.lines()
        if not lines or width < NARROWEST:
            return None
        columns = min(width, WIDEST) - _LABEL - _END - 2
        canvas = Canvas(columns, ROWS)
        values = [y for points in lines for _, y in points]
        axis = _Axis(min(values), max(values), 4 * ROWS - 1)
        first = min(points[0][0] for points in lines if points)
        last = max(points[-1][0] for points in lines if points)
        scale = (2 * columns - 1) / max(last - first, 1)
        for owner, points in enumerate(lines):
            dots = [((x - first) * scale, axis(y)) for x, y in _means(points, first, scale)]
            if dots:
                canvas.line(dots, owner)
        ends = _ends(lines, axis)
        text = Text(no_wrap=True)
        for row in range(ROWS):
            text.append(f"{axis.label(row):>{_LABEL}} ", style="dim")
            text.append("┤" if axis.label(row) else "│", style="dim")
            for letter, owner in canvas.letters(row):
                text.append(letter, style=_STYLES[owner])
            if row in ends:
                owner, words = ends[row]
                text.append(f" {words}", style=_STYLES[owner])
            text.append("\n")
        text.append(" " * (_LABEL + 1) + "└" + "─" * columns, style="dim")
        text.append(f" step {last:,.0f}", style="dim")
        return text


class _Axis:
    """Places losses on lines of dots, the highest at the top."""

    def __init__(self, low: float, high: float, dots: int) -> None:
        self._is_log = low > 0 and high / low > _LOG_FROM
        self._low, self._high, self._dots = low, high, dots

    def __call__(self, value: float) -> float:
        low, high = self._low, self._high
        if self._is_log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        return self._dots * (1 - (value - low) / (high - low)) if high > low else self._dots / 2

    def label(self, row: int) -> str:
        if row == 0:
            return short_loss(self._high)
        if row == ROWS - 1:
            return short_loss(self._low)
        middle = "(log)" if self._is_log else "loss"
        return middle if row == ROWS // 2 else ""


def short_loss(value: float) -> str:
    """Write a loss with three digits.

    Example:
        >>> short_loss(0.123456), short_loss(1234567.0)
        ('0.123', '1.23e+06')
    """
    return f"{value:.3g}"


def _means(points: Points, first: float, scale: float) -> Points:
    """Return one point a column of dots: the mean of those that fall on it."""
    columns: dict[int, list[tuple[float, float]]] = {}
    for x, y in points:
        columns.setdefault(round((x - first) * scale), []).append((x, y))
    return [
        (sum(x for x, _ in group) / len(group), sum(y for _, y in group) / len(group))
        for _, group in sorted(columns.items())
    ]


def _ends(lines: Sequence[Points], axis: _Axis) -> dict[int, tuple[int, str]]:
    """Return what is written at the right end of the lines: row → line and words."""
    ends: dict[int, tuple[int, str]] = {}
    for owner, points in enumerate(lines):
        if not points:
            continue
        row = min(ROWS - 1, max(0, int(axis(points[-1][1])) // 4))
        while row in ends:
            row = row - 1 if row == ROWS - 1 or row > ROWS // 2 else row + 1
        ends[row] = (owner, f"{_NAMES[owner]} {short_loss(points[-1][1])}")
    return ends
