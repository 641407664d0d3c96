from collections.abc import Callable, Iterator

import pytest
from benchmarks.harness import Contender, Goal, Outcome, Row, Sample, Unavailable, ratio, take_turns

from benchmarks import quiet


@pytest.fixture(autouse=True)
def load(monkeypatch: pytest.MonkeyPatch) -> Callable[[Iterator[float]], None]:
    """Decide what other programs use: nothing, or what the test says."""

    def set_load(shares: Iterator[float]) -> None:
        monkeypatch.setattr(quiet.Watch, "others", lambda watch: next(shares))

    monkeypatch.setattr(quiet.Watch, "others", lambda watch: 0.0)
    monkeypatch.setattr(quiet, "wait", lambda: True)
    return set_load


def row(name: str, *seconds: float) -> Row:
    return Row(name, name, seconds=list(seconds))


def test_median_of_an_even_number_lies_between():
    assert row("a", 1.0, 9.0, 3.0, 5.0).median == 4.0


def test_ratio_is_taken_within_each_repeat():
    # the machine was four times as slow in the second repeat, for both
    assert ratio(row("a", 2.0, 8.0, 2.0), row("b", 1.0, 4.0, 1.0)) == 2.0


def test_ratio_refuses_rows_of_different_length():
    with pytest.raises(ValueError, match="zip"):
        ratio(row("a", 1.0, 2.0), row("b", 1.0))


def test_contenders_take_turns_and_each_begins_once():
    order: list[str] = []

    def contender(name: str) -> Contender:
        def measure(repeat: int) -> Sample:
            order.append(f"{name}{repeat}")
            return Sample(1.0 + repeat, {"accuracy": 0.5})

        return Contender(name, name, measure)

    turns = take_turns([contender("a"), contender("b"), contender("c")], 3)
    assert order == ["a0", "b0", "c0", "b1", "c1", "a1", "c2", "a2", "b2"]
    assert [one.seconds for one in turns.rows] == [[1.0, 2.0, 3.0]] * 3
    assert turns.rows[0].scores == {"accuracy": [0.5] * 3}
    assert not turns.skipped
    assert not turns.notes


def test_a_contender_that_is_missing_is_left_out_with_its_reason():
    asked: list[int] = []

    def missing(repeat: int) -> Sample:
        asked.append(repeat)
        raise Unavailable("it is not installed")

    there = Contender("there", "There", lambda repeat: Sample(1.0))
    turns = take_turns([Contender("gone", "Gone", missing), there], 3)
    assert [one.name for one in turns.rows] == ["there"]
    assert turns.skipped == {"gone": "it is not installed"}
    assert asked == [0]


def test_a_disturbed_measurement_is_made_anew(load: Callable[[Iterator[float]], None]):
    load(iter([0.5, 0.3, 0.0, 0.0]))
    seconds = iter([9.0, 8.0, 1.0, 2.0])
    turns = take_turns([Contender("a", "A", lambda repeat: Sample(next(seconds)))], 2)
    assert turns.rows[0].seconds == [1.0, 2.0]
    assert (turns.repeated, turns.disturbed) == (2, 0)
    assert "2 measurements were made anew" in turns.notes[0]


def test_a_machine_that_is_never_quiet_is_confessed(load: Callable[[Iterator[float]], None]):
    load(iter([0.5] * 100))
    turns = take_turns([Contender("a", "A", lambda repeat: Sample(1.0))], 2)
    assert turns.rows[0].seconds == [1.0, 1.0]
    assert turns.disturbed == 2
    assert "2 measurements were disturbed" in turns.notes[-1]


@pytest.mark.parametrize(
    ("value", "better", "is_met"),
    [(1.05, "lower", True), (1.06, "lower", False), (1.05, "higher", True), (1.0, "higher", False)],
)
def test_a_goal_is_met_at_its_limit(value: float, better: str, is_met: bool):
    assert Goal("x", value, 1.05, better).is_met is is_met


def test_outcome_compares_within_groups():
    rows = [row("a", 1.0), row("b", 3.0), row("c", 10.0), row("d", 5.0)]
    for one, group in zip(rows, "xxyy", strict=True):
        one.group = group
    outcome = Outcome(name="n", title="t", rows=rows, references={"x": "a", "y": "c"})
    assert [one["ratio"] for one in outcome.to_json()["rows"]] == [1.0, 3.0, 1.0, 0.5]
