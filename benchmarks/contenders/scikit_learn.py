"""scikit-learn's network. It has no RMSprop: it trains with its Adam."""

from __future__ import annotations

import time
import warnings

from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from benchmarks.harness import Sample
from benchmarks.pictures import Pictures


def lecture(pictures: Pictures, seed: int) -> Sample:
    """784-128-10, batch 128, Adam."""
    model = MLPClassifier((128,), batch_size=128, max_iter=5, alpha=0.0, random_state=seed)
    inputs, labels = pictures.train_vectors, pictures.train_labels
    started = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # five epochs are what is asked for
        model.fit(inputs, labels)
    seconds = time.perf_counter() - started
    classes = model.predict(pictures.test_vectors)
    return Sample(seconds, {"test_accuracy": pictures.accuracy(classes)})
