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
    test = pl.read_csv(test_file, infer_schema_length=None)
    test = test.cast(dict(train.schema), strict=False)
    words = [name for name in train.columns if train[name].dtype == pl.String and name != target]
    inputs, test_inputs = _inputs(train, words), _inputs(test, words)
    answers, test_answers = train[target].to_numpy(), test[target].to_numpy()
    if metric == "auc":
        classes = sorted(set(answers.tolist()))
        answers = (answers == classes[-1]).astype(int)
        test_answers = (test_answers == classes[-1]).astype(int)
    began = time.perf_counter()
    model = _model(library, metric == "auc", words)
    model.fit(inputs.drop(columns=target), answers)
    given = test_inputs.drop(columns=target)
    found = model.predict_proba(given)[:, 1] if metric == "auc" else model.predict(given)
    seconds = time.perf_counter() - began
    print(json.dumps({"score": _score(metric, test_answers, found), "seconds": seconds}))


def _inputs(frame: pl.DataFrame, words: list[str]) -> Any:
    table = frame.to_pandas()
    for name in words:
        table[name] = table[name].fillna("missing").astype("category")
    return table


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


def _score(metric: str, truth: Any, found: Any) -> float:
    if metric == "rmse":
        return float(np.sqrt(np.mean((truth - found) ** 2)))
    if metric == "mae":
        return float(np.mean(np.abs(truth - found)))
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(truth, found))


if __name__ == "__main__":
    main(*sys.argv[1:])
