"""The report: one HTML page that tells the story of a run, for people.

The page loads nothing: figures are SVG inside it, pictures are data URLs, there is no script, and a
content security policy forbids all else. It follows the reader's light or dark mode, prints, and
reads on a phone.
"""

from __future__ import annotations

from pathlib import Path

from deepwell.evaluation.chapters.answer import answer_chapter
from deepwell.evaluation.chapters.belief import belief_chapter
from deepwell.evaluation.chapters.calibration import calibration_chapter
from deepwell.evaluation.chapters.data import data_chapter
from deepwell.evaluation.chapters.decision import decision_chapter
from deepwell.evaluation.chapters.failures import failures_chapter
from deepwell.evaluation.chapters.mistakes import mistakes_chapter
from deepwell.evaluation.chapters.network import network_chapter
from deepwell.evaluation.chapters.question import question_chapter
from deepwell.evaluation.chapters.reproduce import reproduction_chapter
from deepwell.evaluation.chapters.split import split_chapter
from deepwell.evaluation.chapters.training import training_chapter
from deepwell.evaluation.chapters.uncertainty import uncertainty_chapter
from deepwell.evaluation.diagnosis.chapter import diagnosis_chapter
from deepwell.evaluation.folds_chapter import folds_chapter
from deepwell.evaluation.looks import looks_chapter
from deepwell.evaluation.opening import opening
from deepwell.evaluation.page import render_page
from deepwell.evaluation.race_chapter import race_chapter
from deepwell.evaluation.record import Record
from deepwell.evaluation.slicing.chapters import fairness_chapter, slices_chapter
from deepwell.evaluation.story import Chapter, Part
from deepwell.files import write_text
from deepwell.version import __version__

FILE_NAME = "report.html"
STORY = (
    Part("The question", (question_chapter,)),
    Part("The data", (data_chapter,)),
    Part("The split", (split_chapter,)),
    Part("The answer", (answer_chapter, race_chapter, training_chapter)),
    Part(
        "Why believe it",
        (
            belief_chapter,
            folds_chapter,
            looks_chapter,
            calibration_chapter,
            decision_chapter,
            uncertainty_chapter,
        ),
    ),
    Part("Where it fails", (failures_chapter, slices_chapter, fairness_chapter, mistakes_chapter)),
    Part("What next", (diagnosis_chapter,)),
    Part("For the record", (network_chapter, reproduction_chapter)),
)
"""The order in which a run is told. A chapter is one function and the template of its name."""


def render(folder: Path) -> str:
    """Return the report of a run as one HTML page.

    Args:
        folder: A run folder; parts that an interrupted run lacks are left out.

    Raises:
        RunError: There is no run in this folder, or a file in it is damaged.
    """
    record = Record.read(folder)
    view = {
        "opening": opening(record),
        "story": told(record),
        "version": (record.manifest.get("versions") or {}).get("deepwell") or __version__,
    }
    return render_page("report.html.j2", view, styles=("report.css",))


def write(folder: Path) -> Path:
    """Write `report.html` into a run folder and return its path.

    Raises:
        RunError: There is no run in this folder, or a file in it is damaged.
        OutputError: The folder cannot be written.
    """
    path = Path(folder) / FILE_NAME
    write_text(path, render(folder))
    return path


def told(record: Record) -> list[tuple[str, list[Chapter]]]:
    """Return the parts that this run has, each with its chapters, in the order of the story."""
    parts = [(part.title, part.told(record)) for part in STORY]
    return [(title, chapters) for title, chapters in parts if chapters]
