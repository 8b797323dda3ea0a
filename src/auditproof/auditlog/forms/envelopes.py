"""Events within other JSON: what collectors, stores and cloud exports put around an event.

An event is looked for under the keys that products are known to use, and nowhere else: what a client sent is in an
event, too, and may look like one.
"""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any

from auditproof.audit.event_form import decode, shown
from auditproof.auditlog.forms import other_logs
from auditproof.auditlog.forms.cuts import why_cut
from auditproof.auditlog.forms.documents import lists_of, reason_of
from auditproof.auditlog.forms.fields import is_event, restore_level
from auditproof.auditlog.forms.opened import Opened, Passed, Refused, UnwrappedEvent
from auditproof.auditlog.forms.prefixes import Prefix, prefix_of

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEEPEST = 5  # envelopes within envelopes
LINES, LIST, MANY_LINES = "JSON lines", "a JSON list", "JSON over several lines"
_PLAIN = (LINES, LIST, MANY_LINES, "YAML")
LIST_FORMS = {
    ("items",): "EventList",
    ("records",): "Azure (Event Hubs, storage account)",
    ("events",): "Amazon CloudWatch (aws logs)",
    ("logEvents",): "Amazon CloudWatch (subscription)",
    ("results",): LIST,
    ("hits", "hits"): "Elasticsearch or OpenSearch (search)",
    ("data", "result"): "Loki (query API)",
    ("streams",): "Loki (push API)",
}
_CARRIERS: tuple[tuple[str, ...], ...] = (  # where an event is, as an object or as text
    ("properties", "log"),
    ("log_s",),
    ("_source",),
    ("kubernetes", "audit"),
    ("audit",),
    ("event", "original"),
    ("structured",),
    ("result", "_raw"),
    ("result",),
    ("_raw",),
    ("jsonPayload",),
    ("textPayload",),
    ("body", "stringValue"),
    ("body",),
    ("json",),
    ("parsed",),
    ("record",),
    ("event",),
    ("@message",),
    ("message",),
    ("MESSAGE",),
    ("msg",),
    ("log",),
    ("line",),
    ("data",),
    ("payload",),
    ("attributes",),
)
_AKS = {
    "AuditId": "auditID",
    "Level": "level",
    "Stage": "stage",
    "RequestUri": "requestURI",
    "Verb": "verb",
    "User": "user",
    "ImpersonatedUser": "impersonatedUser",
    "SourceIps": "sourceIPs",
    "UserAgent": "userAgent",
    "ObjectRef": "objectRef",
    "ResponseStatus": "responseStatus",
    "RequestObject": "requestObject",
    "ResponseObject": "responseObject",
    "RequestReceivedTime": "requestReceivedTimestamp",
    "StageReceivedTime": "stageTimestamp",
    "Annotations": "annotations",
}
_OBJECTS_OF_AKS = ("User", "ImpersonatedUser", "SourceIps", "ObjectRef", "ResponseStatus", "Annotations")


_PRODUCTS: tuple[tuple[str, str, frozenset[str]], ...] = (
    ("Azure (diagnostic settings)", "properties", frozenset()),
    ("Azure (AzureDiagnostics table)", "log_s", frozenset()),
    ("Elasticsearch or OpenSearch (documents)", "_source", frozenset()),
    ("Vector", "message", frozenset({"source_type"})),
    ("Loki (logcli, Grafana)", "line", frozenset({"labels", "timestamp"})),
    (
        "Amazon CloudWatch",
        "message",
        frozenset({"logStream", "logStreamName", "ingestionTime", "eventId", "timestamp"}),
    ),
    ("Amazon CloudWatch Logs Insights", "@message", frozenset()),
    ("Splunk", "_raw", frozenset()),
    ("Splunk", "result", frozenset()),
    ("journald", "MESSAGE", frozenset()),
    ("Fluent Bit", "log", frozenset({"kubernetes", "@timestamp", "date", "stream"})),
    ("Elastic Agent", "kubernetes", frozenset()),
    ("Filebeat", "message", frozenset({"@timestamp"})),
)
_LOOKED_AT = 4096  # characters of a text in which its event must begin
_POINTS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}]', re.DOTALL)


class Envelopes:
    """Opens values and texts; what a container runtime has cut into parts is put together again."""

    def __init__(self) -> None:
        self._begun: dict[tuple[str, bytes], tuple[int, bytes]] = {}  # by form and stream: line and text of the parts

    def open_text(self, text: bytes, line: int, form: str, deep: int = 0, around: bytes = b"") -> Iterator[Opened]:
        """What a text of one event holds; ``around`` is the line that holds it."""
        prefix = prefix_of(text)
        if prefix is not None:
            yield from self._open_prefixed(text, line, form, prefix, deep)
            return
        stripped = text.strip()
        if stripped.startswith(b'"') and (quoted := _quoted(stripped)) is not None and deep < _DEEPEST:
            yield from self.open_text(quoted, line, "JSON in JSON strings (jq without -r)", deep + 1, around)
            return
        if not stripped.startswith((b"{", b"[")):
            yield self._no_json(stripped, line)
            return
        try:
            value = decode(stripped)
        except ValueError as error:
            # Cut off, and not wrong before: then its length may show which product cut it.
            if isinstance(error, json.JSONDecodeError) and _is_open(stripped):
                why = why_cut(text, around)
            else:
                why = other_logs.name_of_line(stripped) or reason_of(error)
            yield Refused(line, f"not an audit event: {why}")
            return
        yield from self.open_value(value, line, form, deep)

    def _open_prefixed(self, text: bytes, line: int, form: str, prefix: Prefix, deep: int) -> Iterator[Opened]:
        rest = text[prefix.length :]
        if prefix.stream:
            joined = self._joined((prefix.form, prefix.stream), line, rest, partial=prefix.partial)
            if joined is None:
                return
            line, rest = joined
        yield from (
            self.open_text(rest, line, _outer(form, prefix.form), deep + 1, text)
            if deep < _DEEPEST
            else (_too_deep(line),)
        )

    def _joined(self, key: tuple[str, bytes], line: int, text: bytes, *, partial: bool) -> tuple[int, bytes] | None:
        begun, before = self._begun.pop(key, (line, b""))
        if not partial:
            return begun, before + text
        self._begun[key] = (begun, before + text.rstrip(b"\r\n"))
        return None

    def close(self) -> Iterator[Opened]:
        """What was begun and not ended."""
        for line, _ in sorted(self._begun.values()):
            yield Refused(line, "the file ends in the middle of this line")
        self._begun.clear()

    def open_value(self, value: Any, line: int, form: str, deep: int = 0) -> Iterator[Opened]:
        """What a decoded value holds."""
        if not isinstance(value, dict):
            yield Refused(line, f"not an audit event: {_article(value)}, no object")
        elif is_event(value):
            form = "OpenShift's collector (ViaQ)" if restore_level(value) else form
            yield UnwrappedEvent(line, form, value)
        elif deep > _DEEPEST:
            yield _too_deep(line)
        elif log := other_logs.log_of_object(value):
            yield Passed(line, log)
        elif lists := lists_of(value):
            for path, elements in lists:
                for each in elements:
                    yield from self.open_element(path, each, line, deep + 1)
        else:
            yield from self._open_envelope(value, line, form, deep)

    def open_element(self, path: tuple[str, ...], value: Any, line: int, deep: int = 0) -> Iterator[Opened]:
        """What an element of a known list holds."""
        form = LIST_FORMS.get(path, LIST)
        if isinstance(value, list) and value and all(isinstance(each, dict) and "field" in each for each in value):
            value = {str(each["field"]): each.get("value") for each in value}  # a row of CloudWatch Logs Insights
        if isinstance(value, dict) and isinstance(value.get("values"), list) and "stream" in value:
            for entry in value["values"]:  # of Loki: a time, a line, and perhaps more
                text = entry[1] if isinstance(entry, list) and len(entry) > 1 else None
                if isinstance(text, str):
                    yield from self.open_text(text.encode(errors="replace"), line, form, deep + 1)
                else:
                    yield Refused(line, "not an audit event: an entry of Loki that has no line")
        else:
            yield from self.open_value(value, line, form, deep)

    def _open_envelope(self, value: dict[str, Any], line: int, form: str, deep: int) -> Iterator[Opened]:
        if {"AuditId", "RequestUri", "Verb"} <= value.keys():
            yield UnwrappedEvent(line, "Azure (AKSAudit table)", _of_aks(value))
        elif value.keys() <= _DOCKER and isinstance(value.get("log"), str) and value.get("stream"):
            yield from self._open_part(value, line, "Docker json-file", deep, partial=_is_part_of_docker(value["log"]))
        elif "logtag" in value and isinstance(value.get("log"), str):
            yield from self._open_part(value, line, "Fluent Bit", deep, partial=value["logtag"] == "P")
        elif path := _carrier_of(value):
            carried = _at(value, path)
            form = _outer(form, _form_of(value, path))
            if isinstance(carried, str):
                yield from self.open_text(carried.encode(errors="replace"), line, form, deep + 1)
            else:
                yield from self.open_value(carried, line, form, deep + 1)
        else:
            texts = (_at(value, path) for path in _CARRIERS)
            text = next((each for each in texts if isinstance(each, str) and each.strip()), None)
            if name := other_logs.name_of_object(value):
                yield Refused(line, f"not an audit event: {name}")
            elif text is not None:
                yield self._no_json(text.encode(errors="replace").strip(), line)
            else:
                keys = ", ".join(str(key)[:30] for key in list(value)[:6]) or "none"
                yield Refused(
                    line,
                    f"not an audit event, and none in a key that a known product uses (its keys: {keys}): "
                    "if it holds one, take it out, as with jq -c .KEY",
                )

    def _open_part(self, value: dict[str, Any], line: int, form: str, deep: int, *, partial: bool) -> Iterator[Opened]:
        key = (form, str(value.get("stream", "")).encode(errors="replace"))
        text = value["log"].encode(errors="replace")
        # A first part that begins no JSON is of another program: it is judged alone, and nothing waits for its end.
        if key not in self._begun and partial and not text.lstrip().startswith((b"{", b"[")):
            partial = False
        if (joined := self._joined(key, line, text, partial=partial)) is not None:
            yield from self.open_text(joined[1], joined[0], form, deep + 1)

    def _no_json(self, text: bytes, line: int) -> Opened:
        if log := other_logs.log_of_line(text):
            return Passed(line, log)
        if name := other_logs.name_of_line(text):
            return Refused(line, f"not an audit event: {name}")
        try:
            return Refused(line, f"not an audit event: {_article(decode(text))}, no object")
        except ValueError as error:
            return Refused(line, f"not an audit event: {reason_of(error)}")


_DOCKER = {"log", "stream", "time", "attrs"}


def _outer(form: str, inner: str) -> str:
    """The form of an event in two envelopes: the outer one, unless that is plain JSON."""
    return inner if form in _PLAIN else form


def _quoted(text: bytes) -> bytes | None:
    """The text of a JSON string that holds an object, or None."""
    try:
        value = decode(text)
    except ValueError:
        return None
    return value.encode(errors="replace") if isinstance(value, str) and value.lstrip().startswith("{") else None


def _is_part_of_docker(text: str) -> bool:
    """Docker ends the last part of a line with a newline, and no part before it."""
    if text.endswith("\n"):
        return False
    try:
        # What another collector has written without the newline is whole if it is JSON.
        decode(text.encode(errors="replace"))
    except ValueError:
        return True
    return False


def _at(value: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _carrier_of(value: dict[str, Any], deep: int = 0) -> tuple[str, ...] | None:
    """The path of what holds the event in an envelope, or None."""
    return next((path for path in _CARRIERS if _holds_event(_at(value, path), deep + 1)), None)


def _holds_event(value: Any, deep: int) -> bool:
    if isinstance(value, str):
        text = value[:_LOOKED_AT].lstrip().encode(errors="replace")
        prefix = prefix_of(text)
        return text[prefix.length if prefix else 0 :].startswith(b"{")
    if not isinstance(value, dict) or deep > _DEEPEST:
        return False
    return is_event(value) or bool(lists_of(value)) or _carrier_of(value, deep) is not None


def _form_of(value: dict[str, Any], path: tuple[str, ...]) -> str:
    """The product that writes such envelopes, as far as its keys say."""
    for form, carrier, signs in _PRODUCTS:
        if path[0] == carrier and (not signs or not signs.isdisjoint(value)):
            return form
    return f"JSON with the event under {'.'.join(path)}"


def _of_aks(value: dict[str, Any]) -> dict[str, Any]:
    """An event of a table in which Azure has renamed the keys; a column may hold its object as text."""
    found: dict[str, Any] = {}
    for column, key in _AKS.items():
        item = value.get(column)
        if column in _OBJECTS_OF_AKS and isinstance(item, str):
            with contextlib.suppress(ValueError):
                item = decode(item.encode(errors="replace")) if item else None
        if item not in (None, ""):
            found[key] = item
    # The verb of an OPTIONS request is empty, which is not the same as absent.
    if value.get("Verb") == "":
        found["verb"] = ""
    return found


def _is_open(text: bytes) -> bool:
    """Whether a text that is not JSON ends within an object or a list, rather than being wrong before."""
    depth, in_string = 0, False
    for point in _POINTS.finditer(text):
        if point[0][:1] == b'"':
            in_string = len(point[0]) < 2 or not point[0].endswith(b'"')
        else:
            depth += 1 if point[0] in b"{[" else -1
        if depth <= 0 and not in_string:
            return False
    return True


def _article(value: Any) -> str:
    return shown(value) if isinstance(value, list) else f"the value {shown(value)}"


def _too_deep(line: int) -> Refused:
    return Refused(line, "not an audit event: envelopes within envelopes, too deep to be read")
