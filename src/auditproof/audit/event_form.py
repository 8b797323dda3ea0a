"""Decodes one line of an audit log and checks it against the types of audit.k8s.io/v1 Event. Pure.

A client decides much of a line's content: a patch is recorded as sent, and an object of a custom resource may be nested
10,000 levels deep. So nothing here recurses deeper than DEEPEST levels, and the result has the types that its readers
rely on. A line that does not is rejected with one sentence; other lines are not affected.

Sources: staging/src/k8s.io/apiserver/pkg/apis/audit/v1/types.go, k8s.io/api authentication/v1 (UserInfo), apimachinery
pkg/apis/meta/v1 (Status, MicroTime); encoding/json for what Go accepts: a null field counts as absent, an
unknown field is ignored, and an integer has no fraction.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

DEEPEST = 100  # levels of an event that are read; no hand-written object is nested deeper
BODIES = frozenset({"requestObject", "responseObject"})
NOT_READ = f"<not read: nested deeper than {DEEPEST} levels>"
_DEEPEST_OF_GO = 10_000  # encoding/json scanner.go maxNestingDepth: no API server writes more
_MOST_DIGITS = 400  # of an integer that is converted; a longer one stays text
_INT32 = 2**31
_SHOWN = 60
_SPACE = " \t\r\n"

_HALF = re.compile(r"\\u[dD]")
_SURROGATE = re.compile("[\ud800-\udfff]")
_BRACKET = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[-+]\d\d:\d\d)", re.ASCII)

_Form: TypeAlias = "type[str] | Callable[[Any], None]"


class _Repeated(dict[str, Any]):
    """An object with the duplicate key ``key``. A client can send such a body; the last value counts."""

    __slots__ = ("key",)
    key: str


def decode(line: bytes) -> Any:
    """Return the JSON value of ``line``; values nested deeper than DEEPEST levels are replaced with NOT_READ.

    Numbers that Python or a report cannot hold stay text (integers of thousands of digits, infinite ones), and half of
    a surrogate pair becomes U+FFFD, as in Go. Raises ValueError if the line is not JSON in UTF-8.
    """
    # Without an argument, strip() would remove more than JSON's white space.
    text = line.decode().strip(_SPACE)
    try:
        value, end = _DECODER.raw_decode(text)
    except RecursionError:
        # Python's decoder recurses, and how deep it gets depends on the stack that is left.
        value, end = _in_pieces(text), len(text)
    if end != len(text):
        raise ValueError(f"unexpected text after the JSON: {shown(text[end:])}")
    # Only a body, which a client wrote, can be deep: the other fields are checked against their types.
    if type(value) is dict and not value.keys().isdisjoint(BODIES) and _is_deep(value, text):
        value = _in_pieces(text)
    return _mended(value) if _HALF.search(text) else value


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    return _with_key(found, Counter(name for name, _ in pairs).most_common(1)[0][0])


def _with_key(found: dict[str, Any], key: str) -> _Repeated:
    repeated = _Repeated(found)
    repeated.key = key
    return repeated


def repeated_key(value: Any) -> str | None:
    """The duplicate key of an object returned by ``decode``, or None."""
    return value.key if isinstance(value, _Repeated) else None


def _integer(text: str) -> int | str:
    return int(text) if len(text) <= _MOST_DIGITS else text


def _number(text: str) -> float | str:
    number = float(text)
    return number if math.isfinite(number) else text


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object_of, parse_int=_integer, parse_float=_number, parse_constant=_no_number
)


def _is_deep(value: Any, text: str) -> bool:
    """Whether a value is nested deeper than DEEPEST; ``text`` is its JSON."""
    if text.count("{") + text.count("[") <= DEEPEST:
        return False
    level = [value]
    for _ in range(DEEPEST):
        children = (each.values() if isinstance(each, dict) else each for each in level)
        level = [child for inner in children for child in inner if isinstance(child, dict | list)]
        if not level:
            return False
    return True


def _in_pieces(text: str) -> Any:
    """The value of a deeply nested text; parts that are cut off are still checked to be JSON."""
    cuts: list[list[str]] = [[]]
    depth = at = 0
    for found in _BRACKET.finditer(text):
        if found[0] in ("{", "["):
            if depth and depth % DEEPEST == 0:
                cuts[-1].append(text[at : found.start()])
                at = found.start()
                cuts.append([])
            depth += 1
            if depth > _DEEPEST_OF_GO:
                raise ValueError(f"it is nested deeper than {_DEEPEST_OF_GO} levels, which no API server writes")
        elif found[0] in ("}", "]"):
            depth -= 1
            if depth > 0 and depth % DEEPEST == 0:
                piece = "".join([*cuts.pop(), text[at : found.end()]])
                at = found.end()
                # Only to see that it is JSON: what is cut off must not hide an invalid line.
                _DECODER.decode(piece)
                cuts[-1].append(json.dumps(NOT_READ))
    if len(cuts) > 1:
        raise ValueError("it ends inside an object or a list")
    return _DECODER.decode("".join([*cuts[0], text[at:]]))


def _mended(value: Any) -> Any:
    """Recurses at most DEEPEST levels: deeper values were cut off."""
    if isinstance(value, str):
        return _SURROGATE.sub("\ufffd", value)
    if isinstance(value, list):
        return [_mended(item) for item in value]
    if isinstance(value, dict):
        mended = {_mended(key): _mended(item) for key, item in value.items()}
        return _with_key(mended, value.key) if isinstance(value, _Repeated) else mended
    return value


def check_event(raw: Any) -> None:
    """Check a decoded line against the types of audit.k8s.io/v1 Event; null fields are removed from it.

    Raises ValueError if the API server could not have written it.
    """
    try:
        _hold(raw, _EVENT)
    except _Misfit as misfit:
        raise ValueError(str(misfit)) from None


def shown(value: Any) -> str:
    """A short form of a value, for a message."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "a list"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


class _Misfit(Exception):
    """A value of the wrong type; ``path`` goes from the inside out."""

    def __init__(self, value: Any, expected: str) -> None:
        self.path: list[str] = []
        self._text = f" is {shown(value)}, not {expected}"
        if isinstance(value, _Repeated):
            self._text = f" has the duplicate key {shown(value.key)}"

    def __str__(self) -> str:
        return f"{'.'.join(reversed(self.path)) or 'the line'}{self._text}"


def _hold(value: Any, forms: Mapping[str, _Form]) -> None:
    """An object with these known fields. Called for every line, so written for speed."""
    if type(value) is not dict:
        raise _Misfit(value, "an object")
    nulls = []
    for key, item in value.items():
        form = forms.get(key)
        if type(item) is form:
            continue
        if item is None and form is not _body:
            nulls += [key] if form else []
        else:
            try:
                _text(item) if form is str else (form or _unknown)(item)
            except _Misfit as misfit:
                misfit.path.append(key)
                raise
    for key in nulls:
        del value[key]


def _unknown(value: Any) -> None:
    """An unknown field, which a later version may have added."""
    if isinstance(value, dict | list) and _is_deep(value, json.dumps(value)):
        raise _Misfit(value, f"of at most {DEEPEST} levels")


def _body(_value: Any) -> None:
    """A request or response body, possibly cut off below DEEPEST levels."""


def _text(value: Any) -> None:
    if type(value) is not str:
        raise _Misfit(value, "a string")


def _texts(value: Any) -> None:
    """A list of strings."""
    if type(value) is not list:
        raise _Misfit(value, "a list")
    if not _TEXT.issuperset(map(type, value)):
        raise _Misfit(next(item for item in value if type(item) is not str), "a string")


def _object_of_text(value: Any, forms: Mapping[str, _Form] | None = None) -> None:
    """An object whose values are strings; without ``forms`` its keys are free."""
    if type(value) is not dict or not _TEXT.issuperset(map(type, value.values())):
        _hold(value, dict.fromkeys(value, str) if forms is None and isinstance(value, dict) else forms or {})


def _map_of_texts(value: Any) -> None:
    """An object whose keys are free, and whose values are lists of strings."""
    _hold(value, dict.fromkeys(value, _texts) if isinstance(value, dict) else {})


def _int32(value: Any) -> None:
    if type(value) is not int or not -_INT32 <= value < _INT32:
        raise _Misfit(value, "an integer of 32 bits")


def _moment(value: Any) -> None:
    """A metav1.MicroTime that can be converted to UTC."""
    try:
        # The punctuation is that of 2006-01-02T15:04:05.000000Z; the digits are checked later.
        if type(value) is str and ((value[4:20:3] == "--T::." and value[26:] == "Z") or _TIME.fullmatch(value)):
            moment = datetime.fromisoformat(value)
            # The first and the last hours of the years 1 and 9999 have no time in UTC.
            if value[-1] != "Z":
                moment.astimezone(UTC)
            return
    except (ValueError, OverflowError):
        pass
    raise _Misfit(value, "an RFC 3339 time")


_TEXT = frozenset({str})
_REFERENCED = ("resource", "namespace", "name", "uid", "apiGroup", "apiVersion", "resourceVersion", "subresource")
_USER: Mapping[str, _Form] = {"username": str, "uid": str, "groups": _texts, "extra": _map_of_texts}
_STATUS: Mapping[str, _Form] = {
    **dict.fromkeys(("kind", "apiVersion", "status", "message", "reason"), str),
    "metadata": partial(_hold, forms={}),
    "details": partial(_hold, forms=dict.fromkeys(("name", "group", "kind", "uid"), str)),
    "code": _int32,
}
_EVENT: Mapping[str, _Form] = {
    **dict.fromkeys(("kind", "apiVersion", "level", "auditID", "stage", "requestURI", "verb", "userAgent"), str),
    "user": partial(_hold, forms=_USER),
    "impersonatedUser": partial(_hold, forms=_USER),
    "authenticationMetadata": partial(_hold, forms={"impersonationConstraint": str}),
    "sourceIPs": _texts,
    "objectRef": partial(_object_of_text, forms=dict.fromkeys(_REFERENCED, str)),
    "responseStatus": partial(_hold, forms=_STATUS),
    "requestReceivedTimestamp": _moment,
    "stageTimestamp": _moment,
    "annotations": _object_of_text,
    **dict.fromkeys(BODIES, _body),
}
