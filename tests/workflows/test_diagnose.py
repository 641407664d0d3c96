"""One run for each disease, healthy ones that have none, and the measurements that train again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import sick_runs
import small_data

import deepwell
from deepwell.errors import RunError
from deepwell.workflows import retraining

SICK: dict[str, tuple[str, Any, dict[str, Any]]] = {
    "overfitting": (
        "overfitting",
        sick_runs.wide,
        {"engine": {"epochs": 150}, "options": {"hidden_sizes": [256, 256]}},
    ),
    "linear model on waves": (
        "underfitting",
        sick_runs.waves,
        {"model": "linear", "engine": {"epochs": 80, "learning_rate": 3e-3}},
    ),
    "rate too high": (
        "rate_too_high",
        sick_runs.waves,
        {"engine": {"optimizer": "sgd", "learning_rate": 1.0}},
    ),
    "rate too low": ("rate_too_low", sick_runs.waves, {"engine": {"learning_rate": 1e-6}}),
    "stopped early": (
        "unconverged",
        sick_runs.waves,
        {"engine": {"epochs": 6, "schedule": "constant", "learning_rate": 3e-4}},
    ),
    "20 sigmoid layers": (
        "vanishing_gradients",
        sick_runs.waves,
        {"options": {"hidden_sizes": [32] * 20, "activation": "sigmoid"}, "engine": {"epochs": 10}},
    ),
    "large first weights": (
        "exploding",
        sick_runs.waves,
        {"model": sick_runs.Stack(3, depth=6, scale=30.0), "engine": {"epochs": 10}},
    ),
    "bias far below zero": (
        "dead_units",
        sick_runs.waves,
        {"model": sick_runs.Stack(3, bias=-20.0), "engine": {"epochs": 10}},
    ),
    "noise": ("noise_floor", sick_runs.noise, {"engine": {"epochs": 15}}),
}


@pytest.mark.parametrize("case", SICK)
def test_each_disease_is_found(case: str, tmp_path: Path) -> None:
    name, rows, changes = SICK[case]
    found = sick_runs.findings(sick_runs.run(rows(), tmp_path, **changes))
    assert name in found, list(found)
    finding = found[name]
    assert finding.severity in ("problem", "warning")
    assert finding.evidence
    assert finding.cause
    assert finding.action.startswith("deepwell")


@pytest.mark.parametrize(
    ("rows", "changes"),
    [
        (sick_runs.plane, {"engine": {"epochs": 40}}),
        (sick_runs.bowl, {"engine": {"epochs": 60}}),
        (lambda: sick_runs.classes()[0], {"engine": {"epochs": 30}}),
    ],
    ids=["plane", "bowl", "classes"],
)
def test_a_healthy_run_gets_notes_only(rows: Any, changes: Any, tmp_path: Path) -> None:
    found = sick_runs.findings(sick_runs.run(rows(), tmp_path, **changes))
    assert {one.name for one in found.values() if one.severity != "note"} == set()


def test_wrong_labels_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retraining, "REPETITIONS", 1)
    monkeypatch.setattr(retraining, "RESAMPLES", 3)
    rows, is_flipped = sick_runs.classes(800, flipped=0.1)
    path = tmp_path / "rows.csv"
    rows.write_csv(path)
    run = sick_runs.run(path, tmp_path, engine={"epochs": 20}).folder.path
    told: list[tuple[str, float]] = []
    found = {
        one.name: one
        for one in deepwell.diagnose(run, tell=lambda what, share, _: told.append((what, share)))
    }
    assert found["label_noise"].severity == "warning"
    labels = small_data.read_json(run / "diagnosis.json")["measured"]["labels"]
    assert sum(labels["rows"].values()) == 800
    listed = np.array([one["id"] for one in labels["suspects"]])
    assert is_flipped[listed].mean() >= 0.9
    assert is_flipped[listed].sum() >= 0.7 * is_flipped.sum()
    assert {"labels", "growing training sets", "bias and variance"} == {what for what, _ in told}
    assert [share for _, share in told] == sorted(share for _, share in told)
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "Labels that are probably wrong" in page
    assert "training rows" in page


def test_measured_again_by_resampling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retraining, "RESAMPLES", 3)
    monkeypatch.setattr(retraining, "REPETITIONS", 2)
    rows = sick_runs.plane(400)
    run = sick_runs.run(rows, tmp_path, engine={"epochs": 4, "learning_rate": 1e-2}).folder.path
    before = (run / "evaluation.json").read_bytes()
    with pytest.raises(RunError, match=r"deepwell\.diagnose\(.*, data\)"):
        deepwell.diagnose(run)
    names = {one.name for one in deepwell.diagnose(run, rows)}
    assert names & {"more_data", "more_data_unsure", "enough_data"}
    assert names & {"bias", "variance"}
    measured = small_data.read_json(run / "diagnosis.json")["measured"]
    assert measured["curve"]["rows"][-1] == 260
    spread = measured["spread"]
    assert spread["bias"] + spread["variance"] == pytest.approx(spread["error"])
    assert (run / "evaluation.json").read_bytes() == before
    with pytest.raises(RunError, match="data have changed"):
        deepwell.diagnose(run, rows.with_columns(pl.col("x0") + 1))


def test_what_was_measured_before_a_stop_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retraining, "RESAMPLES", 5)
    monkeypatch.setattr(retraining, "REPETITIONS", 1)
    rows = sick_runs.plane(400)
    run = sick_runs.run(rows, tmp_path, engine={"epochs": 2}).folder.path
    calls: list[str] = []

    def stop(what: str, share: float, left: float | None) -> None:
        calls.append(what)
        if calls.count("bias and variance") == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"is in .*diagnosis\.json"):
        deepwell.diagnose(run, rows, tell=stop)
    measured = small_data.read_json(run / "diagnosis.json")["measured"]
    assert measured["curve"]["repetitions"] == 1
    assert measured["spread"]["networks"] == 3


def test_quick_reads_the_folder_only(
    houses_result: deepwell.workflows.TrainResult, tmp_path: Path
) -> None:
    run = small_data.copy_tree(houses_result.folder.path, tmp_path / "moved")
    (run / "diagnosis.json").unlink()
    found = deepwell.diagnose(run, quick=True)
    assert {one.name for one in found} & {"unconverged", "few_rows"}
    assert small_data.read_json(run / "diagnosis.json")["findings"]
