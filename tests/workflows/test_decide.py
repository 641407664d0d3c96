"""From the settings to the answers of a stored model: decisions go the whole road."""

import signal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import small_data

import deepwell
from deepwell.artifact import load
from deepwell.errors import ConfigError, TaskError
from deepwell.estimators import DeepClassifier
from deepwell.evaluation import report
from deepwell.workflows import TrainResult

ROWS = 700


def noisy(rows: int = ROWS) -> pl.DataFrame:
    """A yes-or-no question and a number that nobody can answer quite."""
    rng = np.random.default_rng(0)
    age, calls = rng.normal(40, 12, rows), rng.normal(size=rows)
    chance = 1 / (1 + np.exp(-(age - 45) / 8 - calls))
    return pl.DataFrame(
        {
            "age": age,
            "calls": calls,
            "stays": np.where(rng.random(rows) < chance, "yes", "no"),
            "income": 100 * age + rng.normal(0, 200, rows),
        }
    )


def train(folder: Path, target: str, said: list[str] | None = None, **decide: Any) -> TrainResult:
    other = "income" if target == "stays" else "stays"
    settings = small_data.settings(
        decide=decide,
        data={"ignore": [other]},
        engine={"epochs": 5, "learning_rate": 0.01},
        split={"val": 0.3},
    )
    return deepwell.train(
        noisy(),
        target=target,
        model="mlp",
        runs=folder,
        settings=settings,
        say=None if said is None else said.append,
    )


@pytest.fixture(scope="module")
def decided(tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """A run with a calibration, a threshold and a coverage."""
    return train(
        tmp_path_factory.mktemp("runs"),
        "stays",
        calibrate="platt",
        threshold="recall>=0.9",
        coverage=0.8,
    )


def test_the_stored_model_follows_the_decision(decided: TrainResult) -> None:
    predictor = load(decided.folder.path)
    assert predictor.decision is not None
    (threshold,) = predictor.decision.thresholds or ()
    answers = deepwell.predict(decided.folder.path, noisy().drop("stays"))
    assert answers["prediction"].to_list() == [
        "yes" if p >= threshold else "no" for p in answers["probability_yes"]
    ]
    assert set(answers["set"]) == {"no", "yes", "no|yes"}
    assert answers["prediction"].to_list() == decided.predict(noisy())["prediction"].to_list()
    written = pl.read_parquet(decided.folder / "predictions.parquet")
    assert "set" in written.columns


def test_scores_are_those_of_the_decided_answers(decided: TrainResult) -> None:
    ids = decided.folder.read_splits()["test"]
    rows = noisy()[ids]
    answers = decided.predict(rows)
    recall = (answers["prediction"] == "yes").filter(rows["stays"] == "yes").mean()
    assert decided.metrics["recall"]["value"] == pytest.approx(recall)
    decision = small_data.read_json(decided.folder / "evaluation.json")["decision"]
    assert decision["answers"]["after"]["recall"] == pytest.approx(recall)
    inside = [t in s.split("|") for t, s in zip(rows["stays"], answers["set"], strict=True)]
    assert decision["coverage"]["reached"]["value"] == pytest.approx(np.mean(inside))
    again = deepwell.evaluate(decided.folder.path, rows)
    assert again["metrics"]["recall"]["value"] == pytest.approx(recall)


def test_rows_held_apart_choose_nothing_else(decided: TrainResult) -> None:
    assert decided.predictor.decision is not None
    assert decided.predictor.decision.conformal is not None
    apart = decided.predictor.decision.conformal.rows
    assert apart == decided.summary["rows"]["val"] // 2
    assert (
        f"on {decided.summary['rows']['val'] - apart} validation rows"
        in (decided.predictor.decision.notes[0])
    )


def test_the_report_tells_it(decided: TrainResult) -> None:
    page = report.render(decided.folder.path)
    assert "How answers are decided" in page
    assert "Platt scaling" in page
    assert "Reliability before and after calibration" in page
    assert "Precision and recall of the test rows by threshold" in page
    assert "for 80\u202f% of new rows the truth lies in the set" in page


def test_intervals_of_a_number(tmp_path: Path) -> None:
    said: list[str] = []
    result = train(tmp_path, "income", said, coverage=0.9)
    answers = result.predict(noisy())
    middle = (answers["low"] + answers["high"]) / 2
    assert middle.to_numpy() == pytest.approx(answers["prediction"].to_numpy())
    reached = small_data.read_json(result.folder / "evaluation.json")["decision"]["coverage"]
    assert 0.8 < reached["reached"]["value"] < 0.97
    assert any("Intervals that hold the truth of 90 % of new rows" in text for text in said)
    assert "lies in the interval" in report.render(result.folder.path)


def test_by_default_no_answer_changes(tmp_path: Path) -> None:
    said: list[str] = []
    default, without = train(tmp_path, "stays", said), train(tmp_path, "stays", calibrate="none")
    assert any(text.startswith("Probabilities") for text in said)
    pair = [one.predict(noisy()) for one in (default, without)]
    assert pair[0]["prediction"].to_list() == pair[1]["prediction"].to_list()
    assert default.metrics["accuracy"] == without.metrics["accuracy"]
    assert small_data.read_json(without.folder / "evaluation.json")["decision"] is None
    assert not (without.folder / "model" / "decision.json").exists()


def test_a_resumed_run_decides_as_an_uninterrupted_one(tmp_path: Path, decided: TrainResult):
    class Stop:
        def on_epoch_ended(self, state: Any) -> None:
            if state.epoch == 3:
                signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        deepwell.train(
            noisy(),
            target="stays",
            runs=tmp_path,
            name="stopped",
            settings=decided.folder.read_config(),
            callbacks=[Stop()],
        )
    resumed = deepwell.resume(tmp_path / "stopped", noisy())
    assert resumed.predictor.decision is not None
    assert decided.predictor.decision is not None
    assert resumed.predictor.decision.to_json() == decided.predictor.decision.to_json()


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"decide": {"threshold": "f11"}}, ConfigError, "f1, cost, precision"),
        ({"decide": {"cost": "1,2;3,4"}}, ConfigError, "must cost more than the right one"),
        ({"decide": {"cost": "0,1,1;1,0,1;1,1,0"}}, TaskError, "order no, yes"),
        (
            {"decide": {"coverage": 0.9}, "split": {"val": 0}},
            ConfigError,
            "from validation rows, and there are none",
        ),
        ({"evaluation": {"cost_over": 2}}, ConfigError, "say with --cost"),
    ],
)
def test_mistakes_are_refused_before_training(
    tmp_path: Path, changes: dict[str, Any], error: type[Exception], words: str
) -> None:
    settings = small_data.settings(data={"ignore": ["income"]}, **changes)
    with pytest.raises(error, match=words):
        deepwell.train(noisy(), target="stays", runs=tmp_path, settings=settings)
    assert list(tmp_path.iterdir()) == []


def test_the_estimator_follows_the_decision() -> None:
    rows = noisy()
    X, y = rows.select("age", "calls").to_numpy(), rows["stays"].to_numpy()
    options = {"epochs": 3, "validation_fraction": 0.3, "random_state": 0}
    plain = DeepClassifier("linear", **options).fit(X, y)
    careful = DeepClassifier("linear", **options, settings={"decide": {"cost": "1,9"}}).fit(X, y)
    assert (careful.predict(X) == "yes").mean() > (plain.predict(X) == "yes").mean() + 0.1
    expected = np.where(careful.predict_proba(X)[:, 1] >= 0.1, "yes", "no")
    assert (careful.predict(X) == expected).all()


@pytest.mark.parametrize(
    ("asked", "error"),
    [({"coverage": 0.9}, "there are none"), ({"cost": "0,1,1;1,0,1;1,1,0"}, "order no, yes")],
)
def test_an_estimator_refuses_before_training(asked: dict[str, Any], error: str) -> None:
    rows = noisy(60)
    network = DeepClassifier("linear", validation_fraction=0, settings={"decide": asked})
    with pytest.raises(ValueError, match=error):
        network.fit(rows.select("age").to_numpy(), rows["stays"].to_numpy())
    assert not hasattr(network, "predictor_")
