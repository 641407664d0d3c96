"""Two costs mean false and missed answers of classes, and errors above and below of numbers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import small_data

import deepwell
from deepwell.errors import ConfigError
from deepwell.workflows.plan import costs_of_numbers


def test_the_cost_of_a_number_gives_the_verdict(tmp_path: Path) -> None:
    result = deepwell.train(
        small_data.houses(120),
        target="price",
        model="linear",
        runs=tmp_path,
        settings=small_data.settings(decide={"cost": "1,5"}),
    )
    assert "cost" in result.metrics
    assert "mean cost" in result.verdict or "cost of errors" in result.verdict
    config = result.folder.read_config()
    assert (config["evaluation"]["cost_over"], config["evaluation"]["cost_under"]) == (1.0, 5.0)


def test_the_cost_of_classes_stays() -> None:
    given = {"decide": {"cost": "1,5"}}
    assert costs_of_numbers(given, "binary") == given
    assert costs_of_numbers({}, "regression") == {}


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"decide": {"cost": "0,1,1;1,0,1;1,1,0"}}, "give two costs"),
        ({"decide": {"cost": "1,5"}, "evaluation": {"cost_over": 2}}, "say the same"),
    ],
)
def test_costs_that_cannot_be_meant_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        costs_of_numbers(given, "regression")
