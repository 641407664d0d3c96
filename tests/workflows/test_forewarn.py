"""What is known to come to nothing is said before training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import small_data

import deepwell
from deepwell.errors import ConfigError


def said(
    folder: Path, target: str, model: str, rows: pl.DataFrame | None = None, **changes: Any
) -> list[str]:
    """Return what a training says."""
    heard: list[str] = []
    deepwell.train(
        small_data.houses(120) if rows is None else rows,
        target=target,
        model=model,
        runs=folder,
        settings=small_data.settings(**changes),
        say=heard.append,
    )
    return heard


def place(heard: list[str], words: str) -> int:
    return next(number for number, text in enumerate(heard) if words in text)


def test_a_coverage_that_cannot_be_promised(tmp_path: Path) -> None:
    heard = said(tmp_path, "price", "linear", decide={"coverage": 0.99})
    warned = place(heard, "There will be no coverage: 99 % needs 99 validation rows")
    assert warned < place(heard, "Computes with") < place(heard, "No coverage is promised.")


def test_a_coverage_of_a_rare_class(tmp_path: Path) -> None:
    x = np.random.default_rng(0).normal(size=120)
    rows = pl.DataFrame({"x": x, "y": ["no"] * 100 + ["yes"] * 20})
    asked = {"coverage": 0.8, "per_class": True}
    heard = said(tmp_path, "y", "linear", rows, decide=asked)
    place(heard, 'There will be no coverage: 80 % needs 4 validation rows of the class "yes"')
    place(heard, "No coverage is promised.")


def test_one_that_can_is_not_warned_about(tmp_path: Path) -> None:
    heard = said(tmp_path, "price", "linear", decide={"coverage": 0.8})
    assert not any("There will be no coverage" in text for text in heard)


def test_settings_of_networks_do_nothing_to_trees(tmp_path: Path) -> None:
    heard = said(tmp_path, "price", "boosted_trees", engine={"learning_rate": 0.3, "epochs": 3})
    warned = heard[place(heard, "Of no use to trees")]
    assert "engine.learning_rate" in warned
    assert "--set model.iterations" in warned


def test_errors_that_cost_differently_want_another_loss(tmp_path: Path) -> None:
    costs = {**small_data.FAST["evaluation"], "cost_over": 1, "cost_under": 4}
    heard = said(tmp_path, "price", "linear", evaluation=costs)
    assert "--set task.loss=quantile --set task.quantile=0.8." in heard[place(heard, "costs 1")]
    asked = {"loss": "quantile", "quantile": 0.8}
    again = said(tmp_path, "price", "linear", evaluation=costs, task=asked)
    assert not any("costs 1" in text for text in again)


@pytest.mark.parametrize(
    ("task", "words"),
    [({"loss": "mae"}, "choose another --model"), ({"label_smoothing": 0.1}, "no label_smoothing")],
)
def test_trees_refuse_a_loss_of_networks_before_training(
    tmp_path: Path, task: dict[str, Any], words: str
) -> None:
    x, price = np.random.default_rng(0).normal(size=(2, 60))
    rows = pl.DataFrame({"x": x, "y": ["no", "yes"] * 30, "price": price})
    target = "price" if "loss" in task else "y"
    with pytest.raises(ConfigError, match=words):
        said(tmp_path, target, "boosted_trees", rows, task=task)
    assert list(tmp_path.iterdir()) == []
