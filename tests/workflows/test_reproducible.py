"""One seed gives one result; the settings that a run leaves make it again."""

from pathlib import Path
from typing import Any

import pytest
import small_data

import deepwell
from deepwell.files import sha256
from deepwell.workflows import TrainResult


def weights(result: TrainResult) -> str:
    return sha256(result.folder.model / "model.safetensors")


def ids_of_test(result: TrainResult) -> list[int]:
    return result.folder.read_splits()["test"].tolist()


def run(tmp_path: Path, source: Any, **changes: Any) -> TrainResult:
    settings = small_data.settings(**changes)
    return deepwell.train(source, "price", runs=tmp_path, settings=settings)


def test_the_same_seed_gives_the_same_bits(houses_file: Path, tmp_path: Path) -> None:
    first, second = run(tmp_path, houses_file), run(tmp_path, houses_file)
    assert weights(first) == weights(second)
    assert first.metrics == second.metrics
    assert ids_of_test(first) == ids_of_test(second)


def test_another_seed_gives_other_rows_and_weights(houses_file: Path, tmp_path: Path) -> None:
    first = run(tmp_path, houses_file)
    second = deepwell.train(
        houses_file, "price", runs=tmp_path, settings={**small_data.FAST, "seed": 1}
    )
    assert weights(first) != weights(second)
    assert ids_of_test(first) != ids_of_test(second)


def test_a_frame_gives_the_same_as_the_file(houses_file: Path, tmp_path: Path) -> None:
    assert weights(run(tmp_path, houses_file)) == weights(run(tmp_path, small_data.houses()))


def test_pictures_repeat_with_their_random_changes(tmp_path: Path) -> None:
    folder = small_data.draw_pictures(tmp_path / "pictures", each=16)
    settings = small_data.settings(augment={"shift": 0.2, "flip": True})
    results = [deepwell.train(folder, runs=tmp_path / "r", settings=settings) for _ in range(2)]
    assert weights(results[0]) == weights(results[1])


@pytest.mark.parametrize("patience", [None, 5])
def test_config_of_a_run_makes_it_again(
    houses_file: Path, tmp_path: Path, patience: int | None
) -> None:
    first = run(
        tmp_path,
        houses_file,
        engine={"epochs": 3, "patience": patience, "optimizer": "sgd", "learning_rate": 0.01},
        model={"name": "mlp", "hidden_sizes": [8], "dropout": 0.1},
        data={"kinds": {"Garage_Cars": "category"}, "ignore": ["Sale_Condition"]},
        encode={"numbers": "quantile"},
        split={"test": 0.25},
    )
    config = first.folder.read_config()
    again = deepwell.train(houses_file, runs=tmp_path, settings=config)
    assert again.folder.read_config() == config
    assert weights(again) == weights(first)
    assert again.metrics == first.metrics


def test_config_finds_the_test_file_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_data.houses(120).write_csv(tmp_path / "train.csv")
    small_data.houses(200).tail(80).write_csv(tmp_path / "test.csv")
    monkeypatch.chdir(tmp_path)
    result = run(tmp_path / "runs", "train.csv", data={"test": "test.csv"})
    assert result.folder.read_config()["data"]["test"] == str(tmp_path / "test.csv")
