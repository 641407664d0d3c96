"""The race: a workload with Deepwell and with each peer in one run."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from benchmarks.harness import Contender, Goal, Outcome, Row, Turns, ratio, take_turns
from benchmarks.lecture import PEERS as KNOWN_PEERS
from benchmarks.machine import flops_of_step, measure_rates
from benchmarks.rows import prepare
from benchmarks.worker import Entry
from benchmarks.workloads import WORKLOADS, Workload

SHARE = 0.5
"""Of the machine's rate that work bound by convolutions or matrix products shall reach."""
DEEPWELL = Entry("deepwell", "Deepwell", "deepwell")
DEEPWELL_FP32 = Entry("deepwell_fp32", "Deepwell, 32-bit floats", "deepwell", "train_fp32")
TORCH = Entry("torch", "torch, by hand, tensors in memory", "plain_torch")
PEERS = (
    *KNOWN_PEERS,
    Entry("fastai", "fastai", "fastai_peer", packages=("fastai", "torch")),
    Entry(
        "hugging_face",
        "Hugging Face Trainer",
        "hugging_face_peer",
        packages=("transformers", "accelerate", "torch"),
    ),
)


def measure(
    repeats: int, *, name: str, say: Callable[[str], None], peers: str | None = None
) -> Outcome:
    """Train the network of a workload with each contender, each time in a fresh process.

    Args:
        repeats: Number of seeds.
        name: Of the workload.
        say: Told about each measurement.
        peers: Python of the environment in which the peers are installed.

    Raises:
        Unavailable: The data of the workload are not at hand.
    """
    work = WORKLOADS[name]
    rows = prepare(work)
    rates = measure_rates() if work.bound else {}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npz"
        rows.save(path)
        turns = take_turns(_contenders(name, path, peers), repeats, say=say)
    if work.bound:
        # the faster of before and after: it is the limit of the machine that counts
        rates = {kind: max(rate, rates[kind]) for kind, rate in measure_rates().items()}
    flops = flops_of_step(work, rows) * work.steps if work.bound else 0
    return judged(work, turns, rates, flops)


def _contenders(name: str, path: Path, peers: str | None) -> list[Contender]:
    own = [
        replace(DEEPWELL, function=f"train@{name}"),
        replace(DEEPWELL_FP32, function=f"train_fp32@{name}"),
        replace(TORCH, function=f"train@{name}"),
    ]
    others = [replace(entry, function=f"train@{name}") for entry in PEERS]
    return [entry.contender(sys.executable, path) for entry in own] + [
        entry.contender(peers or sys.executable, path) for entry in others
    ]


def judged(work: Workload, turns: Turns, rates: dict[str, float], flops: int) -> Outcome:
    """Compare with the fastest peer, and with what the machine can do.

    Args:
        work: What was measured.
        turns: Of all contenders.
        rates: What `measure_rates` found; {} if the work is not bound by them.
        flops: Floating-point operations of an epoch.
    """
    peers = [row for row in turns.rows if not row.name.startswith("deepwell")]
    fastest = min(peers, key=lambda row: row.median)
    outcome = Outcome(
        name=work.name,
        title=work.title,
        rows=turns.rows,
        references={"": fastest.name},
        skipped=turns.skipped,
        unit="ms",
        notes=[*_notes(work, turns), *work.notes, *turns.notes],
    )
    own = next((row for row in turns.rows if row.name == DEEPWELL.name), None)
    if own is None:
        return outcome
    rivals = [row for row in peers if not work.against or row.name in work.against]
    if rivals:
        rival = min(rivals, key=lambda row: row.median)
        among = f", the faster of {' and '.join(work.against)}" if work.against else ""
        text = f"Times as fast as {rival.title}{among or ', the fastest peer'}"
        outcome.goals.append(Goal(text, ratio(rival, own), work.goal, "higher"))
    if work.bound:
        outcome.goals.append(_share(work, own, rates, flops))
        listed = ", ".join(f"{kind} {rate:,.0f}" for kind, rate in rates.items())
        outcome.notes.append(f"Rates of the machine in the same run, in GFLOP/s: {listed}.")
    return outcome


def _notes(work: Workload, turns: Turns) -> list[str]:
    steps = "step" if work.steps == 1 else "steps"
    notes = [
        f"The time is that of one epoch of {work.rows:,} rows in {work.steps} {steps}, the median "
        f"of {work.epochs - 1} epochs behind the first one, in which libraries prepare and "
        "compile; that one is shown apart. Each measurement is a fresh process.",
        "The ratio is to the fastest peer, and below 1 means faster than it. All train the same "
        f"network with {'RMSprop' if work.optimizer == 'rmsprop' else 'Adam'} at 0.001; the peers "
        "compute with 32-bit floats, their default.",
    ]
    said = (f"{row.title}: {row.says}" for row in turns.rows if row.says)
    return [*notes, *said]


def _share(work: Workload, row: Row, rates: dict[str, float], flops: int) -> Goal:
    """Return the rate that a contender reaches as a share of what the machine can do."""
    kind = "bf16" if "bfloat16" in row.says else "fp32"
    reached = flops / row.median / 1e9
    limit = rates[f"{kind} {work.bound}"]
    text = (
        f"Share of the machine's rate of a {kind} {work.bound} "
        f"({reached:,.0f} of {limit:,.0f} GFLOP/s)"
    )
    return Goal(text, reached / limit, SHARE, "higher")
