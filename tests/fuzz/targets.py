"""The parsers: what each is fed with, and what it may say of it.

A parser answers, or raises an error of ours that says in which file; anything else, and more than SECONDS of CPU for
an input of a few kilobytes, is a fault.
"""

from __future__ import annotations

import gzip
import json
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from auditproof.analysis.gate import load_acknowledged
from auditproof.analysis.lint import examine
from auditproof.analysis.requirements import load_requirements
from auditproof.audit.leaks import leaks
from auditproof.audit.policy.load import parse_policy
from auditproof.audit.policy_sources.find import embedded
from auditproof.audit.redact import redact, removed_texts
from auditproof.auditlog.file_log import FileLog
from auditproof.auditlog.metrics import parse_metrics
from auditproof.auditlog.offline_log import ForeignFile
from auditproof.auditlog.remote_log import RemoteLog
from auditproof.cases.load import load_case_file
from auditproof.cli.evaluate import evaluate_lines
from auditproof.clusters.existing.kubeconfig import load_kubeconfig
from auditproof.clusters.policy_files import PolicyFiles
from auditproof.clusters.profile import load_profile
from auditproof.detections import Detection, load_rules, matches
from auditproof.detections.readers.falco import read_falco
from auditproof.errors import AuditproofError, LogUnreadable, WireError
from auditproof.kube.attributes import NotAudited, UserInfo, attributes_of
from auditproof.kube.discovery import load_served
from auditproof.proof.backends.legacy_format import parse_legacy
from auditproof.proof.background import measure
from auditproof.proof.offline import OfflineJudge
from auditproof.replay.bodies import line_of
from auditproof.report.ci.github import step_summary, workflow_commands
from auditproof.report.ci.gitlab import code_quality
from auditproof.report.ci.sarif import as_sarif
from auditproof.report.compare import compare, render_markdown, render_text
from auditproof.report.findings import FORMATS, Linted
from auditproof.report.html.page import report_pages
from auditproof.report.model import plain
from auditproof.report.offline import file_record, kind_record
from auditproof.report.read import load_report
from auditproof.report.terminal import closing_lines
from tests.fuzz import replayed
from tests.fuzz.inputs import as_json, as_yaml, inputs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hypothesis.strategies import SearchStrategy

SECONDS = 10.0  # of CPU, for one input: fifty times what the slowest takes
ROOT = Path(__file__).parent.parent.parent
CORPUS = Path(__file__).parent / "corpus"
POLICY = parse_policy((ROOT / "fixtures/policies/baseline.yaml").read_bytes(), "baseline.yaml")
SERVED = load_served("1.37")


@dataclass(frozen=True)
class Target:
    """A parser: ``feed`` gives it bytes, as a file called ``file`` where it reads one.

    ``seeds`` are its real inputs; ``examples`` so many as CI has time for.
    """

    name: str
    feed: Callable[[bytes, Path], object]
    seeds: Sequence[bytes]
    examples: int
    write: Callable[[Any], bytes] = as_json
    file: str = ""

    @cached_property
    def inputs(self) -> SearchStrategy[bytes]:
        """What it is fed with."""
        documents = [document for seed in self.seeds if (document := _document(seed)) is not None]
        return inputs([*self.seeds, *self.corpus], documents or [{}], self.write)

    @property
    def corpus(self) -> list[bytes]:
        """What was a fault once."""
        return [path.read_bytes() for path in sorted((CORPUS / self.name).glob("*"))]

    def hold(self, data: bytes) -> None:
        """Feed the parser. Raises whatever is no error of ours, and AssertionError where one does not say the place."""
        begun = time.process_time()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / (self.file or "input")
            path.write_bytes(data)
            try:
                self.feed(data, path)
            except (NotAudited, WireError):
                pass  # of a request line, and of an answer of the server's: neither has a file
            except AuditproofError as error:
                assert path.name in str(error), f"{error!r} does not say where"
        took = time.process_time() - begun
        assert took < SECONDS, f"{took:.1f} s of CPU for {len(data)} bytes"


def _document(seed: bytes) -> Any:
    """A seed as a tree: the first document of YAML, the first line of several of JSON; None where it is neither."""
    with suppress(ValueError):
        return json.loads(seed.partition(b"\n")[0])
    with suppress(yaml.YAMLError):
        return next(iter(yaml.load_all(seed, Loader=yaml.CSafeLoader)))
    return None


def _policy(data: bytes, path: Path) -> None:
    policy = parse_policy(data, path.name)
    linted = [Linted(path.name, examine(policy, SERVED))]
    for form in FORMATS.values():
        form(linted, "1.37")


def _policy_source(_data: bytes, path: Path) -> None:
    """A file with policies inside, and what is said of each."""
    files = PolicyFiles()
    refused = []
    for source in files.all(path.name, path.parent):
        try:
            policy = files.load(source.path, kubernetes="1.37", name=source.place.name)
        except AuditproofError as error:
            refused.append(error)
        else:
            lines = path.read_bytes().decode("utf-8-sig", errors="replace").count("\n") + 1
            assert all(rule.position.line <= lines or not source.place.is_literal for rule in policy.rules)
    if refused:
        raise refused[0]


def _requests(data: bytes, path: Path) -> None:
    list(evaluate_lines(POLICY, data.splitlines(keepends=True), path.name, load_served("1.37")))


def _log(data: bytes, path: Path) -> None:
    """A log as every reader of ours reads it, and all that is done with its events afterwards."""
    log = FileLog(path)
    found = log.read(log.beginning(), lambda _: True)
    RemoteLog(path.name, lambda begin: (begin, data[begin:])).read(log.beginning(), lambda _: True)
    list(leaks(found.events, "a secret of some letters"))
    for event in found.events:
        json.dumps([redact(event.raw), sorted(removed_texts(event.raw)), event.username, event.code])
    measure(data.splitlines(keepends=True), POLICY)
    _foreign(data, path)


def _foreign(_data: bytes, path: Path) -> None:
    file, judgement = ForeignFile(path, path.name), OfflineJudge(POLICY)
    for event in file.read():
        judgement.add(event)
    judgement.close()
    records = [kind_record(kind, "suite", POLICY) for kind in judgement.kinds.values()]
    every = [plain(record) for record in (*records, file_record(file, "suite", POLICY))]
    text = json.dumps(every, ensure_ascii=False, allow_nan=False, default=str)
    text.encode()


def _compressed(data: bytes, path: Path) -> None:
    """A compressed log by itself, and as a rotated one beside the live one."""
    live = path.with_name("audit.log")
    live.write_bytes(b"")
    live.with_name("audit-2026-11-23T06-17-08.714.log.gz").write_bytes(data)
    log = FileLog(live)
    with suppress(LogUnreadable):
        log.read(log.beginning(), lambda _: True)
    _foreign(data, path)


def _results(_data: bytes, path: Path) -> None:
    report = load_report(path)
    for page in report_pages(report).values():
        page()
    found = compare(report, report)
    render_text(found)
    render_markdown(found)
    for form in (step_summary, as_sarif, code_quality, workflow_commands):
        form(report)
    closing_lines(report, 1.0)


def _kubeconfig(_data: bytes, path: Path) -> None:
    load_kubeconfig(path, "", path.parent)


def _request_line(data: bytes, _path: Path) -> None:
    method, _, uri = data.decode("latin-1").partition(" ")
    attributes_of(method, uri, UserInfo("alice"))


def _rules(_data: bytes, path: Path) -> None:
    """A file of detection rules, each of which is evaluated."""
    read = load_rules([path])
    for rule in read.detections:
        for step in rule.steps:
            str(step)
            matches(step, _EVENT)
    assert all(one.reason for one in read.not_read)


def _falco(data: bytes, path: Path) -> None:
    """A file of Falco's rules, of which each is evaluated."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return
    for rule in read_falco([(path.name, text)], "pack")[0]:
        if isinstance(rule, Detection):
            str(rule.steps)
            matches(rule.steps[0], _EVENT)
        else:
            assert rule.reason


def _legacy(data: bytes, path: Path) -> None:
    try:
        parse_legacy(data.decode("utf-8", errors="surrogateescape"))
    except ValueError as error:
        raise AuditproofError(f"{path.name}: {error}") from None


def _files(*patterns: str, most: int = 12) -> list[bytes]:
    found = sorted(path for pattern in patterns for path in ROOT.glob(pattern))
    step = max(1, len(found) // most)
    return [path.read_bytes() for path in found[::step]]


def _lines(documents: Iterable[Any]) -> Callable[[Any], bytes]:
    """One document a line, with others around it."""
    around = [json.dumps(each).encode() for each in documents]
    return lambda document: b"\n".join([around[0], json.dumps(document).encode(), around[-1], b""])


_USER = {"username": "alice", "uid": "1", "groups": ["dev"], "extra": {"scopes": ["a"]}}
_EVENT = {
    "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Request", "auditID": "id-1",
    "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/shop/pods?limit=1&timeout=3s", "verb": "create", "user": _USER,
    "impersonatedUser": {"username": "bob"}, "sourceIPs": ["::1"], "userAgent": "kubectl/v1.37 (linux/amd64)",
    "objectRef": {"resource": "pods", "namespace": "shop", "name": "web", "apiVersion": "v1"},
    "responseStatus": {"metadata": {}, "status": "Failure", "details": {"kind": "pods"}, "code": 403},
    "requestObject": {"kind": "Pod", "metadata": {"name": "web"}, "spec": {"containers": [{"env": [{"name": "A"}]}]}},
    "requestReceivedTimestamp": "2026-11-23T10:00:00.000000Z", "stageTimestamp": "2026-11-23T10:00:00.100000Z",
    "annotations": {"authorization.k8s.io/decision": "forbid"},
}  # fmt: skip
_PATH_EVENT = {**_EVENT, "auditID": "id-2", "verb": "get", "requestURI": "/healthz", "level": "Metadata", "user": {}}
del _PATH_EVENT["objectRef"], _PATH_EVENT["requestObject"]
_EVENTS = [_EVENT, _PATH_EVENT]
_ASKED = [
    {"user": "alice", "groups": ["dev"], "verb": "get", "resource": "pods", "namespace": "shop", "name": "web"},
    {"user": None, "verb": "get", "path": "/healthz", "apiGroup": "", "apiVersion": "v1", "subresource": ""},
]
_KUBECONFIG = {
    "apiVersion": "v1", "kind": "Config", "current-context": "a", "preferences": {},
    "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443", "certificate-authority-data": "QQ=="}}],
    "users": [{"name": "u", "user": {"token": "t", "client-certificate-data": "QQ==", "client-key-data": "QQ=="}}],
    "contexts": [{"name": "a", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
}  # fmt: skip
_METRICS = b"""# HELP apiserver_audit_event_total [ALPHA] Counter of audit events generated
# TYPE apiserver_audit_event_total counter
apiserver_audit_event_total 6
apiserver_audit_error_total{plugin="log"} 1
apiserver_audit_level_total{level="Metadata"} 3
apiserver_audit_requests_rejected_total 0
process_start_time_seconds 1.7e+09
"""
_REQUEST_LINES = (
    b"GET /api/v1/namespaces/shop/pods?fieldSelector=metadata.name%3Dweb&limit=1&watch=1&timeout=1h3m",
    b"POST /apis/apps/v1/namespaces/shop/deployments/web/scale",
    b"DELETE /api/v1/proxy/namespaces/shop/pods/web",
    b"GET /healthz/etcd?verbose",
)
_LEGACY_LINE = (
    b'2026-11-23T10:00:00.000000000Z AUDIT: id="id-1" stage="ResponseComplete" ip="::1" method="create" user="alice" '
    b'groups="\\"dev\\"" as="<self>" asgroups="<lookup>" user-agent="kubectl" namespace="shop" uri="/api" '
    b'response="201"'
)


def _report() -> bytes:
    keys = ("method", "path", "verb", "apiGroup", "resource", "subresource", "namespace", "name")
    about = {"path": "prod.yaml", "sha256": "a" * 64}
    proof = {
        "id": "a.py::b", "identity": {"user": "alice", "groups": ["dev"], "kind": "x509"}, "auditID": "id-1",
        "request": dict.fromkeys(keys, "") | {"method": "GET", "path": "/api"}, "policy": about, "title": "A case",
        "expected": {"level": "Metadata", "rule": 0, "line": 2, "stages": [], "source": "policy"},
        "observed": {"level": "Metadata", "stages": ["ResponseComplete"], "status": 200}, "verdict": "VIOLATED",
        "reasons": ["so it is"], "events": _EVENTS, "explanation": {"effect": "e", "earlier": [], "shadowed": []},
    }  # fmt: skip
    counts = ("planned", "performed", "violated", "proven", "unproven", "notSupported")
    summary = {name: int(number < 3) for number, name in enumerate(counts)}
    document = {
        "apiVersion": "auditproof/v1", "kind": "ConformanceReport", "auditproof": "0.1.0", "summary": summary,
        "started": "2026-11-23T10:00:00Z", "finished": "2026-11-23T10:00:01Z", "ended": "", "sabotage": False,
        "policy": about | {"text": "rules:\n- level: Metadata\n", "ruleLines": [2], "warnings": ["w"]},
        "cluster": {"provider": "embedded", "kubernetes": "v1.37.2"}, "notPerformed": [], "proofs": [proof],
    }  # fmt: skip
    return json.dumps(document).encode()


def _samples(*names: str) -> list[bytes]:
    return [(ROOT / "tests/auditlog/forms" / name).read_bytes() for name in names]


def _prefixed(prefix: bytes) -> Callable[[Any], bytes]:
    return lambda document: b"".join(prefix + json.dumps(each).encode() + b"\n" for each in (_EVENT, document, _EVENT))


def _written(events: Sequence[dict[str, Any]]) -> bytes:
    """Events as an API server writes them."""
    return b"".join(line_of(each) + b"\n" for each in events)


def _native(document: Any) -> bytes:
    """A document among events that SQL takes."""
    events = document if isinstance(document, dict) else {"auditID": document}
    text = json.dumps(
        {"kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", **events}, separators=(",", ":")
    )
    return _written(_EVENTS) + text.encode() + b"\n" + _written(_EVENTS[:1])


_COUNTERS = b"""# TYPE apiserver_request_total counter
apiserver_request_total{code="200",group="",resource="pods",scope="namespace",subresource="",verb="LIST"} 24
apiserver_request_total{code="200",group="",resource="",scope="",subresource="/readyz",verb="GET",version=""} 3600
process_start_time_seconds 1.7e+09
"""
_CASES = [data for data in _files("suites/standard/*.audit.yaml") if b".yaml" not in data]  # those that need no other

_HOLDERS = [
    data
    for data in _files("tests/audit/policy_sources/files/*.yaml")
    if any(not one.is_bare for one in embedded(data, ""))
]
_ACKNOWLEDGED = b"""\
apiVersion: auditproof/v1
kind: AcknowledgedChanges
changes:
- {requests: [{resources: [pods], verbs: [get]}], effects: [lost], because: a, approvedBy: b, until: 2027-01-31}
requirements:
- {requirement: cis/cis-3-2-1, because: a, approvedBy: b, ticket: c, until: 2027-01-31}
"""
_SIGMA = b"""\
title: A rule
id: 0b8e5c2f-7c1e-4f5c-9d7a-111111111111
name: listed
logsource: {product: kubernetes, service: audit}
detection:
  selection_a: {verb: [get, "li?t*"], responseStatus.code|gte: 400, "userAgent|re|i": "curl|wget"}
  selection_b: [{objectRef.subresource: null}, {"sourceIPs|cidr": 10.0.0.0/8}]
  filter: {"user.username|startswith|windash": -a, hostPath|exists: true}
  condition: 1 of selection_* and not filter
level: high
tags: [attack.t1609]
---
title: Often
correlation: {type: event_count, rules: [listed], group-by: [user.username], timespan: 5m, condition: {gte: 5}}
---
title: Not by nodes
logsource: {product: kubernetes}
filter: {rules: [listed], selection: {"user.groups|contains": nodes}, condition: not selection}
"""
_QUERIES = (
    (
        "query",
        "kuery",
        'event.outcome:failure and not user.name:(a\\:* or "b*") or kubernetes.audit.verb : (* and get)',
    ),
    ("new_terms", "kuery", "kubernetes.audit.responseStatus.code >= 400 and source.ip: 10.0.0.0/8"),
    ("eql", "eql", 'any where user.name like~ ("a*", "b?") and not event.action in ("get") /* x */ or ?user.id : "c"'),
    (
        "eql",
        "eql",
        """sequence by user.name with maxspan=1m
        [any where cidrMatch(source.ip, "10.0.0.0/8")] by source.ip with runs=2
        [process where `kubernetes.audit.annotations.a_k8s_io/decision` regex "fo+"] until [any where true]""",
    ),
)
_ELASTIC = [
    {
        "rule_id": "a", "name": "A", "type": kind, "language": language, "query": query, "risk_score": 1,
        "index": ["logs-kubernetes.audit_logs-*"], "new_terms_fields": ["user.name"],
        "threat": [{"technique": [{"id": "T1552", "subtechnique": [{"id": "T1552.007"}]}]}],
    }
    for kind, language, query in _QUERIES
]  # fmt: skip
_TOML = b"""[metadata]
maturity = "production"
[rule]
name = "A"
rule_id = "a"
risk_score = 1
type = "query"
language = "kuery"
query = '''
kubernetes.audit.verb:(create or "update") and kubernetes.audit.requestObject.spec.containers.image: shop/*
'''
[[rule.threat]]
technique = [{id = "T1611"}]
"""
_NATIVE = b"""apiVersion: auditproof/v1
kind: Detections
title: Ours
fields: {pod: objectRef.name}
detections:
- id: a
  severity: high
  tags: [attack.t1609]
  when:
    verb: [get, list]
    pod: {startsWith: a, ignoreCase: true}
    any: [{"requestURI?command": {regex: "^sh"}}, {not: {sourceIPs: {cidr: 10.0.0.0/8, every: true}}}]
- id: b
  enabled: false
  steps: [{responseStatus.code: {gte: 400}}, {requestObject.**.hostPath: {exists: true}}]
"""
TARGETS = (
    Target("policy", _policy, _files("fixtures/policies/*.yaml"), 100, as_yaml, "policy.yaml"),
    Target("policy-source", _policy_source, _HOLDERS, 100, as_yaml, "holder.yaml"),
    Target("case", lambda _, path: load_case_file(path), _CASES, 150, as_yaml, "a.audit.yaml"),
    Target(
        "requirements",
        lambda _, path: load_requirements(str(path), path.parent / "none"),
        _files("suites/requirements/*.yaml"),
        60,
        as_yaml,
        "requirements.yaml",
    ),
    Target(
        "acknowledged-changes", lambda _, path: load_acknowledged(path), [_ACKNOWLEDGED], 60, as_yaml, "changes.yaml"
    ),
    Target("sigma", _rules, [_SIGMA, *_SIGMA.split(b"---\n")], 150, as_yaml, "rules.yml"),
    Target("falco", _falco, _files("tests/detections/rules/falco/*.yaml"), 150, as_yaml, "rules.yaml"),
    Target("elastic", _rules, [json.dumps(each).encode() for each in _ELASTIC], 200, file="rules.ndjson"),
    Target("elastic-toml", _rules, [_TOML], 60, file="rule.toml"),
    Target("own-rules", _rules, [_NATIVE], 100, as_yaml, "own.yaml"),
    Target("profile", lambda _, path: load_profile(str(path)), _files("clusters/*.yaml"), 150, as_yaml, "profile.yaml"),
    Target("requests", _requests, [_lines(_ASKED)(each) for each in _ASKED], 150, _lines(_ASKED), "requests.jsonl"),
    Target("events", _log, [json.dumps(each).encode() for each in _EVENTS], 250, _lines(_EVENTS), "audit.log"),
    Target(
        "container-log",
        _foreign,
        [b"2026-11-23T10:00:00.1Z stdout P {}\n2026-11-23T10:00:00.1Z stderr F " + json.dumps(_EVENT).encode() + b"\n"],
        60,
        lambda each: b"2026-11-23T10:00:00.1Z stdout F " + json.dumps(each).encode() + b"\n",
        "cri.log",
    ),
    Target(
        "log-in-envelopes",
        _foreign,
        _samples(
            "azure-aksaudit-table.json",
            "azure-event-hub.json",
            "cloudwatch-insights.json",
            "cloudwatch.jsonl",
            "docker-json-file.log",
            "elastic-search.json",
            "event-list.json",
            "fluent-bit.jsonl",
            "loki-query.json",
            "none-google.json",
            "openshift-viaq.jsonl",
            "strings.txt",
        ),
        150,
        file="export.json",
    ),
    Target(
        "log-over-many-lines",
        _foreign,
        _samples("pretty.json", "pretty-list.json", "list.json", "cloudwatch-filter.json"),
        100,
        lambda each: json.dumps([_EVENT, each, _EVENT], indent=2).encode(),
        "pretty.json",
    ),
    Target(
        "log-with-prefixes",
        _foreign,
        _samples("syslog-5424.log", "syslog-3164.log", "logcli.txt", "kubectl-logs.txt", "aws-logs-tail.txt"),
        60,
        _prefixed(b'<134>1 2026-11-23T10:00:00Z cp1 kube-apiserver - - [a b="c"] '),
        "syslog.log",
    ),
    Target("log-in-yaml", _foreign, _samples("event-list.yaml"), 60, as_yaml, "events.yaml"),
    Target("log-in-utf-16", _foreign, _samples("utf-16.log", "byte-order-mark.log"), 40, file="utf-16.log"),
    Target("compressed-log", _compressed, [gzip.compress(_lines(_EVENTS)(_EVENT), mtime=0)], 100, file="packed.log.gz"),
    Target("results", _results, [_report()], 200, file="results.json"),
    Target("kubeconfig", _kubeconfig, [as_yaml(_KUBECONFIG), as_json(_KUBECONFIG)], 60, as_yaml, "kubeconfig"),
    Target("metrics", lambda data, _: parse_metrics(data), [_METRICS], 200),
    Target("request-line", _request_line, _REQUEST_LINES, 300),
    Target("legacy-line", _legacy, [_LEGACY_LINE], 150, file="legacy.log"),
    Target("replay", replayed.replayed, [_written(_EVENTS)], 8, _native, "audit.log"),
    Target("recorded", replayed.recorded, [_written(_EVENTS)], 8, _native, "audit.log"),
    Target("counters", replayed.counters, [_COUNTERS], 150, file="metrics.txt"),
    Target("price", replayed.price, [b"0.50/GiB", b"$ 1.5 EUR/TB"], 100),
    Target("policy-as-sql", replayed.as_sql, _files("fixtures/policies/*.yaml", most=3), 8, as_yaml, "policy.yaml"),
)
