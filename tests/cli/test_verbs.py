"""Every verb, as a person uses it: what it prints, what it writes, how it ends."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import small_data
from command import Outcome, RunCli
from rich.console import Console

import deepwell
from deepwell.cli import render
from deepwell.files import sha256
from deepwell.version import __version__
from deepwell.workflows import TrainResult

FAST = small_data.FAST_OPTIONS
VERBS = [
    "train",
    "resume",
    "predict",
    "evaluate",
    "diagnose",
    "report",
    "models",
    "summary",
    "data inspect",
]


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_with_an_example(run_cli: RunCli, verb: str) -> None:
    outcome = run_cli(*verb.split(), "--help")
    assert outcome.code == 0
    assert f"Example: deepwell {verb}" in outcome.out


def test_version(run_cli: RunCli) -> None:
    assert run_cli("--version").out == f"deepwell {__version__}\n"


def test_train_tells_the_story_from_the_file_to_the_next_step(
    run_cli: RunCli, houses: Path
) -> None:
    outcome = run_cli("train", "houses.csv", "--target", "price", "--epochs", "3", *FAST[1:])
    assert outcome.code == 0, outcome.err
    for words in ("200 rows", "price — Regression", "65 % train", "epoch 3/3", "Scoring the test"):
        assert words in outcome.err
    for words in (
        *("mlp (the network)", "Mean of the training rows", "RMSE", "95 % interval"),
        *("Report   runs/houses-mlp/report.html", "Model    runs/houses-mlp/model"),
        "deepwell predict runs/houses-mlp",
    ):
        assert words in outcome.out
    manifest = small_data.read_json(Path("runs/houses-mlp/manifest.json"))
    assert manifest["command"].startswith("deepwell train houses.csv --target price --epochs 3")


@pytest.mark.parametrize(("threshold", "code", "word"), [("1e9", 0, "reached"), ("1", 1, "missed")])
def test_success_decides_the_exit_code(
    run_cli: RunCli, houses: Path, threshold: str, code: int, word: str
) -> None:
    success = f"rmse < {threshold}"
    options = ("houses.csv", "-t", "price", "--name", "r", "--success", success, *FAST)
    outcome = run_cli("train", *options)
    assert outcome.code == code
    assert word in outcome.out
    result = small_data.read_json(Path("runs/r/result.json"))
    assert result["success"]["expression"] == success
    assert result["success"]["met"] is (code == 0)
    assert f"--success '{success}'" in small_data.read_json(Path("runs/r/manifest.json"))["command"]
    assert run_cli("evaluate", "runs/r", "houses.csv", "--success", success).code == code


def test_config_of_a_run_gives_the_same_model(run_cli: RunCli, houses: Path) -> None:
    options = (
        "--set",
        "model.hidden_sizes=[8, 4]",
        "--kind",
        "Garage_Cars=category",
        "--seed",
        "5",
    )
    assert run_cli("train", houses, "-t", "price", "--name", "a", *options, *FAST).code == 0
    again = run_cli("train", houses, "--config", "runs/a/config.toml", "--name", "b")
    assert again.code == 0, again.err
    weights = [sha256(Path(f"runs/{name}/model/model.safetensors")) for name in "ab"]
    assert weights[0] == weights[1]
    # an option is stronger than the file
    other = run_cli("train", houses, "--config", "runs/a/config.toml", "--name", "c", "--seed", "6")
    assert other.code == 0
    assert small_data.read_json(Path("runs/c/result.json"))["seed"] == 6


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "jsonl", "arrow"])
def test_predict_writes_every_format(
    run_cli: RunCli, houses: Path, stored_run: TrainResult, ending: str
) -> None:
    outcome = run_cli("predict", stored_run.folder.path, houses, "-o", f"out.{ending}")
    assert (outcome.code, outcome.err) == (0, "")
    assert f"200 rows with predictions in out.{ending}" in outcome.out
    written = deepwell.data.read(f"out.{ending}").table.frame()
    assert written.columns == [*small_data.houses().columns, "prediction"]
    expected = stored_run.predict(houses)["prediction"]
    assert written["prediction"].to_list() == pytest.approx(expected.to_list())


def test_predict_shows_the_first_rows_without_output(
    run_cli: RunCli, houses: Path, stored_run: TrainResult
) -> None:
    outcome = run_cli("predict", stored_run.folder.model, houses)
    assert outcome.code == 0
    assert "prediction" in outcome.out
    assert "200 rows in all; write them with -o out.csv" in outcome.out
    assert len(outcome.out.splitlines()) < 30


def test_predict_keeps_what_csv_can_hold_of_classes(run_cli: RunCli, tmp_path: Path) -> None:
    frame = small_data.visitors().select("age", "clicks", "level")
    frame.write_csv(tmp_path / "v.csv")
    assert run_cli("train", "v.csv", "-t", "level", "--name", "r", *FAST).code == 0
    assert run_cli("predict", "runs/r", "v.csv", "-o", "out.csv").code == 0
    out = pl.read_csv("out.csv")
    names = ["probability_high", "probability_low", "probability_middle"]
    assert out.columns == [*frame.columns, "prediction", *names]
    assert out.select(pl.sum_horizontal(names)).to_series().to_list() == pytest.approx([1] * 240)


def test_evaluate_prints_and_writes_the_scores(
    run_cli: RunCli, houses: Path, stored_run: TrainResult
) -> None:
    outcome = run_cli("evaluate", stored_run.folder.path, houses, "-o", "scores.json")
    assert outcome.code == 0
    assert "200 rows" in outcome.out
    assert "RMSE" in outcome.out
    scores = small_data.read_json(Path("scores.json"))
    assert set(scores["metrics"]) == {"rmse", "mae", "median_error", "r2"}


def test_what_was_decided_is_said_at_the_end_and_when_rows_are_scored_again(
    run_cli: RunCli, houses: Path
) -> None:
    asked = ("--coverage", "0.8", "--set", "split.val=0.3", "--name", "r", "--epochs", "3")
    trained = run_cli("train", "houses.csv", "--target", "price", *asked, *FAST[1:])
    scored = run_cli("evaluate", "runs/r", "houses.csv")
    for outcome in (trained, scored):
        assert outcome.code == 0, outcome.err
        text = " ".join(outcome.out.split()).replace("\u202f", " ")
        assert "Coverage: 80 % was promised" in text
        assert "mean width" in text


def test_answers_are_shown_before_inputs_the_surest_facts_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "console", Console(width=200, highlight=False))
    inputs = {"low": [7], "set_up": [8], "age": [30]}
    answers = {"prediction": ["no"], "probability_no": [0.9], "probability_yes": [0.1]}
    more = {"disagreement": [0.02], "set": ["no|yes"]}
    render.show_frame(pl.DataFrame({**inputs, **answers, **more}))
    heads = capsys.readouterr().out.split("\n")[1].split()
    assert heads == ["prediction", "set", "disagreement", "probability_no", *inputs]


def test_groups_of_a_named_column_are_shown(run_cli: RunCli) -> None:
    rng = np.random.default_rng(0)
    x, city = rng.normal(size=400), rng.choice(["Rome", "Oslo"], 400)
    opened = np.where(x + rng.normal(size=400) > 0, "yes", "no")
    pl.DataFrame({"x": x, "city": city, "opened": opened}).write_csv("v.csv")
    asked = ("-t", "opened", "--fairness", "city", "--model", "linear", "--name", "r")
    outcome = run_cli("train", "v.csv", *asked, *FAST)
    assert outcome.code == 0, outcome.err
    text = " ".join(outcome.out.split())
    assert "Groups of city" in text
    assert "city: Demographic parity" in text
    assert "Equalised odds" in text
    scored = run_cli("evaluate", "runs/r", "v.csv")
    assert "Calibration error (ECE)" in scored.out


def test_report_is_written_again(run_cli: RunCli, tmp_path: Path, stored_run: TrainResult) -> None:
    run = small_data.copy_tree(stored_run.folder.path, tmp_path / "r")
    (run / "report.html").unlink()
    outcome = run_cli("report", "r")
    assert outcome.code == 0
    assert "mlp (the network)" in outcome.out
    before = stored_run.report.read_text(encoding="utf-8").count("<svg")
    assert (run / "report.html").read_text(encoding="utf-8").count("<svg") == before
    (run / "result.json").unlink()
    assert "its report so far" in run_cli("report", "r").out


def test_models_lists_and_describes(run_cli: RunCli) -> None:
    listing = run_cli("models").out
    for name in ("perceptron", "linear", "mlp", "cnn", "resnet18", "resnet152"):
        assert name in listing
    detail = run_cli("models", "resnet18").out
    for words in ("He", "2016", "11,689,512", "model."):
        assert words in detail


def test_summary_of_a_name_and_of_a_run(run_cli: RunCli, stored_run: TrainResult) -> None:
    named = run_cli("summary", "resnet18", "--image", "3x224x224", "--outputs", "1000")
    assert "11,689,512 parameters" in named.out
    stored = run_cli("summary", stored_run.folder.path)
    layers = small_data.read_json(stored_run.folder / "layers.json")
    assert f"{layers['parameters']:,} parameters" in stored.out


def test_inspect_says_kind_role_and_why(run_cli: RunCli, houses: Path) -> None:
    options = ("--target", "price", "--kind", "Garage_Cars=category", "--ignore", "Lot_Area")
    outcome = run_cli("data", "inspect", houses, *options)
    assert outcome.code == 0
    # the first line of each name stands in the table of columns
    lines = {line.split()[0]: line for line in reversed(outcome.out.splitlines()) if line.strip()}
    assert "category" in lines["Garage_Cars"]
    assert "ignored" in lines["Lot_Area"]
    assert "target" in lines["price"]
    assert "number" in lines["price"]
    assert "Regression" in outcome.out


def run_process(folder: Path, *args: str, **environment: str) -> Outcome:
    variables = {**os.environ, "PYTHONPATH": str(Path(deepwell.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-m", "deepwell", *args],
        cwd=folder,
        env={**variables, **environment},
        capture_output=True,
        check=False,
    )
    return Outcome(done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1"))


def test_a_terminal_that_cannot_write_every_sign_still_works(tmp_path: Path) -> None:
    outcome = run_process(tmp_path, "models", "mlp", PYTHONIOENCODING="ascii", LC_ALL="C")
    assert outcome.code == 0, outcome.err
    assert "mlp ? Multi-layer perceptron" in outcome.out


def test_a_reader_that_goes_away_is_no_error(tmp_path: Path) -> None:
    command = (
        f'{sys.executable} -m deepwell models mlp 2>err.txt | head -n 1; echo "${{PIPESTATUS[0]}}"'
    )
    subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, check=True)
    assert "Traceback" not in (tmp_path / "err.txt").read_text()


def test_help_and_models_do_not_load_torch(tmp_path: Path) -> None:
    code = (
        "import sys, deepwell.cli.main as m\n"
        "sys.argv = ['deepwell', *ARGS]\n"
        "try: m.main()\n"
        "except SystemExit: pass\n"
        "assert 'torch' not in sys.modules and 'sklearn' not in sys.modules\n"
    )
    for args in (["--help"], ["train", "--help"], ["models"], ["--version"]):
        program = code.replace("ARGS", json.dumps(args))
        variables = {**os.environ, "PYTHONPATH": str(Path(deepwell.__file__).parents[1])}
        command = [sys.executable, "-c", program]
        done = subprocess.run(command, env=variables, capture_output=True, check=False)
        assert done.returncode == 0, done.stderr.decode()


@pytest.mark.parametrize("width", [80, 120])
def test_no_line_is_wider_than_the_terminal(
    run_cli: RunCli,
    houses: Path,
    stored_run: TrainResult,
    monkeypatch: pytest.MonkeyPatch,
    width: int,
) -> None:
    monkeypatch.setattr(render, "console", Console(width=width, highlight=False))
    run = str(stored_run.folder.path)
    for args in (
        ["models"],
        ["models", "mlp"],
        ["summary", "resnet50"],
        ["summary", run],
        ["predict", run, "houses.csv"],
        ["evaluate", run, "houses.csv"],
        ["data", "inspect", "houses.csv", "--target", "price"],
    ):
        outcome = run_cli(*args)
        assert outcome.code == 0, outcome.err
        assert max(map(len, outcome.out.splitlines())) <= width, args


def test_names_with_brackets_are_no_markup(run_cli: RunCli, tmp_path: Path) -> None:
    frame = small_data.houses(60).rename({"Lot_Area": "[bold]area[/bold]", "Full_Bath": "[/]"})
    frame.write_csv(tmp_path / "odd [a].csv")
    assert run_cli("train", "odd [a].csv", "-t", "price", "--name", "[b]", *FAST).code == 0
    shown = run_cli("predict", "runs/[b]", "odd [a].csv")
    assert "[bold]area[/bold]" in shown.out
    assert "out [c].csv" in run_cli("predict", "runs/[b]", "odd [a].csv", "-o", "out [c].csv").out
    assert "[bold]area" in run_cli("data", "inspect", "odd [a].csv", "-t", "price").out
    assert "runs/[b]/report.html" in run_cli("report", "runs/[b]").out


def test_numbers_stay_whole_on_a_narrow_terminal(
    run_cli: RunCli, monkeypatch: pytest.MonkeyPatch, stored_run: TrainResult
) -> None:
    for width, others in ((60, 0), (100, 2)):
        monkeypatch.setattr(render, "console", Console(width=width, highlight=False))
        shown = run_cli("report", stored_run.folder.path).out
        network = next(line for line in shown.splitlines() if "(the network)" in line)
        numbers = re.findall(r"\d[\d,.]*", network.partition("(the network)")[2])
        assert len(numbers) == 3 + others, network
        assert all(re.fullmatch(r"\d{1,3}(,\d{3})*(\.\d+)?", number) for number in numbers), network
