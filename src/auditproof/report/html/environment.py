"""How the pages are rendered: templates, filters, and a Content-Security-Policy for each page.

Whatever an audit log or a test brings into a page is escaped. The Content-Security-Policy is the second wall: it allows
no script, except one of auditproof's own, by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from html import escape
from importlib import resources
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, FunctionLoader, StrictUndefined
from markupsafe import Markup

from auditproof.audit.event import Level
from auditproof.proof.verdict import Outcome
from auditproof.report.html.file_names import DETAILS, EVIDENCE, TESTS
from auditproof.report.html.method import number
from auditproof.report.matrix import identity_text
from auditproof.report.proof_record import anchor
from auditproof.text.printable import printable, visible

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditproof.report.model import EarlierRule

BODY_SHOWN = 6000  # characters of a body; results.json has all of it
_SECURITY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
_SYMBOLS = {Outcome.PROVEN: "✓", Outcome.VIOLATED: "✗", Outcome.UNPROVEN: "?", Outcome.NOT_SUPPORTED: "-"}
_BODIES = ("requestObject", "responseObject")
_ON_LINES, _ON_ONE_LINE = json.JSONEncoder(indent=1, ensure_ascii=False), json.JSONEncoder(ensure_ascii=False)


def render_part(template: str, **values: Any) -> str:
    """A part of a page: of a template that is no page itself."""
    rendered: str = _environment().get_template(template).render(**values)
    return rendered


def render(template: str, *, styles: Sequence[str] = (), script: str = "", **values: Any) -> str:
    """The page of a template with ``values``; ``styles`` are added to the common one, ``script`` a file name."""
    code = _read(f"scripts/{script}") if script else ""
    allowed = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    policy = f"{_SECURITY}; script-src 'sha256-{allowed}'" if code else _SECURITY
    rendered: str = (
        _environment()
        .get_template(template)
        .render(
            css=Markup("".join(_read(f"styles/{name}") for name in ("base.css", *styles))),  # noqa: S704 - files of the package
            content_security=Markup('<meta http-equiv="Content-Security-Policy" content="{}">').format(Markup(policy)),  # noqa: S704 - constant but for a digest
            script=Markup(code),  # noqa: S704 - a file of the package
            **values,
        )
    )
    return visible(rendered)


def css_text(text: str) -> Markup:
    r"""The printable text as a CSS string, in which only letters and digits stand for themselves.

    >>> str(css_text('a"</style>'))
    '"a\\000022\\00003c\\00002fstyle\\00003e"'
    """
    escaped = "".join(
        letter if letter.isalnum() and letter.isascii() else f"\\{ord(letter):06x}" for letter in printable(text)
    )
    return Markup(f'"{escaped}"')  # noqa: S704 - nothing else is left in it


def event_text(event: Mapping[str, Any]) -> Markup:
    """The event as JSON, a line for each of its fields; only the bodies, which people read for long, take more."""
    text = "{\n" + ",\n".join(f' "{key}": {field_text(key, value)}' for key, value in event.items()) + "\n}"
    return Markup(escape(text, quote=False))  # noqa: S704 - quotes are safe between tags, and there are thousands


def field_text(key: str, value: Any) -> str:
    """A field of an event as JSON; bodies on several lines, and cut where no one reads on."""
    text = (_ON_LINES if key in _BODIES else _ON_ONE_LINE).encode(value)
    if len(text) <= BODY_SHOWN:
        return text
    return f"{text[:BODY_SHOWN]}\n … and {len(text) - BODY_SHOWN} more characters, in results.json"


def _by_condition(earlier: Sequence[EarlierRule]) -> str:
    """The earlier rules by the condition that they fail: ``1, 2 (resources); 3 (verbs)``."""
    found: dict[str, list[str]] = {}
    for entry in earlier:
        found.setdefault(entry.condition, []).append(str(entry.rule + 1))
    return "; ".join(f"{', '.join(rules)} ({condition})" for condition, rules in found.items())


@cache
def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(lambda name: _read(f"templates/{name}")),
    )
    environment.filters |= {"anchor": anchor, "event": event_text, "conditions": _by_condition, "who": identity_text}
    environment.filters |= {"css": css_text, "number": number}
    environment.globals |= {"symbols": _SYMBOLS, "Level": Level}
    environment.globals |= {"details_file": DETAILS, "evidence_file": EVIDENCE, "tests_file": TESTS}
    return environment


def _read(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")
