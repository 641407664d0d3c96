"""skorch: torch behind scikit-learn's interface."""

from __future__ import annotations

import time

import torch
from skorch import NeuralNetClassifier
from torch import nn

from benchmarks.contenders.plain_torch import network
from benchmarks.harness import Sample
from benchmarks.pictures import Pictures


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
