"""Looking at the divided rows before training: leaks, and whether the test rows are alike."""

from __future__ import annotations

from dataclasses import replace

from deepwell.data.check import give_away_note
from deepwell.data.picture_facts import picture_paths
from deepwell.errors import DataError
from deepwell.evaluation.leakage import Leak, find_leaks
from deepwell.evaluation.shift import compare_sides
from deepwell.workflows.prepare import Prepared, Say


def look(prepared: Prepared, say: Say) -> Prepared:
    """Search for leaks and compare the sides, as the settings ask; say what was found.

    Raises:
        DataError: A column gives the target away, and `evaluation.fail_on_leak` is set.
    """
    settings = prepared.settings.evaluation
    if settings.leaks:
        leaks = _find(prepared)
        if settings.fail_on_leak:
            _refuse(leaks)
        for leak in leaks:
            if leak.severity != "note" or leak.is_far_ahead:
                say(f"{leak.severity.capitalize()}: {leak.sentence}")
        prepared = replace(prepared, leaks=leaks, notes=_without_doubles(prepared, leaks))
    if settings.shift:
        shift = compare_sides(
            prepared.schema,
            prepared.train,
            prepared.test,
            made_by=_division(prepared),
            seed=prepared.settings.seed,
        )
        if shift is not None and shift.differs:
            say(shift.verdict)
        prepared = replace(prepared, shift=shift)
    return prepared


def _find(prepared: Prepared) -> tuple[Leak, ...]:
    images = [column.name for column in prepared.schema.inputs if column.kind == "image"]
    paths = picture_paths(prepared.train, images[0], prepared.source.path) if images else None
    return find_leaks(
        prepared.task,
        prepared.schema,
        prepared.train,
        pictures=paths,
        seed=prepared.settings.seed,
    )


def _refuse(leaks: tuple[Leak, ...]) -> None:
    found = [leak for leak in leaks if leak.severity == "leak"]
    if found:
        more = f" ({len(found) - 1} more of such findings.)" if len(found) > 1 else ""
        raise DataError(f"{found[0].sentence}{more} Nothing was trained, as --fail-on-leak asks.")


def _without_doubles(prepared: Prepared, leaks: tuple[Leak, ...]) -> tuple[str, ...]:
    """Leave out notes of the first check that the search tells better."""
    told = {give_away_note(leak.column, leak.target) for leak in leaks}
    return tuple(note for note in prepared.notes if note not in told)


def _division(prepared: Prepared) -> str:
    """Name how the test rows came about."""
    if prepared.source.test is not None:
        return "given"
    method = prepared.settings.split.method
    if method != "auto":
        return method
    roles = [role for role in ("time", "group") if prepared.schema.name_of(role)]
    return roles[0] if roles else "random"
