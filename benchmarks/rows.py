"""The rows of the workloads, made once a run out of real data. Needs Deepwell's environment."""

from __future__ import annotations

import gzip
import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks import pictures
from benchmarks.harness import Unavailable
from benchmarks.networks.gpt import CONTEXT
from benchmarks.networks.lstm import LENGTH, WORDS
from benchmarks.networks.table import CATEGORIES, CODES, NUMBERS
from benchmarks.workloads import Rows, Workload


def prepare(work: Workload) -> Rows:
    """Return the rows of a workload.

    Raises:
        Unavailable: Their files are not at hand.
    """
    return MAKERS[work.name](work)


def data_folder(name: str) -> Path:
    """Return a folder of the real data.

    Raises:
        Unavailable: It is not at hand.
    """
    folder = Path(os.environ.get("DEEPWELL_DATA", "")) / name
    if not os.environ.get("DEEPWELL_DATA") or not folder.is_dir():
        raise Unavailable(f"DEEPWELL_DATA names no folder with {name} in it")
    return folder


def _clothes(work: Workload, change: Callable[[NDArray[np.uint8]], NDArray[np.uint8]]) -> Rows:
    data = pictures.read(data_folder("fashion-mnist"))
    train, test = slice(work.rows), slice(work.test_rows)
    return Rows(
        (change(data.train[train]),),
        data.train_labels[train],
        (change(data.test[test]),),
        data.test_labels[test],
    )


def _enlarged(small: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(rows, 28, 28) → (rows, 3, 32, 32)."""
    from PIL import Image

    size, method = (32, 32), Image.Resampling.BILINEAR
    large = [np.asarray(Image.fromarray(picture).resize(size, method)) for picture in small]
    return np.repeat(np.stack(large)[:, None], 3, axis=1)


def _reviews(work: Workload) -> Rows:
    folder = data_folder("text")
    train, train_labels = _texts(folder / "imdb_train.parquet", work.rows)
    test, test_labels = _texts(folder / "imdb_test.parquet", work.test_rows)
    ids = word_ids(train, WORDS)
    return Rows((encoded(train, ids),), train_labels, (encoded(test, ids),), test_labels)


def _texts(path: Path, count: int) -> tuple[list[list[str]], NDArray[np.int64]]:
    table = pl.read_parquet(path).sample(count, shuffle=True, seed=0)
    words = [re.findall(r"[a-z']+", text.lower()) for text in table["review"]]
    return words, (table["sentiment"] == "positive").cast(pl.Int64).to_numpy()


def word_ids(texts: list[list[str]], count: int) -> dict[str, int]:
    """Return ids 2, 3, … for the most common words; 0 is padding, 1 any other word.

    Example:
        >>> word_ids([["a", "film"], ["a"]], 1)
        {'a': 2}
    """
    common = Counter(word for text in texts for word in text).most_common(count)
    return {word: number for number, (word, _) in enumerate(common, start=2)}


def encoded(texts: list[list[str]], ids: dict[str, int]) -> NDArray[np.int64]:
    """Return the ids of the first words of each text, padded in front to `LENGTH`."""
    codes = np.zeros((len(texts), LENGTH), np.int64)
    for row, text in enumerate(texts):
        known = [ids.get(word, 1) for word in text[:LENGTH]]
        if known:
            codes[row, -len(known) :] = known
    return codes


def _books(work: Workload) -> Rows:
    paths = sorted(data_folder("text").glob("books/*.txt.gz"))
    if not paths:
        raise Unavailable("DEEPWELL_DATA names no folder with text/books in it")
    text = b"".join(gzip.decompress(path.read_bytes()) for path in paths)
    count = len(text) // (CONTEXT + 1)
    windows = np.frombuffer(text, np.uint8)[: count * (CONTEXT + 1)].reshape(count, -1)
    chosen = np.random.default_rng(0).permutation(count)[: work.rows + work.test_rows]
    bytes_ = windows[chosen].astype(np.int64)
    inputs, targets = np.ascontiguousarray(bytes_[:, :-1]), np.ascontiguousarray(bytes_[:, 1:])
    train, test = slice(work.rows), slice(work.rows, None)
    return Rows((inputs[train],), targets[train], (inputs[test],), targets[test])


def _table(work: Workload) -> Rows:
    folder = data_folder("tabular")
    names = ("adult", "diamonds", "california_housing")
    parts = [_drawn(folder / f"{name}.csv", work, seed) for seed, name in enumerate(names)]
    target = parts[0]["income"].str.contains(">50K").cast(pl.Int64).to_numpy()
    columns = [column for part in parts for column in part.drop("income", strict=False)]
    numbers = np.stack([_standard(c) for c in columns if c.dtype.is_numeric()][:NUMBERS], axis=1)
    codes = np.stack([_codes(c) for c in columns if not c.dtype.is_numeric()][:CATEGORIES], axis=1)
    train, test = slice(work.rows), slice(work.rows, None)
    return Rows(
        (numbers[train], codes[train]), target[train], (numbers[test], codes[test]), target[test]
    )


def _drawn(path: Path, work: Workload, seed: int) -> pl.DataFrame:
    """Draw training rows with replacement; the test rows behind them are rows of their own."""
    rows = pl.read_csv(path, infer_schema_length=None).sample(fraction=1, shuffle=True, seed=seed)
    test, rest = rows[: work.test_rows], rows[work.test_rows :]
    return pl.concat([rest.sample(work.rows, with_replacement=True, seed=seed), test])


def _standard(column: pl.Series) -> NDArray[np.float32]:
    values = column.cast(pl.Float64).fill_null(0.0).to_numpy()
    return ((values - values.mean()) / values.std()).astype(np.float32)


def _codes(column: pl.Series) -> NDArray[np.int64]:
    """Return 1, 2, … for the values in the order of the alphabet; 0 is missing."""
    codes = column.rank("dense").fill_null(0).cast(pl.Int64).to_numpy()
    return np.minimum(codes, CODES - 1)


MAKERS: dict[str, Callable[[Workload], Rows]] = {
    "mlp": lambda work: _clothes(work, lambda small: small.reshape(len(small), -1)),
    "cnn": lambda work: _clothes(work, lambda small: small[:, None]),
    "resnet18": lambda work: _clothes(work, _enlarged),
    "lstm": _reviews,
    "gpt": _books,
    "table": _table,
}
