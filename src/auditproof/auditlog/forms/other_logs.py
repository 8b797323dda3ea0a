"""What is no audit event, by name: with what to do where there is an audit log behind it."""

from __future__ import annotations

import re
from typing import Any

from auditproof.audit.event_form import shown

OWN_MESSAGES = "the API server's own messages"
_KLOG = re.compile(rb"[IWEF]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ \S+:\d+\] ")
_OTHER_STREAMS = ("authenticator-", "kube-controller-manager-", "kube-scheduler-", "cloud-controller-manager-")
_KLOG_JSON = {"ts", "caller", "msg", "v"}
_GREP = re.compile(rb"(?:[^\s{\[\":]+:)?(?:\d+[:-])?(?=\{)")
_LEGACY = re.compile(rb"\S+ AUDIT: id=\"")
_ESCAPED = re.compile(rb"\{\\\"|\\x7b|\"?\{\"\"")
_RUBY = re.compile(rb"(?:\[\d+\] |\S+ \S+ \S+: )[^{]*\{.*=>", re.DOTALL)
_CSV = re.compile(rb"\"[^\"]*\",|[A-Za-z@_][\w@. ]*,[\w@. ,]*$")
_ADVICE = "export it as JSON lines instead"

LEGACY = "a line in the legacy format, which holds no level: set --audit-log-format=json"
GOOGLE = (
    "an entry of Google Cloud's audit log: it has no level, so no rule can be judged by it, and Google's own policy "
    "decided what was recorded; it shows that the request left an entry, no more (auditproof explain says what a "
    "policy decides about its methodName and principalEmail)"
)
CORE_EVENT = (
    "an event of the core API, as kubectl get events shows it: it is about an object, not about a request; the audit "
    "log is the file of --audit-log-path"
)
CLOUD_TRAIL = (
    "a record of AWS CloudTrail, which holds calls of the AWS API: the audit log of EKS is in CloudWatch, group "
    "/aws/eks/NAME/cluster, streams kube-apiserver-audit-*"
)


def log_of_line(line: bytes) -> str:
    """The other log to which a line certainly belongs; empty if that is not certain."""
    # A message that quotes an event may be a damaged event, so it is not passed over.
    return OWN_MESSAGES if _KLOG.match(line) and b'"auditID"' not in line else ""


def log_of_object(value: dict[str, Any]) -> str:
    """The other log to which an object certainly belongs; empty if that is not certain."""
    if value.keys() >= _KLOG_JSON and not {"auditID", "log", "message"} & value.keys():
        return OWN_MESSAGES
    category = value.get("category", value.get("Category"))
    if (
        isinstance(category, str)
        and not category.startswith("kube-audit")
        and ("properties" in value or "log_s" in value)
    ):
        return f"the category {category[:40]} of Azure's diagnostic settings"
    stream = value.get("logStream", value.get("logStreamName"))
    if isinstance(stream, str) and stream.startswith(_OTHER_STREAMS):
        return f"CloudWatch's log stream {stream.rpartition('-')[0][:40]}"
    return ""


def name_of_line(line: bytes) -> str:
    """What a line is that holds no JSON; empty where that is not known."""
    if _LEGACY.match(line):
        return LEGACY
    grep = _GREP.match(line)
    if grep and grep.end():
        return "output of grep with names or line numbers before the event: call grep -h, without -n"
    if _ESCAPED.match(line):
        return f"a line in which the quotes of the event are doubled or escaped, as in CSV: {_ADVICE}"
    if _RUBY.match(line):
        return "output of a collector for people (key=>value): use its JSON format"
    if _CSV.match(line.rstrip(b"\r\n")):
        return f"a line of CSV: {_ADVICE}"
    return ""


def name_of_object(value: dict[str, Any]) -> str:
    """What an object is that holds no audit event; empty where that is not known."""
    kind, version = value.get("kind"), str(value.get("apiVersion", ""))
    if isinstance(value.get("protoPayload"), dict):
        return GOOGLE
    if kind == "Event" and (version in ("v1", "events.k8s.io/v1") or "involvedObject" in value):
        return CORE_EVENT
    records = value.get("Records")
    record = records[0] if isinstance(records, list) and records and isinstance(records[0], dict) else value
    if {"eventSource", "eventName", "awsRegion"} <= record.keys():
        return CLOUD_TRAIL
    if any("." in key and key.rpartition(".")[2] in ("auditID", "requestURI", "verb") for key in value):
        return "an event whose keys are flattened (a.b.c): export the document (_source) as it was sent"
    if isinstance(kind, str):
        return f'its kind is {shown(kind)}, not "Event"' + (f" (of {version[:60]})" if version else "")
    return ""
