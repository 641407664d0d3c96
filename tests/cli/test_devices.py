"""`--devices 2`: two processes through torch's launcher, on the processor."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import small_data
import torch
from command import Refuse
from safetensors.torch import load_file
from test_interrupt import end, start, wait_for

import deepwell
from deepwell.engine.processes import Processes
from deepwell.errors import ConfigError
from deepwell.workflows import many
from deepwell.workflows.settings import TrainSettings

OPTIONS = [
    *("--model=mlp", "--batch-size=32", "--set=engine.precision=fp32", "--set=engine.compile=off"),
    *("--set=model.dropout=0", "--set=engine.optimizer=momentum", "--device=cpu"),
    "--set=evaluation.baselines=none",
]
TRAIN = ["train", "houses.csv", "-t", "price", "--name", "r", *OPTIONS]
LONG = [*TRAIN, "--epochs=4000", "--set=engine.patience=4000", "--devices=2"]
SETTINGS = small_data.settings(
    engine={
        "epochs": 3,
        "batch_size": 32,
        "precision": "fp32",
        "compile": "off",
        "optimizer": "momentum",
        "device": "cpu",
    },
    model={"name": "mlp", "dropout": 0},
    evaluation={"baselines": "none"},
)


def weights(run: Path) -> dict[str, torch.Tensor]:
    return load_file(run / "model" / "model.safetensors")


def assert_close(first: Path, second: Path) -> None:
    ours, theirs = weights(first), weights(second)
    assert ours.keys() == theirs.keys()
    for name in ours:
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=1e-6)


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("one")
    source = small_data.write_houses(folder)
    runs = folder / "runs"
    return deepwell.train(source, "price", name="one", runs=runs, settings=SETTINGS).folder.path


def test_command_equals_one_process_and_only_the_first_speaks(tmp_path: Path, one: Path) -> None:
    small_data.write_houses(tmp_path)
    process = start(tmp_path, *TRAIN, "--epochs=3", "--devices=2")
    out, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    assert out.count("Report ") == 1
    assert errors.count("epoch 3/3") == 1
    assert "2 processes share each batch of 32 rows" in errors
    run = tmp_path / "runs/r"
    assert_close(run, one)
    results = [small_data.read_json(path / "result.json") for path in (run, one)]
    for name, score in results[0]["metrics"].items():
        assert score["value"] == pytest.approx(results[1]["metrics"][name]["value"], rel=1e-5)
    assert small_data.read_json(run / "manifest.json")["processes"] == 2


def test_a_mistake_in_every_process_is_one_sentence(tmp_path: Path) -> None:
    small_data.write_houses(tmp_path)
    options = [option for option in TRAIN if option != "price"]
    options.insert(3, "prize")
    code, errors = end(start(tmp_path, *options, "--devices=2"))
    assert code == 2
    assert errors.count("error:") == 1
    assert 'Did you mean "price"?' in errors
    assert "Traceback" not in errors
    assert not (tmp_path / "runs").exists()


def children(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.slow  # a long training that is killed
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find processes")
def test_a_killed_process_ends_all_with_one_sentence(tmp_path: Path) -> None:
    small_data.write_houses(tmp_path)
    process = start(tmp_path, *LONG)
    wait_for(process, "epoch 200/")
    workers = children(process.pid)
    os.kill(workers[-1], signal.SIGKILL)
    code, errors = end(process)
    assert code == 2, errors
    assert errors.rstrip().split("\n")[-1].startswith("error: Process 2 of 2 was ended by SIGKILL")
    assert "Traceback" not in errors
    assert all(not Path(f"/proc/{worker}").exists() for worker in workers)
    assert small_data.read_json(tmp_path / "runs/r/status.json")["state"] == "failed"


def is_alive(pid: int) -> bool:
    """Return whether a process runs; one that has ended may wait for somebody to notice."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.slow  # a long training that is killed
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="needs /proc to find processes")
def test_a_killed_launcher_leaves_nobody_who_trains_on(tmp_path: Path) -> None:
    small_data.write_houses(tmp_path)
    process = start(tmp_path, *LONG)
    wait_for(process, "epoch 200/")
    workers = children(process.pid)
    assert len(workers) == 2
    process.kill()
    began = time.monotonic()
    while any(map(is_alive, workers)) and time.monotonic() - began < 60:
        time.sleep(0.1)
    alive = [worker for worker in workers if is_alive(worker)]
    for worker in alive:
        os.kill(worker, signal.SIGKILL)
    end(process)
    assert not alive


@pytest.mark.slow  # a long training that is stopped
def test_ctrl_c_keeps_the_best_model_once(tmp_path: Path) -> None:
    small_data.write_houses(tmp_path)
    process = start(tmp_path, *LONG)
    wait_for(process, "epoch 200/")
    process.send_signal(signal.SIGINT)
    code, errors = end(process)
    assert code == 130, errors
    assert "Traceback" not in errors
    last = errors.rstrip().split("\n")[-1]
    assert last.startswith("Stopped after ")
    assert last.endswith("go on with `deepwell resume runs/r`.")
    assert small_data.read_json(tmp_path / "runs/r/status.json")["state"] == "interrupted"
    assert len(deepwell.predict(tmp_path / "runs/r", tmp_path / "houses.csv")) == 200


@pytest.mark.slow  # another start of two processes
def test_from_python_with_a_path(tmp_path: Path, one: Path) -> None:
    source = small_data.write_houses(tmp_path)
    settings = {**SETTINGS, "engine": {**SETTINGS["engine"], "devices": 2}}
    said: list[str] = []
    result = deepwell.train(
        source, "price", runs=tmp_path / "runs", settings=settings, say=said.append
    )
    assert_close(result.folder.path, one)
    assert result.metrics["rmse"]["value"] is not None
    assert len(result.predict(source)) == 200
    assert said[0].startswith("houses: 200 rows")


def test_objects_cannot_be_handed_over(tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(ConfigError, match=r"data in memory.*torchrun --nproc-per-node 2"):
        deepwell.train(
            small_data.houses(),
            "price",
            runs=tmp_path / "runs",
            settings={"engine": {"devices": 2, "device": "cpu"}, "model": {"name": "mlp"}},
        )
    assert time.monotonic() - began < 10
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize(
    ("options", "match"),
    [
        (["--set=engine.optimizer=lbfgs"], "optimizer=lbfgs works in one process only"),
        (["--set=engine.sharpness=0.05"], "sharpness works in one process only"),
        (["--set=engine.compile=on"], "compile=on works in one process only"),
        (["--device=cuda:1"], "device=cuda:1 is one device, and devices=2"),
        (["--set=engine.strategy=fdsp"], "strategy"),
        (["--set=engine.strategy=fsdp", "--set=engine.optimizer=muon"], "muon does not go with"),
    ],
)
def test_what_processes_cannot_do_is_refused_at_once(
    refuse: Refuse, houses: Path, options: list[str], match: str
) -> None:
    refuse("train", houses, "-t", "price", "--devices=2", *options, match=match)


def test_one_process_has_nothing_to_divide(refuse: Refuse, houses: Path) -> None:
    option = "--set=engine.strategy=fsdp"
    refuse("train", houses, "-t", "price", option, match="several processes, and there is one")


@pytest.mark.skipif(torch.cuda.device_count() >= 64, reason="this machine has so many cards")
def test_more_devices_than_there_are(refuse: Refuse, houses: Path) -> None:
    refuse(
        *("train", houses, "-t", "price", "--device=cuda", "--devices=64"),
        match="devices=64, but this machine has",
    )


def test_several_processes_hold_no_race(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "joined_processes", lambda: Processes.numbered(1, 2))
    with pytest.raises(ConfigError, match="2 processes train one network together"):
        many.require_one_model(TrainSettings())
    many.require_one_model(TrainSettings.model_validate({"model": {"name": "mlp"}}))


SCRIPT = """
import os, polars, deepwell
frame = polars.read_csv("houses.csv")
result = deepwell.train(frame, "price", name="r", settings={settings!r})
# at one stroke: two processes write to one pipe
os.write(1, f"rmse {{result.metrics['rmse']['value']}}\\n".encode())
"""


def torchrun(folder: Path, *args: str) -> subprocess.CompletedProcess[str]:
    paths = [str(Path(deepwell.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": "1"}
    command = [*(sys.executable, "-m", "torch.distributed.run", "--standalone"), "--nproc-per-node"]
    return subprocess.run(
        [*command, "2", *args],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.slow  # another start of two processes
def test_torchrun_trains_on_an_object_of_a_script(tmp_path: Path, one: Path) -> None:
    small_data.write_houses(tmp_path)
    (tmp_path / "script.py").write_text(SCRIPT.format(settings=SETTINGS))
    done = torchrun(tmp_path, "script.py")
    assert done.returncode == 0, done.stderr
    scores = [line for line in done.stdout.split("\n") if line.startswith("rmse")]
    assert len(scores) == 2  # every process has the answer
    assert scores[0] == scores[1]
    assert_close(tmp_path / "runs/r", one)


@pytest.mark.slow  # another start of two processes for the same road
def test_torchrun_runs_the_command(tmp_path: Path, one: Path) -> None:
    small_data.write_houses(tmp_path)
    done = torchrun(tmp_path, "-m", "deepwell", *TRAIN, "--epochs=3")
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("Report ") == 1
    assert_close(tmp_path / "runs/r", one)


@pytest.mark.slow  # four starts of two processes
@pytest.mark.parametrize("devices", ["1", "2"])
def test_resume_with_as_many_and_with_one(tmp_path: Path, devices: str) -> None:
    small_data.write_houses(tmp_path)
    whole, torn = (["--name", "whole"], ["--set=engine.checkpoint_every=1", "--name", "torn"])
    command = [o for o in TRAIN if o not in ("--name", "r")] + ["--epochs=40", "--devices=2"]
    assert end(start(tmp_path, *command, *whole))[0] == 0
    process = start(tmp_path, *command, *torn)
    wait_for(process, "epoch 4/40")
    process.send_signal(signal.SIGINT)
    assert end(process)[0] == 130
    code, errors = end(start(tmp_path, "resume", "runs/torn", "--devices", devices))
    assert code == 0, errors
    ours, theirs = weights(tmp_path / "runs/torn"), weights(tmp_path / "runs/whole")
    for name in ours:
        tolerance = 0.0 if devices == "2" else 1e-5
        torch.testing.assert_close(ours[name], theirs[name], rtol=0, atol=tolerance)
