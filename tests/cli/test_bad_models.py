"""Model folders that were changed, are too new, or hold something that could run code."""

import json
import pickle
from pathlib import Path

import polars as pl
import pytest
import small_data
from command import Refuse, RunCli

from deepwell.workflows import TrainResult

VERBS = (["predict", "MODEL", "houses.csv", "-o", "out.csv"], ["evaluate", "MODEL", "houses.csv"])


@pytest.fixture
def model(tmp_path: Path, houses: Path, stored_run: TrainResult) -> Path:
    return small_data.copy_tree(stored_run.folder.model, tmp_path / "model")


def refuse_all(refuse: Refuse, words: str) -> None:
    for verb in VERBS:
        refuse(*("model" if part == "MODEL" else part for part in verb), match=words)
    refuse("summary", "./model", match=words)


@pytest.mark.parametrize(
    "name", ["model.safetensors", "schema.json", "encoders.json", "task.json", "golden.json"]
)
def test_a_changed_file_is_named(refuse: Refuse, model: Path, name: str) -> None:
    content = bytearray((model / name).read_bytes())
    content[-3] ^= 1
    (model / name).write_bytes(content)
    refuse_all(refuse, name.replace(".", r"\."))


def test_a_missing_file_is_named(refuse: Refuse, model: Path) -> None:
    (model / "encoders.json").unlink()
    refuse_all(refuse, r"encoders\.json")


def test_a_newer_format_is_refused(refuse: Refuse, model: Path) -> None:
    manifest = json.loads((model / "manifest.json").read_text())
    assert manifest["format_version"] < 99
    (model / "manifest.json").write_text(json.dumps({**manifest, "format_version": 99}))
    refuse_all(refuse, "99")


@pytest.mark.parametrize("name", ["extra.pkl", "weights.pt", "notes.txt", "deep/er/x.json"])
def test_a_pickle_is_refused_and_never_executed(
    refuse: Refuse, model: Path, tmp_path: Path, name: str
) -> None:
    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str, ...]]:
            return (open, (str(tmp_path / "executed"), "w"))

    (model / name).parent.mkdir(parents=True, exist_ok=True)
    (model / name).write_bytes(pickle.dumps(Trap()))
    refuse_all(refuse, r"refused|not one of|pickle")
    assert not (tmp_path / "executed").exists()


def test_a_pickle_in_the_place_of_the_weights_is_never_executed(
    refuse: Refuse, model: Path, tmp_path: Path
) -> None:
    import hashlib

    class Trap:
        def __reduce__(self) -> tuple[object, tuple[str, ...]]:
            return (open, (str(tmp_path / "executed"), "w"))

    content = pickle.dumps(Trap())
    weights = model / "model.safetensors"
    old = hashlib.sha256(weights.read_bytes()).hexdigest()
    weights.write_bytes(content)
    manifest = (model / "manifest.json").read_text()
    assert old in manifest
    manifest = manifest.replace(old, hashlib.sha256(content).hexdigest())
    (model / "manifest.json").write_text(manifest)
    refuse_all(refuse, "pickle|model.safetensors")
    assert not (tmp_path / "executed").exists()


def test_what_is_no_model_folder(refuse: Refuse, houses: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    refuse("predict", "modle", houses, match="no model folder modle")
    refuse("predict", "empty", houses, match="not a model folder")
    refuse("predict", houses, houses, match="is a file: give the model folder")
    refuse("summary", "./empty", match="not a model folder")


def test_data_that_do_not_fit_the_model(refuse: Refuse, model: Path, tmp_path: Path) -> None:
    houses = small_data.houses(20)
    houses.drop("Year_Built", "Full_Bath").write_csv(tmp_path / "new.csv")
    words = "Year_Built.*Full_Bath|Full_Bath.*Year_Built"
    refuse("predict", "model", "new.csv", "-o", "out.csv", match=words)
    houses.drop("price").write_csv(tmp_path / "new.csv")
    refuse("evaluate", "model", "new.csv", match="price")
    houses.with_columns(pl.lit("many").alias("Full_Bath")).write_csv(tmp_path / "new.csv")
    refuse("predict", "model", "new.csv", "-o", "out.csv", match='"Full_Bath".*many')
    houses.with_columns(pl.lit(1.0).alias("prediction")).write_csv(tmp_path / "new.csv")
    refuse("predict", "model", "new.csv", "-o", "out.csv", match="already have a column prediction")
    (tmp_path / "new.csv").write_text("")
    refuse("predict", "model", "new.csv", match="empty")
    refuse("predict", "model", "none.csv", match="none.csv")
    refuse("evaluate", "model", "houses.csv", "--success", "accuracy > 0.5", match="accuracy")


def test_unknown_categories_and_gaps_are_answered(run_cli: RunCli, model: Path) -> None:
    frame = small_data.houses(6).drop("price")
    frame = frame.with_columns(
        pl.lit("Atlantis").alias("Neighborhood"), pl.lit(None, pl.Int64).alias("Lot_Area")
    )
    frame.write_csv("new.csv")
    outcome = run_cli("predict", model, "new.csv", "-o", "out.csv")
    assert outcome.code == 0, outcome.err
    written = pl.read_csv("out.csv")
    assert written.columns == [*frame.columns, "prediction"]
    assert written["prediction"].is_finite().all()
