"""The description of a policy as one static page of HTML: no script, nothing loaded, the same for the same meaning."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from auditproof.analysis.describe import TITLE, introduction, sections
from auditproof.text.printable import visible

if TYPE_CHECKING:
    from auditproof.analysis.describe import Description


def description_page(described: Description, source: str = "") -> str:
    """The page, with ``source`` as its last line, if any."""
    return visible(
        _environment()
        .get_template("page.html.j2")
        .render(
            title=TITLE,
            introduction=introduction(described),
            sections=sections(described),
            source=source,
            css=Markup(_read("page.css")),  # noqa: S704 - a file of the package
        )
    )


@cache
def _environment() -> Environment:
    return Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, loader=FunctionLoader(_read)
    )


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
