"""Pages of their own beside the report, in its style: complete in themselves, without a script."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from markupsafe import Markup

from deepwell.evaluation.numerals import count, plural
from deepwell.version import __version__

if TYPE_CHECKING:
    from jinja2 import Environment

_CONTROLS = dict.fromkeys(set(range(32)) - {9, 10, 13}) | dict.fromkeys([0xFFFE, 0xFFFF])
"""Characters that a page must not hold; data may."""


def render_sheet(template: str, *, title: str, view: dict[str, Any]) -> str:
    """Return a page.

    Args:
        template: Name of a template that extends `sheet.html.j2`.
        title: Of the page.
        view: What the template shows.
    """
    page = _environment().get_template(template)
    text = page.render(title=title, css=_css(), version=__version__, **view)
    # half a character (a lone surrogate) cannot be written as UTF-8
    return text.translate(_CONTROLS).encode("utf-8", "replace").decode("utf-8")


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
    cast(dict[str, Any], environment.filters).update(count=count, plural=plural)
    return environment


def _css() -> Markup:
    folder = Path(__file__).with_name("templates")
    names = ("report.css", "sheet.css")
    return Markup("".join((folder / name).read_text(encoding="utf-8") for name in names))
