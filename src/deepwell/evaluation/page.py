"""Pages that are complete in themselves: templates, style, characters that may stand in them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from markupsafe import Markup, escape

from deepwell.evaluation.numerals import THIN, count, plural

if TYPE_CHECKING:
    from jinja2 import Environment

_CONTROLS = dict.fromkeys(set(range(32)) - {9, 10, 13}) | dict.fromkeys([0xFFFE, 0xFFFF])
"""Characters that a page must not hold; data may."""
_TORN = re.compile(r"(?<=\d) %(?![\w%])")
"""A space at which a line may end between a number and its sign."""


def render_page(template: str, view: Mapping[str, Any], *, styles: Sequence[str]) -> str:
    """Return a page.

    Args:
        template: Its name in `templates/`.
        view: What the template shows.
        styles: Names of the style sheets, which are written into the page.
    """
    page = _environment().get_template(template).render(css=_css(styles), **view)
    page = _TORN.sub(f"{THIN}%", page)
    # half a character (a lone surrogate) cannot be written as UTF-8
    return page.translate(_CONTROLS).encode("utf-8", "replace").decode("utf-8")


def command(text: str) -> Markup:
    """Return a command whose options are not torn after their hyphens at the end of a line.

    Example:
        >>> str(command("deepwell resume runs/a -h"))
        'deepwell resume runs/a <span class="word">-h</span>'
    """
    return Markup(re.sub(r"(?<!\S)-\S+", r'<span class="word">\g<0></span>', str(escape(text))))


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
    filters.update(count=count, plural=plural, command=command)
    return environment


def _css(styles: Sequence[str]) -> Markup:
    folder = Path(__file__).with_name("templates")
    return Markup("".join((folder / name).read_text(encoding="utf-8") for name in styles))
