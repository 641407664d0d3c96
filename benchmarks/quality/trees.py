"""Boosted trees of other libraries with their default settings; runs in their environment.

python trees.py LIBRARY TRAIN TEST TARGET METRIC
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import polars as pl


def main(library: str, train_file: str, test_file: str, target: str, metric: str) -> None:
    """Fit, predict, and print the score and the seconds as JSON."""
    train = pl.read_csv(train_file, infer_schema_length=None)
    test = pl.read_csv(test_file, schema_overrides=train.schema, ignore_errors=True)
    words = [name for name in train.columns if train[name].dtype == pl.String and name != target]
    inputs, given = inputs_for(library, train.drop(target), test.drop(target), words)
    answers, truth = train[target].to_numpy(), test[target].to_numpy()
    classes: list[Any] = [] if metric in ("rmse", "mae") else sorted(set(answers.tolist()))
    if classes:
        answers = np.searchsorted(classes, answers)
    began = time.perf_counter()
    model = _model(library, bool(classes), words)
    model.fit(inputs, answers)
    found = model.predict_proba(given) if classes else model.predict(given)
    seconds = time.perf_counter() - began
    print(json.dumps({"score": score(metric, truth, found, classes), "seconds": seconds}))


def inputs_for(
    library: str, train: pl.DataFrame, test: pl.DataFrame, words: list[str]
) -> tuple[Any, Any]:
    """Return both sides as pandas frames whose text columns the library takes as categories.

    CatBoost wants text; the others want pandas' categories, the same ones on both sides. A value
    that only the test rows hold counts as missing there.
    """
    flags = pl.col(pl.Boolean).cast(pl.Int8)
    tables = [frame.with_columns(flags).to_pandas() for frame in (train, test)]
    for name in words:
        columns = [table[name].fillna("missing").astype(str) for table in tables]
        if library != "catboost":
            known: Any = columns[0].astype("category").dtype
            seen = [column.where(column.isin(known.categories)) for column in columns]
            columns = [column.astype(known) for column in seen]
        for table, column in zip(tables, columns, strict=True):
            table[name] = column
    return tables[0], tables[1]


def _model(library: str, is_classes: bool, words: list[str]) -> Any:
    if library == "lightgbm":
        import lightgbm

        kind = lightgbm.LGBMClassifier if is_classes else lightgbm.LGBMRegressor
        return kind(verbose=-1)
    if library == "xgboost":
        import xgboost

        kind = xgboost.XGBClassifier if is_classes else xgboost.XGBRegressor
        return kind(enable_categorical=True)
    import catboost

    kind = catboost.CatBoostClassifier if is_classes else catboost.CatBoostRegressor
    return kind(cat_features=words, verbose=False, allow_writing_files=False)


def score(metric: str, truth: Any, found: Any, classes: list[Any]) -> float:
    """Return the score of predicted numbers, or of probabilities with a column a class."""
    if metric == "rmse":
        return float(np.sqrt(np.mean((truth - found) ** 2)))
    if metric == "mae":
        return float(np.mean(np.abs(truth - found)))
    from sklearn.metrics import log_loss, roc_auc_score

    if metric == "auc":
        return float(roc_auc_score(truth == classes[-1], found[:, 1]))
    # Rows of 32-bit floats do not sum to one well enough for scikit-learn.
    found = np.asarray(found, np.float64)
    return float(log_loss(truth, found / found.sum(axis=1, keepdims=True), labels=classes))


if __name__ == "__main__":
    main(*sys.argv[1:])
