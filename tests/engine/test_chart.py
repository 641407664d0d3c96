import io
import re
from types import SimpleNamespace

import pytest
from engine_fakes import Classify, engine, mlp, train_rows, val_rows

from deepwell.engine import Progress, fit
from deepwell.engine.chart import ROWS, Canvas, LossChart


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def chart(losses: list[float], val: list[float] | None = None) -> LossChart:
    drawn = LossChart()
    for step, loss in enumerate(losses, start=1):
        drawn.note_step(SimpleNamespace(step=step, loss=loss))
        if val is not None:
            record = {"train": {"loss": loss}, "val": {"loss": val[step - 1]}}
            drawn.note_epoch(SimpleNamespace(step=step, record=record))
    return drawn


def test_a_falling_line_begins_at_the_top_and_ends_at_the_bottom():
    lines = chart([1.0, 0.9, 0.8, 0.7, 0.6, 0.5]).draw(80).plain.split("\n")
    braille = [[i for i, c in enumerate(line) if "\u2800" < c <= "\u28ff"] for line in lines]
    assert len(lines) == ROWS + 1
    assert lines[0].startswith("       1 ┤")
    assert lines[ROWS - 1].startswith("     0.5 ┤")
    assert braille[0][0] < braille[ROWS - 1][0]
    assert max(braille[0]) < max(braille[ROWS - 1])
    assert all(len(line) <= 80 for line in lines)


def test_both_lines_are_named_where_they_end():
    text = chart([1.0, 0.5, 0.25], [0.9, 0.8, 0.8]).draw(100).plain
    assert "training 0.25" in text
    assert "validation 0.8" in text
    same = chart([1.0, 0.5, 0.25], [0.9, 0.5, 0.25]).draw(100).plain
    assert "training 0.25" in same
    assert "validation 0.25" in same


def test_values_that_are_not_finite_and_equal_ones_can_be_drawn():
    assert chart([1.0, float("nan"), 0.5, float("inf"), 0.25]).draw(80) is not None
    assert chart([0.5] * 5).draw(80) is not None
    assert chart([1e-6, 1.0, 10.0]).draw(80) is not None


def test_little_room_or_few_points_give_no_chart():
    assert chart([1.0, 0.5]).draw(80) is None
    assert chart([1.0, 0.5, 0.2]).draw(50) is None


def test_a_long_training_keeps_the_chart_small():
    drawn = chart([1.0 / (step + 1) for step in range(20_000)])
    assert len(drawn.lines()[0]) <= 4001


def test_one_line_on_a_canvas():
    canvas = Canvas(2, 1)
    canvas.line([(0, 0), (3, 0)], 1)
    assert canvas.letters(0) == [("⠉", 1), ("⠉", 1)]


def shown(monkeypatch: pytest.MonkeyPatch, *, lines: str, plain: bool = False) -> str:
    monkeypatch.setenv("LINES", lines)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("TERM", "xterm")
    stream = Terminal()
    fit(
        mlp(), Classify(), train_rows(), val_batches=val_rows(), settings=engine(epochs=3),
        callbacks=[Progress(stream=stream, plain=plain)],
    )  # fmt: skip
    return stream.getvalue()


def test_a_terminal_with_room_shows_the_curves_below_the_bar(monkeypatch: pytest.MonkeyPatch):
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown(monkeypatch, lines="40"))
    assert text.rindex("epoch 3/3") < text.rindex("┤") < text.rindex("└")
    assert "step 18" in text


def test_a_low_terminal_shows_the_bar_alone(monkeypatch: pytest.MonkeyPatch):
    text = shown(monkeypatch, lines="10")
    assert "epoch 3/3" in text
    assert "┤" not in text


def test_plain_is_plain_on_a_terminal_too(monkeypatch: pytest.MonkeyPatch):
    text = shown(monkeypatch, lines="40", plain=True)
    assert [line.split("  ")[0] for line in text.splitlines()] == [
        "epoch 1/3", "epoch 2/3", "epoch 3/3",
    ]  # fmt: skip
    assert "\x1b" not in text
