"""Growing: scikit-learn's histogram gradient boosting, and its trees as flat arrays."""

from __future__ import annotations

import contextlib
import math
import time
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from deepwell.models.ensembles.borders import MOST_BINS, bins_of, borders_of, rounded_down
from deepwell.models.ensembles.logarithm import Question, Rows
from deepwell.types import InputSpec

if TYPE_CHECKING:
    from deepwell.models.ensembles.boosted_trees import BoostedTreesSettings

PROBE = 10
"""Iterations that tell how long one takes, where the time is limited."""
SMALL = 500_000
"""Numbers in a table up to which one thread grows the trees."""
MOST_CODES = 255
"""Codes of a category up to which it may be split by sets of codes; beyond, they are numbers."""

_UNSEEN = -20.0
"""Output of a class that has no training row."""


def grow_forests(
    question: Question,
    spec: InputSpec,
    train: Rows,
    val: Rows | None,
    *,
    settings: BoostedTreesSettings,
    seed: int,
    head_size: int,
    seconds: float = math.inf,
) -> dict[str, NDArray[Any]]:
    """Grow one model for each target, or one for all classes; see `boosted_trees.grow`.

    Returns:
        The buffers of `BoostedTrees` by name, and "depth".
    """
    binning = _Binning(spec, train[0])
    train = binning.binned(train)
    val = None if val is None else binning.binned(val)
    inputs, targets, weight = train
    known: NDArray[np.bool_] = np.atleast_1d(
        ~np.isnan(inputs).all(axis=0)
    )  # a column without any value cannot be binned
    flat = _FlatTrees(spec, np.flatnonzero(known), head_size, binning)
    columns = [targets] if question == "classes" else list(targets.T)
    end = time.monotonic() + seconds
    for index, column in enumerate(columns):
        outputs = [index]
        seen = np.unique(column)
        if question == "classes":
            outputs = flat.prepare_classes([int(value) for value in seen])
        elif question == "labels" and len(seen) == 1:
            flat.base[index] = float(seen[0]) * 20 - 10  # e¹⁰ to one: no doubt was seen
        if question != "numbers" and len(seen) == 1:
            continue
        held_out: dict[str, Any] = {}
        if val is not None:
            answers = val[1] if question == "classes" else val[1][:, index]
            rows = np.isin(answers, seen) if question != "numbers" else np.ones(len(answers), bool)
            held_out = _held_out(val, answers, rows, known)
        model = _model(question, spec, known, settings, seed)
        with _threads(inputs.size):
            left = (end - time.monotonic()) / (len(columns) - index)
            _limit(model, (inputs[:, known], column, weight), left)
            model.set_params(early_stopping=bool(held_out))
            model.fit(inputs[:, known], column, weight, **held_out)
        flat.add(model, outputs)
    return flat.arrays()


def _limit(model: Any, rows: Rows, seconds: float) -> None:
    """Let a model do as many iterations at the most as there is time for, and a few in any case."""
    asked = model.max_iter
    if seconds == math.inf or asked <= 2 * PROBE:
        return
    began = time.monotonic()
    model.set_params(max_iter=PROBE, early_stopping=False).fit(*rows)
    taken = time.monotonic() - began
    # later trees are larger, and judging the validation rows takes time as well
    fitting = int(PROBE * max(0.0, seconds - taken) / max(2 * taken, 1e-9))
    model.set_params(max_iter=min(asked, max(PROBE, fitting)))


def _held_out(
    val: Rows, answers: NDArray[Any], rows: NDArray[np.bool_], known: NDArray[np.bool_]
) -> dict[str, Any]:
    """Return the rows that decide when to stop; those of classes that no tree sees are left out."""
    if not rows.any():
        return {}
    held_out: dict[str, Any] = {"X_val": val[0][rows][:, known], "y_val": answers[rows]}
    return held_out if val[2] is None else {**held_out, "sample_weight_val": val[2][rows]}


def _threads(size: int) -> AbstractContextManager[Any]:
    """Let small trees grow in one thread: each node would wait for the others otherwise.

    On a machine that is shared those waits made growing sixty times as slow.
    """
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, "openmp") if size < SMALL else contextlib.nullcontext()


def _model(
    question: Question,
    spec: InputSpec,
    known: NDArray[np.bool_],
    settings: BoostedTreesSettings,
    seed: int,
) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor

    sizes = np.append(np.zeros(spec.num_numbers), np.asarray(spec.cardinalities, dtype=int))
    is_category = (sizes > 0) & (sizes <= MOST_CODES)
    kind: Any = HistGradientBoostingRegressor
    if question != "numbers":
        kind = HistGradientBoostingClassifier
    return kind(
        max_iter=settings.iterations,
        learning_rate=settings.learning_rate,
        max_leaf_nodes=settings.max_leaves,
        min_samples_leaf=settings.min_leaf_rows,
        l2_regularization=settings.l2,
        max_features=settings.max_features,
        n_iter_no_change=settings.patience,
        categorical_features=is_category[known] if is_category.any() else None,
        random_state=seed,
    )


class _Binning:
    """Puts numbers with many distinct values into bins, in place of scikit-learn.

    Its own bins hold equally many rows each; see `borders_of`.

    Args:
        spec: Numbers come before categories.
        inputs: Of the training rows.
    """

    def __init__(self, spec: InputSpec, inputs: NDArray[Any]) -> None:
        self._borders: dict[int, NDArray[np.float32]] = {}
        for column in range(spec.num_numbers):
            values = np.asarray(inputs[:, column], dtype=np.float32)
            if len(np.unique(values[~np.isnan(values)])) > MOST_BINS:
                self._borders[column] = borders_of(values)

    def binned(self, rows: Rows) -> Rows:
        """Return rows with the number of the bin in place of values; gaps stay."""
        inputs, targets, weight = rows
        inputs = np.array(inputs, dtype=np.float32)
        for column, borders in self._borders.items():
            values = inputs[:, column]
            inputs[:, column] = np.where(np.isnan(values), values, bins_of(values, borders))
        return inputs, targets, weight

    def threshold_of(self, column: int, threshold: float) -> float:
        """Return the value that separates what a threshold among bins, or values, separates.

        Infinity stands for "gaps to the right, all others to the left"; it becomes the largest
        finite number, as a gap is seen as infinity.
        """
        borders = self._borders.get(column)
        if borders is None or threshold == np.inf:
            return float(rounded_down(np.array(threshold, dtype=np.float64)))
        return float(borders[int(threshold)])


class _FlatTrees:
    """Collects trees of several models in flat arrays.

    Args:
        spec: Of the inputs.
        known: Columns that the models see.
        head_size: Outputs of all models together.
        binning: What the models see of numbers.
    """

    def __init__(
        self, spec: InputSpec, known: NDArray[np.int64], head_size: int, binning: _Binning
    ) -> None:
        self._spec = spec
        self._binning = binning
        self._known = known
        self.base: NDArray[np.float32] = np.zeros(head_size, dtype=np.float32)
        self._roots: list[int] = []
        self._outputs: list[int] = []
        self._nodes: list[tuple[int, float, int, float]] = []
        self._tables: list[NDArray[np.bool_]] = []
        self._table_columns: list[int] = []
        self._depth = 0

    def prepare_classes(self, seen: list[int]) -> list[int]:
        """Return the outputs for which trees are grown, and rule out classes without a row.

        Of two classes scikit-learn grows trees for the second only.
        """
        self.base[:] = _UNSEEN
        self.base[seen] = 0.0
        return seen[1:] if len(seen) == 2 else seen

    def add(self, model: Any, outputs: list[int]) -> None:
        """Add the trees of a fitted model, whose outputs have these places."""
        self.base[outputs] = np.ravel(model._baseline_prediction)
        order, codes = self._columns_of(model)
        for iteration in model._predictors:
            for output, predictor in zip(outputs, iteration, strict=True):
                self._roots.append(len(self._nodes))
                self._outputs.append(output)
                self._add_tree(predictor, order, codes)

    def _columns_of(self, model: Any) -> tuple[NDArray[np.int64], dict[int, NDArray[Any]]]:
        """Return the true column of each that the model sees, and what its codes mean.

        Scikit-learn puts the categories first and numbers their values anew.
        """
        is_category = model.is_categorical_
        if is_category is None:
            return self._known, {}
        is_category = np.asarray(model._is_categorical_remapped, dtype=bool)
        encoder = model._preprocessor.named_transformers_["encoder"]
        given = _given_categories(model, len(self._known))
        order = np.append(self._known[given], self._known[~given])
        values = [np.asarray(v, dtype=float) for v in encoder.categories_]
        return order, dict(zip(np.flatnonzero(is_category).tolist(), values, strict=True))

    def _add_tree(
        self, predictor: Any, order: NDArray[np.int64], codes: dict[int, NDArray[Any]]
    ) -> None:
        nodes = predictor.nodes
        start = len(self._nodes)
        # breadth first, so that the right child lies behind the left one
        queue, place = [0], {0: 0}
        for index in queue:
            node = nodes[index]
            if not node["is_leaf"]:
                for child in (int(node["left"]), int(node["right"])):
                    place[child] = len(queue)
                    queue.append(child)
        for index in queue:
            node = nodes[index]
            here = start + place[index]
            if node["is_leaf"]:
                # everything is at most infinity: a leaf leads to itself
                self._nodes.append((0, np.inf, here, float(node["value"])))
            else:
                column, threshold = self._split(predictor, node, order, codes)
                self._nodes.append((column, threshold, start + place[int(node["left"])], 0.0))
        self._depth = max(self._depth, int(nodes["depth"].max()))

    def _split(
        self, predictor: Any, node: Any, order: NDArray[np.int64], codes: dict[int, NDArray[Any]]
    ) -> tuple[int, float]:
        """Return the place among the features of a walk and the threshold, going left below it."""
        seen = int(node["feature_idx"])
        column, is_low = int(order[seen]), bool(node["missing_go_to_left"])
        count = self._spec.num_numbers
        if not node["is_categorical"] and column < count:
            threshold = self._binning.threshold_of(column, float(node["num_threshold"]))
            return (column + count if is_low else column), threshold
        size = max(self._spec.cardinalities)
        table = np.full(size, is_low)
        if node["is_categorical"]:
            bits = predictor.raw_left_cat_bitsets[int(node["bitset_idx"])]
            for number, value in enumerate(codes[seen]):
                table[int(value)] = bool(bits[number // 32] >> np.uint32(number % 32) & 1)
        else:
            table = np.arange(size) <= float(node["num_threshold"])
        self._tables.append(table)
        self._table_columns.append(column - count)
        return 2 * count + len(self._tables) - 1, 0.5

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return all arrays by the name of their buffer, and "depth"."""
        nodes = np.array(self._nodes, dtype=np.float64).reshape(-1, 4)
        size = max(self._spec.cardinalities, default=0)
        tables = np.array(self._tables, dtype=bool).reshape(len(self._tables), size)
        return {
            "base": self.base,
            "roots": np.array(self._roots, dtype=np.int64),
            "outputs": np.array(self._outputs, dtype=np.int64),
            "columns": nodes[:, 0].astype(np.int64),
            "thresholds": nodes[:, 1].astype(np.float32),
            "left_children": nodes[:, 2].astype(np.int64),
            "values": nodes[:, 3].astype(np.float32),
            "tables": tables,
            "table_columns": np.array(self._table_columns, dtype=np.int64),
            "depth": np.array(self._depth),
        }


def _given_categories(model: Any, width: int) -> NDArray[np.bool_]:
    given = np.asarray(model.is_categorical_, dtype=bool)
    if len(given) != width:
        given = np.resize(given, width)
    return given
