"""Falco's patterns (regex, glob and pmatch) as those of auditproof's conditions. Pure."""

from __future__ import annotations

import re
import warnings

from auditproof.detections.condition import Operator
from auditproof.detections.readers.falco.unreadable import Unreadable

_CLASSES = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": "\\x00-\\x7f",
    "blank": "\\t ",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-\\~",
    "lower": "a-z",
    "print": " -\\~",
    "punct": "!-/:-@\\[-`\\{-\\~",
    "space": "\\t\\n\\v\\f\\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_REPEAT = re.compile(r"[*+?]|\{\d+(?:,\d*)?\}")
_MOST_REPEATED = 1000  # kMaxRepeat of RE2
_ESCAPED_LETTERS = "afnrtv"


def posix_regex(pattern: str) -> str:
    r"""A pattern of RE2 in POSIX syntax, which must match a whole value, as one of Python that is searched.

    Source: sinsp_filter_check::add_filter_value and matches_rhs_regex of falcosecurity/libs. That syntax has no
    ``\d`` or ``\b``, no lazy repetition and no ``(?``; Falco refuses a rule with one of them.

    >>> from auditproof.detections.readers.falco.patterns import posix_regex
    >>> print(posix_regex("[[:alpha:]]+-prod"))
    (?am)\A(?:[A-Za-z]+\-prod)\Z
    """
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if repeat := _REPEAT.match(pattern, at):
            at = repeat.end()
            if any(int(number) > _MOST_REPEATED for number in re.findall(r"\d+", repeat[0])):
                raise _refused(pattern, f"repeats more than {_MOST_REPEATED} times, {repeat[0]}")
            if _REPEAT.match(pattern, at):
                raise _refused(pattern, f"has a repetition of a repetition, {repeat[0]}{pattern[at]}")
            parts.append(repeat[0])
            continue
        if character == "[":
            text, at = _bracket(pattern, at)
            parts.append(text)
            continue
        if character == "\\":
            text, at = _escape(pattern, at)
            parts.append(text)
            continue
        if pattern.startswith("(?", at):
            raise _refused(pattern, "has a group (?...), which is not POSIX syntax")
        parts.append(character if character in "().|^$" else re.escape(character))
        at += 1
    _compiled(pattern, "".join(parts))  # by itself, because around it even )( would do
    return rf"(?am)\A(?:{''.join(parts)})\Z"


def _bracket(pattern: str, at: int) -> tuple[str, int]:
    """The bracket expression at a place, and the place behind it."""
    start = at
    text = "["
    at += 1
    if pattern[at : at + 1] == "^":
        text, at = "[^", at + 1
    first = True
    while at < len(pattern) and (pattern[at] != "]" or first):
        first = False
        if pattern[at] == "\\":
            part, at = _escape(pattern, at)
        elif found := re.compile(r"\[:(\^?)(\w+):\]").match(pattern, at):
            if found[1] or found[2] not in _CLASSES:
                raise _refused(pattern, f"has the class {found[0]}")
            part, at = _CLASSES[found[2]], found.end()
        else:
            part = pattern[at] if pattern[at] == "-" else re.escape(pattern[at])
            at += 1
        text += part
    if at >= len(pattern):
        raise _refused(pattern, f"has no ] for the [ at character {start + 1}")
    return f"{text}]", at + 1


def _escape(pattern: str, at: int) -> tuple[str, int]:
    escaped = pattern[at + 1 : at + 2]
    if not escaped or (escaped.isalnum() and escaped not in _ESCAPED_LETTERS):
        raise _refused(pattern, f"has \\{escaped}, which is not POSIX syntax")
    return (f"\\{escaped}" if escaped.isalnum() else re.escape(escaped)), at + 2


def _compiled(pattern: str, translated: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(translated)
    except (re.error, OverflowError, RecursionError, Warning) as error:
        raise _refused(pattern, f"cannot be read: {error}") from None
    return translated


def _refused(pattern: str, why: str) -> Unreadable:
    return Unreadable(f'the regex "{pattern}" {why}')


def glob(pattern: str) -> tuple[Operator, str]:
    """A pattern of fnmatch(3), where * also stands for slashes, as a wildcard, or a regex if it has [brackets].

    Source: sinsp_utils::glob_match of falcosecurity/libs, which passes no flags.
    """
    wildcard, regex = "", ""
    at = 0
    has_bracket = False
    while at < len(pattern):
        character = pattern[at]
        if character == "[" and (found := re.compile(r"\[([!^]?)(\]?[^\]\[\\]*)\]").match(pattern, at)):
            has_bracket = True
            inside = "".join(one if one == "-" else re.escape(one) for one in found[2])
            regex += f"[{'^' if found[1] else ''}{inside}]"
            at = found.end()
            continue
        if character == "[":
            raise Unreadable(f'the glob "{pattern}" has a [ that begins no simple set of characters')
        if character == "\\":
            at += 1
            if at == len(pattern):
                raise Unreadable(f'the glob "{pattern}" ends with a backslash, so that it matches nothing')
        is_literal = character == "\\" or character not in "*?"
        character = pattern[at]
        wildcard += f"\\{character}" if is_literal and character in "*?\\" else character
        regex += re.escape(character) if is_literal else f".{'*' if character == '*' else ''}"
        at += 1
    if not has_bracket:
        return Operator.WILDCARD, wildcard
    return Operator.REGEX, _compiled(pattern, rf"(?s)\A(?:{regex})\Z")


def path_prefix(path: str) -> str:
    """A path for ``pmatch`` as a regex: it matches this path and every path below, however many slashes are repeated.

    Source: path_prefix_map of falcosecurity/libs; a part of a path may have the wildcards * and ?.
    """
    parts = [part for part in path.split("/") if part]
    if not parts:
        return r"(?s)\A"
    if any("[" in part or ("\\" in part and set(part) & set("*?")) for part in parts):
        raise Unreadable(f'the path "{path}" of pmatch has a [ or a backslash')
    wild = {"*": "[^/]*", "?": "[^/]"}
    regexes = ["".join(wild.get(one, re.escape(one)) for one in part) for part in parts]
    return rf"(?s)\A/*{'/+'.join(regexes)}(?:/.*)?\Z"


def before(text: str) -> str:
    """A regex of the texts that come before ``text`` in the order of strcmp(3)."""
    beginnings = [re.escape(text[:length]) for length in range(len(text))]
    smaller = [f"{begin}[\\x00-\\x{ord(one) - 1:02x}].*" for begin, one in zip(beginnings, text, strict=True)]
    return rf"(?s)\A(?:{'|'.join([*beginnings, *smaller])})\Z"
