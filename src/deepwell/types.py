"""The small objects that cross borders between rooms. Imports no torch at run time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray
    from torch import Tensor


@dataclass(frozen=True, slots=True, kw_only=True)
class InputSpec:
    """What a network is fed: which blocks of input exist and how large they are.

    A network is called with one positional tensor a block, in the order of `blocks`:

    ============  ==========================  =========================================
    block         tensor                      meaning
    ============  ==========================  =========================================
    numbers       float32 (batch, F)          scaled numbers, flags, TF-IDF weights
    categories    int64 (batch, C)            codes, 0 = missing or never seen
    images        uint8 (batch, K, H, W)      channels first
    ============  ==========================  =========================================

    Args:
        num_numbers: F, the width of the number block; 0 if there is none.
        cardinalities: For each category column, how many codes it has (code 0 included).
        image_shape: (channels, height, width), or None.

    Example:
        >>> InputSpec(num_numbers=3, cardinalities=(4, 9)).blocks
        ('numbers', 'categories')
    """

    num_numbers: int = 0
    cardinalities: tuple[int, ...] = ()
    image_shape: tuple[int, int, int] | None = None

    @property
    def blocks(self) -> tuple[str, ...]:
        """Names of the blocks that exist, in the order in which a network receives them."""
        present = {
            "numbers": self.num_numbers > 0,
            "categories": bool(self.cardinalities),
            "images": self.image_shape is not None,
        }
        return tuple(name for name, is_present in present.items() if is_present)

    def to_json(self) -> dict[str, Any]:
        """Return a plain dictionary that `from_json` reads."""
        return asdict(self)

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> InputSpec:
        """Rebuild the spec from `to_json`."""
        shape = state["image_shape"]
        return cls(
            num_numbers=int(state["num_numbers"]),
            cardinalities=tuple(int(size) for size in state["cardinalities"]),
            image_shape=None if shape is None else (int(shape[0]), int(shape[1]), int(shape[2])),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredBlock:
    """One block of input on the disk: ``.npy`` files whose columns stand side by side.

    Args:
        paths: One or several files with the same number of rows; several have two dimensions.
        dtype: Type that the network receives, whatever the files hold: "float32", "int64", "uint8".
        order: For each column of the block its place among the columns of the files; None: as is.
    """

    paths: tuple[Path, ...]
    dtype: str
    order: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRows:
    """Encoded rows on the disk, one ``.npy`` file for each part.

    Args:
        inputs: One entry a block of the `InputSpec`.
        targets: Encoded targets.
        ids: Stable row ids, shape (rows,), int64.
        weight: Weight of each row, shape (rows,), or None for 1 each.
    """

    inputs: tuple[StoredBlock, ...]
    targets: Path
    ids: Path
    weight: Path | None = None


@dataclass(slots=True)
class Batch:
    """Rows on the device.

    Args:
        inputs: One tensor a block of the `InputSpec`, first dimension = rows.
        targets: Encoded targets, first dimension = rows.
        weight: Weight of each row, shape (batch,), or None for 1 each.
        ids: Stable row ids, shape (batch,), int64.
    """

    inputs: tuple[Tensor, ...]
    targets: Tensor
    weight: Tensor | None
    ids: Tensor


class Loss(NamedTuple):
    """A loss as a sum over rows and the weight of those rows; their ratio is the mean.

    Kept apart so that accumulated, padded and distributed batches give the gradient of one big
    batch: sums are added, and divided once for each optimizer step.
    """

    sum: Tensor
    weight: Tensor


@dataclass(frozen=True, slots=True)
class Predictions:
    """Decoded outputs for n rows.

    Args:
        values: Regression: (n, targets) in the units of the data. Classification: (n,) class
            index. Multi-label: (n, labels) of 0 and 1.
        probabilities: Classification: (n, classes). Multi-label: (n, labels). Regression: None.
        spread: Regression: standard deviation of each answer, (n, targets), in the units of the
            data, where the network states one. Else None.
        quantiles: Regression: (n, targets, quantiles), ascending, where the network states
            several. Else None.
        disagreement: Classification, multi-label: (n,), how far several answers to a row are
            apart, from 0 (all say the same) to 1, where several were asked for. Else None.
        parts: What the model of each fold says, (folds, n, targets) of numbers or (folds, n,
            classes) of probabilities, where intervals or sets are made of them. Else None.
    """

    values: NDArray[np.float64] | NDArray[np.int64]
    probabilities: NDArray[np.float64] | None = None
    spread: NDArray[np.float64] | None = None
    quantiles: NDArray[np.float64] | None = None
    disagreement: NDArray[np.float64] | None = None
    parts: NDArray[np.float64] | None = None
