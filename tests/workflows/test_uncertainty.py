"""An uncertainty goes the whole road: trained, judged, stored, and followed by predict."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import small_data

import deepwell
from deepwell.artifact import load
from deepwell.errors import ConfigError, DeepwellError
from deepwell.evaluation import report
from deepwell.workflows import TrainResult
from deepwell.workflows.evaluate import evaluate

ROWS = 300


def table() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x, z = rng.uniform(-2, 2, ROWS), rng.normal(size=ROWS)
    y = 2 * x + rng.normal(size=ROWS) * (0.2 + 0.8 * (x > 0))
    kind = np.where(y + rng.normal(size=ROWS) > 0, "yes", "no")
    return pl.DataFrame({"x": x, "z": z, "y": y, "kind": kind})


def train(folder: Path, target: str, name: str, **changes: Any) -> TrainResult:
    other = "kind" if target == "y" else "y"
    single = {key: changes.pop(key) for key in ("ensemble",) if key in changes}
    settings = small_data.settings(
        **{
            "data": {"ignore": [other]},
            "split": {"val": 0.3},
            "model": {"name": "mlp", "hidden_sizes": [16], "dropout": 0.2},
            **changes,
        }
    )
    quiet = {"leaks": False, "shift": False, "slices": False}
    settings["evaluation"] = {**settings["evaluation"], **quiet}
    return deepwell.train(
        table(), target=target, name=name, runs=folder, settings={**settings, **single}
    )


def judged(result: TrainResult) -> dict[str, Any]:
    return small_data.read_json(result.folder / "evaluation.json")["uncertainty"]


@pytest.mark.parametrize(
    ("uncertainty", "columns"),
    [
        ("mc_dropout", ["std", "low", "high"]),
        ("quantiles", ["quantile_0.05", "quantile_0.5", "quantile_0.95", "low", "high"]),
    ],
)
def test_numbers(tmp_path: Path, uncertainty: str, columns: list[str]) -> None:
    result = train(tmp_path, "y", "r", decide={"uncertainty": uncertainty})
    answers = deepwell.predict(result.folder.path, table())
    assert answers.columns == [*table().columns, "prediction", *columns]
    again = load(result.folder.path).predict(table())
    assert answers.equals(again)
    few = load(result.folder.path).predict(table()[5:8])
    assert few["high"].to_numpy() == pytest.approx(answers["high"][5:8].to_numpy(), rel=1e-5)
    assert small_data.read_json(result.folder / "model" / "manifest.json")["format_version"] == 3
    found = judged(result)
    lines = {line["name"]: line for line in found["parts"][0]["lines"]}
    assert list(lines) == ["one width", "stated", "promised"]
    rows = table()[result.folder.read_splits()["test"]]
    said = result.predict(rows)
    inside = ((rows["y"] >= said["low"]) & (rows["y"] <= said["high"])).mean()
    assert lines["promised"]["covered"]["value"] == pytest.approx(inside)
    assert lines["promised"]["width"] == pytest.approx((said["high"] - said["low"]).mean())
    _is_judged_again(result, rows, found)
    page = report.render(result.folder.path)
    assert "How sure each answer is" in page
    assert result.summary["uncertainty"] in page


def _is_judged_again(result: TrainResult, rows: pl.DataFrame, found: dict[str, Any]) -> None:
    """Evaluating the test rows says the same as the training, but for what only it could know."""
    scores = evaluate(result.folder.path, rows)
    again = {line["name"]: line for line in scores["uncertainty"]["parts"][0]["lines"]}
    for line in found["parts"][0]["lines"][1:]:
        for name in ("rmse", "width", "interval_score"):
            assert again[line["name"]][name] == pytest.approx(line[name], rel=1e-5)
    assert again["one width"]["width"] is None  # its validation rows are not in the model folder
    assert scores["decision"]["coverage"]["reached"]["rows"] == len(rows)


def test_an_ensemble_of_classes(tmp_path: Path) -> None:
    result = train(tmp_path, "kind", "r", decide={"uncertainty": "ensemble"}, ensemble=2)
    answers = deepwell.predict(result.folder.path, table())
    assert "disagreement" in answers.columns
    assert answers["disagreement"].is_between(0, 1).all()
    found = judged(result)
    assert found["networks"] == 2
    assert [line["name"] for line in found["parts"][0]["lines"]] == ["network", "own"]
    own = found["parts"][0]["lines"][1]
    assert own["log_loss"] == pytest.approx(found["parts"][0]["lines"][0]["log_loss"], rel=0.2)
    rows = table()[result.folder.read_splits()["test"]]
    scores = evaluate(result.folder.path, rows)["uncertainty"]
    assert scores["source"] == "ensemble"
    assert scores["parts"][0]["lines"][1]["log_loss"] == pytest.approx(own["log_loss"], rel=1e-5)
    assert own["log_loss"] + 1e-9 < found["parts"][0]["lines"][0]["log_loss"]  # convexity


def test_folds_keep_a_coverage_without_rows_held_apart(tmp_path: Path) -> None:
    result = train(tmp_path, "y", "r", decide={"coverage": 0.8}, folds={"count": 3})
    decision = result.predictor.decision
    assert decision is not None
    assert decision.conformal is not None
    assert decision.conformal.kind == "cross_absolute"
    rows = result.summary["rows"]
    assert decision.conformal.rows == rows["train"] + rows["val"]
    reached = small_data.read_json(result.folder / "evaluation.json")["decision"]["coverage"]
    assert reached["reached"]["low"] < 0.8 < reached["reached"]["high"]
    stored = load(result.folder.path).predict(table())
    assert stored.equals(result.predict(table()))
    assert "answers to rows that the models of the folds had left out" in report.render(
        result.folder.path
    )


def test_without_the_question_nothing_is_answered(tmp_path: Path) -> None:
    result = train(tmp_path, "y", "r")
    assert judged(result) is None
    assert "uncertainty" not in result.summary
    assert result.predict(table()).columns == [*table().columns, "prediction"]
    assert "How sure each answer is" not in report.render(result.folder.path)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"decide": {"uncertainty": "mc_dropout"}, "model": {"name": "linear"}},
            "without|none here",
        ),
        ({"decide": {"uncertainty": "mc_dropout"}, "ensemble": 3}, "asks one network"),
        ({"decide": {"uncertainty": "ensemble"}, "ensemble": 1}, "several networks"),
        ({"decide": {"uncertainty": "ensemble"}, "folds": {"count": 3}}, "several networks"),
        (
            {"decide": {"uncertainty": "quantiles"}, "task": {"loss": "mae"}},
            "learns several of them",
        ),
        ({"decide": {"uncertainty": "mc_dropout"}, "split": {"val": 0}}, "there are none"),
        ({"decide": {"coverage": 0.9, "conformal": "cross"}}, "add --folds 5"),
        ({"decide": {"conformal": "split"}}, "keeps a coverage"),
    ],
)
def test_what_cannot_be_is_refused_and_leaves_nothing(
    tmp_path: Path, changes: dict[str, Any], words: str
) -> None:
    with pytest.raises(DeepwellError, match=words):
        train(tmp_path, "y", "r", **changes)
    assert list(tmp_path.iterdir()) == []


def test_quantiles_of_classes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DeepwellError, match="quantiles is for numbers"):
        train(tmp_path, "kind", "r", decide={"uncertainty": "quantiles"})


def test_the_coverage_decides_which_quantiles_are_learned() -> None:
    from deepwell.workflows import TrainSettings

    asked = {"decide": {"uncertainty": "quantiles", "coverage": 0.8}}
    assert TrainSettings.model_validate(asked).task.quantiles == (0.1, 0.5, 0.9)
    both = {"loss": "quantile", "quantile": 0.5, "quantiles": [0.1, 0.9]}
    with pytest.raises(ConfigError, match="quantile and quantiles"):
        TrainSettings.model_validate({"task": both})
