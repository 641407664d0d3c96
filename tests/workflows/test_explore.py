"""Exploring finds planted groups, says when there are none, and looks through a network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
import small_data

import deepwell
from deepwell.artifact.embedding import embed
from deepwell.errors import ConfigError, DataError
from deepwell.workflows import TrainResult


def blobs(seed: int = 0, each: int = 60) -> pl.DataFrame:
    generator = np.random.default_rng(seed)
    centres = np.array([[0.0, 0.0], [12.0, 0.0], [0.0, 12.0]])
    points = np.concatenate([c + generator.normal(size=(each, 2)) for c in centres])
    return pl.DataFrame(
        {
            "age": points[:, 0] * 5 + 30,
            "income": points[:, 1],
            "city": np.repeat(["Rome", "Oslo", "Lima"], each),
        }
    )


def test_planted_clusters_are_found_named_and_drawn(tmp_path: Path) -> None:
    page = tmp_path / "explore.html"
    found = deepwell.explore(blobs(), columns=["age", "income"], output=page)
    assert found.clustering.k == 3
    assert [group.rows for group in found.groups] == [60, 60, 60]
    names = " | ".join(group.name for group in found.groups)
    assert "high age" in names
    assert "high income" in names
    assert found.components.needed == 2
    assert sum(found.components.explained) == pytest.approx(1.0)
    written = small_data.read_json(page.with_suffix(".json"))
    assert written == found.to_json()
    assert page.read_text().count("<svg") == 5


def test_rows_without_groups_have_no_clusters() -> None:
    generator = np.random.default_rng(3)
    frame = pl.DataFrame({name: generator.normal(size=300) for name in ("a", "b", "c")})
    found = deepwell.explore(frame)
    assert found.clustering.k == 1
    assert "No clusters" in found.summary
    assert deepwell.explore(frame, clusters=4).clustering.k == 4


def test_tails_that_hide_groups_from_the_gap_are_told() -> None:
    generator = np.random.default_rng(5)
    frame = blobs(seed=5).with_columns(
        pl.Series("debt", generator.standard_t(1.5, size=180)),
        pl.Series("rent", generator.standard_t(1.5, size=180)),
    )
    found = deepwell.explore(frame, columns=["age", "income", "debt", "rent"])
    assert found.clustering.by_gap == 1
    assert found.summary.startswith("No sure clusters: by the gap statistic a second one does not")
    assert "The silhouette sees" in found.summary


@pytest.mark.parametrize(("few", "many"), [("no", "yes"), ("yes", "no")])
def test_of_two_values_the_more_frequent_inside_names_a_cluster(few: str, many: str) -> None:
    size = 60
    frame = pl.DataFrame(
        {
            "x": np.r_[np.zeros(size), np.full(size, 9.0)] + np.tile([0.0, 0.1, 0.2], 40),
            "y": np.r_[np.zeros(size), np.full(size, 9.0)] + np.tile([0.0, 0.3, 0.1, 0.2], 30),
            "paid": [many] * 58 + [few] * 2 + [many] * 36 + [few] * 24,
        }
    )
    found = deepwell.explore(frame, clusters=2)
    texts = [fact.text for group in found.groups for fact in group.facts if fact.column == "paid"]
    assert f"often paid {few} (40\u202f% against 3\u202f%)" in texts


def test_a_network_is_looked_through_before_its_head(houses_result: TrainResult) -> None:
    run = houses_result.folder.path
    found = deepwell.explore(small_data.houses(), model=run, clusters=2)
    predictor = deepwell.load(run)
    values, name = embed(predictor, predictor.read(small_data.houses()))
    head = dict(predictor.model.named_modules())[name]
    assert values.shape == (200, head.in_features)
    assert name in found.what
    assert any(fact.column == "price" for group in found.groups for fact in group.facts)


def test_what_cannot_be_explored_is_refused(tmp_path: Path, houses_result: TrainResult) -> None:
    with pytest.raises(DataError, match="20 rows or more"):
        deepwell.explore(blobs(each=3))
    with pytest.raises(DataError, match='mean "income"'):
        deepwell.explore(blobs(), columns=["incom"])
    with pytest.raises(DataError, match="nothing to explore"):
        deepwell.explore({"a": [1.0] * 40, "b": [2.5] * 40}, columns=["a", "b"])
    with pytest.raises(ConfigError, match="leave --columns"):
        deepwell.explore(blobs(), columns=["age"], model=houses_result.folder.path)
    with pytest.raises(ConfigError, match="between 1 and 90"):
        deepwell.explore(blobs(), clusters=500)
    with pytest.raises(DataError, match="--model RUN"):
        deepwell.explore(small_data.draw_pictures(tmp_path / "pictures"))
