"""Pages of their own beside the report, in its style: complete in themselves, without a script."""

from __future__ import annotations

from typing import Any

from deepwell.evaluation.page import render_page
from deepwell.version import __version__


def render_sheet(template: str, *, title: str, view: dict[str, Any]) -> str:
    """Return a page.

    Args:
        template: Name of a template that extends `sheet.html.j2`.
        title: Of the page.
        view: What the template shows.
    """
    shown = {"title": title, "version": __version__, **view}
    return render_page(template, shown, styles=("report.css", "sheet.css"))
