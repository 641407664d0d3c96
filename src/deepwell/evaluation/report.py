"""The report: one HTML page that tells the story of a run, for people.

The page loads nothing: figures are SVG inside it, pictures are data URLs, there is no script, and a
content security policy forbids all else. It follows the reader's light or dark mode, prints, and
reads on a phone.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from markupsafe import Markup

from deepwell.evaluation import failures, findings, learning, story
from deepwell.evaluation.decision_chapter import decision_chapter
from deepwell.evaluation.diagnosis.chapter import diagnosis_chapter
from deepwell.evaluation.looks import looks_chapter
from deepwell.evaluation.numerals import count, plural
from deepwell.evaluation.race_chapter import race_chapter
from deepwell.evaluation.record import Record
from deepwell.evaluation.slicing.chapters import fairness_chapter, slices_chapter
from deepwell.files import write_text
from deepwell.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

FILE_NAME = "report.html"
_CONTROLS = dict.fromkeys(set(range(32)) - {9, 10, 13}) | dict.fromkeys([0xFFFE, 0xFFFF])
"""Characters that a page must not hold; data may."""


def render(folder: Path) -> str:
    """Return the report of a run as one HTML page.

    Args:
        folder: A run folder; parts that an interrupted run lacks are left out.

    Raises:
        RunError: There is no run in this folder, or a file in it is damaged.
    """
    record = Record.read(folder)
    page = (
        _environment()
        .get_template("report.html.j2")
        .render(
            opening=story.opening(record),
            chapters=chapters(record),
            css=_css(),
            version=(record.manifest.get("versions") or {}).get("deepwell") or __version__,
        )
    )
    # half a character (a lone surrogate) cannot be written as UTF-8
    return page.translate(_CONTROLS).encode("utf-8", "replace").decode("utf-8")


def write(folder: Path) -> Path:
    """Write `report.html` into a run folder and return its path.

    Raises:
        RunError: There is no run in this folder, or a file in it is damaged.
        OutputError: The folder cannot be written.
    """
    path = Path(folder) / FILE_NAME
    write_text(path, render(folder))
    return path


def chapters(record: Record) -> list[story.Chapter]:
    """Return the chapters that this run has, in the order in which they are told."""
    told = [
        findings.verdict_chapter(record),
        story.data_chapter(record),
        story.split_chapter(record),
        race_chapter(record),
        learning.training_chapter(record),
        failures.failures_chapter(record),
        slices_chapter(record),
        fairness_chapter(record),
        findings.calibration_chapter(record),
        decision_chapter(record),
        looks_chapter(record),
        findings.mistakes_chapter(record),
        story.network_chapter(record),
        story.reproduction_chapter(record),
        diagnosis_chapter(record),
    ]
    return [chapter for chapter in told if chapter is not None]


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("deepwell.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters = cast(dict[str, Any], environment.filters)
    filters.update(count=count, plural=plural)
    return environment


def _css() -> Any:
    style = Path(__file__).with_name("templates") / "report.css"
    return Markup(style.read_text(encoding="utf-8"))
