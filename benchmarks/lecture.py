"""The lecture's network: 784-128-10, ReLU, batch 128, RMSprop, five epochs of Fashion-MNIST."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable

from benchmarks import pictures
from benchmarks.harness import Goal, Outcome, Unavailable, take_turns
from benchmarks.results import mean_and_spread
from benchmarks.worker import Entry

ACCURACY_LIMIT, SECONDS_LIMIT = 0.880, 4.0
NOTES = (
    "Every measurement is the training alone, in a fresh process, without importing and reading; "
    "the ratio is to `deepwell train`, and above 1 means slower than it.",
    "`deepwell train` lets the learning rate fall from 0.003 (cosine); everything else keeps the "
    "constant 0.001 of the libraries, with which this network ends lower, whoever trains it. A "
    "falling rate takes no time.",
)


OWN = (
    Entry("train", "deepwell train, falling rate", "deepwell", "lecture_command"),
    Entry("engine", "deepwell.engine.fit, constant rate", "deepwell", "lecture_engine"),
    Entry("torch", "torch, by hand, tensors in memory", "plain_torch"),
    Entry("loader", "torch, by hand, DataLoader", "plain_torch", "lecture_loader"),
    Entry("scikit_learn", "scikit-learn MLPClassifier (Adam)", "scikit_learn"),
)
PEERS = (
    Entry(
        "keras_jax",
        "Keras on JAX",
        "keras_peer",
        packages=("keras", "jax"),
        environment={"KERAS_BACKEND": "jax"},
    ),
    Entry(
        "keras_torch",
        "Keras on torch",
        "keras_peer",
        packages=("keras", "torch"),
        environment={"KERAS_BACKEND": "torch"},
    ),
    Entry("skorch", "skorch", "skorch_peer", packages=("skorch", "torch")),
    Entry("lightning", "Lightning", "lightning_peer", packages=("lightning", "torch")),
)


def measure(repeats: int, *, say: Callable[[str], None], peers: str | None = None) -> Outcome:
    """Train each contender with seeds 0, 1, …, each time in a fresh process.

    Args:
        repeats: Number of seeds.
        say: Told about each measurement.
        peers: Python of the environment in which the peers are installed.

    Raises:
        Unavailable: The full data set is not at hand.
    """
    folder = pictures.full_set()
    if folder is None:
        raise Unavailable("DEEPWELL_DATA names no folder with fashion-mnist in it")
    contenders = [entry.contender(sys.executable, folder) for entry in OWN]
    contenders += [entry.contender(peers or sys.executable, folder) for entry in PEERS]
    turns = take_turns(contenders, repeats, say=say)
    outcome = Outcome(
        name="lecture",
        title="784-128-10, ReLU, batch 128, RMSprop, 5 epochs of 60,000 pictures",
        rows=turns.rows,
        references={"": "train"},
        skipped=turns.skipped,
        notes=[*NOTES, *turns.notes],
    )
    accuracy, _ = mean_and_spread(outcome.row("train").scores["test_accuracy"])
    slowest = max(outcome.row("train").seconds)
    outcome.goals = [
        Goal("Mean test accuracy of `deepwell train`", accuracy, ACCURACY_LIMIT, "higher"),
        Goal("Training, slowest seed", slowest, SECONDS_LIMIT, unit=" s"),
    ]
    by_hand = statistics.median(outcome.row("torch").seconds)
    engine = statistics.median(outcome.row("engine").seconds)
    outcome.notes.append(
        f"The median of the loop of Deepwell is {engine / by_hand:.2f} times that of the loop by "
        "hand, which keeps no scores and checks nothing."
    )
    return outcome
