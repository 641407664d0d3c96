"""Small data sets, and networks that are sick on purpose."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import torch
from torch import nn

from deepwell.evaluation.diagnosis import Finding, Symptoms, examine
from deepwell.evaluation.record import Record
from deepwell.workflows import TrainResult
from deepwell.workflows.train import train


def _frame(inputs: np.ndarray, target: Any) -> pl.DataFrame:
    columns = {f"x{i}": inputs[:, i] for i in range(inputs.shape[1])}
    return pl.DataFrame({**columns, "y": target})


def plane(rows: int = 1500) -> pl.DataFrame:
    """Return a weighted sum with some noise."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(rows, 4))
    return _frame(x, x @ [3, -2, 1, 0.5] + rng.normal(size=rows))


def waves(rows: int = 900) -> pl.DataFrame:
    """Return an answer that no weighted sum can give."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(rows, 3))
    y = 3 * np.sin(2 * x[:, 0]) * x[:, 1] + 2 * np.abs(x[:, 2]) + rng.normal(0, 0.1, rows)
    return _frame(x, y)


def bowl(rows: int = 900) -> pl.DataFrame:
    """Return a smooth curved answer with noise, easy for a network."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=(rows, 2))
    return _frame(x, x[:, 0] ** 2 + x[:, 1] + rng.normal(0, 0.5, rows))


def wide(rows: int = 120) -> pl.DataFrame:
    """Return nearly as many columns as training rows."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(rows, 30))
    return _frame(x, x @ rng.normal(size=30) + 2.0 * rng.normal(size=rows))


def noise(rows: int = 500) -> pl.DataFrame:
    """Return an answer that depends on nothing."""
    rng = np.random.default_rng(4)
    return _frame(rng.normal(size=(rows, 4)), rng.normal(size=rows))


def classes(rows: int = 1000, flipped: float = 0.0) -> tuple[pl.DataFrame, np.ndarray]:
    """Return three clear classes, and which rows carry a wrong label."""
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 3, rows)
    x = 3.0 * rng.normal(size=(3, 5))[truth] + rng.normal(size=(rows, 5))
    is_flipped = rng.random(rows) < flipped
    given = np.where(is_flipped, (truth + rng.integers(1, 3, rows)) % 3, truth)
    return _frame(x, [f"class {label}" for label in given]), is_flipped


class Stack(nn.Module):
    """ReLU layers with first weights of any size."""

    def __init__(
        self, features: int, *, depth: int = 2, scale: float = 1.0, bias: float = 0.0
    ) -> None:
        super().__init__()
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for index in range(depth):
            linear = nn.Linear(features if index == 0 else 32, 32)
            with torch.no_grad():
                linear.weight.mul_(scale)
                linear.bias.fill_(bias)
            layers += [linear, nn.ReLU()]
        self.body = nn.Sequential(*layers, nn.Linear(32, 1))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.body(inputs)


def run(rows: pl.DataFrame, runs: Any, *, model: Any = "mlp", **changes: Any) -> TrainResult:
    """Train fast, with baselines, without the looks at the data."""
    settings: dict[str, Any] = {
        "engine": {
            "epochs": 25,
            "batch_size": 32,
            "learning_rate": 1e-3,
            "optimizer": "adamw",
            **changes.get("engine", {}),
        },
        "evaluation": {"resamples": 100, "leaks": False, "shift": False},
    }
    if model == "mlp":
        options = {"hidden_sizes": [32, 32], "activation": "relu", "dropout": 0.0}
        settings["model"] = {**options, **changes.get("options", {})}
    return train(rows, target="y", model=model, settings=settings, runs=runs)


def findings(result: TrainResult) -> dict[str, Finding]:
    """Return what a run is found to have."""
    record = Record.read(result.folder.path)
    measured = record.diagnosis["measured"]
    return {one.name: one for one in examine(Symptoms(record, measured))}
