"""`deepwell diagnose`: what is wrong with a run, and what to type next."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from deepwell.cli.early import require_runs
from deepwell.cli.interrupt import stop_cleanly

EXAMPLE = "Example: deepwell diagnose runs/houses-mlp"


def diagnose(
    run: Annotated[Path, typer.Argument(help="The run folder.")],
    quick: Annotated[
        bool, typer.Option("--quick", help="Train nothing: only read the run folder.")
    ] = False,
    data: Annotated[
        str | None, typer.Option(help="Where the data are now, if they have moved.")
    ] = None,
) -> None:
    """Say what is wrong with a run: evidence, cause and next command. Trains about 20 networks."""
    require_runs(run)

    from deepwell.cli.findings import Countdown, show_findings
    from deepwell.cli.render import say
    from deepwell.workflows.diagnose import diagnose as look_into

    stop_cleanly()
    with Countdown() as countdown:
        findings = look_into(run, data, quick=quick, say=say, tell=countdown.tell)
    show_findings(run, findings, quick=quick)
