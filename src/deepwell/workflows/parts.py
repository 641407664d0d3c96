"""Looking at parts of the test rows: the worst slices, and groups of named columns."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from deepwell.data import Schema, Table
from deepwell.evaluation.asked import metrics_of, primary_of
from deepwell.evaluation.intervals import FEWEST_GROUPS, Resamples, affordable
from deepwell.evaluation.scored import Scored
from deepwell.evaluation.slicing import fairness, find_slices
from deepwell.evaluation.stored import group_codes
from deepwell.types import Predictions
from deepwell.workflows.prepare import Prepared

MOST_DRAWS = 1000


def judge_parts(prepared: Prepared, predictions: Predictions) -> dict[str, Any]:
    """Return `slices` and `fairness` of evaluation.json; None where they were not asked for."""
    task, schema, test = prepared.task, prepared.schema, prepared.test
    settings, seed = prepared.settings.evaluation, prepared.settings.seed
    scored = Scored(task.name, task.truth(test), predictions)
    group = schema.name_of("group")
    groups = group_codes(test.series(group)) if group is not None and group in test else None
    found: dict[str, Any] = {"slices": None, "fairness": None}
    if settings.slices:
        found["slices"] = find_slices(
            schema,
            test,
            scored,
            more=settings.fairness,
            groups=groups,
            seed=seed,
            confidence=settings.confidence,
        )
    if settings.fairness:
        primary = primary_of(task, settings).name
        metric = next(one for one in metrics_of(task, settings) if one.name == primary)
        count = affordable(min(MOST_DRAWS, settings.resamples), scored, [metric])
        is_grouped = groups is not None and groups.max() + 1 >= FEWEST_GROUPS
        draws = Resamples(len(test), count=count, seed=seed, groups=groups if is_grouped else None)
        found["fairness"] = fairness(
            task,
            schema,
            test,
            scored,
            columns=settings.fairness,
            metric=metric,
            draws=draws,
            weight=_weight(test, schema),
        )
    return found


def _weight(test: Table, schema: Schema) -> NDArray[np.float64] | None:
    name = schema.name_of("weight")
    return None if name is None else test.series(name).cast(pl.Float64).to_numpy()
