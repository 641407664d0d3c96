"""What the command line shows: results on standard output, progress on standard error."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table as TextTable

if TYPE_CHECKING:
    import polars as pl

    from deepwell.models import Summary
    from deepwell.workflows.inspect import Inspection

console = Console(highlight=False)
stderr = Console(stderr=True, highlight=False)

MAX_METRICS, NARROW = 3, 76
ANSWERS = ("prediction", "set", "low", "high", "std", "disagreement", "probability", "quantile")
"""Beginnings of the names of answers, in the order in which they are shown."""
SHOWN_ROWS, SHOWN_ANSWERS, SHOWN_INPUTS, WIDEST_VALUE = 20, 4, 5, 28


def say(text: str) -> None:
    """Print a finding on standard error."""
    stderr.print(f"[dim]·[/dim] {escape(text)}", soft_wrap=not stderr.is_terminal)


def grid(*headers: str, numeric: Collection[int] = (), whole: Collection[int] = ()) -> TextTable:
    """Return an empty table in the style of the house.

    Args:
        headers: One a column.
        numeric: Columns that are aligned to the right.
        whole: Columns that stay on one line; the others give way on a narrow terminal.
    """
    table = TextTable(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for index, header in enumerate(headers):
        justify = "right" if index in numeric else "left"
        table.add_column(header, justify=justify, overflow="fold", no_wrap=index in whole)
    return table


def shown_metrics() -> int:
    """Return how many metrics stand beside each other: a narrow terminal shows the first alone."""
    return MAX_METRICS if console.width >= NARROW else 1


def show_result(run: Path, result: Mapping[str, Any]) -> None:
    """Print the net beside its baselines, and the verdict."""
    from deepwell.evaluation.numerals import plural
    from deepwell.runs import RunFolder

    evaluation = _evaluation(run)
    console.print()
    settings = RunFolder(run).read_config().get("evaluation", {})
    console.print(_comparison(result, evaluation, settings.get("confidence", 0.95)))
    console.print(escape(result["verdict"]))
    _show_decided(evaluation)
    _show_success(result["success"])
    _show_findings(evaluation)
    training = result["training"]
    done = f"{plural(training['epochs'], 'epoch')}, {plural(training['steps'], 'step')}"
    if not training["epochs"]:
        done = plural(training["steps"], "tree")
    if (run / "race.json").is_file():
        done = "All models"
    seconds = f"{result['seconds']['training']:.1f} s on {training['device']}"
    console.print(f"\n[dim]{done} in {seconds}[/dim]")
    console.print(f"Report   {escape(str(run / 'report.html'))}", soft_wrap=True)
    console.print(f"Model    {escape(str(run / 'model'))}", soft_wrap=True)


def _show_decided(scores: Mapping[str, Any]) -> None:
    """Print what the decisions do to the scored rows, and the table of an uncertainty."""
    from deepwell.evaluation.chapters.uncertainty import uncertainty_tables
    from deepwell.evaluation.decided_words import decided_lines

    for line in decided_lines(scores.get("decision")):
        console.print(escape(line))
    judged = scores.get("uncertainty")
    columns, tables = uncertainty_tables(judged) if judged else ([], [])
    for part in tables:
        head = f"Uncertainty of {part['title']}" if part["title"] else "Uncertainty"
        table = grid(escape(head), *columns, numeric=range(1, len(columns) + 1))
        for row in part["rows"]:
            table.add_row(escape(row["name"]), *(cell["text"] for cell in row["cells"]))
        console.print(table)


def _show_findings(evaluation: Mapping[str, Any]) -> None:
    """Print the worst slice, and how often the test rows were used."""
    found = (evaluation.get("slices") or {}).get("found") or []
    if found:
        console.print(f"Worst    {escape(found[0]['sentence'])}")
    siblings = (evaluation.get("siblings") or {}).get("sentence")
    if siblings:
        console.print(f"[yellow]{escape(siblings)}[/yellow]")


def _comparison(
    result: Mapping[str, Any], evaluation: Mapping[str, Any], confidence: float
) -> TextTable:
    from deepwell.evaluation.numerals import metric_texts
    from deepwell.evaluation.verdict import what_is

    names = _leading(list(result["metrics"]), evaluation.get("primary"))
    titles = [evaluation.get("titles", {}).get(name, name) for name in names]
    table = grid(
        f"On {result['rows']['test']:,} test rows",
        titles[0],
        f"{100 * confidence:g} % interval",
        *titles[1:],
        numeric=tuple(range(1, len(names) + 2)),
    )
    whole = (0, 2) if " " in titles[0] else (0, 1, 2)
    for index in whole:
        table.columns[index].no_wrap = True
    baselines: Mapping[str, Any] = result["baselines"]
    what = "the network" if what_is(result["model"]) == "network" else "this model"
    rows = [(f"[bold]{escape(result['model'])}[/bold] ({what})", result["metrics"])]
    for name, scores in baselines.items():
        rows.append((escape(evaluation.get("baseline_titles", {}).get(name, name)), scores))
    for title, scores in rows:
        texts = [metric_texts(name, scores[name]) for name in names]
        table.add_row(title, *texts[0], *(value for value, _ in texts[1:]))
    return table


def _evaluation(run: Path) -> dict[str, Any]:
    from deepwell.files import read_json

    path = run / "evaluation.json"
    return read_json(path) if path.is_file() else {}


def _leading(names: list[str], primary: str | None) -> list[str]:
    if primary in names:
        names = [primary, *(name for name in names if name != primary)]
    return names[: shown_metrics()]


def _show_success(success: Mapping[str, Any] | None) -> None:
    if success is None:
        return
    from deepwell.evaluation.numerals import metric_texts

    word = "[green]reached[/green]" if success["met"] else "[red]missed[/red]"
    expression = escape(str(success["expression"]))
    value, _ = metric_texts(success["metric"], {"value": success["value"]})
    console.print(f"Threshold {expression}: {word} with {value}")


def show_evaluation(scores: Mapping[str, Any]) -> None:
    """Print every metric with its interval, and what decision and uncertainty do."""
    from deepwell.evaluation.metrics import METRICS
    from deepwell.evaluation.numerals import metric_texts
    from deepwell.evaluation.uncertainty_words import uncertainty_sentence

    table = grid("Metric", "Value", "95 % interval", numeric=(1,))
    for name, score in scores["metrics"].items():
        table.add_row(METRICS[name].title, *metric_texts(name, score))
    error = (scores.get("calibration") or {}).get("error")
    if error is not None:
        table.add_row("Calibration error (ECE)", *metric_texts("accuracy", {"value": error}))
    console.print(f"{scores['rows']:,} rows, task {scores['task']}")
    console.print(table)
    _show_decided(scores)
    if scores["uncertainty"]:
        console.print(escape(uncertainty_sentence(scores["uncertainty"])))
    for finding in (scores["seen"], scores["looks"]):
        if finding and finding["sentence"]:
            console.print(f"[yellow]{escape(finding['sentence'])}[/yellow]")
    _show_success(scores["success"])


def show_frame(frame: pl.DataFrame) -> None:
    """Print the first rows: predictions first, then what fits of the inputs."""
    kinds = [name.partition("_")[0] for name in frame.columns]
    begin = kinds.index("prediction") if "prediction" in kinds else len(kinds)
    inputs, added = frame.columns[:begin], frame.columns[begin:]
    order = {kind: place for place, kind in enumerate(ANSWERS)}
    added.sort(key=lambda name: order.get(name.partition("_")[0], len(order)))
    shown = [*added[:SHOWN_ANSWERS], *inputs[:SHOWN_INPUTS]]
    numeric = [i for i, name in enumerate(shown) if frame[name].dtype.is_numeric()]
    table = grid(*map(escape, shown), numeric=numeric, whole={0, *numeric})
    for column in table.columns:
        column.overflow = "ellipsis"
    for row in frame.select(shown).head(SHOWN_ROWS).iter_rows():
        table.add_row(*(_cell(value) for value in row))
    console.print(table)
    if len(frame) > SHOWN_ROWS:
        console.print(f"… {len(frame):,} rows in all; write them with -o out.csv")


def show_written(rows: int, path: Path) -> None:
    """Say where the predictions are."""
    from deepwell.evaluation.numerals import plural

    text = f"{plural(rows, 'row')} with predictions in {path}"
    console.print(escape(text), soft_wrap=True)


def _cell(value: object) -> str:
    from deepwell.evaluation.numerals import number

    if value is None:
        return "[dim]–[/dim]"
    if isinstance(value, float):
        return number(value)
    text = str(value)
    return escape(text if len(text) <= WIDEST_VALUE else f"{text[: WIDEST_VALUE - 1]}…")


def show_models() -> None:
    """Print the catalog."""
    from deepwell.models.catalog import MODELS

    table = grid("Name", "Reads", "What it is")
    table.columns[0].no_wrap = table.columns[1].no_wrap = True
    for name, entry in MODELS.items():
        table.add_row(f"[bold]{name}[/bold]", entry.reads, escape(entry.summary))
    console.print(table)
    console.print("Paper, shapes, parameters and settings of one: deepwell models resnet18")
    console.print("Optimizers, losses and all other parts by name: deepwell models --parts")


def show_parts() -> None:
    """Print everything that can be chosen by name: what it does, who wrote it down."""
    from deepwell.engine.parts import parts

    for title, setting, members in parts():
        heading = f"[bold]{title}[/bold]"
        console.print(f"{heading}  {setting}=NAME" if setting else heading)
        table = grid("Name", "What it does", "Source", whole=(0,))
        for part in members:
            table.add_row(part.name, escape(part.summary), f"[dim]{escape(part.source)}[/dim]")
        console.print(table)


def show_model(name: str) -> None:
    """Print one architecture in detail."""
    from deepwell.models.description import describe

    description = describe(name)
    entry = description.entry
    console.print(f"[bold]{name}[/bold] — {escape(entry.title)}")
    console.print(escape(entry.summary))
    facts = grid("", "", whole=(0,))
    facts.show_header = False
    facts.add_row("Paper", escape(entry.paper))
    for block, shape in description.input_shapes.items():
        facts.add_row(f"Reads {block}", shape)
    facts.add_row("Returns", description.output_shape)
    for preset, parameters in description.presets.items():
        facts.add_row(f"Preset {preset}", f"{parameters:,} parameters")
    console.print(facts)
    settings = grid("Setting", "Type", "Default", "Meaning", whole=(0,))
    for setting in description.settings:
        settings.add_row(
            f"model.{setting.name}",
            escape(setting.kind),
            escape(setting.default),
            escape(setting.meaning),
        )
    console.print(settings)


def show_layers(layers: Summary) -> None:
    """Print the layer table."""
    table = grid("Layer", "Kind", "Output shape", "Parameters", numeric=(3,))
    for row in layers.rows:
        table.add_row(row.name, row.kind, row.output_shape, f"{row.parameters:,}")
    console.print(table)
    console.print(f"{layers.parameters:,} parameters, {layers.trainable:,} of them trainable")


def show_inspection(inspection: Inspection) -> None:
    """Print each column with its reason and its warnings, then the notes."""
    table = grid("Column", "Kind", "Role", "Missing", "Distinct", numeric=(3, 4))
    widest = max((len(row.name) for row in inspection.rows), default=0)
    table.columns[0].min_width = min(widest, 30)
    console.print(f"{escape(inspection.name)}: {inspection.num_rows:,} rows")
    for row in inspection.rows:
        name = escape(row.name)
        name = f"[bold]{name}[/bold]" if row.role == "target" else name
        table.add_row(name, row.kind, row.role, row.missing, f"{row.distinct:,}")
    console.print(table)
    for row in inspection.rows:
        console.print(f"[bold]{escape(row.name)}[/bold]  {escape(row.summary)}")
        console.print(Padding(f"[dim]{escape(row.reason)}[/dim]", (0, 0, 0, 2)))
        if row.warnings:
            console.print(Padding(f"[yellow]{escape(row.warnings)}[/yellow]", (0, 0, 0, 2)))
    console.print()
    if inspection.task is not None:
        console.print(f"Question: {escape(inspection.task)}")
    for note in inspection.notes:
        console.print(f"Note: {escape(note)}")
