from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch

from deepwell import models
from deepwell.artifact import Predictor
from deepwell.data.encoders import Encoders
from deepwell.data.infer import infer_schema
from deepwell.data.settings import DataSettings
from deepwell.data.table import Table
from deepwell.tasks import TaskSettings, formulate

Assemble = Callable[..., Predictor]


def house_table(rows: int = 60) -> Table:
    """Every kind of column but pictures, with gaps."""
    rng = np.random.default_rng(0)
    size = rng.integers(40, 200, rows).astype(float)
    towns = ["Bonn", "Köln", "Ulm", None]
    start = date(1950, 1, 1)
    return Table(
        {
            "size": pl.Series([None if i % 9 == 4 else value for i, value in enumerate(size)]),
            "rooms": pl.Series(rng.integers(1, 8, rows)),
            "town": pl.Series([towns[i] for i in rng.integers(0, 4, rows)]),
            "built": pl.Series(
                [start + timedelta(days=int(d)) for d in rng.integers(0, 9999, rows)]
            ),
            "garden": pl.Series(rng.random(rows) < 0.5),
            "note": pl.Series([f"house number {i} on a quiet street" for i in range(rows)]),
            "price": pl.Series(size * 1000 + rng.normal(0, 1000, rows)),
            "rent": pl.Series(size * 10),
            "sold": pl.Series(["yes" if s > 100 else "no" for s in size]),
            "style": pl.Series([["flat", "house", "hut"][int(s) % 3] for s in size]),
        }
    )


def picture_table(rows: int = 12) -> Table:
    rng = np.random.default_rng(0)
    return Table(
        {
            "image": rng.integers(0, 256, (rows, 12, 10, 3), dtype=np.uint8),
            "label": pl.Series([["cat", "dog"][i % 2] for i in range(rows)]),
        }
    )


def assemble(
    table: Table,
    *targets: str,
    model: str = "mlp",
    options: dict[str, object] | None = None,
    ignore: tuple[str, ...] = (),
    settings: DataSettings | None = None,
) -> Predictor:
    """An untrained network with everything around it, as a training makes it."""
    schema = infer_schema(table, targets=targets, settings=settings or DataSettings(ignore=ignore))
    task = formulate(schema, table, TaskSettings()).fit(table, TaskSettings())
    encoders = Encoders.fit(table, schema)
    torch.manual_seed(0)
    given = {"hidden_sizes": (8,)} if model == "mlp" and options is None else options or {}
    resolved = models.resolve(model, given)
    network = models.build(model, encoders.spec, task.head_size, resolved)
    return Predictor(
        network,
        task=task,
        encoders=encoders,
        schema=schema,
        architecture={"name": model, "settings": resolved.model_dump(mode="json")},
    )


OTHERS = {
    "price": ("rent", "sold", "style"),
    "sold": ("price", "rent", "style"),
    "style": ("price", "rent", "sold"),
}


@pytest.fixture
def houses() -> Table:
    return house_table()


@pytest.fixture
def pictures() -> Table:
    return picture_table()


@pytest.fixture
def assembled() -> Assemble:
    return assemble


@pytest.fixture
def predictor(houses: Table) -> Predictor:
    return assemble(houses, "price", ignore=OTHERS["price"])


@pytest.fixture
def folder(predictor: Predictor, houses: Table, tmp_path: Path) -> Path:
    return predictor.save(tmp_path / "model", golden=houses)
