"""Running: what a fresh and a resumed training share once the data are prepared."""

from __future__ import annotations

import contextlib
import json
import shlex
import sys
from collections.abc import Generator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from torch import nn

from deepwell.artifact import Predictor
from deepwell.artifact.architecture import CUSTOM
from deepwell.engine import Checkpoints, Progress, resolve_device
from deepwell.engine.processes import joined_processes, refuse_to_end
from deepwell.errors import OutputError
from deepwell.files import write_json, write_text
from deepwell.models import example_inputs, summarize
from deepwell.runs import Recorder, RunFolder, describe_hardware, describe_versions
from deepwell.workflows.cross_validate import nested, scores_of_folds
from deepwell.workflows.decide import decision_notes
from deepwell.workflows.finish import TrainResult, finish, save_model
from deepwell.workflows.learn import Learned, assemble, fit_encoders, learn
from deepwell.workflows.many import tell_summary
from deepwell.workflows.members import Members
from deepwell.workflows.portfolio import Entrant, entrants_for
from deepwell.workflows.prepare import Prepared, Say
from deepwell.workflows.race import race
from deepwell.workflows.seen_rows import write_seen_rows
from deepwell.workflows.settings import TrainSettings
from deepwell.workflows.watched import watched


def describe(run: RunFolder, prepared: Prepared, found: Mapping[str, Any]) -> None:
    """Write what is known before training: settings, data, split, and files of what was found."""
    if not joined_processes().is_first:
        return
    with _cleaned_up(run):
        run.set_state("running")
        run.write_config(_config(prepared))
        run.write_splits(prepared.ids)
        write_json(run / "manifest.json", _manifest(prepared))
        write_json(run / "data.json", _data(prepared))
        for file, content in found.items():
            write_json(run / file, content)
        write_seen_rows(run, prepared)


def execute(
    run: RunFolder,
    prepared: Prepared,
    *,
    module: nn.Module | None,
    callbacks: Sequence[object],
    say: Say,
    resume: bool = False,
) -> TrainResult:
    """Train, evaluate once, save the model, write the report.

    Raises:
        KeyboardInterrupt: Stopped by Ctrl-C; the message says how to resume.
    """
    if not joined_processes().is_first:
        return _follow(run, prepared, module, resume=resume, say=say)
    go_on = _how_to_go_on(run, prepared)
    with _cleaned_up(run, go_on), watched(run, prepared.settings) as loggers:
        run.set_state("running")
        told = [Recorder(run.metrics), *loggers.callbacks, *callbacks]
        learned = _learn(run, prepared, module, told, resume, say)
        what = learned.progress or f"Stopped after {learned.fit.steps:,} steps."
        try:
            say(learned.fit.precision)
            say(learned.fit.stopped)
            for note in decision_notes(learned.predictor):
                say(note)
            if not learned.fit.interrupted:
                return loggers.report(_score(run, prepared, learned, say), say)
        except KeyboardInterrupt:
            what = "Stopped while scoring the test rows."
        stop = _keep_best(run, prepared, learned, what, go_on)
        tell_summary(None)
        raise stop


def _follow(
    run: RunFolder, prepared: Prepared, module: nn.Module | None, *, resume: bool, say: Say
) -> TrainResult:
    """Do the part of a process that is not the first: it trains, and hears what came out."""
    learned = _learn(run, prepared, module, [], resume, say)
    summary = tell_summary(None)
    if summary is None:
        raise KeyboardInterrupt
    return TrainResult(run, summary, learned.predictor)


def _score(run: RunFolder, prepared: Prepared, learned: Learned, say: Say) -> TrainResult:
    say("Scoring the test rows, once, beside the baselines")
    result = finish(run, prepared, learned)
    if "uncertainty" in result.summary:
        say(result.summary["uncertainty"])
    Members(run.members).remove()
    run.set_state("finished")
    tell_summary(result.summary)
    return result


def _learn(
    run: RunFolder,
    prepared: Prepared,
    module: nn.Module | None,
    callbacks: Sequence[object],
    resume: bool,
    say: Say,
) -> Learned:
    if prepared.settings.model.name == "auto" or prepared.settings.is_many:
        return _compete(run, prepared, [c for c in callbacks if not isinstance(c, Recorder)], say)
    encoders = fit_encoders(
        prepared.train, prepared.schema, prepared.task, prepared.settings, module
    )
    predictor = assemble(encoders, prepared.task, prepared.schema, prepared.settings, module)
    if not resume and joined_processes().is_first:
        write_json(run / "layers.json", _layers(predictor))
    return learn(
        predictor,
        prepared.train,
        prepared.val,
        settings=prepared.settings,
        callbacks=callbacks,
        checkpoints=Checkpoints(run.checkpoints, resume=resume),
        stored=None if prepared.stored is None else prepared.stored.rows,
    )


def _compete(run: RunFolder, prepared: Prepared, callbacks: Sequence[object], say: Say) -> Learned:
    """Train several models; the layers and the curves in the folder are those of the winner."""
    settings, members = prepared.settings, Members(run.members)
    is_race = settings.model.name == "auto"
    given = settings.given() if is_race else settings.plain()
    kept = {name: given[name] for name in ("task", "engine", "encode", "decide") if name in given}
    # the competitors are not told to the loggers one by one: what they reached is, at the end
    kept["engine"] = {k: v for k, v in kept.get("engine", {}).items() if k != "loggers"}
    alone = Entrant(settings.model.name, {"model": settings.model.plain()})
    limit = settings.time_limit if is_race else float("inf")
    rows = prepared.train.concat(prepared.val)
    _number_trainings(callbacks, settings, done=len(list(run.members.glob("*.json"))))
    entrants = entrants_for(prepared.task, rows) if is_race else (alone,)
    outcome = race(
        prepared,
        given=kept,
        limit=limit,
        say=say,
        entrants=entrants,
        members=members,
        callbacks=() if is_race else callbacks,
    )
    if is_race:
        write_json(run / "race.json", outcome.to_json())
    write_json(run / "layers.json", _layers(outcome.learned.predictor))
    epochs = ({"kind": "epoch", **record} for record in outcome.learned.fit.history)
    write_text(run.metrics, "".join(json.dumps(epoch) + "\n" for epoch in epochs))
    learned = outcome.learned
    if settings.folds.count:
        scores = scores_of_folds(prepared, outcome)
        if settings.folds.nested and not learned.fit.interrupted:
            try:
                scores["nested"] = nested(
                    prepared, given=kept, limit=limit, say=say, entrants=entrants, members=members
                )
            except KeyboardInterrupt:
                learned = replace(learned, fit=replace(learned.fit, interrupted=True))
        write_json(run / "folds.json", scores)
    return learned


def _number_trainings(callbacks: Sequence[object], settings: TrainSettings, *, done: int) -> None:
    """Let each line of the progress say which of several trainings it is about."""
    folds = settings.folds
    noun = "fold" if folds.count and folds.repeats == 1 else "training"
    total = folds.count * folds.repeats or settings.ensemble
    for callback in callbacks:
        if isinstance(callback, Progress):
            callback.expect(total, noun=noun, done=done)


def _how_to_go_on(run: RunFolder, prepared: Prepared) -> str:
    """Say how to resume: the command line can give neither an object nor a network of Python."""
    needs = ["data"] * (prepared.source.path is None)
    needs += ["model=…"] * (prepared.settings.model.name == CUSTOM)
    if not needs:
        return f"go on with `deepwell resume {run.path}`."
    return f'go on with deepwell.resume("{run.path}", {", ".join(needs)}).'


def _keep_best(
    run: RunFolder, prepared: Prepared, learned: Learned, what: str, go_on: str
) -> KeyboardInterrupt:
    """Save the best model so far, and return the stop with words on how to go on."""
    save_model(run, prepared, learned.predictor)
    run.set_state("interrupted", what)
    return KeyboardInterrupt(f"{what} The best model so far is in {run.model}; {go_on}")


@contextlib.contextmanager
def _cleaned_up(run: RunFolder, go_on: str = "") -> Generator[None]:
    """Leave nothing half written: without a checkpoint the folder goes, else it is marked."""
    try:
        yield
    except BaseException as error:
        refuse_to_end()
        if not run.has_checkpoint:
            run.remove()
            raise
        is_stop = isinstance(error, KeyboardInterrupt)
        with contextlib.suppress(OutputError):
            if run.state == "running":
                what = "Stopped" if is_stop else type(error).__name__
                reason = f"{what}: {error}".removesuffix(": ")
                run.set_state("interrupted" if is_stop else "failed", reason)
        if is_stop and not error.args:
            raise KeyboardInterrupt(f"Stopped. The training so far is kept: {go_on}") from error
        if isinstance(error, OutputError):
            raise OutputError(f"{error} The training so far is kept: {go_on}") from error
        raise


def _manifest(prepared: Prepared) -> dict[str, Any]:
    source = prepared.source
    path = None if source.path is None else str(Path(source.path).absolute())
    return {
        "created": datetime.now().astimezone().isoformat(timespec="seconds"),
        "command": shlex.join(["deepwell", *sys.argv[1:]])
        if _is_command()
        else "deepwell.train(…)",
        "seed": prepared.settings.seed,
        "processes": joined_processes().size,
        "versions": describe_versions(),
        "hardware": describe_hardware(str(resolve_device(prepared.settings.engine.device))),
        "data": {
            "path": path,
            "name": source.name,
            "digest": source.digest,
            "rows": prepared.num_read,
        },
    }


def _config(prepared: Prepared) -> dict[str, Any]:
    """Return all settings, or what was chosen where each model of a race has its own."""
    settings = prepared.settings
    return settings.given() if settings.model.name == "auto" else settings.plain()


def _is_command() -> bool:
    return Path(sys.argv[0]).name in ("deepwell", "__main__.py")


def _data(prepared: Prepared) -> dict[str, Any]:
    task, splits = prepared.task, prepared.splits
    return {
        "schema": prepared.schema.to_json(),
        "notes": list(prepared.notes),
        "task": {
            "name": task.name,
            "reason": task.reason,
            "targets": list(task.targets),
            "labels": list(task.labels),
        },
        "split": {
            "reason": splits.reason,
            "rows": prepared.num_rows,
            "duplicates": splits.duplicates,
            "notes": list(splits.notes),
        },
        "leaks": [leak.to_json() for leak in prepared.leaks],
        "shift": None if prepared.shift is None else prepared.shift.to_json(),
        "audit": dict(prepared.audit),
    }


def _layers(predictor: Predictor) -> dict[str, Any]:
    inputs = tuple(x.to(predictor.device) for x in example_inputs(predictor.encoders.spec))
    summary = summarize(predictor.model, inputs)
    return {
        **summary.to_json(),
        "model": predictor.architecture["name"],
        "settings": dict(predictor.architecture["settings"]),
    }
