"""Runs the command line inside the test, in a folder of its own."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "workflows"))

import small_data
from command import Outcome, Refuse, RunCli, tree

import deepwell
from deepwell.cli.main import main
from deepwell.workflows import TrainResult


@pytest.fixture
def run_cli(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> RunCli:
    """Run `deepwell ARGS` in `tmp_path`."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")

    def run(*args: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["deepwell", *map(str, args)])
        capsys.readouterr()
        code = 0
        try:
            main()
        except SystemExit as error:
            code = error.code if isinstance(error.code, int) else int(error.code is not None)
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def refuse(run_cli: RunCli, tmp_path: Path) -> Refuse:
    """Run a command that must end with exit code 2, one clear sentence and nothing written."""

    def run(*args: object, match: str) -> str:
        before = tree(tmp_path)
        outcome = run_cli(*args)
        assert outcome.code == 2, outcome
        *progress, last = outcome.err.rstrip("\n").split("\n")
        assert last.startswith("error: "), outcome.err
        assert "error:" not in "\n".join(progress)
        assert "Traceback" not in outcome.err
        assert 20 < len(last) < 600
        assert outcome.out == ""
        assert re.search(match, last), last
        assert tree(tmp_path) == before
        return last

    return run


@pytest.fixture
def houses(tmp_path: Path) -> Path:
    """Return 200 houses as a CSV file in the folder of the test."""
    return small_data.write_houses(tmp_path)


@pytest.fixture(scope="session")
def stored_run(tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """A finished run on houses."""
    folder = tmp_path_factory.mktemp("stored")
    return deepwell.train(
        small_data.write_houses(folder),
        target="price",
        name="houses",
        runs=folder / "runs",
        settings=small_data.settings(evaluation={"baselines": "auto"}),
    )
