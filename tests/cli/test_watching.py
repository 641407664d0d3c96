"""The options that look at a training before and while it runs."""

from pathlib import Path

import pytest
import small_data
from command import Refuse, RunCli


def test_profile_prints_the_parts_and_writes_json(run_cli: RunCli, houses: Path, tmp_path: Path):
    outcome = run_cli("profile", houses, "-t", "price", "-m", "mlp", "--steps=3", "--json=p.json")
    assert outcome.code == 0, outcome.err
    for words in ("Forward", "Backward", "Optimizer", "rows/s", "FLOP/s", "Memory", "Next"):
        assert words in outcome.out
    found = small_data.read_json(tmp_path / "p.json")
    assert found["steps"] == 3
    assert {path.name for path in tmp_path.iterdir()} == {houses.name, "p.json"}


def test_overfit_batch_ends_with_a_verdict_and_no_run(
    run_cli: RunCli, houses: Path, tmp_path: Path
):
    good = run_cli("train", houses, "-t", "price", "-m", "mlp", "--overfit-batch")
    assert good.code == 0, good.err
    assert good.out.startswith("The network can learn")
    lines = ["x,y", *(f"{i % 4},{(i * 37) % 101}" for i in range(200))]
    (tmp_path / "noise.csv").write_text("\n".join(lines))
    bad = run_cli("train", "noise.csv", "-t", "y", "-m", "linear", "--overfit-batch")
    assert bad.code == 1
    assert "could not learn" in bad.out
    assert "Next" in bad.out
    assert not (tmp_path / "runs").exists()


def test_find_options_and_plain(run_cli: RunCli, houses: Path, tmp_path: Path):
    outcome = run_cli(
        "train", houses, "-t", "price", "-m", "mlp", "--find-lr", "--find-batch-size", "--plain",
        "--epochs=2", "--name=r", *small_data.FAST_OPTIONS[2:],
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "found by a range test" in outcome.err
    assert "rows a batch" in outcome.err
    assert (tmp_path / "runs/r/find_lr.json").is_file()


def test_contradictions_are_refused(refuse: Refuse, houses: Path):
    refuse(
        "train", houses, "-t", "price", "--find-lr", "--learning-rate=0.1",
        match="leave out one of --find-lr and --learning-rate",
    )  # fmt: skip


@pytest.mark.parametrize(
    "option", ["--find-lr", "--find-batch-size", "--devices=2", "--folds=3", "--ensemble=2"]
)
def test_one_batch_goes_with_nothing_that_needs_more(
    refuse: Refuse, houses: Path, option: str
) -> None:
    name = option.partition("=")[0]
    options = ("-t", "price", "-m", "mlp", "--device=cpu", "--overfit-batch", option)
    refuse("train", houses, *options, match=f"leave {name} out")
