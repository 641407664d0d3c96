import io

import pytest
import torch
from engine_fakes import Classify, KillAt, Killed, engine, mlp, train_rows, val_rows

from deepwell.engine import Progress, fit


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def _fit(progress: Progress, **changes: object) -> None:
    fit(
        mlp(),
        Classify(),
        train_rows(),
        val_batches=val_rows(),
        settings=engine(log_every=2, **changes),
        callbacks=[progress],
    )


def test_one_plain_line_an_epoch():
    stream = io.StringIO()
    _fit(Progress(stream=stream), epochs=3)
    lines = stream.getvalue().splitlines()
    assert [line.split("  ")[0] for line in lines] == ["epoch 1/3", "epoch 2/3", "epoch 3/3"]
    for line in lines:
        assert "loss " in line
        assert "val loss " in line
        assert "val accuracy " in line
        assert "rows/s" in line
    assert "left" in lines[0]
    assert "in all" in lines[-1]


def test_many_epochs_give_twenty_lines():
    stream = io.StringIO()
    _fit(Progress(stream=stream), epochs=50)
    lines = stream.getvalue().splitlines()
    assert len(lines) <= 20
    assert lines[-1].startswith("epoch 50/50")


def test_a_terminal_gets_a_bar():
    stream = Terminal()
    _fit(Progress(stream=stream), epochs=2)
    shown = stream.getvalue()
    assert "epoch 2/2" in shown
    assert "val loss" in shown
    assert "in all" in shown  # 80 columns: the time must not be cut off


def test_the_bar_is_closed_after_an_error():
    stream = Terminal()
    progress = Progress(stream=stream)
    with pytest.raises(Killed):
        fit(mlp(), Classify(), train_rows(), settings=engine(), callbacks=[progress, KillAt(2)])
    _fit(progress, epochs=1)  # a second live display would be refused while one is open
    assert "epoch 1/1" in stream.getvalue()


def test_default_is_stderr_and_off_is_silent(capsys: pytest.CaptureFixture[str]):
    _fit(Progress(enabled=False), epochs=1)
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""
    _fit(Progress(), epochs=1)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("epoch 1/1")


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()])
def test_notes_come_first(stream: io.StringIO):
    model = mlp()
    for weight in model.parameters():
        torch.nn.init.zeros_(weight)
    fit(
        model, Classify(), train_rows(), settings=engine(epochs=1),
        callbacks=[Progress(stream=stream)],
    )  # fmt: skip
    assert stream.getvalue().startswith('Note: All units of layer "0" begin equal')


def test_lines_of_several_trainings_say_which_one_they_are_about():
    stream = io.StringIO()
    progress = Progress(stream=stream)
    progress.expect(3, noun="fold", done=1)
    for _ in range(3):
        _fit(progress, epochs=1)
    starts = [line.split("  ")[0] for line in stream.getvalue().splitlines()]
    assert starts == ["fold 2/3", "fold 3/3", "epoch 1/1"]
