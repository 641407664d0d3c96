"""What the rules of the diagnosis look at: everything that a run folder says about a training."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from deepwell.evaluation.diagnosis.same_rows import settings_of_rows, words_of_rows
from deepwell.evaluation.metrics import METRICS, Metric
from deepwell.evaluation.numerals import is_number, percent
from deepwell.evaluation.record import Json, Record
from deepwell.evaluation.verdict import amount, what_is
from deepwell.models.catalog import MODELS


@dataclass(frozen=True)
class Score:
    """A value of the metric that decides, as an error: smaller is better.

    Args:
        value: The metric itself; for metrics that shall rise, 1 − metric.
        low: Lower end of its interval, or the value.
        high: Upper end, or the value.
    """

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Symptoms:
    """What is known about a run.

    Args:
        record: The files of the run folder; parts may be missing.
        measured: What was measured for the diagnosis; see `deepwell.workflows.diagnose`.
    """

    record: Record
    measured: Json = field(default_factory=dict[str, Any])

    @cached_property
    def epochs(self) -> list[Json]:
        """Records of the epochs, in order."""
        return self.record.epochs

    @cached_property
    def looks(self) -> list[Json]:
        """Looks at the layers, in order."""
        return [line for line in self.record.lines if line.get("kind") == "health"]

    @cached_property
    def config(self) -> Mapping[str, Any]:
        """The settings of the run."""
        try:
            return tomllib.loads(self.record.config)
        except tomllib.TOMLDecodeError:
            return {}

    def setting(self, group: str, name: str, otherwise: Any = None) -> Any:
        """Return one setting of the run; "none" counts as not set."""
        value = self.config.get(group, {}).get(name)
        return otherwise if value in (None, "none") else value

    def losses(self, part: str) -> list[float]:
        """Return the loss of each epoch, of "train" or "val"; [] if one is missing."""
        values = [(line.get(part) or {}).get("loss") for line in self.epochs]
        known = [float(value) for value in values if is_number(value)]
        return known if len(known) == len(values) else []

    @cached_property
    def metric(self) -> Metric | None:
        """The metric that decides."""
        name = str(self.record.evaluation.get("primary"))
        return METRICS[name] if name in METRICS else None  # noqa: SIM401 - a catalog, no dictionary

    def error(self, where: str) -> Score | None:
        """Return the error of the network on "train", "val" or "test" rows, or of a baseline."""
        evaluation = self.record.evaluation
        if self.metric is None:
            return None
        if where in ("train", "val"):
            score = (self.measured.get("scores") or {}).get(where)
        elif where == "test":
            score = (evaluation.get("metrics") or {}).get(self.metric.name)
        else:
            score = (evaluation.get("baselines") or {}).get(where, {}).get(self.metric.name)
        return self._as_error(score or {})

    def _as_error(self, score: Json) -> Score | None:
        value = score.get("value")
        if self.metric is None or not is_number(value):
            return None
        low, high = (score.get(end) for end in ("low", "high"))
        ends = (low, high) if is_number(low) and is_number(high) else (value, value)
        if self.metric.better == "higher":
            return Score(1 - value, 1 - ends[1], 1 - ends[0])
        return Score(value, ends[0], ends[1])

    @property
    def answers_are_chosen(self) -> bool:
        """Whether a threshold or costs chose the answers, and the likelier ones are what counts."""
        evaluation = self.record.evaluation
        is_by_answers = evaluation.get("primary") not in ("cost", "average_precision")
        return is_by_answers and bool((evaluation.get("decision") or {}).get("answers"))

    def outcome(self, baseline: str) -> str | None:
        """Return better, worse or undecided: the network against a baseline; None if unknown."""
        for one in self.record.evaluation.get("comparisons") or ():
            if one.get("baseline") == baseline:
                return str(one.get("outcome"))
        return None

    def told(self, error: float) -> str:
        """Write an error as the value of the metric that it stands for."""
        if self.metric is None:
            return percent(error)
        return amount(self.metric, 1 - error if self.metric.better == "higher" else error)

    @property
    def metric_title(self) -> str:
        """Name of the metric that decides, in the middle of a sentence."""
        if self.metric is None:
            return "score"
        title = self.metric.title
        return title if title[1:2].isupper() or title == "R²" else title[:1].lower() + title[1:]

    @property
    def model(self) -> str:
        """Name of the architecture."""
        return str(self.config.get("model", {}).get("name") or self.record.layers.get("model", ""))

    @property
    def is_trees(self) -> bool:
        """Whether the run was asked for trees, which have no epochs, weights or units."""
        return self.model in MODELS and MODELS[self.model].learner == "trees"

    @property
    def noun(self) -> str:
        """What was trained: "network", or "model" for trees and for several models together."""
        return what_is(str(self.record.layers.get("model") or self.model))

    @property
    def competed(self) -> bool:
        """Whether several kinds of models competed, within a time that can be made longer."""
        return bool(self.record.race) or self.config.get("model", {}).get("name") == "auto"

    @property
    def measured_on(self) -> str:
        """A sentence on which of several models was trained again for the diagnosis, or ""."""
        name = self.measured.get("stand_in")
        return f" It was measured on {name} alone, which has the largest share." if name else ""

    @property
    def has_images(self) -> bool:
        """Whether an input is a picture."""
        return any(c.kind == "image" and c.role == "input" for c in self.record.columns)

    def rows(self, side: str) -> int:
        """Return the number of rows of a side, 0 if it is not known."""
        rows = (self.record.data.get("split") or {}).get("rows") or {}
        return int(rows.get(side) or self.record.evaluation.get("rows", {}).get(side) or 0)

    def retrain(self, **changes: Any) -> str:
        """Return the command that trains again with other settings.

        Args:
            **changes: Settings, with two underscores for the dot: ``engine__epochs=40``.
        """
        named = {name.replace("__", "."): value for name, value in changes.items()}
        path = (self.record.manifest.get("data") or {}).get("path")
        if path is None or self.model == "custom":
            nested: dict[str, Any] = {}
            for name, value in named.items():
                group, _, key = name.partition(".")
                nested.setdefault(group, {})[key] = value
            own = ", model=…" if self.model == "custom" else ""
            return f"deepwell.train(data{own}, settings={nested})"
        words = [
            "deepwell",
            "train",
            str(path),
            "--config",
            str(self.record.folder / "config.toml"),
        ]
        for name, value in named.items():
            words += ["--set", f"{name}={_plain(value)}"]
        return shlex.join(words)

    def more_time(self) -> str:
        """Return the command that gives models that compete twice the time."""
        limit = self.config.get("time_limit")
        return self.retrain(time_limit=round(2 * limit) if is_number(limit) else 200)

    def fresh(self, model: str) -> str:
        """Return the command that trains another architecture, with its defaults, on these rows."""
        path = (self.record.manifest.get("data") or {}).get("path")
        targets = self.record.targets
        if path is None:
            names = targets[0] if len(targets) == 1 else targets
            rows = settings_of_rows(self.config)
            more = f", settings={rows}" if rows else ""
            return f'deepwell.train(data, target={names!r}, model="{model}"{more})'
        target = ["--target", ",".join(targets)] if targets else []
        rows = words_of_rows(self.config)
        return shlex.join(["deepwell", "train", str(path), *target, "--model", model, *rows])

    def inspect(self) -> str:
        """Return the command that shows what is in the columns."""
        path = (self.record.manifest.get("data") or {}).get("path") or "FILE"
        targets = self.record.targets[:1]
        words = ["deepwell", "data", "inspect", str(path)]
        return shlex.join([*words, *(["--target", targets[0]] if targets else [])])

    def diagnose(self) -> str:
        """Return the command that measures more."""
        return shlex.join(["deepwell", "diagnose", str(self.record.folder)])


def _plain(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def median(values: Sequence[float]) -> float:
    """Return the middle value, or the mean of the two in the middle."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2
