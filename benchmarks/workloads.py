"""The workloads: networks that every contender trains on the same rows, and how they are scored.

Imports NumPy alone: peers run without Deepwell.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Sample

Blocks = tuple[NDArray[Any], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A network, its rows and the way in which it is trained; the loss is cross-entropy.

    Args:
        name: Of the network in `networks/`, and of the benchmark.
        title: What is measured, in words.
        classes: Outputs of the network.
        rows: Training rows.
        test_rows: Rows for the score.
        batch_size: Rows in a batch.
        epochs: Passes over the rows; the first, in which libraries compile, is shown apart.
        optimizer: The same for all, with a constant rate of 0.001.
        counted: What the pace is counted in.
        per_row: How many of these a row has.
        goal: How many times as fast as the fastest peer Deepwell shall be.
        against: The peers that the goal speaks of; () for all.
        bound: What most of the arithmetic is made of, if the machine's rate of it is the measure.
        notes: What a reader should know.
    """

    name: str
    title: str
    classes: int
    rows: int
    test_rows: int
    batch_size: int
    epochs: int
    optimizer: Literal["adam", "rmsprop"] = "adam"
    counted: str = "rows"
    per_row: int = 1
    goal: float
    against: tuple[str, ...] = ()
    bound: Literal["convolution", "product"] | None = None
    notes: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        """Steps in an epoch."""
        return -(-self.rows // self.batch_size)


_ALL = (
    Workload(
        name="mlp",
        title="784-128-10, ReLU, batch 128, RMSprop, one epoch of 60,000 pictures of clothes",
        classes=10,
        rows=60_000,
        test_rows=10_000,
        batch_size=128,
        epochs=6,
        optimizer="rmsprop",
        counted="pictures",
        goal=1.4,
    ),
    Workload(
        name="cnn",
        title="convolutions 32-32-pool-64-64-pool-dense, 28 × 28 pictures, batch 128, 25 steps",
        classes=10,
        rows=3_200,
        test_rows=2_000,
        batch_size=128,
        epochs=5,
        counted="pictures",
        goal=1.8,
        bound="convolution",
    ),
    Workload(
        name="resnet18",
        title="ResNet-18 with the stem for small pictures, 3 × 32 × 32, batch 128, 2 steps",
        classes=10,
        rows=256,
        test_rows=256,
        batch_size=128,
        epochs=3,
        counted="pictures",
        goal=1.8,
        bound="convolution",
        notes=(
            "The pictures have the shape of CIFAR-10 and are clothes (Fashion-MNIST), enlarged to "
            "32 × 32 and the same in all three channels: CIFAR-10 itself is not at hand.",
            "After so few steps the running means of the batch normalisation are of no use yet, "
            "so the test pictures are normalised by their own batch.",
        ),
    ),
    Workload(
        name="lstm",
        title="embedding 64, LSTM of 64 units, 100 words of a film review, batch 32, 100 steps",
        classes=2,
        rows=3_200,
        test_rows=2_000,
        batch_size=32,
        epochs=4,
        counted="rows",
        goal=1.5,
    ),
    Workload(
        name="gpt",
        title="GPT of 4 layers, width 256, 4 heads, 16 × 256 bytes of English books, 3 steps",
        classes=256,
        rows=48,
        test_rows=32,
        batch_size=16,
        epochs=3,
        counted="tokens",
        per_row=256,
        goal=2.0,
        bound="product",
        notes=("The arithmetic of attention is counted in full, as if it were not causal.",),
    ),
    Workload(
        name="table",
        title="embeddings of 10 categories, 20 numbers, 128-64-2, batch 128, an epoch of 50,000",
        classes=2,
        rows=50_000,
        test_rows=5_000,
        batch_size=128,
        epochs=4,
        counted="rows",
        goal=3.0,
        against=("skorch", "lightning"),
        notes=(
            "A table of real columns: those of adult, whose income is the target, beside columns "
            "of diamonds and California housing, each drawn anew with replacement to 50,000 rows. "
            "Columns of different sources have nothing to do with each other. The test rows are "
            "none of the rows that were drawn from.",
        ),
    ),
)
WORKLOADS = {work.name: work for work in _ALL}
"""Name → workload."""


@dataclass(frozen=True, slots=True)
class Rows:
    """What is learned, and what the score is taken on.

    Args:
        inputs: Blocks (rows, …): float32 numbers and pictures from 0 to 1, int64 codes.
        targets: int64 (rows,) or (rows, steps).
        test_inputs: The same of the test rows.
        test_targets: The same of the test rows.
    """

    inputs: Blocks
    targets: NDArray[np.int64]
    test_inputs: Blocks
    test_targets: NDArray[np.int64]

    def save(self, path: Path) -> None:
        """Write all as one file of arrays; pictures may be bytes, which are read as 0 … 1."""
        blocks = {f"inputs{number}": block for number, block in enumerate(self.inputs)}
        blocks |= {f"test{number}": block for number, block in enumerate(self.test_inputs)}
        np.savez(path, targets=self.targets, test_targets=self.test_targets, **blocks)

    @classmethod
    def load(cls, path: Path) -> Rows:
        """Read what `save` wrote."""
        with np.load(path, allow_pickle=False) as arrays:
            count = sum(name.startswith("inputs") for name in arrays)
            inputs = tuple(_scaled(arrays[f"inputs{number}"]) for number in range(count))
            test = tuple(_scaled(arrays[f"test{number}"]) for number in range(count))
            return cls(inputs, arrays["targets"], test, arrays["test_targets"])


def _scaled(block: NDArray[Any]) -> NDArray[Any]:
    return block.astype(np.float32) / np.float32(255) if block.dtype == np.uint8 else block


@dataclass(slots=True)
class Stopwatch:
    """The seconds of each epoch."""

    epochs: list[float] = field(default_factory=list)
    _started: float = 0.0

    def start(self) -> None:
        """An epoch begins, or the preparations for the first one."""
        self._started = time.perf_counter()

    def stop(self) -> None:
        """An epoch ends, and time that is not counted begins."""
        self.epochs.append(time.perf_counter() - self._started)

    def lap(self) -> None:
        """An epoch ends and the next one begins."""
        self.stop()
        self.start()


@dataclass(frozen=True, slots=True)
class Training:
    """What a contender has done.

    Args:
        watch: Stopped at the end of each epoch.
        predict: Returns the outputs (rows, …, classes) for blocks of inputs. Networks with batch
            normalisation take the means of the batch.
        says: What the contender chose by itself, in words.
    """

    watch: Stopwatch
    predict: Callable[[Blocks], NDArray[Any]]
    says: str = ""


def run(
    train: Callable[[Workload, Rows, int], Training], name: str, path: str, seed: int
) -> Sample:
    """Let a contender train, and score it on the test rows."""
    work, rows = WORKLOADS[name], Rows.load(Path(path))
    training = train(work, rows, seed)
    first, *steady = training.watch.epochs
    if len(steady) != work.epochs - 1:
        raise RuntimeError(f"{len(steady) + 1} epochs were seen instead of {work.epochs}")
    seconds = statistics.median(steady)
    scores = {
        f"{work.counted}_per_second": work.rows * work.per_row / seconds,
        "first_epoch_ms": 1000 * first,
        **scores_of(_in_batches(training.predict, rows.test_inputs), rows.test_targets),
    }
    return Sample(seconds, scores, says=training.says)


def scores_of(outputs: NDArray[Any], targets: NDArray[np.int64]) -> dict[str, float]:
    """Return the mean cross-entropy in nats and the share of right answers.

    Example:
        >>> scores_of(np.array([[0.0, 0.0], [0.0, 0.0]]), np.array([0, 1]))["test_accuracy"]
        0.5
    """
    logits = outputs.reshape(-1, outputs.shape[-1]).astype(np.float64)
    right = targets.reshape(-1)
    logits -= logits.max(axis=1, keepdims=True)
    chosen = logits[np.arange(len(right)), right]
    loss = np.log(np.exp(logits).sum(axis=1)) - chosen
    accuracy = float((logits.argmax(axis=1) == right).mean())
    return {"test_accuracy": accuracy, "test_loss": float(loss.mean())}


def _in_batches(predict: Callable[[Blocks], NDArray[Any]], blocks: Blocks) -> NDArray[Any]:
    starts = range(0, len(blocks[0]), 128)
    return np.concatenate([predict(tuple(b[at : at + 128] for b in blocks)) for at in starts])
