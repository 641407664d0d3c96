"""The overhead of the engine: its loop over loops by hand on very small networks."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from benchmarks import pictures
from benchmarks.harness import Contender, Goal, Outcome, Sample, ratio, take_turns
from deepwell.engine import EngineSettings, TensorBatches, fit
from deepwell.engine.batches import seeded
from deepwell.engine.precision import choose_precision
from deepwell.tasks import Multiclass

LIMIT = 1.05
SEED = 0


@dataclass(frozen=True, slots=True)
class Workload:
    """A network with its rows.

    Args:
        name: For programs and people.
        inputs: float32 (rows, F).
        labels: int64 (rows,).
        sizes: Units of each layer, F first.
        batch_size: Rows in a batch.
        epochs: Passes over the rows in one measurement.
    """

    name: str
    inputs: Tensor
    labels: Tensor
    sizes: tuple[int, ...]
    batch_size: int
    epochs: int

    def network(self) -> nn.Module:
        """Return the network, the same at each call."""
        torch.manual_seed(SEED)
        layers: list[nn.Module] = []
        for before, after in pairwise(self.sizes):
            layers += [nn.Linear(before, after), nn.ReLU()]
        return nn.Sequential(*layers[:-1])


def measure(repeats: int, *, say: Callable[[str], None]) -> Outcome:
    """Let the engine and the loops by hand take turns in one process."""
    works = workloads()
    contenders: list[Contender] = []
    for work in works:
        contenders += [
            _contender("same", "by hand, same operations", by_hand, work),
            _contender("engine", "deepwell.engine.fit", by_engine, work),
            _contender("bare", "by hand, no scores, no checks", bare, work),
        ]
        by_engine(work)  # the first products of a size prepare their kernels
    turns = take_turns(contenders, repeats, say=say)
    outcome = Outcome(
        name="overhead",
        title="the engine's loop over loops by hand",
        rows=turns.rows,
        references={work.name: f"same {work.name}" for work in works},
        skipped=turns.skipped,
        unit="ms",
        notes=[
            "Same operations: gather the rows, network, loss a row and its sum, accuracy, check of "
            "loss and gradients for finite numbers, RMSprop; all end with the same weights, "
            f"{'bit for bit' if _same_weights(works) else 'BUT NOT BIT FOR BIT'}.",
            "The ratio is to that loop. Without scores and checks a bad number would spoil the "
            "weights unseen; that loop shows what they cost.",
            *turns.notes,
        ],
    )
    for work in works:
        value = ratio(outcome.row(f"engine {work.name}"), outcome.row(f"same {work.name}"))
        outcome.goals.append(Goal(f"Engine over the same by hand, {work.name}", value, LIMIT))
    return outcome


def workloads() -> list[Workload]:
    """Return the lecture's network, and one as small as those for tables, on real pictures."""
    data = pictures.read(pictures.SAMPLE)
    vectors = torch.from_numpy(data.train_vectors)
    labels = torch.from_numpy(data.train_labels)
    # the middle line of each picture stands for a table with 28 numbers
    row = vectors.reshape(-1, 28, 28)[:, 14].contiguous()
    return [
        Workload("784-128-10, batch 128", vectors, labels, (784, 128, 10), 128, epochs=20),
        Workload("28-32-10, batch 32", row, labels, (28, 32, 10), 32, epochs=8),
    ]


def by_engine(work: Workload) -> nn.Module:
    """Train with the engine."""
    model = work.network()
    settings = EngineSettings(
        epochs=work.epochs,
        batch_size=work.batch_size,
        optimizer="rmsprop",
        schedule="constant",
        device="cpu",
        threads=torch.get_num_threads(),  # as the loops by hand: sums depend on their number
    )
    batches = TensorBatches(
        (work.inputs,), work.labels, batch_size=work.batch_size, shuffle=True, seed=SEED
    )
    fit(model, Multiclass(classes=list(range(10))), batches, settings=settings, seed=SEED)
    return model


def by_hand(work: Workload) -> nn.Module:
    """Train with a loop that does what the engine does, written down in one piece."""
    model, optimizer = _start(work)
    parameters = list(model.parameters())
    ids = torch.arange(len(work.labels))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(_products(work, model))
    model.train()
    for epoch in range(work.epochs):
        order = torch.randperm(len(work.labels), generator=seeded(SEED, epoch, 0))
        loss_sum, hits = 0.0, 0.0
        for rows in order.split(work.batch_size):
            inputs = work.inputs.index_select(0, rows)
            labels = work.labels.index_select(0, rows)
            ids.index_select(0, rows)
            outputs = model(inputs)
            loss = functional.cross_entropy(outputs, labels, reduction="none").sum()
            with torch.no_grad():
                right = (outputs.argmax(dim=1) == labels).float().sum(dtype=torch.float64)
            loss_sum += loss.item()
            hits += right.item()
            if not math.isfinite(loss_sum):
                raise ArithmeticError("the loss is not a finite number")
            (loss / len(rows)).backward()
            norms = torch._foreach_norm([p.grad for p in parameters if p.grad is not None])
            if not math.isfinite(sum(norm.item() for norm in norms)):
                raise ArithmeticError("a gradient is not a finite number")
            optimizer.step()
            optimizer.zero_grad()
    torch.set_float32_matmul_precision(before)
    return model


def bare(work: Workload) -> nn.Module:
    """Train with the shortest loop: nothing is scored, nothing is checked."""
    model, optimizer = _start(work)
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(_products(work, model))
    for epoch in range(work.epochs):
        order = torch.randperm(len(work.labels), generator=seeded(SEED, epoch, 0))
        for rows in order.split(work.batch_size):
            outputs = model(work.inputs[rows])
            functional.cross_entropy(outputs, work.labels[rows]).backward()
            optimizer.step()
            optimizer.zero_grad()
    torch.set_float32_matmul_precision(before)
    return model


def _start(work: Workload) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = work.network()
    parameters = model.parameters()
    return model, torch.optim.RMSprop(parameters, lr=1e-3, alpha=0.9, eps=1e-7, foreach=True)


def _products(work: Workload, model: nn.Module) -> str:
    """Return the precision of matrix products that the engine chooses for this network."""
    cpu = torch.device("cpu")
    return choose_precision("auto", cpu, model, batch_rows=work.batch_size).matmul


def _same_weights(works: list[Workload]) -> bool:
    return all(
        torch.equal(one, other)
        for work in works
        for one, other in zip(by_engine(work).parameters(), by_hand(work).parameters(), strict=True)
    )


def _contender(
    name: str, title: str, train: Callable[[Workload], nn.Module], work: Workload
) -> Contender:
    def run(repeat: int) -> Sample:
        started = time.perf_counter()
        train(work)
        return Sample(time.perf_counter() - started)

    return Contender(f"{name} {work.name}", f"{work.name}: {title}", run, work.name)
