"""Changes to training pictures, from the settings to a trained network."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import small_data

import deepwell
from deepwell.config import Settings
from deepwell.data import DataSettings, infer_schema, read
from deepwell.errors import ConfigError
from deepwell.workflows.plan import resolve


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    return small_data.draw_pictures(tmp_path / "pictures")


def test_pictures_are_shifted_a_little_unless_a_preset_says_otherwise(pictures: Path) -> None:
    schema = infer_schema(read(pictures, DataSettings()).table, targets=["label"])

    def chosen(**augment: object) -> Settings:
        return resolve({"augment": augment} if augment else {}, schema, 48).augment

    usual = chosen()
    assert usual.plain() == {**usual.__class__().plain(), "shift": 0.08}
    assert chosen(rotate=5).plain()["shift"] == 0.08
    assert chosen(preset="none").plain()["shift"] == 0.0
    strong = chosen(preset="strong", rotate=5).plain()
    assert (strong["rotate"], strong["shift"], strong["noise"]) == (5.0, 0.1, 0.03)
    assert chosen(**strong).plain() == strong, "not the same after the way through config.toml"


def test_a_training_with_every_change_can_be_repeated(pictures: Path, tmp_path: Path) -> None:
    weights: list[bytes] = []
    for preset in ("strong", "strong", "none"):
        settings = small_data.settings(augment={"preset": preset, "flip": True})
        result = deepwell.train(pictures, runs=tmp_path / "runs", settings=settings)
        weights.append((result.folder.model / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]
    assert weights[0] != weights[2]


def test_tables_have_nothing_to_change(tmp_path: Path) -> None:
    rows = pl.DataFrame({"x": [i * 0.5 for i in range(60)], "y": [i * 1.5 for i in range(60)]})
    with pytest.raises(ConfigError, match=r"augment\.rotate changes pictures.*no column"):
        deepwell.train(rows, target="y", runs=tmp_path, settings={"augment": {"rotate": 5}})
    assert list(tmp_path.iterdir()) == []
