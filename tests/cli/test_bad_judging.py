"""What an honest judge refuses or says: leaks, constants, groups, times, weights, promises."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from command import Refuse, RunCli

ROWS = 120
FAST = (
    *("--model=linear", "--epochs=1", "--plain", "--set=evaluation.baselines=none"),
    *("--set=evaluation.resamples=50", "--set=evaluation.slices=false"),
)


def write(folder: Path, **columns: object) -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=ROWS)
    base = {"x": x, "z": rng.normal(size=ROWS), "y": 2 * x + rng.normal(size=ROWS)}
    pl.DataFrame({**base, **columns}).write_csv(folder / "t.csv")


def test_a_leak_on_purpose_is_named_or_an_error(
    refuse: Refuse, run_cli: RunCli, tmp_path: Path
) -> None:
    write(tmp_path)
    leaky = pl.read_csv(tmp_path / "t.csv").with_columns((3 * pl.col("y") + 1).alias("tax"))
    leaky.write_csv(tmp_path / "t.csv")
    refuse("train", "t.csv", "-t", "y", "--fail-on-leak", *FAST, match='"tax".*--ignore tax')
    outcome = run_cli("train", "t.csv", "-t", "y", *FAST)
    assert outcome.code == 0
    assert 'Leak: "tax"' in outcome.err


def test_features_that_are_all_constant(refuse: Refuse, tmp_path: Path) -> None:
    write(tmp_path, x=[1] * ROWS, z=["k"] * ROWS)
    refuse("train", "t.csv", "-t", "y", *FAST, match='No input column.*x: every value is "1"')


def test_more_classes_than_rows_can_teach(refuse: Refuse, tmp_path: Path) -> None:
    write(tmp_path, y=list(range(ROWS)))
    asked = ("train", "t.csv", "-t", "y", "--task", "classification", *FAST)
    refuse(*asked, match="120 classes in 120 rows.*--task regression")
    write(tmp_path, y=[f"c{i}" for i in range(ROWS)])
    refuse("train", "t.csv", "-t", "y", *FAST, match="different text in each of 120 rows")


def test_more_folds_than_rows(refuse: Refuse, tmp_path: Path) -> None:
    write(tmp_path)
    refuse(
        "train", "t.csv", "-t", "y", "--folds", "500", *FAST, match="500 folds need.*are 96 outside"
    )


@pytest.mark.parametrize(
    ("group", "words"),
    [
        (["a"] * ROWS, '"g" has 1 group, but 3 sides'),
        (["a"] * (ROWS - 3) + ["b", "c", "d"], "Only 1 row would be in val.*groups"),
    ],
)
def test_groups_that_cover_everything(
    refuse: Refuse, tmp_path: Path, group: list[str], words: str
) -> None:
    write(tmp_path, g=group)
    refuse("train", "t.csv", "-t", "y", "--group", "g", *FAST, match=words)


def test_times_unsorted_with_ties_and_in_mixed_zones_are_ordered(
    run_cli: RunCli, tmp_path: Path
) -> None:
    rng, zones = np.random.default_rng(1), ["Z", "+02:00", "-05:00"]
    hours = rng.permutation(ROWS) // 4
    moments = [
        f"2024-01-{1 + h // 24:02d}T{h % 24:02d}:00:00{zones[i % 3]}" for i, h in enumerate(hours)
    ]
    write(tmp_path, t=moments)
    outcome = run_cli("train", "t.csv", "-t", "y", "--time", "t", "--name", "r", *FAST)
    assert outcome.code == 0, outcome.err
    sides = pl.read_parquet(tmp_path / "runs/r/splits.parquet")
    times = pl.Series(moments).str.to_datetime(time_zone="UTC").dt.epoch("s").to_numpy()
    train, val, test = (
        times[sides.filter(pl.col("split") == side)["id"].to_numpy()]
        for side in ("train", "val", "test")
    )
    assert train.max() < val.min()
    assert val.max() < test.min()


@pytest.mark.parametrize(
    ("times", "words"),
    [
        (["2024-01-01"] * ROWS, "at least 3 different times. Found: 1"),
        (["2024-01-01T10:00:00", "2024-01-01T10:00:00+02:00"] * 60, "have a zone.*row 1 has none"),
        ([None if i == 7 else f"2024-01-{i % 28 + 1:02d}" for i in range(ROWS)], "row 8"),
    ],
)
def test_times_that_have_no_order(
    refuse: Refuse, tmp_path: Path, times: list[str | None], words: str
) -> None:
    write(tmp_path, t=times)
    refuse("train", "t.csv", "-t", "y", "--time", "t", *FAST, match=words)


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([-1.0 if i == 5 else 1.0 for i in range(ROWS)], "row 6 is negative"),
        ([0.0] * ROWS, "all weights are 0"),
        ([float(i == ROWS - 1) for i in range(ROWS)], "rows weigh 0"),
    ],
)
def test_weights_that_cannot_count(
    refuse: Refuse, tmp_path: Path, weights: list[float], words: str
) -> None:
    write(tmp_path, w=weights)
    refuse("train", "t.csv", "-t", "y", "--weight", "w", *FAST, match=f'"w".*{words}')


def test_a_threshold_out_of_reach_names_the_best_and_few_rows_promise_nothing(
    run_cli: RunCli, tmp_path: Path
) -> None:
    rng = np.random.default_rng(2)
    write(tmp_path, y=rng.choice(["no", "yes"], ROWS))
    options = ("--threshold", "precision>=0.999", "--set=split.val=0.5", "--name", "r")
    outcome = run_cli("train", "t.csv", "-t", "y", *options, *FAST)
    assert outcome.code == 0, outcome.err
    words = 'precision >= 0.999 of "yes" is not reached on the validation rows; the best is'
    assert words in " ".join(outcome.err.split())
    outcome = run_cli("train", "t.csv", "-t", "y", "--coverage", "0.95", "--name", "s", *FAST)
    assert outcome.code == 0, outcome.err
    assert "No coverage is promised" in outcome.err
    answers = pl.read_parquet(tmp_path / "runs/s/predictions.parquet")
    assert "set" not in answers.columns
