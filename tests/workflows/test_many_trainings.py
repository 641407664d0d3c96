"""One model, many trainings: folds, nested folds, folds in time, ensembles."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import small_data
import torch

import deepwell
from deepwell.data import Table
from deepwell.errors import ConfigError, SplitError
from deepwell.evaluation.folds_chapter import fold_scores
from deepwell.files import sha256
from deepwell.workflows import TrainResult
from deepwell.workflows import run as running
from deepwell.workflows.courses import Course, Part
from deepwell.workflows.portfolio import Entrant

ROWS = 150


def table(**more: Any) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 2)).round(3)
    y = (3 * x[:, 0] - x[:, 1] + rng.normal(0, 0.3, ROWS)).round(3)
    return pl.DataFrame({"a": x[:, 0], "b": x[:, 1], "y": y, **more})


def train(
    frame: pl.DataFrame, runs: Path, target: str = "y", *, say: Any = None, **changes: Any
) -> TrainResult:
    changes = {"model": {"name": "linear"}, **changes}
    single = {name: changes.pop(name) for name in ("ensemble",) if name in changes}
    settings = {**small_data.settings(**changes), **single}
    return deepwell.train(frame, target, name="r", runs=runs, settings=settings, say=say)


def test_folds_score_all_rows_and_the_fold_models_answer_together(tmp_path: Path) -> None:
    result = train(table(), tmp_path, folds={"count": 3, "repeats": 2})
    found = result.folder.read("folds.json")
    rows = result.summary["rows"]
    assert found["pooled_rows"] == rows["train"] + rows["val"]
    assert len(found["rows"]) == 6
    assert sum(found["rows"]) == 2 * found["pooled_rows"]
    rmse = found["metrics"]["rmse"]
    assert rmse["mean"] == pytest.approx(np.mean(rmse["folds"]))
    assert rmse["std"] == pytest.approx(np.std(rmse["folds"], ddof=1))
    assert rmse["low"] < rmse["value"] < rmse["high"]
    predictor = deepwell.load(result.folder.path)
    assert predictor.recipe.name == "blend"
    assert len(predictor.model.members) == 6
    assert result.summary["rows"]["test"] == 30
    page = result.report.read_text(encoding="utf-8")
    assert "Cross-validation" in page
    assert not result.folder.members.exists()


def test_nested_folds_choose_anew_and_only_judge(tmp_path: Path) -> None:
    frame = table(late=np.where(table()["a"] > 0.2, "yes", "no")).drop("y")
    heard: list[str] = []
    result = train(
        frame,
        tmp_path,
        "late",
        folds={"count": 2, "nested": True},
        decide={"threshold": "f1"},
        say=heard.append,
    )
    assert sum("held-out rows" in text for text in heard) == 1
    assert any(text.endswith("on the left-out rows.") for text in heard)
    nested = result.folder.read("folds.json")["nested"]
    rows = result.summary["rows"]
    assert nested["pooled_rows"] == sum(nested["rows"]) == rows["train"] + rows["val"]
    assert nested["chosen"] == ["linear", "linear"]
    shown = fold_scores(result.folder.read("folds.json"))[0].nested
    assert re.fullmatch(r"[\d.]+\s% \([\d.]+ – [\d.]+\s%\)", shown), shown
    assert len(nested["metrics"]["accuracy"]["folds"]) == 2
    assert "honest score" in result.report.read_text(encoding="utf-8")


def test_nested_folds_of_a_race(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        running,
        "entrants_for",
        lambda task, rows: (
            Entrant("trees", {"model": {"name": "boosted_trees", "iterations": 5}}),
            Entrant("linear", {"model": {"name": "linear"}}),
        ),
    )
    frame = pl.concat([table().with_columns(pl.col("a", "b") + i / 7) for i in range(5)])
    settings = small_data.settings(folds={"count": 2, "nested": True}, split={"copies": "none"})
    result = deepwell.train(frame, "y", name="r", runs=tmp_path, settings=settings)
    found = result.folder.read("folds.json")
    assert found["is_choice"]
    assert len(result.folder.read("race.json")["models"]) == 2
    assert set(" + ".join(found["nested"]["chosen"]).split(" + ")) <= {"trees", "linear"}


def test_folds_in_time_learn_from_the_past(tmp_path: Path) -> None:
    days = pl.date_range(pl.date(2024, 1, 1), pl.date(2024, 12, 31), "1d", eager=True)[:ROWS]
    frame = table(day=days)
    result = train(frame, tmp_path, folds={"count": 3, "embargo": 10.0}, data={"time": "day"})
    assert result.folder.read("folds.json")["words"].endswith(", with a gap of 10 days")
    found = result.folder.read("folds.json")
    assert found["trained_on"] == sorted(found["trained_on"])
    # a quarter of the rows judges in each fold; of the past the last ten days are left out
    assert found["rows"] == [30, 30, 30]
    assert found["trained_on"] == [21, 51, 81]
    assert result.summary["model"] == "linear"  # the last one alone


def test_the_members_of_an_ensemble_differ_by_their_seeds(tmp_path: Path) -> None:
    result = train(table(), tmp_path, ensemble=3)
    assert not (result.folder / "folds.json").exists()
    members = result.predictor.model.members
    assert len(members) == 3
    weights = [next(member.parameters()) for member in members]
    assert not torch.equal(weights[0], weights[1])
    outputs = result.predictor.outputs(Table(table().to_dict(as_series=True)))
    assert outputs.shape == (ROWS, 1)


def test_a_stopped_cross_validation_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(table(), tmp_path / "whole", folds={"count": 3})
    from deepwell.workflows import contest as module

    learn = module.learn
    calls: list[int] = []

    def stopping(*args: Any, **options: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return learn(*args, **options)

    monkeypatch.setattr(module, "learn", stopping)
    with pytest.raises(KeyboardInterrupt, match=r"deepwell\.resume"):
        train(table(), tmp_path / "stopped", folds={"count": 3})
    resumed = deepwell.resume(tmp_path / "stopped" / "r", table())
    assert len(calls) == 4
    files = [r.folder.model / "model.safetensors" for r in (whole, resumed)]
    assert sha256(files[0]) == sha256(files[1])
    assert resumed.folder.read("folds.json") == whole.folder.read("folds.json")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"folds": {"count": 1}}, "folds are at least 2"),
        ({"folds": {"repeats": 3}}, "add --folds 5"),
        ({"folds": {"nested": True}}, "add --folds 5"),
        ({"folds": {"count": 3}, "ensemble": 2}, "choose one of --folds and --ensemble"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        train(table(), tmp_path, **changes)
    assert not list(tmp_path.iterdir())


def test_too_many_folds_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SplitError, match="121 folds need at least 121 rows"):
        train(table(), tmp_path, folds={"count": 121})
    rare = table(kind=["rare"] * 6 + ["common"] * (ROWS - 6)).drop("y")
    with pytest.raises(SplitError, match=r'10 rows of each class, and "rare" has \d'):
        train(rare, tmp_path, "kind", folds={"count": 10})
    homes = table(home=[f"h{i // 30}" for i in range(ROWS)])
    with pytest.raises(SplitError, match=r'6 groups, and column "home" has \d'):
        train(homes, tmp_path, folds={"count": 6}, data={"group": "home"})
    days = table(day=list(range(ROWS)))
    with pytest.raises(SplitError, match="cannot be repeated"):
        train(days, tmp_path, folds={"count": 3, "repeats": 2}, data={"time": "day"})
    with pytest.raises(SplitError, match=r"shorter folds\.embargo"):
        train(days, tmp_path, folds={"count": 3, "embargo": 100.0}, data={"time": "day"})
    assert not list(tmp_path.iterdir())


def test_a_network_of_your_own_is_not_built_anew(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="network of your own"):
        deepwell.train(
            table(), "y", model=torch.nn.Linear(2, 1), runs=tmp_path, settings={"ensemble": 2}
        )


def test_answers_of_a_row_are_averaged_over_its_trainings() -> None:
    from deepwell.tasks import Regression

    pool = Table({"x": pl.Series([1.0, 2.0, 3.0, 4.0])})
    nothing = np.zeros(0, dtype=np.int64)
    parts = tuple(Part(nothing, np.array(rows)) for rows in ([2, 1], [3], [1, 3], [2]))
    course = Course(pool, parts, "")
    outputs = [np.array(values, np.float32)[:, None] for values in ([2, 1], [3], [5, 7], [4])]
    task = Regression(targets=("y",), mean=[0.0], std=[1.0])
    assert course.positions.tolist() == [1, 2, 3]
    assert course.pooled(outputs, task)[:, 0].tolist() == [3.0, 3.0, 5.0]
