"""Progress: a live bar on a terminal, a few plain lines elsewhere. Both go to stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TextIO

from deepwell.engine.callbacks import Callback, TrainState
from deepwell.engine.chart import LOWEST_TERMINAL, LossChart

if TYPE_CHECKING:
    import rich.progress

MOST_LINES = 20
"""Plain lines in all, however many epochs there are."""
_PATIENCE_SECONDS = 30.0
"""A plain line within an epoch comes only after so long a silence."""


class Progress(Callback):
    """Shows epoch, loss, validation, rows a second and the time left.

    A terminal gets a live bar and, if there is room, the curves of the loss below it; anything
    else a few plain lines.

    Args:
        enabled: Whether to show anything.
        plain: Whether a terminal gets plain lines as well.
        stream: Where to write; None is stderr.

    Example:
        >>> Progress(enabled=False).enabled
        False
    """

    def __init__(
        self, *, enabled: bool = True, plain: bool = False, stream: TextIO | None = None
    ) -> None:
        self.enabled = enabled
        self.plain = plain
        self._stream = stream
        self._start: TrainState | None = None
        self._bar: rich.progress.Progress | None = None
        self._chart = LossChart()
        self._last_step = 0
        self._last_line = 0.0
        self._noun, self._number, self._of = "", 0, 0

    def expect(self, trainings: int, *, noun: str, done: int = 0) -> None:
        """Say how many trainings follow each other, so that each line tells which one it is.

        Args:
            trainings: How many there are in all.
            noun: What one of them is, such as fold.
            done: How many of them are done already.
        """
        self._noun, self._number, self._of = noun, done, trainings

    def on_fit_started(self, state: TrainState) -> None:
        """Open the bar."""
        if not self.enabled:
            return
        self._start = state
        self._number += 1
        self._last_step = state.step
        self._last_line = time.monotonic()
        for note in state.notes:
            print(f"Note: {note}", file=self._out, flush=True)
        if self._out.isatty() and not self.plain:
            self._chart = LossChart()
            self._bar = _make_bar(self._out, self._chart)
            self._bar.add_task("", total=state.total_steps, completed=state.step, facts="", time="")
            self._bar.start()

    def on_step_logged(self, state: TrainState) -> None:
        """Move the bar; after a long silence write a line."""
        if self._start is None:
            return
        if self._bar is not None:
            self._chart.note_step(state)
            self._move(state)
        elif time.monotonic() - self._last_line > _PATIENCE_SECONDS and self._is_due(state):
            self._write_line(state)

    def on_epoch_ended(self, state: TrainState) -> None:
        """Move the bar, or write a line if it is time for one."""
        if self._start is None:
            return
        if self._bar is not None:
            self._chart.note_epoch(state)
            self._move(state)
        elif state.epochs <= MOST_LINES or state.stopped is not None or self._is_due(state):
            self._write_line(state)

    def on_fit_ended(self, state: TrainState) -> None:
        """Close the bar; its last state stays on the terminal."""
        if self._bar is not None:
            self._move(state)
            self._bar.stop()
        self._bar = None
        self._start = None

    @property
    def _out(self) -> TextIO:
        # looked up late: stderr may have been replaced since this object was made
        return self._stream if self._stream is not None else sys.stderr

    def _move(self, state: TrainState) -> None:
        if self._bar is not None:
            self._bar.update(
                self._bar.task_ids[0],
                completed=state.step,
                description=self._where(state),
                facts=f"{facts(state)} · {self._pace(state)}",
                time=self._time(state),
            )

    def _is_due(self, state: TrainState) -> bool:
        """Return whether another of `MOST_LINES` equal parts is done since the last line."""
        return (state.step - self._last_step) * MOST_LINES >= state.total_steps

    def _write_line(self, state: TrainState) -> None:
        self._last_step = state.step
        self._last_line = time.monotonic()
        is_epoch_end = state.record is not None and state.record["epoch"] == state.epoch
        shown = facts(state) if is_epoch_end else facts(state, with_val=False)
        parts = [shown, self._pace(state), self._time(state)]
        print("  ".join([self._where(state), *parts]), file=self._out, flush=True)

    def _where(self, state: TrainState) -> str:
        which = f"{self._noun} {self._number}/{self._of}  " if self._number <= self._of else ""
        return f"{which}epoch {state.epoch}/{state.epochs}"

    def _pace(self, state: TrainState) -> str:
        start = self._start or state
        seconds = max(state.seconds - start.seconds, 1e-9)
        return f"{(state.samples - start.samples) / seconds:,.0f} rows/s"

    def _time(self, state: TrainState) -> str:
        start = self._start or state
        if state.stopped is not None:
            return f"{clock(state.seconds)} in all"
        steps = state.step - start.step
        if steps == 0:
            return ""
        left = (state.total_steps - state.step) * (state.seconds - start.seconds) / steps
        return f"{clock(left)} left"


def facts(state: TrainState, *, with_val: bool = True) -> str:
    """Return the newest training loss and the validation of the last epoch in short."""
    record: Mapping[str, Any] = state.record or {"epoch": 0, "val": {}}
    loss = record["train"]["loss"] if record["epoch"] == state.epoch > 0 else state.loss
    parts = [] if loss is None else [f"loss {loss:.4g}"]
    if with_val:
        parts += [f"val {name} {short(value)}" for name, value in record["val"].items()]
    return " · ".join(parts)


def short(value: float) -> str:
    """Return four digits that mean something, without an exponent where people count.

    Example:
        >>> short(19990.6), short(0.91234)
        ('19,991', '0.9123')
    """
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e9 else f"{value:.4g}"


def clock(seconds: float) -> str:
    """Return a length of time for people.

    Example:
        >>> clock(7.2), clock(83), clock(3723)
        ('7 s', '1:23 min', '1:02:03 h')
    """
    whole = round(seconds)
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}:{minutes:02d}:{rest:02d} h"
    return f"{minutes}:{rest:02d} min" if minutes else f"{rest} s"


def _make_bar(stream: TextIO, chart: LossChart) -> rich.progress.Progress:
    import rich.progress
    from rich.console import Console, RenderableType
    from rich.table import Column
    from rich.text import Text

    console = Console(file=stream)

    class Facts(rich.progress.ProgressColumn):
        """The only column that gives way when the terminal is narrow."""

        def render(self, task: rich.progress.Task) -> Text:
            return Text(str(task.fields["facts"]), no_wrap=True, overflow="ellipsis")

    class BarAndChart(rich.progress.Progress):
        """The bar, and the chart where the terminal has room for it."""

        def get_renderables(self) -> Iterable[RenderableType]:
            yield self.make_tasks_table(self.tasks)
            size = console.size
            drawn = chart.draw(size.width) if size.height >= LOWEST_TERMINAL else None
            if drawn is not None:
                yield drawn

    return BarAndChart(
        rich.progress.TextColumn("{task.description}"),
        rich.progress.BarColumn(bar_width=10, table_column=Column(no_wrap=True)),
        rich.progress.TextColumn("{task.fields[time]}"),
        Facts(table_column=Column(ratio=1)),
        console=console,
        refresh_per_second=4,
    )
