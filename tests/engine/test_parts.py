"""Every part has a line on what it does and a source, and every setting that is listed exists."""

import pytest

from deepwell.catalog import Catalog
from deepwell.engine import EngineSettings
from deepwell.engine.parts import REGULARISERS, parts
from deepwell.engine.schedules import SCHEDULES
from deepwell.models import settings_class
from deepwell.tasks import TaskSettings


def test_every_part_is_described() -> None:
    names = [part.name for _, _, members in parts() for part in members]
    assert len(names) > 70
    for title, _, members in parts():
        assert len({part.name for part in members}) == len(members)
        for part in members:
            assert part.summary.endswith("."), (title, part.name)
            assert part.source, (title, part.name)
    assert SCHEDULES.describe("cosine").summary == "Fall along half a cosine towards zero."


@pytest.mark.parametrize("name", REGULARISERS)
def test_every_regulariser_is_a_setting(name: str) -> None:
    room, *path = name.split(".")
    owners = {
        "engine": EngineSettings,
        "task": TaskSettings,
        "model": settings_class("resnet18" if "path" in name else "mlp"),
    }
    fields = owners[room].model_fields
    for part in path[:-1]:
        annotation = fields[part].annotation
        assert annotation is not None
        fields = annotation.model_fields
    assert path[-1] in fields


def test_an_entry_without_words_has_empty_ones() -> None:
    catalog = Catalog[int]("number")
    catalog.add("one", 1, source="Euclid")
    assert (catalog.describe("one").summary, catalog.describe("one").source) == ("", "Euclid")
