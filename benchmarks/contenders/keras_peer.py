"""Keras, on the backend that the environment variable KERAS_BACKEND names."""

from __future__ import annotations

import time
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from benchmarks.harness import Sample
from benchmarks.pictures import Pictures
from benchmarks.workloads import Blocks, Rows, Stopwatch, Training, Workload


def lecture(pictures: Pictures, seed: int) -> Sample:
    """784-128-10 as in Keras's own introductions."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.layers.Input((784,)),
            keras.layers.Dense(128, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.RMSprop(learning_rate=1e-3)
    model.compile(optimizer, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    inputs, labels = pictures.train_vectors, pictures.train_labels
    started = time.perf_counter()
    model.fit(inputs, labels, epochs=5, batch_size=128, verbose=0)
    seconds = time.perf_counter() - started
    classes = model.predict(pictures.test_vectors, batch_size=1024, verbose=0).argmax(axis=1)
    return Sample(seconds, {"test_accuracy": pictures.accuracy(classes)})


def train(work: Workload, rows: Rows, seed: int) -> Training:
    """A network of the workloads, without running scores."""
    from benchmarks.contenders import keras_networks

    keras.utils.set_random_seed(seed)
    model = keras_networks.build(work.name)
    if work.optimizer == "rmsprop":
        optimizer = keras.optimizers.RMSprop(learning_rate=1e-3)
    else:
        optimizer = keras.optimizers.Adam(learning_rate=1e-3)
    model.compile(optimizer, loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    watch = Stopwatch()
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: watch.lap())
    inputs = _blocks(rows.inputs)
    watch.start()
    model.fit(
        inputs,
        rows.targets,
        epochs=work.epochs,
        batch_size=work.batch_size,
        verbose=0,
        callbacks=[clock],
    )
    training = work.name == "resnet18"  # batch normalisation with the means of the batch

    def predict(blocks: Blocks) -> NDArray[Any]:
        return keras.ops.convert_to_numpy(model(_blocks(blocks), training=training))

    return Training(watch, predict)


def _blocks(blocks: Blocks) -> Any:
    """Pictures with their channels last, codes as 32-bit whole numbers; one block stands alone."""
    last = [np.ascontiguousarray(b.transpose(0, 2, 3, 1)) if b.ndim == 4 else b for b in blocks]
    cast = [block.astype(np.int32) if block.dtype == np.int64 else block for block in last]
    return cast[0] if len(cast) == 1 else cast
