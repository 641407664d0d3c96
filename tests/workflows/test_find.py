"""Found settings are those of the run: written down, drawn, and resumed."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import small_data

import deepwell
from deepwell.errors import ConfigError, RunError
from deepwell.files import sha256
from deepwell.workflows.find import BATCH_FILE, LR_FILE
from deepwell.workflows.overfit import overfit, verdict
from deepwell.workflows.profile import profile


def train(tmp_path: Path, name: str, **changes: dict[str, Any]) -> Any:
    settings = small_data.settings(model={"name": "mlp"}, **changes)
    said: list[str] = []
    result = deepwell.train(
        small_data.houses(), "price", name=name, runs=tmp_path, settings=settings, say=said.append
    )
    return result, said


def test_a_found_rate_trains_as_the_same_rate_given(tmp_path: Path):
    found, said = train(tmp_path, "found", find={"learning_rate": True, "steps": 80})
    test = small_data.read_json(found.folder / LR_FILE)
    config = found.folder.read_config()
    assert config["engine"]["learning_rate"] == test["suggestion"]
    assert config["find"]["learning_rate"] is False
    assert any(line.startswith(f"Learning rate {test['suggestion']:g}, found") for line in said)
    page = found.report.read_text()
    assert "loss in the range test" in page
    assert f"taken: {test['suggestion']:.2g}" in page

    given, _ = train(tmp_path, "given", engine={"learning_rate": test["suggestion"]})
    files = [run.folder.model / "model.safetensors" for run in (found, given)]
    assert sha256(files[0]) == sha256(files[1])
    assert "range test" not in given.report.read_text()


def test_a_found_batch_size_is_used(tmp_path: Path):
    said: list[str] = []
    settings = {**small_data.FAST, "engine": {"epochs": 2}, "find": {"batch_size": True}}
    result = deepwell.train(
        small_data.houses(), "price", model="mlp", runs=tmp_path, settings=settings,
        say=said.append,
    )  # fmt: skip
    search = small_data.read_json(result.folder / BATCH_FILE)
    assert result.folder.read_config()["engine"]["batch_size"] == search["batch_size"]
    assert search["reason"] in said
    assert any(line.startswith("batch") and "rows/s" in line for line in said)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"find": {"learning_rate": True}, "engine": {"learning_rate": 0.1}}, "leave out one of"),
        ({"find": {"batch_size": True}, "engine": {"batch_size": 32}}, "leave out one of"),
        ({"find": {"learning_rate": True}, "engine": {"optimizer": "lbfgs"}}, "by itself"),
        ({"find": {"batch_size": True}, "engine": {"optimizer": "lbfgs"}}, "all rows at once"),
        ({"find": {"learning_rate": True}, "engine": {"devices": 2}}, "look at one process"),
        ({"find": {"learning_rate": True}, "model": {"name": "auto"}}, "name it, as in"),
        ({"find": {"learning_rate": True}, "model": {"name": "boosted_trees"}}, "grows trees"),
    ],
)
def test_what_has_no_meaning_is_refused(tmp_path: Path, changes: dict[str, Any], words: str):
    settings = {"model": {"name": "mlp"}, **changes}
    data = small_data.houses(1000)
    with pytest.raises(ConfigError, match=words):
        deepwell.train(data, "price", runs=tmp_path / "runs", settings=settings)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("asked", "words"),
    [({"find": {"learning_rate": True}}, "grows trees"), ({"task": {"loss": "mae"}}, "knows squ")],
)
def test_trees_refuse_before_the_data_are_read(asked: dict[str, Any], words: str):
    with pytest.raises(ConfigError, match=words):
        deepwell.train("no such file.csv", "price", model="boosted_trees", settings=asked)


def test_the_perceptron_has_no_rate_to_find(tmp_path: Path):
    with pytest.raises(ConfigError, match="only scales all weights"):
        deepwell.train(
            small_data.visitors(), "bought", model="perceptron", runs=tmp_path / "runs",
            settings={"find": {"learning_rate": True}},
        )  # fmt: skip


def test_overfitting_one_batch_says_whether_a_network_learns():
    good = overfit(small_data.houses(), "price", model="mlp")
    assert good.is_learned
    assert verdict(good).startswith("The network can learn: it knew 32 rows by heart")
    rng = np.random.default_rng(0)
    noise = {"x": np.repeat(rng.normal(size=40), 5), "y": rng.normal(size=200)}
    bad = overfit(noise, "y", model="linear")
    assert not bad.is_learned
    assert verdict(bad).startswith("The network could not learn 32 rows")


def test_a_profile_of_data_and_of_a_run(tmp_path: Path, houses_file: Path):
    result = deepwell.train(
        houses_file, "price", model="mlp", name="r", runs=tmp_path, settings=small_data.settings()
    )
    found = profile(result.folder.path, steps=3)
    assert found.batch_size in range(20, 33)
    larger = profile(
        houses_file, "price", model="mlp", settings={"engine": {"batch_size": 100}}, steps=3
    )
    assert larger.batch_size > 50
    frame, _ = train(tmp_path, "frame")
    with pytest.raises(RunError, match="object of Python"):
        profile(frame.folder.path)


def test_loggers_hear_the_whole_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    from deepwell.engine.loggers import base
    from deepwell.workflows import watched

    heard: list[tuple[str, Any]] = []

    class Ear(base.Logger):
        def place(self) -> dict[str, Any]:
            return {"show": "look here"}

        def open(self, step: int) -> None:
            heard.append(("open", step))

        def log_results(self, values: Any, artifacts: Any = ()) -> None:
            heard.append(("results", (sorted(values), [path.name for path in artifacts])))

        def end(self, how: base.End) -> None:
            heard.append(("end", how))

    monkeypatch.setattr(watched, "make_logger", lambda name, subject: Ear(subject))
    monkeypatch.setattr("deepwell.workflows.prepare.check_loggers", lambda names: None)
    monkeypatch.setattr(
        "deepwell.engine.trainer.with_loggers", lambda callbacks, names, settings: callbacks
    )
    result, said = train(tmp_path, "r", engine={"loggers": ["mlflow"]})
    assert heard == [
        ("open", 0),
        ("results", (["mae", "median_error", "r2", "rmse"], ["report.html", "model"])),
        ("end", "finished"),
    ]
    assert said[-1] == "mlflow: look here"
    assert small_data.read_json(result.folder / "loggers.json") == {"mlflow": {"show": "look here"}}
