"""What was checked before the score may be believed: a question, a short answer, a sign."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from deepwell.evaluation.contest import primary_of
from deepwell.evaluation.looks import looks_sentence
from deepwell.evaluation.numerals import count, is_number, metric_texts, plural, shortened
from deepwell.evaluation.record import Json, Record
from deepwell.evaluation.story import confidence

State = Literal["good", "warn", "open"]


@dataclass(frozen=True, slots=True)
class Check:
    """One question about the score.

    Args:
        question: What a doubting reader asks.
        answer: In a sentence or two.
        state: "good": settled; "warn": look at it before using the score; "open": this run
            cannot tell.
        chapter: Anchor of the chapter that says more, or "".
        action: What to type, or "".
    """

    question: str
    answer: str
    state: State = "good"
    chapter: str = ""
    action: str = ""


def checks(record: Record) -> list[Check]:
    """Return all checks of a run that was scored, in the order in which a reader asks."""
    if not primary_of(record.evaluation):
        return []
    found = [
        _leaks(record.data.get("leaks")),
        _copies(record.data.get("audit") or {}),
        _choices(record),
        _likeness(record.data.get("shift") or {}),
        _luck(record),
        _same_chance(record),
        Check(
            "What can this run not tell?",
            "How the model does on rows of another place or time than these, and how much the "
            "score depends on the random start: for that, train again with another --seed.",
            state="open",
        ),
    ]
    return [check for check in found if check is not None]


def _leaks(leaks: Sequence[Json] | None) -> Check | None:
    question = "Does a column give the answer away?"
    if leaks is None:
        return None
    grave = [leak for leak in leaks if leak["severity"] != "note"]
    if not grave:
        return Check(question, "None was found: each was tried alone on the training rows.")
    more = f" {plural(len(grave) - 1, 'more finding')} of this kind." if len(grave) > 1 else ""
    first = grave[0]
    return Check(
        question,
        shortened(first["sentence"], 400) + more,
        state="warn",
        chapter="data",
        action=_ignoring(first),
    )


def _ignoring(leak: Json) -> str:
    action = str(leak.get("action") or "")
    return f"deepwell train … {action}" if action.startswith("--") else ""


def _copies(audit: Json) -> Check | None:
    if not audit:
        return None
    question = "Are test rows, or copies of them, among the training rows?"
    copies, group = audit["copies"], audit.get("group") or {}
    crossing = copies["crossing"] + (group.get("crossing") or 0)
    if copies["search"] == "none":
        return Check(question, "Copies were not looked for.", state="open", chapter="split")
    if copies.get("ordinary") and not group.get("crossing"):
        words = "Some rows are equal, which is ordinary here: few combinations of values exist."
        return Check(question, words, chapter="split")
    if not crossing:
        found = copies["exact"] + copies["near"]
        kept = (
            f" {plural(found, 'copy', 'copies')} stayed on the side of their row." if found else ""
        )
        return Check(question, f"No.{kept}", chapter="split")
    return Check(question, audit["verdict"], state="warn", chapter="split")


def _choices(record: Record) -> Check | None:
    rows = record.evaluation.get("rows") or {}
    if not (is_number(rows.get("val")) and is_number(rows.get("test"))):
        return None
    question = "Was anything chosen by looking at the test rows?"
    has_folds = bool(record.folds) or (record.race.get("folds") or 1) > 1
    others = "rows that were held out of each training"
    if not has_folds:
        others = f"{count(rows['val'])} other rows, the validation rows,"
    fresh = f"Not in this run: {others} made all choices."
    if len(record.looks) > 1:
        words = f"{fresh} {looks_sentence(record.looks)}"
        return Check(question, words, state="warn", chapter="looks")
    siblings = record.evaluation.get("siblings") or {}
    if siblings.get("sentence"):
        return Check(question, f"{fresh} {siblings['sentence']}", state="open", chapter="looks")
    once = f"The {count(rows['test'])} test rows were scored once, at the end."
    return Check(question, f"{fresh} {once}", chapter="split")


def _likeness(shift: Json) -> Check | None:
    if not shift:
        return None
    question = "Are the test rows like the training rows?"
    if shift["differs"]:
        return Check(question, shift["verdict"], state="warn", chapter="split")
    return Check(question, "Yes. A model that tries to tell them apart cannot.", chapter="split")


def _luck(record: Record) -> Check | None:
    primary = primary_of(record.evaluation)
    _, interval = metric_texts(primary, record.evaluation["metrics"][primary])
    if not interval:
        return None
    share = confidence(record)
    return Check(
        "Could the score be luck?",
        f"The interval says how far: with other test rows of the same source the score would lie "
        f"within {interval} about {share} of the time. It was found by drawing the test rows "
        "again and again.",
    )


def _same_chance(record: Record) -> Check | None:
    if not record.evaluation.get("baselines"):
        return Check(
            "Is it better than something simple?",
            "That was not asked: no simple model was trained beside it.",
            state="open",
        )
    return Check(
        "Had the simple models the same chance?",
        "Yes. They learned from the same training rows and were scored on the same test rows; "
        "differences were measured row by row.",
        chapter="answer",
    )
