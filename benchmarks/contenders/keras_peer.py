"""Keras, on the backend that the environment variable KERAS_BACKEND names."""

from __future__ import annotations

import time

import keras

from benchmarks.harness import Sample
from benchmarks.pictures import Pictures


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
