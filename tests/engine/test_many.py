"""Two processes compute what one does: one start of both, many trainings."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from many_scenarios import ROADS, SCENARIOS, WithBatchNorm, interrupted_run, run
from safetensors.torch import load_file

import deepwell
from deepwell.engine import EngineSettings
from deepwell.engine.processes import Processes
from deepwell.engine.shared_norm import SharedNorm
from deepwell.engine.sharing import Filler, share_of
from deepwell.files import read_json
from deepwell.types import Batch

ERRORS = ("bad_loss", "refused", "loader")
EQUAL = [name for name in SCENARIOS if name not in (*ERRORS, "dropout")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that two processes have computed."""
    folder = tmp_path_factory.mktemp("many")
    here = Path(__file__).parent
    paths = [str(Path(deepwell.__file__).parents[1]), str(here), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    names = ",".join([*SCENARIOS, *ROADS])
    done = subprocess.run(
        [*command, str(here / "many_worker.py"), str(folder), names],
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder


def of(folder: Path, name: str) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """Return what both processes say, which must be the same."""
    weights = [load_file(folder / f"{name}-{rank}.safetensors") for rank in (0, 1)]
    for key in weights[0]:
        assert torch.equal(weights[0][key], weights[1][key]), key
    return weights[0], read_json(folder / "facts-0.json")[name]


@pytest.mark.parametrize("name", EQUAL)
def test_two_processes_equal_one(folder: Path, name: str) -> None:
    theirs, said = of(folder, name)
    ours, facts = run(**SCENARIOS[name])
    assert ours.keys() == theirs.keys()
    for key in ours:
        torch.testing.assert_close(theirs[key], ours[key], rtol=0, atol=1e-6)
    assert said["steps"] == facts["steps"]
    assert said["samples"] == facts["samples"]
    for here, there in zip(facts["history"], said["history"], strict=True):
        assert here["best"] == there["best"]
        for side in ("train", "val"):
            for score, value in here[side].items():
                # a row that was counted twice or not at all would show in the second digit
                assert there[side][score] == pytest.approx(value, abs=1e-6)


def test_resumed_with_as_many_is_exact(folder: Path) -> None:
    whole, facts = of(folder, "dropout")
    weights, said = of(folder, "resumed")
    assert of(folder, "interrupted")[1]["interrupted"]
    assert all(torch.equal(weights[key], whole[key]) for key in whole)
    assert said["history"] == facts["history"]


@pytest.mark.parametrize("name", ["going_on"])
def test_divided_weights_resume_divided(folder: Path, name: str) -> None:
    whole, _ = of(folder, "sharded_small")
    weights, _ = of(folder, name)
    assert all(torch.equal(weights[key], whole[key]) for key in whole)


def test_a_divided_checkpoint_loads_into_one_process(folder: Path, tmp_path: Path) -> None:
    for path in sorted((folder / "fsdp").iterdir())[:1]:
        shutil.copytree(folder / "fsdp", tmp_path / "fsdp")
        assert path.suffix == ".safetensors"
    whole, _ = of(folder, "sharded_small")
    weights, _ = interrupted_run(tmp_path / "fsdp", resume=True)
    for key in whole:
        torch.testing.assert_close(weights[key], whole[key], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("bad_loss", "The loss is not a finite number at step 3"),
        ("refused", "sharpness works in one process only, and there are 2"),
        ("loader", "give them as TensorBatches. Got: list."),
    ],
)
def test_all_processes_stop_with_the_same_sentence(folder: Path, name: str, words: str) -> None:
    said = [read_json(folder / f"facts-{rank}.json")[name]["error"] for rank in (0, 1)]
    assert said[0] == said[1]
    assert words in said[0]


def test_rows_are_dealt_once_and_evenly() -> None:
    batch = Batch((torch.arange(7.0)[:, None],), torch.arange(7), torch.ones(7), torch.arange(7))
    for size in (2, 3, 7, 9):
        parts = [share_of(batch, Processes.numbered(rank, size)) for rank in range(size)]
        rows = [p.targets.tolist() for p in parts if not isinstance(p, Filler)]
        assert [row for part in rows for row in part] == list(range(7))
        assert max(map(len, rows)) - min(map(len, rows)) <= 1
        fillers = [p for p in parts if isinstance(p, Filler)]
        assert len(fillers) == max(0, size - 7)
        assert all(f.weight is not None and f.weight.tolist() == [0.0] for f in fillers)


def test_batch_normalisation_is_itself_again_afterwards() -> None:
    model = WithBatchNorm()
    norm = SharedNorm(model)
    with norm.in_force(), norm.alone():
        alone = model(torch.arange(12.0).reshape(2, 6))
    assert "forward" not in vars(norm.layers[0])
    expected = WithBatchNorm()(torch.arange(12.0).reshape(2, 6))
    assert torch.equal(alone, expected)


def test_settings_name_what_processes_cannot_do() -> None:
    with pytest.raises(ValueError, match="A batch of 4 rows is too small for 8 processes"):
        EngineSettings(devices=8, batch_size=4)
    with pytest.raises(ValueError, match=r"max_norm does not go with strategy=fsdp"):
        EngineSettings.model_validate(
            {"devices": 2, "strategy": "fsdp", "regularisation": {"max_norm": 1.0}}
        )
