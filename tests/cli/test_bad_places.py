"""Full disks, places that cannot be written, run folders that are there already."""

from __future__ import annotations

import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
import small_data
from command import Refuse, RunCli, tree

from deepwell.workflows import TrainResult

FAST = small_data.FAST_OPTIONS
NOBODY = 65534


@pytest.fixture
def small_disk(tmp_path: Path) -> Generator[Callable[[int], Path]]:
    """Give a disk of so many KiB, or make it larger; skip where one cannot be mounted."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = False

    def mount(size: int) -> Path:
        nonlocal mounted
        options = f"{'remount,' * mounted}size={size}k"
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
        if shutil.which("mount") is None or subprocess.run(command, capture_output=True).returncode:
            pytest.skip("a small disk can be mounted by root only")
        mounted = True
        return place

    yield mount
    if mounted:
        subprocess.run(["umount", "-l", str(place)], check=True)


@pytest.fixture
def locked_folder() -> Generator[Path]:
    """Give a folder that may be read but not written, also when root runs the tests."""
    folder = Path(tempfile.mkdtemp())
    small_data.write_houses(folder)
    is_root = os.getuid() == 0
    folder.chmod(0o555)
    if is_root:
        os.setresuid(NOBODY, NOBODY, 0)
    try:
        yield folder
    finally:
        if is_root:
            os.setresuid(0, 0, 0)
        folder.chmod(0o755)
        shutil.rmtree(folder)


@pytest.mark.parametrize("size", [4, 12, 24, 48, 96])
def test_a_full_disk_leaves_no_run_or_one_that_can_be_resumed(
    run_cli: RunCli, houses: Path, small_disk: Callable[[int], Path], size: int
) -> None:
    disk = small_disk(size)
    outcome = run_cli("train", houses, "-t", "price", "--runs", disk, "--name", "r", *FAST)
    assert outcome.code == 2, outcome
    last = outcome.err.rstrip().split("\n")[-1]
    assert last.startswith("error: No space left on the disk while writing")
    assert "Traceback" not in outcome.err
    assert not [name for name in tree(disk) if ".tmp" in name]
    if not tree(disk):
        return
    assert f"deepwell resume {disk}/r" in last
    small_disk(20_000)
    assert run_cli("resume", disk / "r").code == 0
    assert small_data.read_json(disk / "r" / "status.json")["state"] == "finished"


def test_a_full_disk_after_training_keeps_the_training(
    run_cli: RunCli, houses: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from deepwell.workflows import finish

    def refuse(*args: object) -> None:
        from deepwell.files import explain_os_error

        raise explain_os_error(OSError(errno.ENOSPC, ""), Path("predictions.parquet"))

    options = ("train", houses, "-t", "price", *FAST)
    assert run_cli(*options, "--name", "whole").code == 0
    with monkeypatch.context() as patch:
        patch.setattr(finish, "write_answers", refuse)
        outcome = run_cli(*options, "--name", "r")
    assert outcome.code == 2
    assert "No space left" in outcome.err
    assert "The training so far is kept: go on with `deepwell resume runs/r`." in outcome.err
    assert small_data.read_json(Path("runs/r/status.json"))["state"] == "failed"
    assert run_cli("resume", "runs/r").code == 0
    results = [small_data.read_json(Path(f"runs/{n}/result.json")) for n in ("whole", "r")]
    assert results[0]["metrics"] == results[1]["metrics"]


def test_predictions_on_a_full_disk(
    run_cli: RunCli, houses: Path, small_disk: Callable[[int], Path], stored_run: TrainResult
) -> None:
    disk = small_disk(8)
    for ending in ("csv", "parquet", "jsonl", "arrow", "tsv"):
        output = disk / f"out.{ending}"
        outcome = run_cli("predict", stored_run.folder.path, houses, "-o", output)
        assert outcome.code == 2, outcome
        assert outcome.err.startswith(f"error: No space left on the disk while writing {output}")
        assert outcome.err.count("\n") == 1
        assert tree(disk) == {}


def test_nothing_is_written_without_permission(
    run_cli: RunCli, locked_folder: Path, stored_run: TrainResult
) -> None:
    houses = locked_folder / "houses.csv"
    before = tree(locked_folder)
    for runs in (locked_folder, locked_folder / "runs"):
        outcome = run_cli("train", houses, "-t", "price", "--runs", runs, *FAST)
        assert outcome.code == 2
        assert outcome.err.startswith(f"error: No permission to write {runs}"), outcome.err
    # the rights of the output are looked at before the model, which may not be read here either
    output = locked_folder / "out.csv"
    for command in (["predict"], ["evaluate"]):
        target = output if command == ["predict"] else output.with_suffix(".json")
        outcome = run_cli(*command, stored_run.folder.path, houses, "-o", target)
        assert outcome.code == 2
        assert outcome.err.startswith("error: No permission to write"), outcome.err
    assert tree(locked_folder) == before


def test_a_file_in_the_way(refuse: Refuse, houses: Path, stored_run: TrainResult) -> None:
    run = stored_run.folder.path
    refuse("train", houses, "-t", "price", "--runs", houses, match="because .* is a file")
    refuse("train", houses, "-t", "price", "--runs", houses / "runs", match="is a file")
    refuse(
        "predict",
        run,
        houses,
        "-o",
        houses / "out.csv",
        match=r"^error: \S*out\.csv cannot be written: \S*houses\.csv is a file, not a folder\.$",
    )
    refuse("predict", run, houses, "-o", "nowhere/out.csv", match="folder nowhere does not exist")
    refuse("predict", run, houses, "-o", "out.xyz", match=r"ends in \.csv, \.tsv, \.parquet")
    refuse("predict", run, houses, "-o", houses.parent, match="ends in|is a folder")
    refuse("evaluate", run, houses, "-o", "nowhere/out.json", match="nowhere does not exist")
    # looked at before slow work starts: neither the model nor the data need exist
    refuse("predict", "no-model", "no-data", "-o", "nowhere/out.csv", match="nowhere")


def test_a_run_folder_that_exists(refuse: Refuse, houses: Path, tmp_path: Path) -> None:
    (tmp_path / "runs" / "taken").mkdir(parents=True)
    words = "runs/taken exists already: choose another --name.*deepwell resume runs/taken"
    refuse("train", houses, "-t", "price", "--name", "taken", match=words)
    refuse("train", "missing.csv", "-t", "price", "--name", "taken", match=words)


def test_resume_of_what_cannot_be_resumed(
    refuse: Refuse, tmp_path: Path, stored_run: TrainResult
) -> None:
    run = small_data.copy_tree(stored_run.folder.path, tmp_path / "houses")
    refuse("resume", "houses", match="is finished: there is nothing to resume")
    refuse("resume", "house", match='There is no run folder house. Did you mean "houses"')
    refuse("resume", "..", match="not a run folder: it has no status.json")
    (run / "status.json").write_text("{}")
    refuse("resume", "houses", match=r"houses/status\.json is missing or damaged")
    (run / "status.json").write_text('{"state": "interrupted"}')
    shutil.rmtree(run / "checkpoints")
    refuse("resume", "houses", match="has no checkpoint")


def test_resume_with_a_changed_setting_is_refused(
    refuse: Refuse, tmp_path: Path, stored_run: TrainResult
) -> None:
    run = small_data.copy_tree(stored_run.folder.path, tmp_path / "houses")
    (run / "status.json").write_text('{"state": "interrupted"}')
    config = (run / "config.toml").read_text(encoding="utf-8")
    (run / "config.toml").write_text(config.replace("batch_size = 32", "batch_size = 16"))
    with pytest.raises(AssertionError, match=r"Left contains|Differing"):  # status.json may change
        refuse("resume", "houses", match="resume with the settings of the first run")
    assert small_data.read_json(run / "status.json")["state"] == "failed"
