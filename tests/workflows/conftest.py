"""Makes the small data importable, and trains the runs that many tests look at."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

import small_data

import deepwell
from deepwell.workflows import TrainResult


@pytest.fixture(scope="session")
def houses_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_data.write_houses(tmp_path_factory.mktemp("houses"))


@pytest.fixture(scope="session")
def houses_result(houses_file: Path, tmp_path_factory: pytest.TempPathFactory) -> TrainResult:
    """A finished regression with every baseline and a threshold."""
    settings = small_data.settings(
        evaluation={"baselines": "auto", "success": "rmse < 1e9"}, engine={"epochs": 3}
    )
    return deepwell.train(
        houses_file,
        target="price",
        name="houses",
        runs=tmp_path_factory.mktemp("runs"),
        settings=settings,
    )
