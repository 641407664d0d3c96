"""What the command line shows of short trials: a profile, and whether a network can learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.markup import escape

from deepwell.cli.render import console, grid

if TYPE_CHECKING:
    from deepwell.engine.probing.overfit import Overfit
    from deepwell.engine.probing.profile import Profile

WORDS = {
    "data": "Data: gather, change, transfer",
    "forward": "Forward",
    "backward": "Backward",
    "optimizer": "Optimizer",
    "engine": "Engine: counting, scores",
}
_BAR = 30


def show_profile(profile: Profile) -> None:
    """Print where a step's time goes, the rate, the memory, and what to do next."""
    from deepwell.engine.probing.memory import readable

    step = profile.step_seconds
    console.print()
    table = grid(
        f"A step of {profile.batch_size:,} rows", "Time", "Share", "", numeric=(1, 2), whole=(0, 3)
    )
    for name, share in profile.phases.items():
        bar = "█" * round(_BAR * share)
        table.add_row(WORDS[name], _time(step * share), f"{share:.0%}", f"[cyan]{bar}[/cyan]")
    table.add_row("[bold]In all[/bold]", _time(step), "100%", "")
    console.print(table)
    lines = [
        ("Rate", f"{profile.rows_per_second:,.0f} rows/s, over {profile.steps} steps"),
        (
            "Computing",
            f"{_flops(profile.rate)} in forward and backward, {profile.rate / profile.limit:.0%} "
            f"of the {_flops(profile.limit)} that this machine reaches ({profile.limit_of})",
        ),
        ("Memory", ", ".join(f"{n} {readable(size)}" for n, size in profile.memory.items())),
        ("Device", f"{profile.device}. {profile.precision}"),
        ("Next", profile.next_action),
    ]
    for title, text in lines:
        console.print(f"{title:<10} {escape(text)}", soft_wrap=True)


def show_overfit(result: Overfit) -> None:
    """Print whether the network can learn, and what to look at."""
    from deepwell.workflows.overfit import verdict

    colour = "green" if result.is_learned else "red"
    console.print(f"[{colour}]{escape(verdict(result))}[/{colour}]", soft_wrap=True)
    for advice in result.advice:
        console.print(f"Next     {escape(advice)}", soft_wrap=True)


def _time(seconds: float) -> str:
    return f"{1e3 * seconds:,.2f} ms"


def _flops(rate: float) -> str:
    for unit, size in (("TFLOP/s", 1e12), ("GFLOP/s", 1e9)):
        if rate >= size:
            return f"{rate / size:,.1f} {unit}"
    return f"{rate / 1e6:,.1f} MFLOP/s"
