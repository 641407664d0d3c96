"""Every setting is reached by --set; a wrong name or value is one clear sentence."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path
from typing import Any

import pytest
from command import Refuse, RunCli
from pydantic import BaseModel

from deepwell.cli.overrides import collect
from deepwell.engine.optimizers import OPTIMIZERS
from deepwell.engine.schedules import SCHEDULES
from deepwell.errors import ConfigError
from deepwell.models.catalog import MODELS, settings_class
from deepwell.tasks.loss_catalog import LOSSES
from deepwell.workflows import TrainSettings


def leaves(group: type[BaseModel], before: str = "") -> list[str]:
    """Return the dotted names of all settings."""
    names: list[str] = []
    for name, field in group.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            names += leaves(kind, f"{before}{name}.")
        else:
            names.append(before + name)
    return names


LEAVES = leaves(TrainSettings)
GROUPS = sorted({name.rpartition(".")[0] for name in LEAVES})
OTHERS = {
    "target": '["a", "b"]',
    "data.kinds": '{zip = "category"}',
    "data.ignore": '["a"]',
    "data.image_size": "64",
    "data.delimiter": "tab",
    "model.name": "linear",
    "task.loss": "huber",
    "task.quantiles": "[0.1, 0.9]",
    "augment.preset": "medium",
    "augment.blur": "0.05",
    "engine.optimizer": "rmsprop",
    "engine.schedule": "linear",
    "engine.weight_decay_schedule": "linear",
    "engine.betas": "[0.8, 0.9]",
    "engine.device": "cpu",
    "evaluation.baselines": "constant,linear",
    "evaluation.success": "rmse < 25000",
    "evaluation.confidence": "0.9",
    "decide.cost": "1,5",
    "engine.loggers": '["tensorboard"]',
}
"""Values for the settings that are neither a plain number nor a choice."""
COMPANIONS = (
    [],
    *([f"engine.optimizer={name}"] for name in OPTIMIZERS),
    *([f"engine.schedule={name}"] for name in SCHEDULES),
    *([f"task.loss={name}"] for name in LOSSES),
    ["decide.coverage=0.9"],
    ["folds.count=3"],
)
"""Some settings belong to one optimizer, schedule or loss only, to a coverage, or to folds."""


def value_at(settings: BaseModel, name: str) -> Any:
    value: Any = settings
    for part in name.split("."):
        value = getattr(value, part)
    return value


def candidates(name: str) -> list[str]:
    """Return values to try, the one that is declared first."""
    *groups, last = name.split(".")
    group: type[BaseModel] = TrainSettings
    for part in groups:
        group = group.model_fields[part].annotation  # type: ignore[assignment]
    choices = re.findall(r"'(\w+)'", str(group.model_fields[last].annotation))
    return (
        [OTHERS[name]]
        if name in OTHERS
        else [*choices, "0.25", "3", "7", "200", "true", "false", "word"]
    )


def try_assignments(name: str) -> TrainSettings | None:
    """Return settings in which one has another value than by default, if there are any."""
    for value in candidates(name):
        for others in COMPANIONS:
            with contextlib.suppress(ConfigError):
                given = collect(None, {}, [*others, f"{name}={value}"])
                settings = TrainSettings.model_validate(given)
                if value_at(settings, name) != value_at(TrainSettings(), name):
                    return settings
    return None


@pytest.mark.parametrize("name", LEAVES)
def test_every_setting_is_reached(name: str) -> None:
    settings = try_assignments(name)
    assert settings is not None
    again = TrainSettings.model_validate(settings.plain())
    assert again == settings, "not the same after the way through TOML"


def test_the_walk_sees_every_group() -> None:
    assert {"", "data", "split", "encode", "task", "model", "augment", "engine"} < set(GROUPS)
    assert len(LEAVES) > 45


@pytest.mark.parametrize("group", [g for g in GROUPS if g != "model"])
def test_an_unknown_name_in_each_group_has_a_hint(refuse: Refuse, houses: Path, group: str) -> None:
    known = max((n for n in LEAVES if n.rpartition(".")[0] == group), key=len)
    wrong = known[:-2] + known[-1]
    words = f'Unknown setting "{wrong}". Did you mean "{known.rpartition(".")[2]}"'
    refuse("train", houses, "-t", "price", "--set", f"{wrong}=1", match=words)


@pytest.mark.parametrize("name", [name for name in MODELS if name != "perceptron"])
def test_an_unknown_setting_of_a_model_is_refused(refuse: Refuse, houses: Path, name: str) -> None:
    known = max(settings_class(name).model_fields, key=len)
    option = f"model.{known[:-2]}{known[-1]}=1"
    refuse(
        *("train", houses, "-t", "price", "--model", name, "--set", option),
        match=f'Unknown setting "model.*Did you mean "{known}"|has no settings|Known|A blend is',
    )


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--epochs", "0"], r'"engine.epochs".*greater than or equal to 1.*Got: 0\.$'),
        (["--epochs", "-3"], '"engine.epochs".*Got: -3'),
        (["--batch-size", "0"], '"engine.batch_size"'),
        (["--learning-rate", "-1"], '"engine.learning_rate".*greater than 0'),
        (["--learning-rate", "nan"], '"engine.learning_rate"'),
        (["--set", "engine.weight_decay=-0.1"], '"engine.weight_decay"'),
        (["--set", "engine.clip_norm=0"], '"engine.clip_norm"'),
        (["--set", "engine.learning_rate=fast"], '"engine.learning_rate".*number'),
        (["--seed", "-1"], '"seed"'),
        (["--device", "cuda:77"], "cuda"),
        (["--device", "gpu"], "auto, cpu, cuda"),
        (["--set", "engine.device=mps"], "mps"),
        (["--set", "engine.optimizer=adamm"], 'Did you mean "adam"'),
        (["--set", "engine.schedule=cosin"], 'Did you mean "cosine"'),
        (["--set", "engine.monitor=accuracy"], '"accuracy"'),
        (["--set", "engine=5"], "engine.epochs"),
        (["--set", "engine.epochs.x=5"], '"engine.epochs"'),
        (["--set", "data.ignore=Full_Bath"], r'data.ignore=\["a", "b"\]'),
        (["--set", "evaluation.baselines=lineer"], "'constant', 'linear' or 'boosting'"),
        (["--set", "evaluation.resamples=3"], '"evaluation.resamples"'),
        (["--set", "split.test=2"], "split.test"),
        (["--set", "split.test=0"], "no test rows.*--test"),
        (["--set", "split.val=-1"], "split.val"),
        (["--set", "split.val=0.6", "--set", "split.test=0.5"], "below 1"),
        (["--set", "augment.shift=3"], '"augment.shift"'),
        (["--set", "augment.rotate=-5"], '"augment.rotate".*greater than or equal to 0'),
        (["--set", "augment.border=white"], '"augment.border".*mirror'),
        (["--augment", "mediun"], '"augment.preset".*Did you mean "medium"'),
        (["--augment", "light"], "--augment.*no column of pictures"),
        (["--set", "augment.hue=20"], "augment.hue.*no column of pictures"),
        (["--set", "epochs=3"], 'Unknown setting "epochs"'),
        (["--set", "engine.epochs"], "group.name=value"),
        (["--set", "=3"], "group.name=value"),
        (["--model", "mpl"], 'Did you mean "mlp"'),
        (["--set", "model.hidden_sizes=[0]"], "hidden_sizes|hidden_size"),
        (["--set", "model.activation=rleu"], '"model.activation".*Did you mean "relu"'),
        (["--set", "engine.betas=[0.9]"], r'"engine.betas".*too few values.*Got: \[0.9\]'),
        (["--task", "regresion"], '"task.kind".*regression'),
        (["--task", "multilabel"], "price|label"),
        (["--class-weight", "even"], '"task.class_weight"'),
        (["--set", "task.loss=cross_entropy"], "cross_entropy"),
        (["--set", "task.label_smoothing=3"], '"task.label_smoothing"'),
        (["--success", "rmse under 5"], "cannot be read"),
        (["--success", "rmsee < 5"], 'Did you mean "rmse"'),
        (["--success", "accuracy > 0.9"], "accuracy"),
        (["--success", "rmse > 5"], "lower"),
        (["--name", "a/b"], "cannot be the name of a folder"),
    ],
)
def test_values_that_make_no_sense(
    refuse: Refuse, houses: Path, options: list[str], words: str
) -> None:
    refuse("train", houses, "--target", "price", *options, match=words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[engine\nepochs = 3", "not valid TOML"),
        (b"\xff\xfe\x00", "not valid TOML"),
        (b"[engine]\nepcohs = 3\n", 'Unknown setting "engine.epcohs". Did you mean "epochs"'),
        (b"engine = 3\n", "engine.epochs"),
    ],
)
def test_a_bad_file_of_settings(
    refuse: Refuse, houses: Path, tmp_path: Path, content: bytes, words: str
) -> None:
    (tmp_path / "c.toml").write_bytes(content)
    refuse("train", houses, "-t", "price", "--config", "c.toml", match=words)
    refuse("train", houses, "-t", "price", "--config", "d.toml", match="d.toml")
    refuse("train", houses, "-t", "price", "--config", tmp_path, match="Cannot read the settings")


@pytest.mark.parametrize(
    "args",
    [
        ["train"],
        ["trian"],
        ["train", "a.csv", "--epohcs", "3"],
        ["train", "a.csv", "--epochs", "many"],
        ["predict", "model"],
        ["evaluate"],
        ["data", "inspct", "a.csv"],
        ["train", "a.csv", "--target"],
    ],
)
def test_a_wrong_use_of_the_command_line(run_cli: RunCli, args: list[str]) -> None:
    outcome = run_cli(*args)
    assert outcome.code == 2
    assert "Traceback" not in outcome.err
    assert outcome.err.startswith("error: ")


def test_models_and_summary_refuse_with_a_hint(refuse: Refuse) -> None:
    refuse("models", "resnet19", match='Did you mean "resnet')
    refuse("summary", "resnet19", match='Did you mean "resnet')
    refuse("summary", "mlp", match="--numbers 20")
    refuse("summary", "cnn", "--image", "32x32", match="3x32x32")
    refuse("summary", "cnn", "--image", "3x32x32", "--set", "x=1", match='"x"')
    refuse("summary", "cnn", "--image", "3x2x2", match="2x2|2 x 2|2 × 2|small|size")
    refuse("summary", "mlp", "--numbers", "99999999999", match="memory of this machine")
    refuse("summary", "mlp", "--numbers", "-4", match="Got: -4")
    refuse("summary", "mlp", "--numbers", "4", "--outputs", "0", match="output")
