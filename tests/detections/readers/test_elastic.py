"""Rules of Elastic Security as conditions on audit events: KQL, EQL, and what is not read."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.detections import Detection, load_rules, matches
from auditproof.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

EVENT = {
    "verb": "create",
    "requestURI": "/api/v1/namespaces/shop/pods/web/exec?command=sh",
    "user": {
        "username": "system:serviceaccount:shop:ci",
        "groups": ["system:authenticated", "dev"],
        "extra": {"authentication.kubernetes.io/pod-name": ["web-1"]},
    },
    "sourceIPs": ["10.1.2.3"],
    "userAgent": "kubectl/v1.37 (linux)",
    "objectRef": {"resource": "pods", "namespace": "shop"},
    "responseStatus": {"code": 403},
    "annotations": {"authorization.k8s.io/decision": "forbid"},
    "requestObject": {
        "spec": {"hostPID": True, "containers": [{"image": "shop/web:1"}, {"image": "shop/log:2"}]},
        "rules": [{"verbs": ["get", "*"]}],
    },
}
AUDIT = 'data_stream.dataset: "kubernetes.audit_logs" and '


def toml(**keys: Any) -> str:
    given = {
        "name": "A rule",
        "rule_id": "rule-1",
        "risk_score": 47,
        "severity": "medium",
        "type": "query",
        "language": "kuery",
        "index": ["logs-kubernetes.audit_logs-*"],
        **keys,
    }
    lines = (f"{key} = {_as_toml(value)}" for key, value in given.items() if value is not None)
    return "[metadata]\nmaturity = 'production'\n\n[rule]\n" + "\n".join(lines)


def _as_toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_as_toml(one)}" for key, one in value.items()) + "}"
    return f"[{', '.join(map(_as_toml, value))}]" if isinstance(value, list) else json.dumps(value)


def written(folder: Path, text: str, name: str = "rule.toml") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def read(folder: Path, **keys: Any) -> Detection:
    found = load_rules([written(folder, toml(**keys))])
    assert not found.not_read, found.not_read[0].reason
    return found.detections[0]


def eql(folder: Path, query: str) -> Detection:
    return read(folder, type="eql", language="eql", query=query)


@pytest.mark.parametrize(
    ("query", "true"),
    [
        ("kubernetes.audit.verb: create", True),
        ("kubernetes.audit.verb:CREATE", False),
        ('kubernetes.audit.verb :"create"', True),
        ('"kubernetes.audit.verb": "create"', True),
        ("kubernetes.audit.verb: (get or create)", True),
        ("kubernetes.audit.verb: (get OR list)", False),
        ("kubernetes.audit.verb: (* and not create)", False),
        ("kubernetes.audit.verb: cr*te", True),
        ('kubernetes.audit.verb: "cr*te"', False),
        ("kubernetes.audit.verb: cr?ate", False),
        ("kubernetes.audit.verb: cr*x or event.action: *ate", True),
        ("not kubernetes.audit.objectRef.name: *", True),
        ("kubernetes.audit.objectRef.subresource: exec", False),
        ("user.name: system\\:serviceaccount\\:*", True),
        ("user.name: *\\:node\\:*", False),
        ("user.name: *\\:shop\\:*", True),
        ("user_agent.original: (* and not (*kubernetes/$Format))", True),
        ("source.ip: 10.0.0.0/8", True),
        ('source.ip: (* and not ("::1" or "127.0.0.1"))', True),
        ('kubernetes.audit.user.groups: "dev"', True),
        ('kubernetes.audit.user.groups: ("dev" and "ops")', False),
        ('kubernetes.audit.user.groups: ("dev" and "system:authenticated")', True),
        ("kubernetes.audit.annotations.authorization_k8s_io/decision: forbid", True),
        ("kubernetes.audit.user.extra.authentication.kubernetes.io/pod-name :web-*", True),
        ("kubernetes.audit.responseStatus.code: 403", True),
        ("kubernetes.audit.responseStatus.code >= 400 and kubernetes.audit.responseStatus.code < 500", True),
        ("kubernetes.audit.requestObject.spec.hostPID: true", True),
        ("kubernetes.audit.requestObject.spec.containers.image: shop/log*", True),
        ('kubernetes.audit.requestObject.rules.verbs: "*"', True),
        ('kubernetes.audit.requestObject.rules.verbs: "list"', False),
        ("event.outcome: failure", True),
        ("event.outcome: (success or unknown)", False),
        ("event.outcome: *", True),
        ('event.dataset: "kubernetes.audit_logs"', True),
        ("event.dataset: aws.cloudtrail", False),
        ("NOT (event.action: get or event.action: list) AND event.kind: event", True),
        ("kubernetes.audit.verb: a b", False),
        ("kubernetes.audit.verb: (order or android or nothing)", False),
        ("kubernetes.audit.bogus: x", False),
    ],
)
def test_a_kql_query_is_true_of_an_event_or_not(query: str, true: bool, tmp_path: Path) -> None:
    """A query means what the reference of KQL says, on documents as Elastic's pipeline makes them of events."""
    assert matches(read(tmp_path, query=query).steps[0], EVENT) is true


@pytest.mark.parametrize(
    ("query", "true"),
    [
        ('kubernetes.audit.verb == "create"', True),
        ('kubernetes.audit.verb == "CREATE"', False),
        ('kubernetes.audit.verb : "CREATE"', True),
        ('kubernetes.audit.verb : ("get", "cr*")', True),
        ('kubernetes.audit.verb != "create"', False),
        ('"create" == kubernetes.audit.verb', True),
        ('kubernetes.audit.verb in ("get", "create")', True),
        ('kubernetes.audit.verb in~ ("GET", "CREATE")', True),
        ('kubernetes.audit.verb not in ("get", "create")', False),
        ('kubernetes.audit.verb like "cr?ate"', True),
        ('kubernetes.audit.verb like "CR*"', False),
        ('kubernetes.audit.verb like~ ("x", "CR*")', True),
        ('kubernetes.audit.verb regex "cre.*"', True),
        ('kubernetes.audit.verb regex "cre"', False),
        ('kubernetes.audit.verb regex~ ("CRE[a-z]+", "x")', True),
        ("kubernetes.audit.objectRef.name == null", True),
        ("kubernetes.audit.verb != null", True),
        ('not kubernetes.audit.objectRef.name == "x"', True),
        ("kubernetes.audit.responseStatus.code >= 400 and 500 > kubernetes.audit.responseStatus.code", True),
        ("kubernetes.audit.requestObject.spec.hostPID == true", True),
        ("?kubernetes.audit.requestObject.spec.hostPID", True),
        ('`kubernetes.audit.annotations.authorization_k8s_io/decision` == "forbid"', True),
        ('kubernetes.audit.requestURI like """*exec?command*"""', True),
        ('startsWith(user.name, "system:serviceaccount:")', True),
        ('endsWith~(user.name, ":CI")', True),
        ('stringContains(user_agent.original, "KUBECTL")', False),
        ('stringContains~(user_agent.original, "KUBECTL")', True),
        ('wildcard(user_agent.original, "curl*", "kubectl*")', True),
        ('startsWith(user.name, "system:") == true and endsWith(user.name, "x") != true', True),
        ('startsWith(user.name, "system:") == false', False),
        ("kubernetes.audit.responseStatus.code in (401, 403)", True),
        ('match(user_agent.original, "kubectl/v[0-9.]+ .*")', True),
        ('cidrMatch(source.ip, "192.168.0.0/16", "10.0.0.0/8")', True),
        ('event.action == "create" and /* not\nthese */ (event.action == "get" // or\n or true)', True),
        ("false or kubernetes.audit.verb : \"*\"", True),
    ],
)  # fmt: skip
def test_an_eql_query_is_true_of_an_event_or_not(query: str, true: bool, tmp_path: Path) -> None:
    """An expression means what the reference of EQL says."""
    assert matches(eql(tmp_path, f"any where {query}").steps[0], EVENT) is true


def test_a_sequence_has_a_step_for_each_event_of_audit_logs(tmp_path: Path) -> None:
    """An event in it has the fields by which the sequence is joined."""
    found = eql(
        tmp_path,
        """sequence by user.name with maxspan=1m
  [process where process.name == "kubectl"] by host.id
  [any where event.action == "list"] with runs=3
  [any where event.action == "get"] by source.ip
  until [any where event.action == "delete"]""",
    )
    texts = [[str(part) for part in step.parts] for step in found.steps]  # type: ignore[union-attr]
    assert texts == [
        ["verb = list", "user.username exists"],
        ["verb = get", "user.username exists", "sourceIPs.* exists"],
    ]
    assert found.remarks == (
        "it also needs an event of another log (process)",
        "event.action is read as verb",
        "user.name is read as user.username",
        "source.ip is read as sourceIPs",
        "the event that ends its sequence (until) is not looked at",
        "whether its events belong together, and come in time, is not looked at",
    )


@pytest.mark.parametrize(
    ("keys", "remark", "text"),
    [
        (
            {"type": "threshold", "threshold": {"field": ["user.name"], "value": 5}},
            "how many events there must be (threshold) is not looked at",
            "user.username exists",
        ),
        (
            {"type": "new_terms", "new_terms_fields": ["source.ip"]},
            "whether the value is new (source.ip) is not looked at",
            "sourceIPs.* exists",
        ),
    ],
)
def test_rules_that_compare_events_with_each_other_need_their_fields(
    keys: dict[str, Any], remark: str, text: str, tmp_path: Path
) -> None:
    """An event without the field is in no group; the comparison is a remark."""
    found = read(tmp_path, query="kubernetes.audit.verb: get", **keys)
    assert remark in found.remarks
    assert text in [str(part) for part in found.steps[0].parts]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"type": "esql", "language": "esql", "index": None, "query": "from logs-kubernetes.audit_logs-*"}, "ES|QL"),
        ({"type": "machine_learning", "machine_learning_job_id": "x"}, "machine learning"),
        ({"type": "other", "query": "a: b"}, "unknown type other"),
        ({"language": "lucene", "query": "kubernetes.audit.verb:get"}, "in Lucene"),
        ({"query": "create"}, 'searches for "create" in whole events'),
        ({"query": "kubernetes.audit.*: create"}, "compares all fields that match kubernetes.audit.*"),
        ({"query": "orchestrator.cluster.name: prod"}, "compares orchestrator.cluster.name, which does not come"),
        ({"query": "kubernetes.audit.user: { username: a }"}, "as a nested field"),
        ({"query": "kubernetes.audit.verb: a* b"}, "wildcards and spaces"),
        ({"query": "kubernetes.audit.verb > a"}, "the order of texts"),
        ({"query": "kubernetes.audit.verb: null"}, "write not kubernetes.audit.verb: *"),
        ({"query": "source.ip: 10.0.0/99"}, "10.0.0/99 is no network"),
        ({"query": "not (event.action: a or " * 60 + "event.action: b" + ")" * 60}, "more than 100 levels deep"),
        ({"query": "not (event.action: a or " * 900 + "event.action: b" + ")" * 900}, "nested too deeply"),
        ({"query": "kubernetes.audit.verb: (get or"}, "not valid KQL: the query is not complete"),
        ({"query": "kubernetes.audit.verb: get)"}, "not valid KQL: line 1, column 27 of the query: unexpected ')'"),
        ({"query": None}, "it has no query"),
        ({"query": "event.action: get", "filters": [{"match": {}}]}, "filters in the Query DSL"),
    ],
    ids=str,
)
def test_what_cannot_be_translated_exactly_is_not_read(keys: dict[str, Any], reason: str, tmp_path: Path) -> None:
    """A rule is read in full or reported with the reason."""
    (one,) = load_rules([written(tmp_path, toml(**keys))]).not_read
    assert reason in one.reason


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("any where length(user.name) > 3", "something else than a field"),
        ("any where length(user.name)", "calls the function length"),
        ("any where user.name == user_agent.original", "something else than a value"),
        ("any where user.name > \"a\"", "the order of texts"),
        ("any where user.name regex \"a@b\"", "what only Lucene evaluates"),
        ("any where kubernetes.audit.user.groups[0] == \"a\"", "one element of a list"),
        ("any where user.name : (null)", "looks for null"),
        ("any where \"a\"", "a literal stands where"),
        ("any where user.name == \"a\" | head 10", "unexpected '| head 10'"),
        ("sequence [any where true] ![any where true]", "must be missing"),
    ],
    ids=str,
)  # fmt: skip
def test_eql_that_cannot_be_translated_exactly_is_not_read(query: str, reason: str, tmp_path: Path) -> None:
    (one,) = load_rules([written(tmp_path, toml(type="eql", language="eql", query=query))]).not_read
    assert reason in one.reason


def test_what_elastic_does_to_a_document_is_remarked(tmp_path: Path) -> None:
    """Text that it takes apart, and metadata that it removes."""
    query = 'kubernetes.audit.user.groups: "system:masters" and kubernetes.audit.requestObject.metadata.name: web'
    assert read(tmp_path, query=query).remarks == (
        "Elastic indexes kubernetes.audit.user.groups as text, word by word; it is compared as a whole here",
        (
            "Elastic's pipeline removes requestObject.metadata, so kubernetes.audit.requestObject.metadata.name "
            "is never there"
        ),
    )


def test_a_rule_keeps_what_is_said_about_it(tmp_path: Path) -> None:
    """Techniques of ATT&CK are tags as Sigma has them."""
    technique = {"id": "T1552", "subtechnique": [{"id": "T1552.007"}]}
    found = read(tmp_path, query="event.action: get", tags=["Data Source: Kubernetes"])
    assert (found.id, found.title, found.severity, found.pack) == ("rule-1", "A rule", "medium", "rule")
    assert (found.position.line, found.enabled, found.tags) == (4, True, ("Data Source: Kubernetes",))
    line: dict[str, Any] = {
        "rule_id": "x",
        "name": "B",
        "type": "query",
        "query": "event.action: get",
        "index": ["kubernetes.audit_logs"],
    }
    line |= {"threat": [{"tactic": {"id": "TA0006"}, "technique": [technique]}], "enabled": False}
    path = written(tmp_path, json.dumps({"exported_count": 1}) + "\n" + json.dumps(line) + "\n", "export.ndjson")
    (exported,) = load_rules([path]).detections
    assert (exported.position.line, exported.enabled) == (2, False)
    assert exported.tags == ("attack.t1552", "attack.t1552.007")


@pytest.mark.parametrize(
    "keys",
    [
        {"index": ["logs-aws.cloudtrail-*"], "query": "event.action: RunInstances"},
        {"type": "eql", "language": "eql", "query": 'process where process.name == "x"'},
        {"type": "eql", "language": "eql", "query": 'sequence [file where true] [process where true]'},
    ],
    ids=str,
)  # fmt: skip
def test_rules_about_other_logs_are_counted(keys: dict[str, Any], tmp_path: Path) -> None:
    found = load_rules([written(tmp_path, toml(**keys))])
    assert (found.detections, found.not_read, found.others) == ((), (), 1)


def test_rules_of_one_json_file_are_read(tmp_path: Path) -> None:
    """A list, as an API returns it, over several lines."""
    rule = {"rule_id": "x", "name": "B", "type": "query", "query": "kubernetes.audit.verb: get"}
    path = written(tmp_path, json.dumps([rule, {**rule, "rule_id": "y"}], indent=1), "rules.json")
    assert [one.id for one in load_rules([path]).detections] == ["x", "y"]


def test_toml_that_is_not_valid_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"rule\.toml:2:\d+: not valid TOML"):
        load_rules([written(tmp_path, "[rule]\nname = \n")])
    written(tmp_path, toml(query="event.action: get"), "good.toml")
    assert [one.id for one in load_rules([tmp_path]).not_read] == ["rule.toml"]


def test_toml_without_a_rule_is_passed_over(tmp_path: Path) -> None:
    written(tmp_path, "[tool.x]\na = 1\n", "pyproject.toml")
    written(tmp_path, toml(query="event.action: get"))
    found = load_rules([tmp_path])
    assert (len(found.detections), found.not_read) == (1, ())
