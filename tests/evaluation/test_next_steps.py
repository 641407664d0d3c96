from __future__ import annotations

from typing import Any

import pytest

from deepwell.evaluation.intervals import Interval
from deepwell.evaluation.metrics import METRICS
from deepwell.evaluation.next_steps import Facts, Training, next_steps
from deepwell.evaluation.verdict import Comparison

PREDICT = "Answer new rows: deepwell predict RUN new.csv -o out.csv"


def epochs(train: list[float], val: list[float]) -> list[dict[str, Any]]:
    pairs = zip(train, val, strict=True)
    return [{"train": {"loss": t}, "val": {"loss": v}} for t, v in pairs]


def steps(**changes: Any) -> str:
    facts: dict[str, Any] = {
        "metric": METRICS["rmse"],
        "scores": {"rmse": Interval(10.0, 9.5, 10.5), "r2": Interval(0.8, 0.7, 0.9)},
        "comparisons": (),
        "num_test": 1000,
        "training": Training(),
        "has_images": False,
        "target": "price",
    }
    found = next_steps(Facts(**{**facts, **changes}))
    assert 2 <= len(found) <= 4
    assert found[-1].startswith("Answer new rows: deepwell predict RUN ")
    return "\n".join(found)


def outcome(**outcomes: str) -> tuple[Comparison, ...]:
    return tuple(
        Comparison(name, "rmse", 1.0, 0.5, 1.5, result) for name, result in outcomes.items()
    )


def test_all_well() -> None:
    assert steps().splitlines() == [
        "Look at the worst mistakes and the learning curves: deepwell report RUN",
        PREDICT,
    ]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"comparisons": outcome(constant="undecided")}, "data inspect FILE --target price"),
        ({"comparisons": outcome(boosting="worse")}, "trees answer these rows better"),
        ({"comparisons": outcome(linear="worse")}, "--model linear"),
        ({"training": Training(rows={"train": 300})}, "300 training rows are few"),
        ({"scores": {"rmse": Interval(10.0, 7.0, 13.0)}}, "--set split.test=0.3"),
        (
            {"scores": {"rmse": Interval(0.0, 0.0, 0.0), "r2": Interval(1.0, 1.0, 1.0)}},
            "gives? .*the answer away",
        ),
        ({"training": Training(epochs([3, 2, 1], [3, 2, 1]))}, "--set engine.epochs=6"),
        (
            {"training": Training(epochs([3, 1, 0.1], [3, 2, 2.5]))},
            "2 times higher on validation rows .* --set engine.weight_decay",
        ),
        (
            {"training": Training(epochs([3, 2, 2], [3, 2, 2]), "cnn"), "has_images": True},
            "--model resnet18",
        ),
    ],
)
def test_each_fact_has_its_step(changes: dict[str, Any], expected: str) -> None:
    import re

    assert re.search(expected, steps(**changes)), steps(**changes)


def test_a_resnet_is_not_told_to_be_one_and_pictures_are_predicted() -> None:
    training = Training(epochs([3, 2, 2], [3, 2, 2]), "resnet34")
    text = steps(training=training, has_images=True)
    assert "resnet18" not in text
    assert "deepwell predict RUN pictures/ -o out.csv" in text


def test_training_without_validation_says_nothing_of_it() -> None:
    records = [{"train": {"loss": 1.0}}, {"train": {"loss": 0.5}}]
    assert "engine." not in steps(training=Training(records))
