"""Networks for tables on the whole road: rows shown before training, links, saving, resuming."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import small_data
import torch

import deepwell
from deepwell.data import Table, infer_schema
from deepwell.nn.numeric import PiecewiseLinearNumbers
from deepwell.tasks import TaskSettings, formulate
from deepwell.workflows.fit_table import fit_table
from deepwell.workflows.learn import Learned

SMALL: dict[str, dict[str, Any]] = {
    "residual_mlp": {"hidden_size": 16},
    "realmlp": {"hidden_sizes": [16]},
    "tabm": {"num_members": 3, "hidden_size": 16, "number_embedding": "piecewise"},
    "tabm_mini": {"num_members": 3, "hidden_size": 16},
}


def _learn(target: str, name: str, **changes: Any) -> Learned:
    table = Table(small_data.visitors().to_dict(as_series=True))
    schema = infer_schema(table, targets=[target])
    question = formulate(schema, table, TaskSettings())
    overrides = small_data.settings(model={"name": name, **SMALL[name]}, **changes)
    return fit_table(table, schema, question, overrides=overrides)


def test_members_average_probabilities_of_the_question() -> None:
    assert _learn("score", "tabm").predictor.model.body.mean.link == "none"
    learned = _learn("city", "tabm_mini")
    assert learned.predictor.model.body.mean.link == "softmax"
    assert learned.predictor.architecture["settings"]["link"] == "softmax"


def test_layers_see_training_rows_before_the_first_step() -> None:
    learned = _learn("score", "tabm", engine={"epochs": 1, "learning_rate": 1e-9})
    (numbers,) = (
        module
        for module in learned.predictor.model.modules()
        if isinstance(module, PiecewiseLinearNumbers)
    )
    rows = Table(small_data.visitors().to_dict(as_series=True))
    block = learned.predictor.encoders.encode(rows)[0]
    filled = numbers.encode(torch.from_numpy(block))[:, 0]
    # of quantile bins, as many rows lie in each: the shares filled rise evenly
    assert filled.clamp(0, 1).sum(dim=1).mean() / filled.shape[1] == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("name", SMALL)
def test_a_saved_model_answers_alike(name: str, houses_file: Path, tmp_path: Path) -> None:
    settings = small_data.settings(model=SMALL[name])
    result = deepwell.train(
        houses_file, target="price", model=name, runs=tmp_path, settings=settings
    )
    answers = deepwell.predict(result.folder.path, houses_file)
    assert np.isfinite(answers["prediction"].to_numpy()).all()


def test_training_rows_do_not_see_their_target() -> None:
    """Names that say nothing: with their own target the rows would be known by heart."""
    rng = np.random.default_rng(0)
    frame = pl.DataFrame({"name": rng.integers(0, 150, 400).astype(str), "y": rng.normal(size=400)})
    table = Table(frame.to_dict(as_series=True))
    schema = infer_schema(table, targets=["y"])
    question = formulate(schema, table, TaskSettings())
    overrides = small_data.settings(
        model={"name": "linear"},
        encode={"categories": "target", "min_frequency": 1},
        engine={"epochs": 30, "learning_rate": 0.03, "weight_decay": 0.0},
    )
    learned = fit_table(table, schema, question, overrides=overrides)
    assert learned.fit.history[-1]["train"]["loss"] > 0.9
