"""Fashion-MNIST for the benchmarks. Reads with NumPy alone: peers run without Deepwell."""

from __future__ import annotations

import gzip
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

SAMPLE = Path(__file__).parents[1] / "examples" / "clothes"


@dataclass(frozen=True, slots=True)
class Pictures:
    """Pictures with their classes.

    Args:
        train: uint8 (rows, 28, 28).
        train_labels: int64 (rows,).
        test: uint8 (rows, 28, 28).
        test_labels: int64 (rows,).
    """

    train: NDArray[np.uint8]
    train_labels: NDArray[np.int64]
    test: NDArray[np.uint8]
    test_labels: NDArray[np.int64]

    @property
    def train_vectors(self) -> NDArray[np.float32]:
        """Training pictures as vectors from 0 to 1, (rows, 784)."""
        return _vectors(self.train)

    @property
    def test_vectors(self) -> NDArray[np.float32]:
        """Test pictures as vectors from 0 to 1, (rows, 784)."""
        return _vectors(self.test)

    def accuracy(self, classes: NDArray[Any]) -> float:
        """Return the share of test pictures whose class is right."""
        return float((classes == self.test_labels).mean())


def full_set() -> Path | None:
    """Return the folder of the 60,000 + 10,000 pictures, or None if there is none."""
    folder = Path(os.environ.get("DEEPWELL_DATA", "")) / "fashion-mnist"
    return folder if (folder / "train-images-idx3-ubyte.gz").is_file() else None


def read(folder: Path) -> Pictures:
    """Read the four files of a folder."""
    return Pictures(
        _idx(folder / "train-images-idx3-ubyte.gz"),
        _idx(folder / "train-labels-idx1-ubyte.gz").astype(np.int64),
        _idx(folder / "t10k-images-idx3-ubyte.gz"),
        _idx(folder / "t10k-labels-idx1-ubyte.gz").astype(np.int64),
    )


def _idx(path: Path) -> NDArray[np.uint8]:
    content = gzip.decompress(path.read_bytes())
    dimensions = content[3]
    shape = np.frombuffer(content, ">u4", count=dimensions, offset=4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def _vectors(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    return pictures.reshape(len(pictures), -1).astype(np.float32) / np.float32(255)
