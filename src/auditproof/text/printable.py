"""Text of logs, policies, cases, servers and file names, made fit to be shown. Pure.

Whoever may send a request to an API server writes the audit log, too: a path may hold an escape sequence that changes
the terminal's title, a line break with a command for the CI runner behind it, or letters that turn the reading order
round. Such characters are shown as Python writes them, ESC as backslash, x, 1b; all other Unicode stays as it is.
A backslash stays, too, so what is shown cannot be turned back: machines read results.json.

Sources: ECMA-48 (C0 and C1 control functions), Unicode Standard Annex #9 (explicit directional formatting), XML 1.0
section 2.2 (characters that no XML document can hold), GitHub's runner (src/Runner.Common/ActionCommand.cs: ``::name
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
    """``text`` in one line, for a cell, a title or a place: line breaks and tabs are shown as escapes, too."""
    return _disarmed(_IN_LINE.sub(_escape, text))


def printable_lines(text: str) -> str:
    """``text`` of several lines, for a terminal or a CI log: line breaks and tabs stay.

    A line that a CI runner would take for a command is shown with its first letter escaped.
    """
    return _disarmed(visible(text))


def visible(text: str) -> str:
    """``text`` of several lines, for HTML and XML: only the characters that these cannot hold, or hide, are shown."""
    return _IN_LINES.sub(_escape, text)


def printable_json(text: str) -> str:
    """``text``, which is JSON, with the same meaning: such characters are in its strings, and are escaped there."""
    return _IN_JSON.sub(lambda found: json.dumps(found[0])[1:-1] if found[0] != "#" else "\\u0023", text)


def _escape(found: re.Match[str]) -> str:
    letter = found[0]
    code = ord(letter)
    return _SHORT.get(letter) or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")


def _disarmed(text: str) -> str:
    return _COMMAND.sub(lambda found: f"{found[1]}\\x3a" if found[1] is not None else "\\x23", text)
