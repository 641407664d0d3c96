"""A decision travels with the model: hashed, checked, and followed on every way to predict."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from deepwell.artifact import Predictor, load
from deepwell.artifact.manifest import write_manifest
from deepwell.data.table import Table
from deepwell.errors import ArtifactError
from deepwell.tasks.decisions import Conformal, Decision


@pytest.fixture
def decided(assembled: Callable[..., Predictor], houses: Table) -> Predictor:
    predictor = assembled(houses, "sold", ignore=("price", "rent", "style"))
    predictor.decision = Decision(
        task="binary",
        size=2,
        rule="0.01",
        thresholds=(0.01,),
        conformal=Conformal(kind="classes", coverage=0.9, bounds=(0.99, 0.2), rows=40),
        notes=("Threshold 0.01.",),
    )
    return predictor


def test_a_loaded_model_decides_as_the_saved_one(
    decided: Predictor, houses: Table, tmp_path: Path
) -> None:
    folder = decided.save(tmp_path / "model", golden=houses)
    assert json.loads((folder / "manifest.json").read_text())["format_version"] == 2
    first, second = decided.predict(houses), load(folder).predict(houses)
    assert first["prediction"].to_list() == second["prediction"].to_list()
    assert first["set"].to_list() == second["set"].to_list()
    assert second["prediction"].unique().to_list() == ["yes"]
    assert "Threshold 0.01" in (folder / "README.md").read_text()
    plain = decided.task.decode(decided.outputs(houses))
    assert not np.array_equal(plain.values, decided.predict_table(houses).values)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"size": 3, "thresholds": [0.1]}, "do not belong together"),
        ({"thresholds": [0.1, 0.2]}, "decision.json is damaged"),
        ({"rule": "f9"}, "decision.json is damaged"),
    ],
)
def test_a_wrong_decision_is_refused(
    decided: Predictor, houses: Table, tmp_path: Path, change: dict[str, object], words: str
) -> None:
    folder = decided.save(tmp_path / "model", golden=houses)
    state = json.loads((folder / "decision.json").read_text())
    state["conformal"] = None
    (folder / "decision.json").write_text(json.dumps({**state, **change}))
    with pytest.raises(ArtifactError, match=r"decision\.json differs from its hash"):
        load(folder)
    write_manifest(folder)
    with pytest.raises(ArtifactError, match=words):
        load(folder)


def test_format_1_has_no_place_for_a_decision(
    decided: Predictor, houses: Table, tmp_path: Path
) -> None:
    folder = decided.save(tmp_path / "model", golden=houses)
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, "format_version": 1}))
    with pytest.raises(ArtifactError, match=r"decision\.json, which has no place there"):
        load(folder)
