import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from deepwell.artifact import Predictor, load
from deepwell.artifact.folder import FILES
from deepwell.data.table import Table
from deepwell.errors import ArtifactError, ConfigError, DataError, OutputError

Assemble = Callable[..., Predictor]
NO_TARGET = {"style": ("price", "rent", "sold"), "sold": ("price", "rent", "style")}


def test_everything_comes_back_bit_for_bit(
    folder: Path, predictor: Predictor, houses: Table
) -> None:
    assert sorted(os.listdir(folder)) == sorted([*FILES, "manifest.json"])
    loaded = load(folder)
    np.testing.assert_array_equal(loaded.outputs(houses), predictor.outputs(houses))
    assert json.dumps(loaded.architecture) == json.dumps(predictor.architecture)
    assert loaded.schema == predictor.schema
    assert not loaded.model.training
    assert loaded.predict(houses).equals(predictor.predict(houses))


@pytest.mark.parametrize("target", ["style", "sold"])
@pytest.mark.parametrize("model", ["linear", "perceptron", "mlp"])
def test_classifiers_come_back(
    assembled: Assemble, houses: Table, tmp_path: Path, target: str, model: str
) -> None:
    predictor = assembled(houses, target, model=model, ignore=NO_TARGET[target])
    loaded = load(predictor.save(tmp_path / "m", golden=houses))
    assert loaded.predict(houses).equals(predictor.predict(houses))
    assert loaded.task.labels == predictor.task.labels


@pytest.mark.parametrize("model", ["mlp", "cnn", "resnet18"])
def test_picture_models_come_back(
    assembled: Assemble, pictures: Table, tmp_path: Path, model: str
) -> None:
    predictor = assembled(pictures, "label", model=model)
    folder = predictor.save(tmp_path / "m", golden=pictures)
    loaded = load(folder)
    np.testing.assert_array_equal(loaded.outputs(pictures), predictor.outputs(pictures))
    golden = json.loads((folder / "golden.json").read_text())
    assert golden["columns"]["image"]["type"] == "Picture"
    assert len(golden["outputs"]) == 3


def test_loading_leaves_the_random_numbers_alone(folder: Path) -> None:
    state = torch.random.get_rng_state()
    load(folder)
    assert torch.equal(torch.random.get_rng_state(), state)


def test_golden_rows_are_raw_rows_of_the_inputs_alone(folder: Path, houses: Table) -> None:
    golden = json.loads((folder / "golden.json").read_text())
    assert list(golden["columns"]) == ["size", "rooms", "town", "built", "garden", "note"]
    assert golden["columns"]["built"]["values"][0] == str(houses.series("built")[0])
    assert len(golden["outputs"]) == 5


def test_card_tells_what_a_person_must_know(
    predictor: Predictor, houses: Table, tmp_path: Path
) -> None:
    card = {
        "metrics": {
            "rmse": {"value": 1234.5, "low": 1000.0, "high": 1500.0},
            "r2": {"value": None, "low": None, "high": None},
        },
        "metric_titles": {"rmse": "Root mean square error"},
        "verdict": "Better than the mean.",
        "data": {"name": "houses|1", "digest": "abc123", "rows": 60, "path": "/home/me/secret"},
    }
    text = (predictor.save(tmp_path / "m", golden=houses, card=card) / "README.md").read_text()
    for part in (
        *("**price**", "| Root mean square error | 1,234 | 1,000 … 1,500 |", "| r2 | – | – … – |"),
        *("Better than the mean.", r"houses\|1", "abc123", "Rows: 60", "| town | category |"),
        *("deepwell.load", "## Intended use and limits", "deepwell predict", "torch 2."),
    ):
        assert part in text
    assert "secret" not in text
    with pytest.raises(ConfigError, match=r'"metric".* Did you mean "metrics"'):
        predictor.save(tmp_path / "n", golden=houses, card={"metric": {}})
    assert not (tmp_path / "n").exists()


def test_card_without_facts(folder: Path) -> None:
    assert "Not measured." in (folder / "README.md").read_text()


def test_saving_replaces_an_older_model(
    folder: Path, assembled: Assemble, houses: Table, tmp_path: Path
) -> None:
    other = assembled(houses, "style", model="linear", ignore=NO_TARGET["style"])
    other.save(folder, golden=houses)
    assert load(folder).task.name == "multiclass"
    assert os.listdir(tmp_path) == ["model"]


def test_network_without_finite_answers_is_not_saved(
    predictor: Predictor, houses: Table, tmp_path: Path
) -> None:
    with torch.no_grad():
        next(predictor.model.parameters()).fill_(float("nan"))
    with pytest.raises(ArtifactError, match="NaN or infinity"):
        predictor.save(tmp_path / "m", golden=houses)
    assert os.listdir(tmp_path) == []


def test_network_that_would_not_come_back_is_not_saved(
    predictor: Predictor, houses: Table, tmp_path: Path
) -> None:
    wrong = Predictor(
        predictor.model,
        task=predictor.task,
        encoders=predictor.encoders,
        schema=predictor.schema,
        architecture={"name": "mlp", "settings": {"hidden_sizes": [9]}},
    )
    with pytest.raises(ArtifactError, match="do not fit the network"):
        wrong.save(tmp_path / "m", golden=houses)
    assert os.listdir(tmp_path) == []


def test_saving_needs_rows_and_a_place(predictor: Predictor, houses: Table, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="at least one training row"):
        predictor.save(tmp_path / "m", golden=houses.take([]))
    with pytest.raises(OutputError, match="does not exist"):
        predictor.save(tmp_path / "no" / "m", golden=houses)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("x")
    with pytest.raises(OutputError, match="is not a model folder"):
        predictor.save(tmp_path / "mine", golden=houses)


def test_full_disk_leaves_the_old_model(
    folder: Path, predictor: Predictor, houses: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise SafetensorError("Error: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(OutputError, match=r"No space left .*/model/model\.safetensors: free some"):
        predictor.save(folder, golden=houses)
    assert os.listdir(folder.parent) == ["model"]
    load(folder)


def test_half_precision_is_stored_as_float32(
    predictor: Predictor, houses: Table, tmp_path: Path
) -> None:
    from safetensors.torch import load_file

    from deepwell.artifact.architecture import weights_of

    half = nn.Linear(2, 1).to(torch.bfloat16)
    assert {tensor.dtype for tensor in weights_of(half).values()} == {torch.float32}
    stored = load_file(predictor.save(tmp_path / "m", golden=houses) / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.float32}


class Tied(nn.Module):
    """Two layers with one weight, and a buffer that is not stored."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Linear(width, width)
        self.second = nn.Linear(width, width)
        self.second.weight = self.first.weight
        self.last = nn.Linear(width, 1)
        self.register_buffer("two", torch.tensor(2.0), persistent=False)

    def forward(self, numbers: Tensor) -> Tensor:
        return self.last(self.second(torch.relu(self.first(numbers)))) * self.two


@pytest.fixture
def own(houses: Table, assembled: Assemble, tmp_path: Path) -> tuple[Predictor, Path]:
    table = Table({name: houses[name] for name in ("size", "rooms", "price")})
    other = assembled(table, "price")
    width = other.encoders.spec.num_numbers
    predictor = Predictor(
        Tied(width), task=other.task, encoders=other.encoders, schema=other.schema
    )
    return predictor, predictor.save(tmp_path / "own", golden=table)


def test_own_module_is_filled_in(own: tuple[Predictor, Path], houses: Table) -> None:
    predictor, folder = own
    module = Tied(predictor.encoders.spec.num_numbers)
    loaded = load(folder, model=module)
    assert loaded.model is module
    np.testing.assert_array_equal(loaded.outputs(houses), predictor.outputs(houses))
    recipe = json.loads((folder / "architecture.json").read_text())
    assert recipe["name"] == "custom"
    assert recipe["class"].endswith(":Tied")


def test_own_module_is_asked_for(own: tuple[Predictor, Path]) -> None:
    with pytest.raises(ArtifactError, match=r"your own module .*:Tied: build it and give it"):
        load(own[1])
    with pytest.raises(ArtifactError, match=r"do not fit the network.*first\.weight"):
        load(own[1], model=Tied(7))
    with pytest.raises(ArtifactError, match=r"missing: 0\.weight"):
        load(own[1], model=nn.Sequential(nn.Linear(3, 1)))


class SameShapes(Tied):
    def forward(self, numbers: Tensor) -> Tensor:
        return -super().forward(numbers)


def test_own_module_with_another_forward_is_found_out(own: tuple[Predictor, Path]) -> None:
    with pytest.raises(ArtifactError, match=r"row \d gives .* instead of"):
        load(own[1], model=SameShapes(own[0].encoders.spec.num_numbers))


def test_own_module_on_pictures_is_wrapped_as_in_training(
    assembled: Assemble, pictures: Table, tmp_path: Path
) -> None:
    from deepwell.nn.image_input import ImageInput

    def module() -> nn.Module:
        return nn.Sequential(nn.Flatten(), nn.Linear(12 * 10 * 3, 1))

    other = assembled(pictures, "label")
    scale = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.4]}
    predictor = Predictor(
        ImageInput(module(), num_channels=3, **scale),
        task=other.task,
        encoders=other.encoders,
        schema=other.schema,
        architecture={"name": "custom", "class": "mine:Net", "settings": scale},
    )
    folder = predictor.save(tmp_path / "m", golden=pictures)
    loaded = load(folder, model=module())
    np.testing.assert_array_equal(loaded.outputs(pictures), predictor.outputs(pictures))


def test_loading_and_predicting_need_no_training_code(folder: Path, houses: Table) -> None:
    houses.frame().drop("price").write_csv(folder.parent / "new.csv")
    code = (
        "import sys, deepwell\n"
        f"answers = deepwell.load({str(folder)!r}).predict({str(folder.parent / 'new.csv')!r})\n"
        "print(answers['prediction'].to_list())\n"
        "rooms = ('engine', 'runs', 'workflows', 'evaluation', 'estimators', 'cli')\n"
        "loaded = sorted({m.split('.')[1] for m in sys.modules if m.startswith('deepwell.')})\n"
        "print(' '.join(m for m in loaded if m in rooms))\n"
    )
    source = str(Path(__file__).parents[2] / "src")
    environment = {**os.environ, "PYTHONPATH": source}
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    answers, rooms = result.stdout.split("\n")[:2]
    expected = load(folder).predict(houses)["prediction"].to_list()
    assert json.loads(answers) == pytest.approx(expected)
    assert rooms == ""


def test_read_gives_the_table_that_predict_uses(predictor: Predictor, tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    path.write_text("town,size,extra\n007,3,x\n008,4,y\n")
    table = predictor.read(path)
    assert table.series("town").to_list() == ["007", "008"]  # a category stays text
    assert table.series("size").dtype == pl.Int64
