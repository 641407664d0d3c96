"""A stand-in for a race: the strongest of the models that answer, trained alone."""

from __future__ import annotations

from dataclasses import replace

from deepwell.errors import RunError
from deepwell.runs import RunFolder
from deepwell.workflows.plan import resolve
from deepwell.workflows.portfolio import entrants_for
from deepwell.workflows.prepare import Prepared

_OF_ALL = ("task", "engine", "encode")
"""Groups of settings that the user's choice of holds for each model that competes."""


def strongest_alone(run: RunFolder, prepared: Prepared) -> tuple[Prepared, str]:
    """Return the data with the settings of one model, and its name, "" where only one was trained.

    A race cannot be held twenty times. Of the models that answer together, the one with the
    largest share is trained in their place.

    Args:
        run: A finished run.
        prepared: Its data and settings.

    Raises:
        RunError: The race was held by a version of Deepwell with other models.
    """
    asked = prepared.settings
    if asked.model.name != "auto":
        return prepared, ""
    models = run.read("race.json")["models"]
    title = str(max(models, key=lambda model: model["weight"])["name"])
    rows = prepared.train.concat(prepared.val)
    known = {one.title: one for one in entrants_for(prepared.task, rows)}
    if title not in known:
        raise RunError(
            f"{run.path} was made by another version of Deepwell, whose model {title} is not "
            "known here. Start again with `deepwell train`."
        )
    given = asked.given()
    overrides = known[title].settings(
        {name: given[name] for name in _OF_ALL if name in given}, len(rows)
    )
    own = resolve(overrides, prepared.schema, len(rows), question=prepared.task.name)
    update = {name: getattr(own, name) for name in ("model", *_OF_ALL)}
    return replace(prepared, settings=asked.model_copy(update=update)), title
