"""Model folders of every format stay loadable: stored ones, never written anew."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from deepwell.artifact import load

STORED = Path(__file__).parent / "fixtures"


@pytest.mark.parametrize(("name", "task"), [("table", "regression"), ("pictures", "multiclass")])
def test_format_1_is_loaded_and_proved(name: str, task: str) -> None:
    folder = STORED / "format_1" / name
    predictor = load(folder)  # computes the golden rows again
    assert predictor.task.name == task
    assert sum(path.stat().st_size for path in folder.iterdir()) < 30_000


def test_format_1_answers_as_it_did() -> None:
    folder = STORED / "format_1"
    answers = load(folder / "table").predict(folder / "table.csv")
    assert_frame_equal(answers, pl.read_csv(folder / "table_answers.csv", try_parse_dates=True))
