"""What collectors and tools write before an event: a time, a host, a stream, labels.

Every prefix is recognized by its shape up to the brace with which the event begins, so an event is never taken for one.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_ISO = rb"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d{1,9})?(?:Z|[-+]\d\d:?\d\d)?"
_BSD = rb"[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d"  # RFC 3164
_JSON = rb"(?=[{\[]|[IWEF]\d{4} \d\d:\d\d:)"  # or one of the API server's own messages


@dataclass(frozen=True, slots=True)
class Prefix:
    """A form of lines; ``partial`` says which of them goes on in the next one, ``stream`` to which it belongs."""

    form: str
    length: int
    partial: bool = False
    stream: bytes = b""


_CRI = re.compile(rb"\d{4}-\d\d-\d\dT\S+ (stdout|stderr) ([PF])(?::\S*)? ")
_POD = re.compile(rb"\[pod/[^\]\s]+\] (?:" + _ISO + rb" )?")
_LABELS = rb"\{(?:[A-Za-z_][A-Za-z0-9_]*=\"(?:[^\"\\]|\\.)*\"(?:, ?)?)*\}"
_COOKIE = rb"(?:\xef\xbb\xbf)?(?:@cee: ?)?"
_FORMS = tuple(
    (name, re.compile(pattern + _JSON))
    for name, pattern in (
        (
            "syslog (RFC 5424)",
            rb"(?:\d{1,6} )?<\d{1,3}>1(?: \S+){5} (?:-|(?:\[(?:[^\]\\]|\\.)*\])+) " + _COOKIE,
        ),
        (
            "syslog (RFC 3164)",
            rb"(?:<\d{1,3}>)?(?:" + _BSD + rb"|" + _ISO + rb") \S+ [^\s:\[{]+(?:\[\d+\])?: " + _COOKIE,
        ),
        ("fluentd's file output", _ISO + rb"\t[^\t{]*\t"),
        ("logcli", _ISO + rb" " + _LABELS + rb" "),
        ("aws logs tail", _ISO + rb" (?!stdout |stderr )[^\s{\[]+ "),
        ("a time before each event", _ISO + rb" "),
    )
)
_LONGEST = 4096  # bytes of a line in which a prefix is looked for


def prefix_of(line: bytes) -> Prefix | None:
    """What is before the event in a line, or None."""
    # The usual case; it includes the empty line, because b"" is in every bytes.
    if line[:1] in b"{":
        return None
    if found := _CRI.match(line):
        return Prefix("CRI (a container runtime's log)", found.end(), found[2] == b"P", found[1])
    head = line[:_LONGEST]
    if found := _POD.match(head):
        return Prefix("kubectl logs --prefix", found.end())
    for form, pattern in _FORMS:
        if match := pattern.match(head):
            return Prefix(form, match.end())
    return None
