"""The model card: what a person must know before using the model, as Markdown."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from deepwell.errors import ConfigError, did_you_mean, listing
from deepwell.nn.adapt import num_known
from deepwell.version import __version__

if TYPE_CHECKING:
    from deepwell.artifact.predictor import Predictor

_PACKAGES = ("torch", "numpy", "polars", "safetensors", "pillow")
_MANY_LABELS = 30


FACTS = ("metrics", "metric_titles", "confidence", "verdict", "data")


def model_card(predictor: Predictor, facts: Mapping[str, Any], *, num_golden: int) -> str:
    """Write the card as Markdown.

    Args:
        predictor: The trained network with its task, encoders and schema.
        facts: "metrics" (name → value, low, high, measured on the test rows), "metric_titles"
            (name → words), "confidence" (of the intervals, 0 to 1), "verdict" (how the network
            compares with the baselines), "data" (name, digest, rows). Each may be absent or None.
        num_golden: How many rows of the training data the folder holds.

    Raises:
        ConfigError: A fact of another name.
    """
    for name in facts:
        if name not in FACTS:
            hint = did_you_mean(name, FACTS)
            raise ConfigError(f'Unknown entry "{name}" for the model card.{hint}')
    targets = listing((cell(name) for name in predictor.task.targets), 10)
    parts = [
        f"# Model: {targets}",
        _purpose(predictor, targets),
        _quality(facts),
        _columns(predictor),
        _origin(facts.get("data") or {}, num_golden, num_kept=num_known(predictor.model)),
        _LIMITS,
        _use(predictor),
        _versions(),
    ]
    return "\n\n".join(parts) + "\n"


def cell(value: object) -> str:
    r"""Make a value safe inside a Markdown table: one line, no bars, no markup.

    Example:
        >>> print(cell("a|b"))
        a\|b
    """
    text = " ".join(str(value).split())
    for sign in "\\|`*_<[":
        text = text.replace(sign, f"\\{sign}")
    return text


def _purpose(predictor: Predictor, targets: str) -> str:
    task, recipe = predictor.task, predictor.recipe
    weights = sum(parameter.numel() for parameter in predictor.model.parameters())
    name = recipe.class_name if recipe.is_custom else recipe.name
    lines = [
        f"Predicts **{targets}** from {len(predictor.input_names)} columns.",
        "",
        f"- Task: {task.name}" + (f" ({cell(task.reason)})" if task.reason else ""),
        f"- Network: `{name}`, {weights:,} parameters",
    ]
    if task.labels:
        lines.append(f"- Classes: {listing((cell(n) for n in task.labels), _MANY_LABELS)}")
    if predictor.decision is not None:
        lines += [f"- {cell(note)}" for note in predictor.decision.notes]
    return "\n".join(lines)


def _quality(facts: Mapping[str, Any]) -> str:
    metrics = facts.get("metrics") or {}
    if not metrics:
        return "## Quality\n\nNot measured."
    titles = facts.get("metric_titles") or {}
    lines = [
        "## Quality",
        "",
        "On test rows that training never saw; the interval holds the value with "
        f"{100 * facts.get('confidence', 0.95):g} % confidence.",
        "",
        "| metric | value | interval |",
        "|---|---|---|",
    ]
    for name, found in metrics.items():
        interval = f"{_number(found.get('low'))} … {_number(found.get('high'))}"
        lines.append(
            f"| {cell(titles.get(name, name))} | {_number(found.get('value'))} | {interval} |"
        )
    verdict = facts.get("verdict")
    return "\n".join([*lines, "", str(verdict)] if verdict else lines)


def _number(value: float | None) -> str:
    if value is None:
        return "–"
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e12 else f"{value:.4g}"


def _columns(predictor: Predictor) -> str:
    rows = [
        f"| {cell(column.name)} | {column.kind} | {cell(column.summary)} |"
        for column in predictor.schema.inputs
    ]
    return "\n".join(
        ["## Input columns", "", "| column | kind | in training |", "|---|---|---|", *rows]
    )


def _origin(data: Mapping[str, Any], num_golden: int, *, num_kept: int) -> str:
    titles = {"name": "Name", "rows": "Rows", "digest": "SHA-256"}
    lines = [f"- {title}: {cell(data[key])}" for key, title in titles.items() if key in data]
    lines.append(
        f"- `golden.json` holds {num_golden} of the training rows as they are, with which loading "
        "proves that the model still answers as it did. Mind this when you pass it on."
    )
    if num_kept:
        lines.append(
            f"- **The weights hold {num_kept:,} of the training rows, encoded**, with their "
            "answers: the network answers from them. Who has this folder has these rows."
        )
    return "\n".join(["## Training data", "", *lines])


_LIMITS = """## Intended use and limits

For rows of the same kind and from the same source as the training data. The numbers above say
nothing about other places, other times or other ways of measuring; check the model on rows of
your own before you rely on it. A category that training never saw is answered like a rare or a
missing one. A prediction is not a reason: where people are concerned, let a person decide."""


def _use(predictor: Predictor) -> str:
    own = ", model=my_module" if predictor.recipe.is_custom else ""
    return f"""## Use

```python
import deepwell

model = deepwell.load("path/of/this/folder"{own})
answers = model.predict("new.csv")
```

or `deepwell predict path/of/this/folder new.csv -o answers.csv`.
The folder holds no pickle, and loading it runs no code of the folder."""


def _versions() -> str:
    found = [f"deepwell {__version__}", f"Python {platform.python_version()}"]
    for package in _PACKAGES:
        try:
            found.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            continue
    return "## Versions\n\n" + " · ".join(found)
