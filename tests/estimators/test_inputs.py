import numpy as np
import pandas as pd
import polars as pl
import pytest

from deepwell.errors import DataError
from deepwell.estimators.inputs import answer_names, check_weights


@pytest.mark.parametrize(
    ("y", "count", "taken", "expected"),
    [
        (np.zeros(3), 1, ["x0"], ("target",)),
        (np.zeros((3, 2)), 2, ["x0"], ("target_0", "target_1")),
        (pd.Series([1, 2], name="price"), 1, ["rooms"], ("price",)),
        (pd.Series([1, 2], name="price"), 1, ["price"], ("price_",)),
        (pd.Series([1, 2]), 1, ["target"], ("target_",)),
        (pl.Series([1, 2]), 1, [], ("target",)),
        (pl.DataFrame({"a": [1], "b": [2]}), 2, ["a"], ("a_", "b")),
        (pd.DataFrame([[1, 2]]), 2, [], ("target_0", "target_1")),
    ],
)
def test_names_of_answers(y: object, count: int, taken: list[str], expected: tuple[str, ...]):
    assert answer_names(y, count, taken) == expected


def test_weights():
    assert check_weights(2, 3).tolist() == [2.0, 2.0, 2.0]
    assert check_weights([0, 1], 2).tolist() == [0.0, 1.0]
    with pytest.raises(DataError, match="shape"):
        check_weights(np.ones((3, 1)), 3)
