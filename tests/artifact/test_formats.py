"""Model folders of every format stay loadable: stored ones, never written anew."""

import json
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from deepwell.artifact import Predictor, load
from deepwell.data.table import Table

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


def test_format_2_decides_as_it_did() -> None:
    folder = STORED / "format_2"
    predictor = load(folder / "decided")
    assert predictor.decision is not None
    answers = predictor.predict(folder / "decided.csv")
    assert_frame_equal(answers, pl.read_csv(folder / "decided_answers.csv"))
    assert sum(path.stat().st_size for path in (folder / "decided").iterdir()) < 30_000


def test_format_3_draws_as_it_did() -> None:
    folder = STORED / "format_3"
    predictor = load(folder / "drawn")
    assert predictor.decision is not None
    assert predictor.decision.draws is not None
    answers = predictor.predict(folder / "drawn.csv")
    assert_frame_equal(answers, pl.read_csv(folder / "drawn_answers.csv"), rel_tol=1e-4)
    assert sum(path.stat().st_size for path in (folder / "drawn").iterdir()) < 30_000


def test_a_folder_without_a_decision_keeps_the_format_that_older_versions_read(
    predictor: Predictor, houses: Table, tmp_path: Path
) -> None:
    folder = predictor.save(tmp_path / "model", golden=houses)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["format_version"] == 1
    assert "decision.json" not in manifest["files"]
    assert load(folder).decision is None
