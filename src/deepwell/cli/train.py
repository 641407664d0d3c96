"""`deepwell train`: from a file to a tested network."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from deepwell.cli.early import require_data_to_train
from deepwell.cli.interrupt import stop_cleanly
from deepwell.cli.overrides import collect, split_folds, split_kinds, split_names

EXAMPLE = 'Example: deepwell train houses.csv --target price --success "rmse < 25000"'
EXIT_MISSED = 1

DATA, COLUMNS, TRAINING = "The data", "The columns", "The training"
ANSWERS = "The answers"


def train(
    data: Annotated[str, typer.Argument(help="A file, or a folder of pictures.")],
    target: Annotated[
        list[str] | None, typer.Option("--target", "-t", help="Column to predict; several: a,b,c.")
    ] = None,
    model: Annotated[
        str | None, typer.Option("--model", "-m", help="Architecture; see `deepwell models`.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run folder.")] = None,
    runs: Annotated[Path, typer.Option(help="Folder that holds the run folders.")] = Path("runs"),
    success: Annotated[
        str | None, typer.Option(help='Threshold to reach: "rmse < 25000". Missed: exit code 1.')
    ] = None,
    test: Annotated[
        str | None, typer.Option(help="File with the test rows.", rich_help_panel=DATA)
    ] = None,
    delimiter: Annotated[
        str | None, typer.Option(help="Between the fields of a text file.", rich_help_panel=DATA)
    ] = None,
    image_size: Annotated[
        int | None, typer.Option(help="Side of the pictures in pixels.", rich_help_panel=DATA)
    ] = None,
    skip_broken: Annotated[
        bool, typer.Option("--skip-broken", help="Leave out broken pictures.", rich_help_panel=DATA)
    ] = False,
    kind: Annotated[
        list[str] | None,
        typer.Option(help="Kind of a column: zip=category.", rich_help_panel=COLUMNS),
    ] = None,
    ignore: Annotated[
        list[str] | None, typer.Option(help="Columns not to learn from.", rich_help_panel=COLUMNS)
    ] = None,
    group: Annotated[
        str | None, typer.Option(help="Rows with one value stay together.", rich_help_panel=COLUMNS)
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="Train on the past, test later.", rich_help_panel=COLUMNS)
    ] = None,
    weight: Annotated[
        str | None, typer.Option(help="Column with row weights.", rich_help_panel=COLUMNS)
    ] = None,
    fail_on_leak: Annotated[
        bool,
        typer.Option(
            "--fail-on-leak",
            help="Stop if a column gives the target away.",
            rich_help_panel=COLUMNS,
        ),
    ] = False,
    fairness: Annotated[
        list[str] | None,
        typer.Option(help="Columns whose groups are compared.", rich_help_panel=COLUMNS),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="regression, classification or multilabel.", rich_help_panel=TRAINING),
    ] = None,
    class_weight: Annotated[
        str | None, typer.Option(help="none or balanced.", rich_help_panel=TRAINING)
    ] = None,
    augment: Annotated[
        str | None,
        typer.Option(
            help="Change training pictures: none, light, medium or strong.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(help="Passes over the training rows.", rich_help_panel=TRAINING)
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(help="Rows a step.", rich_help_panel=TRAINING)
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option(help="Size of a step.", rich_help_panel=TRAINING)
    ] = None,
    folds: Annotated[
        str | None,
        typer.Option(help="Cross-validate: 5, or 5x3 with three deals.", rich_help_panel=TRAINING),
    ] = None,
    nested: Annotated[
        bool,
        typer.Option(
            "--nested", help="Score the whole choice by outer folds.", rich_help_panel=TRAINING
        ),
    ] = False,
    ensemble: Annotated[
        int | None,
        typer.Option(help="So many networks answer together.", rich_help_panel=TRAINING),
    ] = None,
    time_limit: Annotated[
        str | None,
        typer.Option(
            help="For the models that compete where none is named: 90s, 10m, 1h.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
    seed: Annotated[
        int | None, typer.Option(help="Same seed, same result.", rich_help_panel=TRAINING)
    ] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, mps or auto.", rich_help_panel=TRAINING)
    ] = None,
    threshold: Annotated[
        str | None,
        typer.Option(help="0.3, f1, cost, precision>=0.9, recall>=0.8.", rich_help_panel=ANSWERS),
    ] = None,
    cost: Annotated[
        str | None,
        typer.Option(
            help="Of a false yes and a missed yes; of a unit too high and too low: 1,5.",
            rich_help_panel=ANSWERS,
        ),
    ] = None,
    calibrate: Annotated[
        str | None,
        typer.Option(help="none, auto, temperature, platt, isotonic.", rich_help_panel=ANSWERS),
    ] = None,
    coverage: Annotated[
        float | None,
        typer.Option(help="Sets or intervals that hold the truth: 0.9.", rich_help_panel=ANSWERS),
    ] = None,
    per_class: Annotated[
        bool,
        typer.Option(
            "--per-class", help="Keep the coverage in each class.", rich_help_panel=ANSWERS
        ),
    ] = False,
    uncertainty: Annotated[
        str | None,
        typer.Option(
            help="Of each answer: mc_dropout, ensemble or quantiles.", rich_help_panel=ANSWERS
        ),
    ] = None,
    devices: Annotated[
        int | None, typer.Option(help="Processes that train together.", rich_help_panel=TRAINING)
    ] = None,
    find_lr: Annotated[
        bool,
        typer.Option(
            "--find-lr", help="Find the learning rate by a range test.", rich_help_panel=TRAINING
        ),
    ] = False,
    find_batch_size: Annotated[
        bool,
        typer.Option(
            "--find-batch-size", help="Find it by memory and speed.", rich_help_panel=TRAINING
        ),
    ] = False,
    overfit_batch: Annotated[
        bool,
        typer.Option(
            "--overfit-batch",
            help="Only see whether the network can learn one batch by heart.",
            rich_help_panel=TRAINING,
        ),
    ] = False,
    plain: Annotated[
        bool, typer.Option("--plain", help="No live bar and curves.", rich_help_panel=TRAINING)
    ] = False,
    config: Annotated[
        Path | None, typer.Option(help="Settings as TOML.", rich_help_panel=TRAINING)
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option(
            "--set",
            help="Any setting of a run's config.toml: engine.weight_decay=0.1.",
            rich_help_panel=TRAINING,
        ),
    ] = None,
) -> None:
    """Train a network on your data, test it once beside simple models, and write a report."""
    options = {
        "target": split_names(target),
        "model.name": model,
        "evaluation.success": success,
        "evaluation.fail_on_leak": fail_on_leak or None,
        "evaluation.fairness": split_names(fairness),
        "data.test": test,
        "data.delimiter": delimiter,
        "data.image_size": image_size,
        "data.skip_broken": skip_broken or None,
        "data.kinds": split_kinds(kind),
        "data.ignore": split_names(ignore),
        "data.group": group,
        "data.time": time,
        "data.weight": weight,
        "task.kind": task,
        "task.class_weight": class_weight,
        "augment.preset": augment,
        "engine.epochs": epochs,
        "engine.batch_size": batch_size,
        "engine.learning_rate": learning_rate,
        "engine.device": device,
        "engine.devices": devices,
        "folds": split_folds(folds, is_nested=nested),
        "ensemble": ensemble,
        "time_limit": time_limit,
        "find.learning_rate": find_lr or None,
        "find.batch_size": find_batch_size or None,
        "seed": seed,
        "decide.threshold": threshold,
        "decide.cost": cost,
        "decide.calibrate": calibrate,
        "decide.coverage": coverage,
        "decide.per_class": per_class or None,
        "decide.uncertainty": uncertainty,
    }
    settings = collect(config, options, set_)
    require_data_to_train(data, settings, runs=runs, name=name)
    if overfit_batch:
        _overfit(data, settings)
        return

    from deepwell.cli.render import say
    from deepwell.engine import Progress
    from deepwell.engine.processes import joined_processes
    from deepwell.workflows.many import command_in_processes
    from deepwell.workflows.train import train as run

    stop_cleanly()
    code = command_in_processes(settings, sys.argv[1:])
    if code is not None:
        raise typer.Exit(code)
    progress = Progress(plain=plain)
    result = run(data, name=name, runs=runs, settings=settings, callbacks=[progress], say=say)
    if not joined_processes().is_first:
        return
    _show(result.folder.path, result.summary)
    _end_by_success(result.summary["success"])


def _show(run: Path, summary: dict[str, Any]) -> None:
    from deepwell.cli.fairness_table import show_fairness
    from deepwell.cli.findings import show_next
    from deepwell.cli.folds_table import show_trainings
    from deepwell.cli.render import show_result

    show_trainings(run)
    show_result(run, summary)
    show_fairness(run)
    show_next(run)


def _end_by_success(success: dict[str, Any] | None) -> None:
    """End with exit code 1 if a threshold was set and missed."""
    if success is not None and not success["met"]:
        raise typer.Exit(EXIT_MISSED)


def _overfit(data: str, settings: dict[str, Any]) -> None:
    """Say whether the network can learn one batch; end with exit code 1 if it cannot."""
    from deepwell.cli.render import say
    from deepwell.cli.render_probes import show_overfit
    from deepwell.workflows.overfit import overfit

    stop_cleanly()
    result = overfit(data, settings=settings, say=say)
    show_overfit(result)
    if not result.is_learned:
        raise typer.Exit(EXIT_MISSED)
