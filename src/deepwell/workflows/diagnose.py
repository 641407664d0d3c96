"""Diagnosing: what is wrong with a run, why, and what to do next."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from torch import nn

from deepwell.errors import RunError
from deepwell.evaluation import report as report_page
from deepwell.evaluation.diagnosis import Finding
from deepwell.evaluation.diagnosis.storing import renew
from deepwell.runs import RunFolder
from deepwell.workflows.prepare import Say
from deepwell.workflows.reopen import made_from, reopen
from deepwell.workflows.retraining import Retraining, Stopped, Tell
from deepwell.workflows.stand_in import strongest_alone


def diagnose(
    path: str | Path,
    data: Any = None,
    *,
    model: nn.Module | None = None,
    quick: bool = False,
    say: Say | None = None,
    tell: Tell | None = None,
) -> tuple[Finding, ...]:
    """Say what is wrong with a run: each finding with its evidence, its cause and a command.

    The network is trained again on growing parts of the training rows (what would more rows
    bring?), on resamples of them (bias and variance) and, for classes, in folds (which labels are
    probably wrong?), about 20 trainings in all. Test rows are not looked at again. What is found
    goes to `diagnosis.json` and into the report of the run.

    Args:
        path: The run folder.
        data: Needed only if the run was trained on an object of Python, or the file has moved.
        model: Needed only if the run trained the user's own network; as it was before training.
        quick: Only read what the run folder holds; nothing is trained, no data are needed.
        say: Called with each remark, in words; None is silent.
        tell: Called with what is being done, the share that is done, and the seconds left.

    Returns:
        The findings, the most serious first.

    Raises:
        RunError: The run is not finished, or its data have changed.
        KeyboardInterrupt: Stopped by Ctrl-C; what was measured is kept.

    Example:
        >>> import tempfile, deepwell
        >>> rows = {"x": list(range(60)), "y": [2.0 * x + 1 for x in range(60)]}
        >>> result = deepwell.train(
        ...     rows, target="y", model="linear", runs=tempfile.mkdtemp(),
        ...     settings={"engine": {"epochs": 2}, "data": {"kinds": {"x": "number"}}},
        ... )
        >>> findings = deepwell.diagnose(result.folder.path, quick=True)
        >>> all(finding.severity in ("problem", "warning", "note") for finding in findings)
        True
    """
    run = RunFolder.open(path)
    if quick:
        return _renew(run, {})
    if not (run / "evaluation.json").is_file():
        raise RunError(
            f"{run.path} is {run.state}, so its network cannot be compared with others: finish it "
            f"with `deepwell resume {run.path}`, or look at it as it is with --quick."
        )
    source, config = made_from(run, data, model=model, verb="diagnose")
    say = say or _nothing
    prepared = reopen(run, source, config, model=model, say=say)
    prepared, stand_in = strongest_alone(run, prepared)
    if stand_in:
        say(
            f"Several models competed for this run; {stand_in}, the one with the largest share of "
            "the answer, is trained again in their place."
        )
        renew(run.path, {"stand_in": stand_in})
    retraining = Retraining(
        prepared,
        module=model,
        primary=str(run.read("evaluation.json")["primary"]),
        tell=tell or _nothing,
    )
    parts = {"labels": retraining.labels, "curve": retraining.curve, "spread": retraining.spread}
    for name, measure in parts.items():
        _measure(run, name, measure)
    return _renew(run, {})


def _nothing(*_: object) -> None:
    pass


def _measure(run: RunFolder, name: str, measure: Callable[[], dict[str, Any] | None]) -> None:
    """Measure one part and keep it; after Ctrl-C keep what there is."""
    measured: dict[str, Any] | None = None
    try:
        measured = measure()
    except KeyboardInterrupt as stop:
        measured = stop.measured if isinstance(stop, Stopped) else None
        _keep(run, name, measured)
        _renew(run, {})
        raise KeyboardInterrupt(
            f"Stopped. What was measured so far is in {run / 'diagnosis.json'}; "
            f"`deepwell diagnose {run.path}` begins anew."
        ) from None
    _keep(run, name, measured)


def _keep(run: RunFolder, name: str, measured: dict[str, Any] | None) -> None:
    if measured is None:
        return
    if name == "labels":
        measured = _with_unseen(run, measured)
    renew(run.path, {name: measured})


def _with_unseen(run: RunFolder, labels: dict[str, Any]) -> dict[str, Any]:
    """Add the suspects among validation and test rows, which the run itself found."""
    known: dict[str, Any] = {}
    with suppress(RunError, KeyError):
        known = run.read("diagnosis.json")["measured"]["labels"]
    others = [one for one in known.get("suspects", []) if one["side"] != "train"]
    suspects = sorted(
        [*labels["suspects"], *others],
        key=lambda one: one["given_probability"] - one["probability"],
    )
    rows = {**known.get("rows", {}), **labels["rows"]}
    others_found = known.get("found_unseen", known.get("found", 0))
    return {
        "rows": rows,
        "found": labels["found"] + others_found,
        "found_unseen": others_found,
        "suspects": suspects,
    }


def _renew(run: RunFolder, measured: dict[str, Any]) -> tuple[Finding, ...]:
    findings = renew(run.path, measured)
    report_page.write(run.path)
    return findings
