"""Commands that are written wrongly: one sentence in our own words, and nothing is done."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from command import Refuse, RunCli


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ("train t.csv -t y --epochs three", r"--epochs takes a whole number.*--epochs 20.*three"),
        ("train t.csv -t y --learning-rate=fast", r"--learning-rate takes a number.*fast"),
        ("train t.csv --epoch 3", r'no option --epoch\. Did you mean "--epochs"'),
        ("train t.csv -t", r"-t needs a value"),
        ("train", r"needs a file, or a folder.*Example: deepwell train"),
        ("trian t.csv", r'no command trian\. Did you mean "train"'),
        ("data t.csv", r"Did you mean: deepwell data inspect t\.csv"),
        ("data t.csv -t y", r"Did you mean: deepwell data inspect t\.csv -t y"),
        ("train t.csv more -t y", r"unexpected.*more.*deepwell train --help"),
        ("--bogus", r"no option --bogus"),
    ],
)
def test_a_command_that_is_written_wrongly(refuse: Refuse, words: str, match: str) -> None:
    refuse(*words.split(), match=match)


@pytest.mark.parametrize("words", ["", "data"])
def test_a_group_of_commands_alone_shows_its_help(run_cli: RunCli, words: str) -> None:
    outcome = run_cli(*words.split())
    assert "Example: deepwell" in outcome.out + outcome.err
    assert "error:" not in outcome.err


LATE = """
import sys
from pathlib import Path
from deepwell.cli.early import require_data, require_data_to_train, require_runs
from deepwell.errors import DeepwellError

for action in (
    lambda: require_data_to_train("missing.csv", {"target": ["y"]}, runs=Path("runs"), name=None),
    lambda: require_data("missing.csv", Path(".")),
    lambda: require_runs(Path("missing")),
):
    try:
        action()
    except DeepwellError as error:
        print(error, "torch" in sys.modules)
"""


def test_what_is_missing_is_told_before_torch_is_imported(tmp_path: Path) -> None:
    told = subprocess.run(
        [sys.executable, "-c", LATE], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert told.splitlines() == [
        'There is no file "missing.csv". False',
        'There is no file "missing.csv". False',
        "There is no run folder missing. False",
    ]


@pytest.mark.parametrize(
    ("success", "match"),
    [
        ("rmse << 3", "cannot be read"),
        ("rsme < 3", 'Did you mean "rmse"'),
        ("accuracy > 90", "90%"),
        ("rmse > 3", "a lower rmse is better"),
    ],
)
def test_a_broken_success_is_found_before_the_data_are_read(
    refuse: Refuse, tmp_path: Path, success: str, match: str
) -> None:
    assert not (tmp_path / "missing.csv").exists()
    refuse("train", "missing.csv", "-t", "y", "--success", success, match=match)
