"""Plain torch: loops as people write them by hand."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from benchmarks import networks
from benchmarks.harness import Sample
from benchmarks.pictures import Pictures
from benchmarks.workloads import Rows, Stopwatch, Training, Workload

EPOCHS, BATCH_SIZE = 5, 128

Epoch = Callable[[], Iterable[tuple[Tensor, Tensor]]]


def lecture(pictures: Pictures, seed: int) -> Sample:
    """784-128-10, rows in memory, gathered by index."""
    inputs, labels = _tensors(pictures)

    def epoch() -> Iterator[tuple[Tensor, Tensor]]:
        for rows in torch.randperm(len(inputs)).split(BATCH_SIZE):
            yield inputs[rows], labels[rows]

    return _train(pictures, seed, epoch)


def lecture_loader(pictures: Pictures, seed: int) -> Sample:
    """784-128-10, rows through torch's DataLoader in the same process."""
    loader = DataLoader(TensorDataset(*_tensors(pictures)), batch_size=BATCH_SIZE, shuffle=True)
    return _train(pictures, seed, lambda: loader)


def _train(pictures: Pictures, seed: int, epoch: Epoch) -> Sample:
    torch.manual_seed(seed)
    model = network()
    optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3, alpha=0.9, eps=1e-7)
    started = time.perf_counter()
    for _ in range(EPOCHS):
        for inputs, labels in epoch():
            optimizer.zero_grad()
            functional.cross_entropy(model(inputs), labels).backward()
            optimizer.step()
    seconds = time.perf_counter() - started
    with torch.no_grad():
        classes = model(torch.from_numpy(pictures.test_vectors)).argmax(dim=1).numpy()
    return Sample(seconds, {"test_accuracy": pictures.accuracy(classes)})


def network() -> nn.Module:
    """Return the lecture's network as torch initialises it."""
    return nn.Sequential(nn.Linear(784, 128), nn.ReLU(), nn.Linear(128, 10))


def _tensors(pictures: Pictures) -> tuple[Tensor, Tensor]:
    return torch.from_numpy(pictures.train_vectors), torch.from_numpy(pictures.train_labels)


def train(work: Workload, rows: Rows, seed: int) -> Training:
    """A network of the workloads, rows in memory, gathered by index."""
    torch.manual_seed(seed)
    model = networks.build(work.name)
    optimizer = networks.optimizer(work, model)
    *inputs, targets = networks.tensors(rows)
    watch = Stopwatch()
    watch.start()
    for _ in range(work.epochs):
        for chosen in torch.randperm(len(targets)).split(work.batch_size):
            optimizer.zero_grad()
            outputs = model(*(block[chosen] for block in inputs))
            networks.loss(outputs, targets[chosen]).backward()
            optimizer.step()
        watch.lap()
    return Training(watch, lambda blocks: networks.predict(model, blocks))
