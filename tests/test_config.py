import pytest

from deepwell.config import Settings, merge, parse_assignment
from deepwell.errors import ConfigError


class Heat(Settings):
    degrees: int = 180
    """Degrees Celsius."""


class Oven(Settings):
    heat: Heat = Heat()
    """How hot."""
    name: str = "oven"
    """Its name."""


def test_unknown_names_are_found_at_every_depth() -> None:
    with pytest.raises(ConfigError, match=r'"nme"\. Did you mean "name"'):
        Oven.model_validate({"nme": "x"})
    with pytest.raises(ConfigError, match=r'"heat\.degree"\. Did you mean "degrees"'):
        Oven.model_validate({"heat": {"degree": 3}})
    with pytest.raises(ConfigError, match="Known: degrees"):
        Oven.model_validate({"heat": {"zzz": 3}})


def test_a_wrong_value_is_named_with_what_was_given() -> None:
    with pytest.raises(ConfigError, match=r"heat.degrees.*Got: 'hot'"):
        Oven.model_validate({"heat": {"degrees": "hot"}})
    with pytest.raises(ConfigError, match="degrees"):
        Heat(degrees="hot")


def test_settings_cannot_be_changed_afterwards() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Oven().name = "other"


def test_field_docstrings_become_descriptions() -> None:
    assert Heat.model_fields["degrees"].description == "Degrees Celsius."


def test_merge_leaves_both_sides_alone() -> None:
    base, changes = {"a": {"b": 1}}, {"a": {"c": 2}, "d": 3}
    assert merge(base, changes) == {"a": {"b": 1, "c": 2}, "d": 3}
    assert base == {"a": {"b": 1}}
    assert changes == {"a": {"c": 2}, "d": 3}


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("3e-4", 3e-4), ("true", True), ("[1, 2]", [1, 2]), ('"7"', "7"), ("a b", "a b")],
)
def test_assignments_read_toml_values_or_plain_text(text: str, value: object) -> None:
    assert parse_assignment(f"x.y={text}") == {"x": {"y": value}}


@pytest.mark.parametrize("text", ["x", "=3", "x..y=3", ""])
def test_assignments_without_name_or_sign(text: str) -> None:
    with pytest.raises(ConfigError, match=r"group\.name=value"):
        parse_assignment(text)
