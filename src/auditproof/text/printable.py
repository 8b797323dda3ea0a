"""Makes text of logs, policies, cases, servers and file names safe to print. Pure.

Anyone who can send a request to an API server also writes to the audit log: a path may contain an escape sequence that
changes the terminal's title, a line break followed by a command for the CI runner, or characters that reverse the
reading direction. Such characters are printed as Python escapes, ESC as backslash, x, 1b; all other Unicode stays.
Backslashes are not escaped, so the result cannot be converted back: programs read results.json.

Sources: ECMA-48 (C0 and C1 control functions), Unicode Standard Annex #9 (explicit directional formatting), XML 1.0
section 2.2 (characters not allowed in XML), GitHub's runner (src/Runner.Common/ActionCommand.cs: ``::name
...::`` at the beginning of a line, ``##[`` anywhere in it), and the logging commands of Azure Pipelines and TeamCity.
"""

from __future__ import annotations

import json
import re

_DIRECTIONS = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_BREAKS = "\u2028\u2029"
_NO_TEXT = "\ud800-\udfff\ufeff\ufff9-\ufffb\ufffe\uffff"
_HIDDEN = f"\x7f-\x9f{_DIRECTIONS}{_BREAKS}{_NO_TEXT}"
_IN_LINE = re.compile(f"[\x00-\x1f{_HIDDEN}]")
_IN_LINES = re.compile(f"[\x00-\x08\x0b-\x1f{_HIDDEN}]")
_IN_JSON = re.compile(f"[{_HIDDEN}]|#(?=#(?:vso|teamcity)?\\[)")
_SHORT = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
_COMMAND = re.compile(r"^(\s*):(?=:[A-Za-z][^\n]*::)|#(?=#(?:vso|teamcity)?\[)", re.MULTILINE)


def printable(text: str) -> str:
    """Return ``text`` on one line, for a cell, a title or a position: line breaks and tabs are escaped as well."""
    return _disarmed(_IN_LINE.sub(_escape, text))


def printable_lines(text: str) -> str:
    """Return ``text`` for a terminal or a CI log: line breaks and tabs stay.

    The first character of a line that a CI runner would execute as a command is escaped.
    """
    return _disarmed(visible(text))


def visible(text: str) -> str:
    """Return ``text`` for HTML and XML: only characters that these forbid, or that are invisible, are escaped."""
    return _IN_LINES.sub(_escape, text)


def printable_json(text: str) -> str:
    """Return the JSON ``text`` with the same meaning, such characters escaped in its strings."""
    return _IN_JSON.sub(lambda found: json.dumps(found[0])[1:-1] if found[0] != "#" else "\\u0023", text)


def _escape(found: re.Match[str]) -> str:
    letter = found[0]
    code = ord(letter)
    return _SHORT.get(letter) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def _disarmed(text: str) -> str:
    return _COMMAND.sub(lambda found: f"{found[1]}\\x3a" if found[1] is not None else "\\x23", text)
