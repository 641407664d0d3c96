import numpy as np
import polars as pl
import pytest

from deepwell.data import Table, infer_schema
from deepwell.errors import SplitError
from deepwell.tasks import Formulation
from deepwell.workflows.fit_table import divide, fit_table
from deepwell.workflows.settings import TrainSettings

QUESTION = Formulation("multiclass", ("y",), "as asked")


def _table(rows: int) -> Table:
    x = np.random.default_rng(0).normal(size=rows)
    return Table({"x": pl.Series(x), "y": pl.Series(["a", "b", "c"] * rows)[:rows]})


@pytest.mark.parametrize(
    ("rows", "share", "expected"), [(60, 0.15, 9), (60, 0.0, 0), (20, 0.15, 0), (9, 0.9, 0)]
)
def test_validation_rows_where_there_are_enough(rows: int, share: float, expected: int):
    table = _table(rows)
    schema = infer_schema(table, targets=["y"])
    asked = TrainSettings.model_validate({"split": {"val": share}})
    if rows == 9:  # 8 of 9 rows would leave one to learn from
        with pytest.raises(SplitError, match="too few"):
            divide(table, schema, QUESTION, asked)
        return
    train, val = divide(table, schema, QUESTION, asked)
    assert len(val) == expected
    assert sorted([*train.ids, *val.ids]) == list(range(rows))


def test_a_share_that_makes_no_sense_is_refused():
    table = _table(60)
    asked = TrainSettings.model_validate({"split": {"val": 1.0}})
    with pytest.raises(SplitError, match="from 0 to below 1"):
        divide(table, infer_schema(table, targets=["y"]), QUESTION, asked)


def test_text_is_read_as_the_schema_says():
    rows = 40
    table = Table(
        {
            "x": pl.Series([str(i / 7) for i in range(rows)]),
            "y": pl.Series([float(i) for i in range(rows)]),
        }
    )
    schema = infer_schema(table, targets=["y"])
    learned = fit_table(
        table,
        schema,
        Formulation("regression", ("y",), "as asked"),
        overrides={"model": {"name": "linear"}, "engine": {"epochs": 200, "learning_rate": 0.1}},
    )
    answers = learned.predictor.predict_table(table).values[:, 0]
    np.testing.assert_allclose(answers, np.arange(rows), atol=1)
