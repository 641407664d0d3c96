"""Pages that are complete in themselves: templates, style, characters that may stand in them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from markupsafe import Markup

from deepwell.evaluation.numerals import count, plural

if TYPE_CHECKING:
    from jinja2 import Environment

_CONTROLS = dict.fromkeys(set(range(32)) - {9, 10, 13}) | dict.fromkeys([0xFFFE, 0xFFFF])
"""Characters that a page must not hold; data may."""


def render_page(template: str, view: Mapping[str, Any], *, styles: Sequence[str]) -> str:
    """Return a page.

    Args:
        template: Its name in `templates/`.
        view: What the template shows.
        styles: Names of the style sheets, which are written into the page.
    """
    page = _environment().get_template(template).render(css=_css(styles), **view)
    # half a character (a lone surrogate) cannot be written as UTF-8
    return page.translate(_CONTROLS).encode("utf-8", "replace").decode("utf-8")


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


def _css(styles: Sequence[str]) -> Markup:
    folder = Path(__file__).with_name("templates")
    return Markup("".join((folder / name).read_text(encoding="utf-8") for name in styles))
