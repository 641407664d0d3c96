"""The report tells what the audit of the split found."""

import re
from dataclasses import replace
from pathlib import Path

from deepwell.evaluation.chapters.split import split_chapter
from deepwell.evaluation.record import Record

AUDIT = {
    "method": "random",
    "copies": {
        "search": "near",
        "exact": 5,
        "near": 12,
        "groups": 17,
        "crossing": 0,
        "left_out": 3,
        "examples": [
            {"rows": [12, 1980], "sides": ["train", "train"], "what": "pictures, mirrored"}
        ],
    },
    "time": {"column": "t", "ends": {"train": ["2020-01-01", "2020-02-01"]}},
    "verdict": "Split checked: 17 copies.",
}
DATA = {"split": {"rows": {"train": 70, "val": 10, "test": 20}, "duplicates": 5}}


def test_counts_and_examples_are_shown(tmp_path: Path) -> None:
    chapter = split_chapter(Record(tmp_path, data={**DATA, "audit": AUDIT}))
    assert chapter is not None
    audit = chapter.view["audit"]
    assert dict(audit["facts"]) == {
        "Equal rows": "5",
        "Changed copies": "12",
        "On another side than their row": "0",
        "Training rows left out as copies of test rows": "3",
    }
    assert audit["ends"] == [("training", "2020-01-01 to 2020-02-01")]
    rows = [re.sub(r"\s", " ", text) for text in audit["examples"][0]["rows"]]
    assert rows == ["row 12 (training)", "row 1,980 (training)"]


def test_copies_are_called_by_name_and_rows_that_equal_test_rows_are_counted(
    tmp_path: Path,
) -> None:
    pair = {**AUDIT["copies"]["examples"][0], "names": ["cat/1.png", "cat/2.png"]}
    copies = {**AUDIT["copies"], "left_out": 0, "equal_to_test": 1234, "examples": [pair]}
    chapter = split_chapter(Record(tmp_path, data={**DATA, "audit": {**AUDIT, "copies": copies}}))
    assert chapter is not None
    audit = chapter.view["audit"]
    assert dict(audit["facts"])["Training rows that equal a test row, and stay"] == "1,234"
    assert audit["examples"][0]["rows"][0] == "row 12 (training): cat/1.png"


def test_a_run_without_an_audit_has_none(tmp_path: Path) -> None:
    record = Record(tmp_path, data=DATA)
    chapter = split_chapter(replace(record))
    assert chapter is not None
    assert chapter.view["audit"] is None
