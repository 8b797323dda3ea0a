"""Resolves YAML scalars as Kubernetes does: to a string, a boolean, a number or null.

Source: resolve.go of go.yaml.in/yaml/v2. It is YAML 1.1: the plain words ``yes``, ``on`` and even ``y`` are booleans, a
leading 0 makes an octal number, and a number out of range stays a string. Timestamps stay strings.
"""

from __future__ import annotations

import base64
import re
from datetime import date

_PREFIX = "tag:yaml.org,2002:"
_RESOLVED = frozenset({"str", "bool", "int", "float", "null", "timestamp"})


class MergeKey(str):
    """The text ``<<`` as a merge key; as a value it is only a string."""

    __slots__ = ()


MERGE = MergeKey("<<")
Scalar = str | bool | int | float | None

_WORDS: dict[str, tuple[str, Scalar]] = {
    **dict.fromkeys(["y", "Y", "yes", "Yes", "YES", "true", "True", "TRUE", "on", "On", "ON"], ("bool", True)),
    **dict.fromkeys(["n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF"], ("bool", False)),
    **dict.fromkeys(["", "~", "null", "Null", "NULL"], ("null", None)),
    **dict.fromkeys([".nan", ".NaN", ".NAN"], ("float", float("nan"))),
    **dict.fromkeys([".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"], ("float", float("inf"))),
    **dict.fromkeys(["-.inf", "-.Inf", "-.INF"], ("float", float("-inf"))),
}
_INTEGER = re.compile(
    r"[-+]?(?:0[xX](?P<hex>[0-9a-fA-F]+)|0[bB](?P<bin>[01]+)|0[oO]?(?P<oct>[0-7]+)|(?P<dec>0|[1-9][0-9]*))"
)
# go-yaml v2 passes what follows 0b to ParseInt, which accepts a sign there.
_SIGN_AFTER_0B = re.compile(r"0b(?P<bin>[-+][01]+)")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_BASES = {"hex": 16, "bin": 2, "oct": 8, "dec": 10}
_TIMESTAMP = re.compile(
    r"(?P<year>[0-9]{4})-(?P<month>[0-9]{1,2})-(?P<day>[0-9]{1,2})"
    r"(?:[Tt](?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{1,2}):(?P<second>[0-9]{1,2})([.,][0-9]+)?(Z|[-+][0-9]{2}:[0-9]{2})"
    r"| +(?P<hour2>[0-9]{1,2}):(?P<minute2>[0-9]{1,2}):(?P<second2>[0-9]{1,2})([.,][0-9]+)?)?"
)


def resolve(text: str, tag: str | None, *, plain: bool) -> Scalar:
    """Return the value of a scalar; ``plain``: it has neither quotes nor a tag; ``tag`` is the full tag, if any.

    Raises ValueError with Go's message if the text does not fit its tag.
    """
    if not tag:
        if not plain:
            return text
        return MERGE if text == "<<" else _kind_and_value(text)[1]
    kind = tag.removeprefix(_PREFIX) if tag.startswith(_PREFIX) else ""
    if kind == "binary":
        try:
            return base64.b64decode(text.replace("\n", "").replace("\r", ""), validate=True).decode(errors="replace")
        except ValueError:
            raise ValueError("!!binary value contains invalid base64 data") from None
    if kind == "merge":
        return MERGE if text == "<<" else text
    if kind not in _RESOLVED or kind == "str":
        return text
    if kind == "timestamp" and _is_timestamp(text):
        return text
    found, value = _kind_and_value(text)
    if found == kind:
        return value
    if kind == "float" and found == "int" and isinstance(value, int) and value < 2**63:
        return float(value)
    raise ValueError(f"cannot decode !!{found} `{text}` as a !!{kind}")


def _kind_and_value(text: str) -> tuple[str, Scalar]:
    found = _WORDS.get(text)
    if found is not None:
        return found
    if text[0] == "." or text[0] in "+-0123456789":
        # A 64-bit integer, else a finite float, else the text itself. Underscores are ignored, except in a number that
        # begins with a dot (resolve.go of go-yaml v2).
        digits = text if text[0] == "." else text.replace("_", "")
        integer = None if text[0] == "." else _integer(digits)
        if integer is not None:
            return "int", integer
        if _FLOAT.fullmatch(digits) and abs(number := float(digits)) != float("inf"):
            return "float", number
    return "str", text


def _integer(digits: str) -> int | None:
    found = _INTEGER.fullmatch(digits) or _SIGN_AFTER_0B.fullmatch(digits)
    if found is None or not found.lastgroup:
        return None
    # More than 70 significant digits exceed 64 bits in any base; int() refuses more than 4,300 decimal ones.
    significant = found[found.lastgroup].lstrip("0") or "0"
    number = int(significant, _BASES[found.lastgroup]) if len(significant) <= 70 else 2**64
    if digits[0] == "-":
        number = -number
    unsigned = digits[0] not in "+-" and found.re is _INTEGER
    return number if -(2**63) <= number < (2**64 if unsigned else 2**63) else None


def _is_timestamp(text: str) -> bool:
    found = _TIMESTAMP.fullmatch(text)
    if found is None:
        return False
    part = {key: int(value) for key, value in found.groupdict(default="0").items()}
    try:
        date(part["year"] or 1, part["month"], part["day"])
    except ValueError:
        return False
    hour, minute, second = (part[key] + part[f"{key}2"] for key in ("hour", "minute", "second"))
    return hour < 24 and minute < 60 and second < 60
