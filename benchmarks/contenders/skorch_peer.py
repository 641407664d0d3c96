"""skorch: torch behind scikit-learn's interface."""

from __future__ import annotations

import time

import torch
from skorch import NeuralNet, NeuralNetClassifier
from skorch.callbacks import Callback
from torch import Tensor, nn

from benchmarks import networks
from benchmarks.contenders.plain_torch import network
from benchmarks.harness import Sample
from benchmarks.pictures import Pictures
from benchmarks.workloads import Rows, Stopwatch, Training, Workload


def lecture(pictures: Pictures, seed: int) -> Sample:
    """784-128-10 with skorch's defaults apart from what the lecture fixes."""
    torch.manual_seed(seed)
    model = NeuralNetClassifier(
        network(),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.RMSprop,
        optimizer__alpha=0.9,
        optimizer__eps=1e-7,
        lr=1e-3,
        max_epochs=5,
        batch_size=128,
        train_split=None,
        iterator_train__shuffle=True,
        verbose=0,
    )
    inputs, labels = pictures.train_vectors, pictures.train_labels
    started = time.perf_counter()
    model.fit(inputs, labels)
    seconds = time.perf_counter() - started
    classes = model.predict(pictures.test_vectors)
    return Sample(seconds, {"test_accuracy": pictures.accuracy(classes)})


class CrossEntropy(nn.Module):
    """The loss of the workloads."""

    def forward(self, outputs: Tensor, targets: Tensor) -> Tensor:
        return networks.loss(outputs, targets)


def train(work: Workload, rows: Rows, seed: int) -> Training:
    """A network of the workloads, rows through skorch's own loader."""
    torch.manual_seed(seed)
    watch = Stopwatch()

    class Clock(Callback):
        def on_epoch_end(self, net: NeuralNet, **_: object) -> None:
            watch.lap()

    model = networks.build(work.name)
    options: dict[str, float] = {}
    if work.optimizer == "rmsprop":
        options = {"optimizer__alpha": 0.9, "optimizer__eps": 1e-7}
    net = NeuralNet(
        model,
        criterion=CrossEntropy,
        optimizer=torch.optim.RMSprop if work.optimizer == "rmsprop" else torch.optim.Adam,
        lr=1e-3,
        max_epochs=work.epochs,
        batch_size=work.batch_size,
        train_split=None,
        iterator_train__shuffle=True,
        callbacks=[Clock()],
        verbose=0,
        **options,
    )
    if len(rows.inputs) == 1:
        inputs = rows.inputs[0]
    else:
        inputs = dict(zip(("numbers", "codes"), rows.inputs, strict=True))
    watch.start()
    net.fit(inputs, rows.targets)
    return Training(watch, lambda blocks: networks.predict(net.module_, blocks))
