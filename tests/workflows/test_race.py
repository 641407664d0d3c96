"""The race: what takes part, what is kept, and that it can be stopped and go on."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import small_data

import deepwell
from deepwell.errors import ConfigError, ModelError, TrainingError
from deepwell.files import sha256
from deepwell.runs import RunFolder
from deepwell.workflows import contest, stand_in
from deepwell.workflows import run as running
from deepwell.workflows.portfolio import Entrant, entrants_for, num_folds
from deepwell.workflows.prepare import Prepared, prepare
from deepwell.workflows.race import Race, race
from deepwell.workflows.settings import ModelChoice, TrainSettings

ROWS = 640
TREES = Entrant("trees", {"model": {"name": "boosted_trees", "iterations": 15, "max_leaves": 6}})
MLP = Entrant("mlp", {"model": {"name": "mlp", "hidden_sizes": [8]}})
LINEAR = Entrant("linear", {"model": {"name": "linear"}})
TINY = (TREES, MLP, LINEAR)
FAST = small_data.settings(engine={"epochs": 2, "batch_size": 64})


def table(**more: Any) -> pl.DataFrame:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, 3)).round(3)
    gaps = np.where(rng.random(ROWS) < 0.2, np.nan, x[:, 2])
    town = rng.choice(["Rome", "Oslo", "Lima"], ROWS)
    y = 3 * x[:, 0] + np.abs(x[:, 1]) + (town == "Oslo") + rng.normal(0, 0.1, ROWS)
    columns = {"a": x[:, 0], "b": x[:, 1], "gaps": gaps, "town": town, "y": y.round(3)}
    return pl.DataFrame({**columns, **more})


def ready(frame: pl.DataFrame, target: str = "y", **changes: Any) -> Prepared:
    overrides = {**small_data.settings(**changes), "target": target.split(",")}
    return prepare(frame, overrides, module=None, say=lambda text: None)


def run(prepared: Prepared, entrants: tuple[Entrant, ...] = TINY, **options: Any) -> Race:
    said: list[str] = options.pop("said", [])
    limit = options.pop("limit", 600.0)
    given = {"engine": {"epochs": 2, "batch_size": 64}}
    return race(prepared, given=given, limit=limit, say=said.append, entrants=entrants, **options)


def test_weights_sum_to_one_and_the_blend_is_no_worse_than_the_best() -> None:
    prepared = ready(table())
    outcome = run(prepared)
    losses = [result.loss for result in outcome.results]
    assert sum(result.weight for result in outcome.results) == pytest.approx(1)
    assert [len(result.predictors) for result in outcome.results] == [5, 5, 5]
    assert outcome.facts["rows"] == len(prepared.train) + len(prepared.val)
    scores = [result.score for result in outcome.results if result.score is not None]
    assert outcome.facts["score"] <= min(scores) + 1e-9
    assert all(loss is not None and 0 < loss < 2 for loss in losses)
    again = run(ready(table()))
    assert [result.loss for result in again.results] == losses
    ours, theirs = (r.learned.predictor.outputs(prepared.test) for r in (outcome, again))
    assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("target", "options", "link"),
    [
        ("y", {}, "none"),
        ("bought", {}, "sigmoid"),
        ("town", {}, "softmax"),
        ("bought,late", {"task": {"kind": "multilabel"}}, "sigmoid"),
        ("y,a", {}, "none"),
        ("y", {"data": {"weight": "importance"}}, "none"),
        ("town", {"data": {"group": "house"}}, "softmax"),
        ("bought", {"decide": {"coverage": 0.8}, "split": {"val": 0.3}}, "sigmoid"),
    ],
)
def test_every_question(target: str, options: dict[str, Any], link: str, tmp_path: Path) -> None:
    x = table()["a"].to_numpy()
    frame = table(
        bought=np.where(x > 0.3, "yes", "no"),
        late=x > -0.5,
        house=[f"h{i // 5}" for i in range(ROWS)],
        importance=np.where(np.arange(ROWS) % 3, 1.0, 0.5),
    )
    others = {"bought", "late", "house", "importance"} - set(target.split(","))
    used = set(options.get("data", {}).values())
    frame = frame.drop(others - used)
    prepared = ready(frame, target, **options)
    outcome = run(prepared, (TREES, LINEAR))
    predictor = outcome.learned.predictor
    assert prepared.task.link == link
    predictor.save(tmp_path / "model", golden=prepared.train)
    answers = deepwell.load(tmp_path / "model").predict(prepared.test)
    assert answers.equals(predictor.predict(prepared.test))
    assert predictor.input_names == [column.name for column in prepared.schema.inputs]
    if "coverage" in options.get("decide", {}):
        assert "set" in answers.columns
        assert outcome.facts["rows"] < len(prepared.train) + len(prepared.val)


def test_rows_in_time_are_judged_by_the_later_ones() -> None:
    frame = table(day=list(range(ROWS)))
    outcome = run(ready(frame, data={"time": "day"}), (TREES, LINEAR))
    assert outcome.facts["folds"] == 1
    assert [len(result.predictors) for result in outcome.results] == [1, 1]


def test_few_groups_are_not_dealt_to_folds() -> None:
    frame = table(house=[f"h{i // 160}" for i in range(ROWS)])
    prepared = ready(frame, data={"group": "house"}, split={"test": 0.25, "val": 0.25})
    assert run(prepared, (TREES,)).facts["folds"] == 1
    assert num_folds(prepared.schema) == 5


@pytest.mark.parametrize("kept", [["town"], ["gaps", "nothing"]])
def test_categories_only_and_empty_columns(kept: list[str]) -> None:
    frame = table(nothing=[None] * (ROWS - 1) + [1.5]).select(*kept, "y")
    outcome = run(ready(frame), (TREES, LINEAR))
    assert all(result.loss is not None for result in outcome.results)


def test_what_cannot_be_trained_is_left_out_with_the_reason() -> None:
    said: list[str] = []
    broken = Entrant("broken", {"model": {"name": "cnn"}})
    outcome = run(ready(table()), (broken, LINEAR), said=said)
    assert "reads images" in outcome.results[0].reason
    assert any(line.startswith("broken: left out, ") for line in said)
    assert outcome.results[1].weight == 1.0
    with pytest.raises(ModelError, match="reads images"):
        run(ready(table()), (broken,))


def test_a_loss_that_trees_do_not_know_leaves_them_out() -> None:
    prepared = ready(table())
    given = {"engine": {"epochs": 1}, "task": {"loss": "mae"}}
    outcome = race(prepared, given=given, limit=60, say=lambda text: None, entrants=(TREES, LINEAR))
    assert "squared error" in outcome.results[0].reason
    assert outcome.learned.predictor.recipe.name == "blend"  # of five folds


def test_the_time_limit_stops_a_slow_model_and_leaves_out_the_rest() -> None:
    slow = Entrant("slow", {"model": {"name": "mlp"}, "engine": {"epochs": 5000}})
    entrants, said = (TREES, slow, LINEAR), [""]
    outcome = race(ready(table()), given={}, limit=0.9, say=said.append, entrants=entrants)
    reasons = [result.reason for result in outcome.results]
    assert reasons == ["", "stopped early by the time limit", "no time was left"]
    assert outcome.results[1].loss is not None
    assert outcome.learned.fit.seconds < 60
    assert any(line == "linear: left out, no time was left" for line in said)


def test_a_model_that_fails_in_a_later_fold_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []

    def broken(predictor: Any, *args: Any, **options: Any) -> Any:
        name = predictor.recipe.name
        calls.append(name)
        if name == "mlp" and calls.count(name) == 3:
            raise TrainingError("The loss is not a finite number.")
        return learn(predictor, *args, **options)

    learn = contest.learn
    monkeypatch.setattr(contest, "learn", broken)
    outcome = run(ready(table()), (MLP, LINEAR))
    assert calls.count("mlp") == 3
    assert "not a finite number" in outcome.results[0].reason
    assert outcome.results[1].weight == 1.0
    assert outcome.facts["folds"] == 5


def test_classes_have_no_logarithm() -> None:
    log = Entrant("log", {"model": {"name": "boosted_trees", "log_targets": True}})
    with pytest.raises(ConfigError, match="the target has classes"):
        run(ready(table(), "town"), (log,))


def test_a_user_goes_over_the_settings_of_an_entrant_but_for_its_model() -> None:
    entrant = Entrant(
        "one",
        {"model": {"name": "mlp"}, "engine": {"epochs": 9}},
        of_many={"engine": {"epochs": 4}},
    )
    given = {"engine": {"epochs": 2}, "model": {"name": "linear"}}
    assert entrant.settings({}, 1_000)["engine"] == {"epochs": 9}
    assert entrant.settings({}, 50_000)["engine"] == {"epochs": 4}
    assert entrant.settings(given, 50_000) == {"model": {"name": "mlp"}, "engine": {"epochs": 2}}


def test_settings_of_the_user_hold_for_all_networks() -> None:
    outcome = run(ready(table()), (MLP, LINEAR))
    assert [len(result.fit.history) for result in outcome.results if result.fit] == [2, 2]


def test_trees_learn_the_logarithm_of_sums_of_money(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    sizes = {"y": table()["y"].to_numpy(), "price": np.exp(rng.normal(8, 1, ROWS)).round(2)}
    chosen = {}
    for name, column in sizes.items():
        prepared = ready(table().drop("y").with_columns(pl.Series(name, column)), name)
        competing = entrants_for(prepared.task, prepared.train)
        chosen[name] = [one for one in competing if "trees, " in one.title]
    few, slow = "boosted_trees, few columns", "boosted_trees, slow"
    assert [one.title for one in chosen["y"]] == [few, slow]
    _, *logarithms = chosen["price"]
    assert [one.title for one in logarithms] == [
        "boosted_trees, logarithm",
        "symmetric_trees, logarithm",
    ]
    outcome = run(prepared, logarithms)
    answers = outcome.learned.predictor.predict(prepared.test)
    assert answers["price"].min() > 0
    outcome.learned.predictor.save(tmp_path / "model", golden=prepared.train)
    assert deepwell.load(tmp_path / "model").predict(prepared.test).equals(answers)


@pytest.fixture
def tiny_race(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "entrants_for", lambda task, rows: TINY)


def train(frame: Any, runs: Path, name: str, say: Callable[[str], None] | None = None) -> Any:
    return deepwell.train(frame, "y", name=name, runs=runs, settings=FAST, say=say)


def test_the_run_tells_of_all_models(tmp_path: Path, tiny_race: None) -> None:
    result = train(table(), tmp_path, "whole")
    race_file = result.folder.read("race.json")
    assert [model["name"] for model in race_file["models"]] == ["trees", "mlp", "linear"]
    assert not result.folder.members.exists()
    page = result.report.read_text(encoding="utf-8")
    assert "Models that competed" in page
    assert "No test row was looked at" in page
    names = {model["name"] for model in race_file["models"] if model["weight"]}
    assert ("not a network" in result.verdict) == (names == {"trees"})
    assert deepwell.load(result.folder.path).predict(table()[:3]).height == 3


def test_a_race_is_diagnosed_by_its_strongest_model(
    tmp_path: Path, tiny_race: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stand_in, "entrants_for", lambda task, rows: TINY)
    result = train(table(), tmp_path, "whole")
    prepared = ready(table())
    auto = prepared.settings.model_copy(update={"model": ModelChoice()})
    alone, title = stand_in.strongest_alone(result.folder, replace(prepared, settings=auto))
    models = result.folder.read("race.json")["models"]
    assert title == max(models, key=lambda model: model["weight"])["name"]
    entrant = next(one for one in TINY if one.title == title)
    assert alone.settings.model.name == entrant.model
    assert alone.settings.split == prepared.settings.split
    named = replace(prepared, settings=alone.settings)
    assert stand_in.strongest_alone(result.folder, named) == (named, "")


def at(words: str, action: Callable[[], None]) -> Callable[[str], None]:
    return lambda text: action() if text.startswith(words) else None


def press_ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_ctrl_c_keeps_what_is_done_and_goes_on_to_the_same_model(
    tmp_path: Path, tiny_race: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = train(table(), tmp_path, "whole")
    with pytest.raises(KeyboardInterrupt, match="The best model so far is in") as stop:
        train(table(), tmp_path, "stopped", at("mlp:", press_ctrl_c))
    assert "Stopped after 2 of the competing models" in str(stop.value)
    run = RunFolder(tmp_path / "stopped")
    assert run.state == "interrupted"
    assert len(list(run.members.glob("*/manifest.json"))) == 2
    assert len(deepwell.predict(run.path, table())) == ROWS

    trained: list[str] = []

    def counted(predictor: Any, *args: Any, **options: Any) -> Any:
        trained.append(predictor.recipe.name)
        return learn(predictor, *args, **options)

    learn = contest.learn
    monkeypatch.setattr(contest, "learn", counted)
    resumed = deepwell.resume(run.path, table())
    assert sorted(trained) == ["boosted_trees"] * 4 + ["linear"] * 5 + ["mlp"] * 4
    files = [r.folder.model / "model.safetensors" for r in (whole, resumed)]
    assert sha256(files[0]) == sha256(files[1])
    assert resumed.metrics == whole.metrics
    assert resumed.folder.read_metrics() == whole.folder.read_metrics()
    assert not run.members.exists()


def test_a_crash_can_be_resumed_and_a_damaged_member_is_trained_anew(
    tmp_path: Path, tiny_race: None
) -> None:
    def crash() -> None:
        raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        train(table(), tmp_path, "stopped", at("trees:", crash))
    run = RunFolder(tmp_path / "stopped")
    assert run.state == "failed"
    weights = next(run.members.glob("trees-0/*.safetensors"))
    weights.write_bytes(weights.read_bytes()[:-10])
    assert deepwell.resume(run.path, table()).folder.state == "finished"


def test_ctrl_c_before_a_model_is_done_leaves_nothing(tmp_path: Path, tiny_race: None) -> None:
    with pytest.raises(KeyboardInterrupt):
        train(table(), tmp_path, "stopped", at("3 models compete", press_ctrl_c))
    assert list(tmp_path.iterdir()) == []


def test_a_blend_cannot_be_asked_for() -> None:
    with pytest.raises(ModelError, match="leave --model out"):
        ready(table(), model={"name": "blend"})


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("10m", 600), ("0.5 h", 1800)])
def test_time_limit(text: str, seconds: float) -> None:
    settings = TrainSettings.model_validate({"time_limit": text})
    assert settings.time_limit == seconds


def test_a_time_limit_that_is_none() -> None:
    with pytest.raises(ConfigError, match="90s, 10m or 1h"):
        deepwell.train(table(), "y", settings={"time_limit": "soon"})
