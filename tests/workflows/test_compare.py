"""Runs on the same test rows are compared in pairs; others are refused with the reason."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import small_data
from rich.console import Console

import deepwell
from deepwell.cli import render, render_judge
from deepwell.errors import ConfigError, RunError
from deepwell.evaluation.comparing.page import difference_texts
from deepwell.evaluation.stored import read_answers

GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=300)
FRAME = pl.DataFrame(
    {
        "x": X,
        "z": GENERATOR.normal(size=300),
        "y": 3 * X + GENERATOR.normal(size=300),
        "label": np.where(X + 0.5 * GENERATOR.normal(size=300) > 0, "yes", "no"),
    }
)
EXAMPLE: dict[str, Any] = {
    "split": {"seed": 1},
    "evaluation": {"leaks": False, "shift": False},
    "engine": {"epochs": 2},
}


def train(folder: Path, name: str, target: str = "y", **changes: Any) -> Path:
    settings = small_data.settings(**{**EXAMPLE, **changes})
    settings["evaluation"] = {**settings["evaluation"], "slices": False}
    other = "label" if target == "y" else "y"
    settings["data"] = {"ignore": [other, *changes.get("data", {}).get("ignore", ())]}
    seed = changes.get("seed", {}).get("value", 0)
    settings["seed"] = seed
    return deepwell.train(
        FRAME, target=target, model="linear", name=name, runs=folder, settings=settings
    ).folder.path


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compared")
    for seed in (0, 1):
        train(folder, f"good-seed{seed}", seed={"value": seed}, engine={"epochs": 12})
        train(folder, f"blind-seed{seed}", seed={"value": seed}, data={"ignore": ["x"]})
    train(folder, "elsewhere", split={"seed": 2})
    train(folder, "classes", target="label")
    train(folder, "blind-classes", target="label", data={"ignore": ["x"]})
    return folder


def test_answers_are_stored_beside_the_truth(runs: Path) -> None:
    answers = read_answers(runs / "good-seed0")
    frame = pl.read_parquet(runs / "good-seed0" / "predictions.parquet").sort("id")
    np.testing.assert_array_equal(answers.scored.truth[:, 0], FRAME["y"].to_numpy()[answers.ids])
    assert frame["actual"].to_list() == FRAME["y"].gather(answers.ids).to_list()
    classes = read_answers(runs / "classes")
    truth = [classes.task.labels[i] for i in classes.scored.truth]
    assert truth == FRAME["label"].gather(classes.ids).to_list()
    stored = json.loads((runs / "classes" / "result.json").read_text())["metrics"]
    for metric in classes.metrics:
        value = metric.compute(classes.scored.weighted(np.ones((len(truth), 1))))[0]
        assert value == pytest.approx(stored[metric.name]["value"])


def test_a_better_run_is_better_beyond_the_interval(runs: Path, tmp_path: Path) -> None:
    page = tmp_path / "compare.html"
    found = deepwell.compare([runs / "blind-seed0", runs / "good-seed0"], output=page)
    (pair,) = found.pairs
    assert (pair.first, pair.second, pair.better) == ("good-seed0", "blind-seed0", "first")
    assert pair.high is not None
    assert pair.high < 0
    assert pair.p == pair.p_corrected
    assert pair.p is not None
    assert pair.p < 0.01
    assert "good-seed0" in found.verdict
    assert "is better than blind-seed0" in found.verdict
    assert small_data.read_json(page.with_suffix(".json")) == found.to_json()
    assert "<script" not in page.read_text()
    assert 'role="img"' in page.read_text()


@pytest.mark.parametrize("names", [("blind-seed0", "good-seed0"), ("classes", "blind-classes")])
def test_differences_stay_readable_on_a_narrow_terminal(
    runs: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    names: tuple[str, str],
) -> None:
    console = Console(width=60, highlight=False)
    monkeypatch.setattr(render_judge, "console", console)
    monkeypatch.setattr(render, "console", console)
    found = deepwell.compare([runs / name for name in names])
    render_judge.show_comparison(found, None)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 60
    value, _ = difference_texts(found.metric, found.pairs[0])
    where = lines.index(f"Difference in {found.metric.title}")
    assert f"{found.pairs[0].first} − {found.pairs[0].second}" in lines[where + 1]
    assert value in lines[where + 2]
    assert ("McNemar" in lines[where + 3]) == (found.task != "regression")


def test_classes_get_mcnemars_test(runs: Path) -> None:
    found = deepwell.compare([runs / "classes", runs / "blind-classes"])
    a, b = (read_answers(runs / one.name).scored for one in found.contenders)
    right = [one.values == one.truth for one in (a, b)]
    test = found.pairs[0].mcnemar
    assert test is not None
    assert test["only_first"] == int((right[0] & ~right[1]).sum())
    assert test["only_second"] == int((right[1] & ~right[0]).sum())
    assert test["p"] < 0.05


def test_three_runs_are_corrected_by_holm(runs: Path) -> None:
    names = ["good-seed0", "good-seed1", "blind-seed0"]
    found = deepwell.compare([runs / name for name in names])
    assert len(found.pairs) == 3
    raw = sorted(pair.p or 0.0 for pair in found.pairs)
    corrected = sorted(pair.p_corrected or 0.0 for pair in found.pairs)
    assert corrected[0] == pytest.approx(min(1.0, 3 * raw[0]))
    assert found.contenders[-1].name == "blind-seed0"


def test_seeds_of_a_configuration_are_put_together(runs: Path) -> None:
    names = ["good-seed0", "good-seed1", "blind-seed0", "blind-seed1"]
    found = deepwell.compare([runs / name for name in names], by="config")
    assert [(one.name, one.seeds) for one in found.contenders] == [
        ("good", (0, 1)),
        ("blind", (0, 1)),
    ]
    good = found.contenders[0]
    values = np.array(good.values, dtype=float)
    assert good.scores["rmse"].value == pytest.approx(values.mean())
    assert good.spread is not None
    assert good.spread["rmse"] == pytest.approx(values.std(ddof=1))
    assert found.pairs[0].better == "first"


@pytest.mark.parametrize(
    ("names", "options", "error", "match"),
    [
        (["good-seed0", "elsewhere"], {}, RunError, "test rows differ"),
        (["good-seed0", "classes"], {}, RunError, "targets differ"),
        (["good-seed0"], {}, ConfigError, "two run folders"),
        (["good-seed0", "good-seed0"], {}, ConfigError, "given twice"),
        (["good-seed0", "good-seed1"], {"by": "confg"}, ConfigError, 'mean "config"'),
        (["good-seed0", "good-seed1"], {"metric": "f1"}, RunError, 'no common metric "f1"'),
        (["good-seed0", "nowhere"], {}, RunError, "no run folder"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    runs: Path, names: list[str], options: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        deepwell.compare([runs / name for name in names], **options)


def test_further_runs_and_looks_are_counted_and_told(runs: Path, tmp_path: Path) -> None:
    counted = {
        path.parent.name: small_data.read_json(path)["siblings"]
        for path in runs.glob("*/evaluation.json")
    }
    assert counted["good-seed0"]["number"] == 1
    assert counted["good-seed0"]["sentence"] == ""
    assert counted["elsewhere"]["number"] == 1
    last = counted["blind-seed1"]
    assert last["number"] == 4
    assert last["optimism"] >= 0
    assert "run number 4 that was scored on these test rows" in last["sentence"]
    assert "run number 4" in (runs / "blind-seed1" / "report.html").read_text()
    run = small_data.copy_tree(runs / "good-seed0", tmp_path / "run")
    fresh = FRAME.with_columns(pl.col("x") + 7.25)
    assert deepwell.evaluate(run, fresh)["looks"] is None
    assert len(small_data.read_json(run / "looks.json")) == 1
    looks = deepwell.evaluate(run, FRAME)["looks"]
    assert looks["times"] == 2
    assert looks["rows"] == len(read_answers(run).ids)
    assert "looked at 2 times" in looks["sentence"]
    assert "looked at 2 times" in (run / "report.html").read_text()
