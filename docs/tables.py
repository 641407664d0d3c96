"""The tables that are made from the code: settings, metrics, architectures and other catalogs."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, get_args

from deepwell.config import Settings
from deepwell.data import DataSettings, EncodeSettings
from deepwell.data.folds import FoldSettings
from deepwell.data.split import SplitSettings
from deepwell.engine import OPTIMIZERS, SCHEDULES, EngineSettings
from deepwell.engine.probing.settings import FindSettings
from deepwell.evaluation import METRICS, EvaluationSettings
from deepwell.models import MODELS, describe, resolve
from deepwell.nn.activation import ACTIVATIONS
from deepwell.nn.augment import AugmentSettings
from deepwell.tasks import TaskSettings
from deepwell.tasks.decisions import DecisionSettings
from deepwell.workflows.plan import image_defaults, table_defaults
from deepwell.workflows.settings import TrainSettings

GROUPS: dict[str, type[Settings]] = {
    "data": DataSettings,
    "split": SplitSettings,
    "folds": FoldSettings,
    "encode": EncodeSettings,
    "task": TaskSettings,
    "augment": AugmentSettings,
    "engine": EngineSettings,
    "find": FindSettings,
    "decide": DecisionSettings,
    "evaluation": EvaluationSettings,
}
ROWS_OF_TABLES = {"up to 999": 999, "1,000 to 19,999": 1_000, "20,000 and more": 20_000}
"""Training rows for which the chosen settings are shown."""


def make(name: str) -> str:
    """Return the part of a page that has this name."""
    kind, _, rest = name.partition(" ")
    return MAKERS[kind](rest)


def table(headers: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table in Markdown."""
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join(f"| {' | '.join(_cell(text) for text in line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _default(value: Any, annotation: Any) -> str:
    """Write a default; where text is expected, "none" would be taken for text."""
    return "not set" if value is None and str in get_args(annotation) else _code(value)


def _code(value: Any) -> str:
    """Write a value as TOML has it."""
    if value is None:
        return "`none`"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, tuple | list):
        return f"`[{', '.join(repr(one) for one in value)}]`"
    return f'`"{value}"`' if isinstance(value, str) else f"`{value}`"


def settings(group: str) -> str:
    """Return the settings of a group with their defaults; "" is the top level."""
    if not group:
        rows = [
            (f"`{name}`", _code(field.default), field.description or "")
            for name, field in TrainSettings.model_fields.items()
            if name not in GROUPS and name != "model"
        ]
        return table(("Setting", "Default", "Meaning"), rows)
    return table(("Setting", "Default", "Meaning"), _rows(group, GROUPS[group]))


def _rows(group: str, owner: type[Settings]) -> list[Sequence[str]]:
    """Return a row a setting, those of groups within the group as well."""
    rows: list[Sequence[str]] = []
    for name, field in owner.model_fields.items():
        default = field.get_default(call_default_factory=True)
        path = f"{group}.{name}"
        if isinstance(default, Settings):
            rows += _rows(path, type(default))
        else:
            rows.append((f"`{path}`", _default(default, field.annotation), field.description or ""))
    return rows


def model_settings(name: str) -> str:
    """Return the settings of an architecture; mean and std of pictures are measured."""
    defaults = resolve(name)
    rows = [
        (f"`model.{one.name}`", _code(getattr(defaults, one.name)), one.meaning)
        for one in describe(name).settings
        if one.name not in ("mean", "std")
    ]
    return table(("Setting", "Default", "Meaning"), rows)


def plan(_: str) -> str:
    """Return what is chosen by the data where the user chooses nothing."""
    columns: dict[str, Mapping[str, Any]] = {
        f"Table, {words} rows": table_defaults(rows) for words, rows in ROWS_OF_TABLES.items()
    }
    columns["Pictures"] = image_defaults()
    flat = {
        title: {
            f"{group}.{key}": value
            for group, values in chosen.items()
            for key, value in values.items()
        }
        for title, chosen in columns.items()
    }
    names = list(dict.fromkeys(name for chosen in flat.values() for name in chosen))
    rows = [
        (f"`{name}`", *(_code(chosen[name]) if name in chosen else "" for chosen in flat.values()))
        for name in names
    ]
    return table(("Setting", *flat), rows)


def metrics(tasks: str) -> str:
    """Return the metrics of regression or of classification, with their definitions."""
    wanted = {"regression"} if tasks == "regression" else {"binary", "multiclass", "multilabel"}
    rows = [
        (f"`{name}`", metric.title, metric.better, inspect.getdoc(metric.compute) or "")
        for name, metric in METRICS.items()
        if wanted & set(metric.tasks)
    ]
    return table(("Name", "Title", "Better is", "Definition"), rows)


def models(_: str) -> str:
    """Return the architectures."""
    rows: list[Sequence[str]] = []
    for name, entry in MODELS.items():
        presets = ", ".join(f"`{preset}`" for preset in entry.presets) or "–"
        size = f"{describe(name).parameters:,}"
        rows.append((f"`{name}`", entry.reads, entry.summary, size, presets))
    return table(("Name", "Reads", "What it is", "Parameters", "Presets"), rows)


def papers(_: str) -> str:
    """Return the paper behind each architecture."""
    by_paper: dict[str, list[str]] = {}
    for name, entry in MODELS.items():
        by_paper.setdefault(entry.paper, []).append(f"`{name}`")
    return "\n".join(f"- {', '.join(names)}: {paper}." for paper, names in by_paper.items())


def optimizers(_: str) -> str:
    """Return the optimizers."""
    rows = [
        (f"`{name}`", entry.summary, f"{entry.learning_rate:g}", f"{entry.weight_decay:g}")
        for name, entry in OPTIMIZERS.items()
    ]
    return table(("Name", "What it does", "Learning rate", "Weight decay"), rows)


def schedules(_: str) -> str:
    """Return the schedules of the learning rate."""
    rows = [
        (f"`{name}`", (inspect.getdoc(schedule) or "").partition("\n")[0])
        for name, schedule in SCHEDULES.items()
    ]
    return table(("Name", "What the learning rate does"), rows)


def activations(_: str) -> str:
    """Return the names of the activations."""
    return ", ".join(f"`{name}`" for name in ACTIVATIONS) + "."


MAKERS: dict[str, Callable[[str], str]] = {
    "settings": settings,
    "model-settings": model_settings,
    "plan": plan,
    "metrics": metrics,
    "models": models,
    "papers": papers,
    "optimizers": optimizers,
    "schedules": schedules,
    "activations": activations,
}
