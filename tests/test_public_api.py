"""The public surface is frozen: a change here is a change for users, and meant."""

import subprocess
import sys

import typer.main

import deepwell
from deepwell.cli.main import app

EXPORTS = [
    "DeepClassifier",
    "DeepRegressor",
    "Sequential",
    "__version__",
    "compare",
    "diagnose",
    "evaluate",
    "explore",
    "load",
    "predict",
    "resume",
    "train",
]

OPTIONS = {
    "train": [
        "--augment", "--batch-size", "--calibrate", "--class-weight", "--config", "--cost",
        "--coverage", "--delimiter", "--device", "--devices", "--ensemble", "--epochs",
        "--fail-on-leak", "--fairness", "--find-batch-size", "--find-lr", "--folds", "--group",
        "--ignore", "--image-size",
        "--kind", "--learning-rate", "--model", "--name", "--nested",
        "--overfit-batch", "--per-class", "--plain", "--runs",
        "--seed", "--set", "--skip-broken", "--success", "--target", "--task", "--test",
        "--threshold", "--time", "--time-limit", "--uncertainty", "--weight", "DATA",
    ],
    "resume": ["--data", "--devices", "--plain", "RUN"],
    "profile": [
        "--augment", "--batch-size", "--config", "--delimiter", "--device", "--ignore",
        "--image-size", "--json", "--kind", "--model", "--set", "--steps", "--target", "DATA",
    ],
    "predict": ["--output", "DATA", "MODEL"],
    "evaluate": ["--output", "--success", "DATA", "MODEL"],
    "compare": ["--by", "--metric", "--output", "RUNS"],
    "explore": [
        "--clusters", "--columns", "--ignore", "--kind", "--model", "--output", "--seed", "DATA",
    ],
    "diagnose": ["--data", "--quick", "RUN"],
    "report": ["--open", "RUN"],
    "models": ["--parts", "NAME"],
    "summary": ["--image", "--numbers", "--outputs", "--set", "MODEL"],
    "data inspect": ["--delimiter", "--ignore", "--kind", "--skip-broken", "--target", "DATA"],
}  # fmt: skip


def commands() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, command in typer.main.get_command(app).commands.items():
        group = getattr(command, "commands", None)
        members = {name: command}
        if group is not None:
            members = {f"{name} {sub}": child for sub, child in group.items()}
        for title, member in members.items():
            options = [
                next((o for o in p.opts if o.startswith("--")), p.opts[0]) for p in member.params
            ]
            found[title] = sorted(o if o.startswith("-") else o.upper() for o in options)
    return found


def test_exports_are_frozen_and_exist():
    assert sorted(deepwell.__all__) == EXPORTS
    for name in EXPORTS:
        assert getattr(deepwell, name) is not None


def test_options_of_the_command_line_are_frozen():
    assert commands() == OPTIONS


def test_importing_and_help_load_no_torch():
    code = (
        "import sys, deepwell, deepwell.cli.main; "
        "heavy = {'torch', 'sklearn', 'pandas', 'matplotlib', 'polars'} & set(sys.modules); "
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_unknown_attribute_is_an_attribute_error():
    assert not hasattr(deepwell, "does_not_exist")
