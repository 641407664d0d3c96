"""Comparing: two runs or more on the same test rows, as a table and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deepwell.evaluation import comparing
from deepwell.evaluation.comparing import ComparedRuns
from deepwell.evaluation.comparing.page import render
from deepwell.files import write_json, write_text
from deepwell.workflows.predict import check_output


def compare(
    runs: Sequence[str | Path],
    *,
    by: str = "run",
    metric: str | None = None,
    output: str | Path | None = None,
) -> ComparedRuns:
    """Compare runs that were scored on the same test rows, in pairs.

    Args:
        runs: Run folders, two at least.
        by: "run", or "config": runs that differ by nothing but the seed are put together.
        metric: Name of the metric that decides; None takes that of the runs.
        output: A page (.html) with the numbers beside it (.json), or the numbers alone (.json);
            None writes nothing.

    Raises:
        RunError: A run cannot be read, or rows, task, target or metric of two runs differ.
        ConfigError: Fewer than two runs, one of them twice, or an unknown `by`.
        OutputError: The output cannot be written.

    Example:
        >>> import deepwell
        >>> deepwell.compare(["runs/small", "runs/large"]).verdict  # doctest: +SKIP
    """
    target = None if output is None else check_output(Path(output), (".html", ".json"))
    result = comparing.compare(runs, by=by, metric=metric)
    if target is not None:
        if target.suffix.lower() == ".html":
            write_text(target, render(result))
        write_json(target.with_suffix(".json"), result.to_json())
    return result
