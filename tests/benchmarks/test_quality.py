import io
import sys
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from benchmarks.quality import sets as sets_module
from benchmarks.quality.__main__ import divisions
from benchmarks.quality.gather import Archive, read, write
from benchmarks.quality.gathered import Source, sources
from benchmarks.quality.page import merged, page
from benchmarks.quality.sets import SETS, Set, divide
from benchmarks.quality.standings import CONTENDERS, mean_scores, standings
from benchmarks.quality.trees import inputs_for, score

from deepwell.files import write_json

MACHINE: dict[str, Any] = {
    "commit": "abc",
    "hardware": {"processor": "a processor", "cores": 2, "memory_gib": 8.0},
    "versions": dict.fromkeys(("deepwell", "python", "torch", "numpy", "scikit-learn"), "1"),
    "threads": 2,
    "load": 0.1,
}


def row(name: str, split: int = 0, **scores: float | None) -> dict[str, Any]:
    """Return a result; contenders that are not named are far behind."""
    far = 0.5 if SETS[name].is_higher_better else 10.0
    found = {c: {"score": scores.get(c, far), "seconds": 1.0} for c in CONTENDERS}
    return {"set": name, "split": split, "metric": SETS[name].metric, "scores": found}


def zipped(name: str, text: str) -> Archive:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, text)
    return zipfile.ZipFile(file)


def source(member: str, target: str, *drop: str, metric: Any = "auc") -> Source:
    return Source("tiny", metric, target, "a==1", member, drop, (2, 2), "0" * 16)


def test_the_page_tells_what_was_measured_at_another_commit():
    rows = [{**row("ames", split), "commit": "one" if split else "other"} for split in range(3)]
    text = page({**MACHINE, "scores": rows})
    assert "- one: ames 1, ames 2" in text
    assert "Set and split by commit" not in page({**MACHINE, "scores": rows[1:]})


def test_every_second_set_of_a_kind_by_name_is_held_out():
    for kind in ("rmse", "auc", "log_loss"):
        chosen = [one for one in SETS.values() if one.metric == kind and one.role != "goal"]
        assert [one.name for one in chosen] == sorted(one.name for one in chosen)
        assert [one.role for one in chosen] == ["development", "held out"] * 5


def test_gathered_names_are_unique_and_none_replaces_a_goal_set():
    assert len({one.name for one in sources()}) == len(sources())
    assert len(SETS) == 4 + len(sources())


def test_rows_without_an_answer_row_numbers_and_dropped_columns_go():
    text = '"","a","b","y"\n"1",0.10,x,1\n"2",NA,z,0\n"3",3,w,.\n'
    frame = read(zipped("t.csv", text), source("t.csv", "y", "b"))
    assert frame.to_dict(as_series=False) == {"a": ["0.10", None], "y": ["class 1", "class 0"]}


def test_headless_files_get_names_and_lose_spaces():
    frame = read(zipped("t.dat", "1, 2, van \n3, 4, bus\n"), source("t.dat", "kind"))
    assert frame.rows(named=True)[0] == {"x1": "1", "x2": "2", "kind": "van"}


def test_numbers_as_answers_stay_numbers():
    frame = read(zipped("t.csv", "a,y\n1,5\n"), source("t.csv", "y", metric="rmse"))
    assert frame["y"].to_list() == ["5"]


def test_a_member_that_is_a_folder_is_refused():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        folder = tarfile.TarInfo("t.csv")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
    file.seek(0)
    with tarfile.open(fileobj=file) as archive, pytest.raises(SystemExit, match=r"t\.csv"):
        read(archive, source("t.csv", "y"))


def test_other_content_than_listed_is_not_written(tmp_path: Path):
    with pytest.raises(SystemExit, match="another version of a==1"):
        write(source("t.csv", "y"), pl.DataFrame({"a": ["1", "2"], "y": ["n", "p"]}), tmp_path)
    assert not list(tmp_path.iterdir())


def test_large_gathered_sets_are_cut_and_goal_sets_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(sets_module, "MOST_ROWS", 10)
    pl.DataFrame({"y": range(50)}).write_csv(tmp_path / "t.csv")
    sides = []
    for role in ("goal", "development"):
        train, test = divide(tmp_path, Set("t", "t.csv", "y", "rmse", role), 3, tmp_path)
        sides.append([pl.read_csv(side)["y"].to_list() for side in (train, test)])
    assert sorted(sides[0][0] + sides[0][1]) == list(range(50))
    assert sides[0][1] == np.random.default_rng(3).permutation(50)[:10].tolist()
    first = np.random.default_rng(0).permutation(50)[:10]
    order = np.random.default_rng(3).permutation(10)
    assert sides[1] == [first[order[2:]].tolist(), first[order[:2]].tolist()]


def test_roles_and_names_choose_divisions():
    chosen = [(one.name, number) for one, number in divisions("ames,held-out", None)]
    assert chosen[:6] == [("ames", number) for number in range(6)]
    assert len(chosen) == 6 + 15
    assert [n for _, n in divisions("wage", "2,4")] == [2, 4]
    with pytest.raises(SystemExit, match="'wages'"):
        list(divisions("wages", None))


def test_ranks_follow_the_direction_of_the_metric_and_share_ties():
    rows = [
        row("wage", deepwell=1.0, lightgbm=2.0, xgboost=2.0, catboost=4.0, boosting=8.0),
        row("oj", deepwell=0.6, lightgbm=0.7, xgboost=0.8, catboost=0.9, boosting=0.75),
    ]
    table, names = standings(rows, ["wage", "oj", "german"])
    by_name = {one.contender: one for one in table}
    assert names == ["wage", "oj"]
    assert by_name["deepwell"].rank == (1 + 5) / 2
    assert by_name["lightgbm"].rank == (2.5 + 4) / 2
    assert by_name["catboost"].rank == (4 + 1) / 2
    assert by_name["catboost"].share == pytest.approx((1 / 4 + 1) / 2)
    assert [one.rank for one in table] == sorted(one.rank for one in table)
    assert [by_name[name].firsts for name in CONTENDERS] == [1, 0, 0, 0, 1]


def test_a_failure_comes_last_but_one_who_was_not_tried_takes_the_set_out():
    failed = row("wage", deepwell=None, catboost=1.0)
    table, _ = standings([failed], ["wage"])
    assert (table[-1].contender, table[-1].rank, table[-1].share) == ("deepwell", 5.0, 0.0)
    untried = row("oj")
    del untried["scores"]["xgboost"]
    assert standings([failed, untried], ["wage", "oj"])[1] == ["wage"]
    assert standings([untried], ["oj"]) == ([], [])


def test_a_set_counts_once_by_the_mean_of_its_divisions():
    rows = [row("wage", 0, deepwell=1.0), row("wage", 1, deepwell=3.0)]
    assert mean_scores(rows)["deepwell"] == 2.0
    assert mean_scores([*rows, row("wage", 2, deepwell=None)])["deepwell"] is None


def test_the_page_holds_all_days_and_the_last_measurement_of_a_division(tmp_path: Path):
    first = [row("ames", 0, deepwell=20_000.0), row("wage", deepwell=5.0)]
    second = [row("wage", deepwell=3.25), row("gpa", deepwell=0.125)]
    write_json(tmp_path / "quality-2026-01-02.json", {**MACHINE, "scores": first})
    write_json(tmp_path / "quality-2026-01-03.json", {**MACHINE, "scores": second})
    text = page(merged(tmp_path))
    assert "| 0 | 20,000.0 |" in text
    assert "| wage | held out | RMSE | 1 | 3.2500 |" in text
    assert "| held out (2) | Deepwell | 1.00 | 1.000 | 2 |" in text
    assert "development (" not in text
    assert "2026-01-02 and 2026-01-03" in text


def test_peers_get_the_categories_of_the_training_rows_on_both_sides():
    train = pl.DataFrame({"a": ["x", "z", None], "b": [True, False, None]})
    test = pl.DataFrame({"a": ["new", "z", None], "b": [True, True, False]})
    left, right = inputs_for("xgboost", train, test, ["a"])
    assert right["a"].cat.categories.tolist() == left["a"].cat.categories.tolist()
    assert right["a"].isna().tolist() == [True, False, False]
    assert left["b"].tolist()[:2] == [1, 0]
    _, right = inputs_for("catboost", train, test, ["a"])
    assert right["a"].tolist() == ["new", "z", "missing"]


def test_scores_of_peers_match_their_definitions():
    truth = np.array(["a", "b", "c", "b"])
    found = np.array([[0.5, 0.25, 0.25], [0.1, 0.8, 0.1], [0.2, 0.3, 0.5], [0.6, 0.2, 0.2]])
    expected = -np.mean(np.log([0.5, 0.8, 0.5, 0.2]))
    assert score("log_loss", truth, 2 * found, ["a", "b", "c"]) == pytest.approx(expected)
    two = np.array([[0.9, 0.1], [0.4, 0.6], [0.7, 0.3], [0.2, 0.8]])
    assert score("auc", np.array(["n", "p", "n", "p"]), two, ["n", "p"]) == 1.0
    assert score("rmse", np.array([0.0, 0.0]), np.array([3.0, 4.0]), []) == pytest.approx(12.5**0.5)
    assert score("mae", np.array([0.0, 0.0]), np.array([3.0, 4.0]), []) == 3.5


def test_unknown_folder_is_named_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from benchmarks.quality.__main__ import main

    arguments = ["quality", "--sets", "wage", "--gathered", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit, match=r"wage\.csv is missing"):
        main()
