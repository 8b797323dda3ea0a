"""Sigma rules as conditions on audit events: every modifier, and what is not read."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from auditproof.detections import Detection, NotRead, Rules, load_rules, matches
from auditproof.errors import AuditproofError

if TYPE_CHECKING:
    from pathlib import Path

EVENT = {
    "verb": "create",
    "level": "Request",
    "requestURI": "/api/v1/namespaces/shop/pods?dryRun=All",
    "user": {"username": "system:serviceaccount:shop:CI", "groups": ["system:authenticated", "dev"]},
    "sourceIPs": ["10.1.2.3", "fd00::1"],
    "userAgent": "kubectl/v1.37 -n shop C:\\*",
    "objectRef": {"resource": "pods", "namespace": "shop", "apiVersion": "v1"},
    "responseStatus": {"code": 403},
    "annotations": {"authorization.k8s.io/decision": "forbid"},
    "requestObject": {
        "metadata": {"labels": {"app.kubernetes.io/name": "web"}},
        "spec": {
            "hostPID": True,
            "containers": [
                {"image": "shop/web:1.2", "securityContext": {"privileged": False}},
                {"image": "shop/log", "securityContext": {"privileged": True, "capabilities": {"add": ["SYS_ADMIN"]}}},
            ],
            "volumes": [{"hostPath": {"path": "/etc"}}],
        },
    },
}


def written(folder: Path, *rules: dict[str, Any], name: str = "rules.yml") -> Path:
    path = folder / name
    path.write_text(yaml.safe_dump_all(rules, sort_keys=False))
    return path


def rule(detection: dict[str, Any], **more: Any) -> dict[str, Any]:
    source = {"product": "kubernetes", "service": "audit"}
    return {"title": "A rule", "logsource": source, "detection": {"condition": "selection", **detection}, **more}


def selecting(folder: Path, selection: Any) -> Detection:
    read = load_rules([written(folder, rule({"selection": selection}))])
    assert not read.not_read, read.not_read[0].reason
    return read.detections[0]


@pytest.mark.parametrize(
    ("selection", "true"),
    [
        ({"verb": "create"}, True),
        ({"verb": "CREATE"}, True),
        ({"verb|cased": "CREATE"}, False),
        ({"verb": ["get", "create"]}, True),
        ({"verb": "cr?ate"}, True),
        ({"verb": "c*e"}, True),
        ({"verb": "c*g"}, False),
        ({"verb": ""}, False),
        ({"verb": "*"}, True),
        ({"impersonatedUser.username": "*"}, False),
        ({"impersonatedUser.username": None}, True),
        ({"verb": [None, "get"]}, False),
        ({"objectRef.subresource": [None, "exec"]}, True),
        ({"verb|exists": True}, True),
        ({"objectRef.subresource|exists": False}, True),
        ({"userAgent|startswith": "KUBECTL"}, True),
        ({"userAgent|startswith|cased": "KUBECTL"}, False),
        ({"userAgent|endswith": r"\\\*"}, True),
        ({"userAgent|contains|all": ["kubectl", "shop"]}, True),
        ({"userAgent|contains|all": ["kubectl", "curl"]}, False),
        ({"userAgent|contains|windash": " /n "}, True),
        ({"userAgent|re": "kubectl/v1\\.\\d+"}, True),
        ({"userAgent|re": "KUBECTL"}, False),
        ({"userAgent|re|i": "KUBECTL"}, True),
        ({"userAgent|neq": "curl"}, True),
        ({"user.username|base64": "x"}, False),
        ({"responseStatus.code": 403}, True),
        ({"responseStatus.code": "403"}, True),
        ({"responseStatus.code": [401, 404]}, False),
        ({"responseStatus.code|gte": 400, "responseStatus.code|lt": 500}, True),
        ({"responseStatus.code|gt": 403}, False),
        ({"responseStatus.code|lte": 402}, False),
        ({"sourceIPs|cidr": "10.0.0.0/8"}, True),
        ({"sourceIPs|cidr": "fd00::/8"}, True),
        ({"sourceIPs|cidr": "192.168.0.0/16"}, False),
        ({"user.groups": "dev"}, True),
        ({"user.groups|all": ["dev", "system:authenticated"]}, True),
        ({"user.groups": "system:masters"}, False),
        ({"annotations.authorization.k8s.io/decision": "forbid"}, True),
        ({"requestObject.metadata.labels.app.kubernetes.io/name": "web"}, True),
        ({"requestObject.spec.hostPID": True}, True),
        ({"requestObject.spec.hostPID": "true"}, True),
        ({"requestObject.spec.hostNetwork": False}, False),
        ({"requestObject.spec.containers.image": "shop/log"}, True),
        ({"requestObject.spec.containers.securityContext.privileged": True}, True),
        ({"requestObject.spec.containers.securityContext.capabilities.add": "SYS_ADMIN"}, True),
        ({"requestObject.spec.initContainers.image|startswith": "shop/"}, False),
        ({"hostPath": "*"}, True),
        ({"capabilities": "*"}, True),
        ({"apiGroup": None}, True),
        ({"namespace": "shop"}, True),
        ({"eventName": "RunInstances"}, False),
        ([{"verb": "get"}, {"objectRef.resource": "pods"}], True),
        ({"verb": "create", "objectRef.resource": "secrets"}, False),
    ],
    ids=str,
)
def test_a_selection_is_true_of_an_event_or_not(selection: Any, true: bool, tmp_path: Path) -> None:
    """A selection means what the Sigma specification says, lists of an event included."""
    assert matches(selecting(tmp_path, selection).steps[0], EVENT) is true


@pytest.mark.parametrize(
    ("condition", "true"),
    [
        ("selection_pods and not filter", False),
        ("selection_pods and not selection_get", True),
        ("1 of selection_*", True),
        ("all of selection_*", False),
        ("any of them", True),
        ("all of them", False),
        ("not 1 of filter*", False),
        ("(selection_get or selection_pods) and filter", True),
        (["selection_get", "selection_pods"], True),
    ],
    ids=str,
)
def test_a_condition_combines_its_selections(condition: Any, true: bool, tmp_path: Path) -> None:
    """Quantifiers, parentheses, lists of conditions: as in the Sigma specification."""
    parts = {
        "selection_get": {"verb": "get"},
        "selection_pods": {"objectRef.resource": "pods"},
        "filter": {"user.username|startswith": "system:"},
    }
    (detection,) = load_rules([written(tmp_path, rule({**parts, "condition": condition}))]).detections
    assert matches(detection.steps[0], EVENT) is true


def test_values_of_one_field_are_one_test(tmp_path: Path) -> None:
    """So that a check can compare them with the lists of a policy rule, and a message stays short."""
    found = selecting(tmp_path, {"verb": ["get", "list", "watch"]})
    assert str(found.steps[0]) == "verb = one of get, list, watch"


def not_read(folder: Path, *rules: dict[str, Any]) -> str:
    (one,) = load_rules([written(folder, *rules)]).not_read
    return one.reason


@pytest.mark.parametrize(
    ("detection", "reason"),
    [
        ({"selection": ["mimikatz", "rakkess"]}, 'searches for the keyword "mimikatz" in whole events'),
        ({"selection": {"verb|fieldref": "level"}}, "compares the fields verb and level"),
        ({"selection": {"user.username|expand": "%admins%"}}, 'placeholder, "%admins%"'),
        ({"selection": {"requestReceivedTimestamp|hour": 3}}, "part of a time"),
        ({"selection": {"verb|unknown": "get"}}, "Unknown modifier"),
        ({"selection": {"verb|re": "(?P<x"}}, "Regular expression"),
        ({"selection": {"userAgent|re": "[[:alpha:]]+"}}, "cannot be evaluated"),
        ({"selection": {"sourceIPs|cidr": "10.0.0"}}, "Invalid CIDR"),
        ({"selection": {"verb": "get"}, "condition": "other"}, "'other' not defined"),
        ({"selection": {"verb": "get"}, "condition": "selection and"}, "not valid Sigma"),
        ({"selection": {"verb": "get"}, "condition": "1 of them | near other"}, "near others"),
        ({"selection": {"verb": {"a": "b"}}}, "not valid Sigma"),
        ({"selection": {}}, "empty"),
    ],
    ids=str,
)
def test_what_cannot_be_translated_exactly_is_not_read(detection: dict[str, Any], reason: str, tmp_path: Path) -> None:
    """A rule is read in full or reported with the reason."""
    assert reason in not_read(tmp_path, rule(detection))


def test_a_repeated_key_is_not_read(tmp_path: Path) -> None:
    """Engines differ in which of the values counts."""
    path = tmp_path / "rule.yml"
    path.write_text(yaml.safe_dump(rule({"selection": {"verb": "get"}}), sort_keys=False) + "title: Another\n")
    (one,) = load_rules([path]).not_read
    assert "the key title is repeated in line" in one.reason


def test_a_rule_keeps_what_is_said_about_it(tmp_path: Path) -> None:
    """Id, title, level, tags and position are the rule's own."""
    more = {"id": "0b8e5c2f-7c1e-4f5c-9d7a-111111111111", "level": "high", "tags": ["attack.t1609", "cve.2026-1"]}
    path = written(tmp_path, rule({"selection": {"verb": "get"}}), rule({"selection": {"hostPath": "/"}}, **more))
    found = load_rules([path]).detections[1]
    assert (found.id, found.title, found.severity, found.tags) == (more["id"], "A rule", "high", tuple(more["tags"]))
    assert (found.pack, found.position.path, found.position.line) == ("rules", str(path), 10)
    assert found.remarks == ("hostPath is read as requestObject.**.hostPath",)


def test_a_field_that_no_event_has_is_remarked(tmp_path: Path) -> None:
    """The rule is read: it can never match, which is for the check to say."""
    found = selecting(tmp_path, {"eventName": "x"})
    assert found.remarks == ("an audit event has no field eventName, so no test of it is ever true",)


def test_names_of_the_user_come_first(tmp_path: Path) -> None:
    """A name that only this user's events have can be given a path."""
    path = written(tmp_path, rule({"selection": {"k8s.pod": "web", "namespace": "shop"}}))
    (found,) = load_rules([path], fields={"k8s.pod": "objectRef.name", "namespace": "annotations.ns"}).detections
    assert [str(part) for part in found.steps[0].parts] == ["objectRef.name = web", "annotations.ns = shop"]  # type: ignore[union-attr]


def test_a_name_for_no_field_of_an_event_is_refused(tmp_path: Path) -> None:
    path = written(tmp_path, rule({"selection": {"verb": "get"}}))
    with pytest.raises(AuditproofError, match=r"fields: pod cannot be read as objectref\.name"):
        load_rules([path], fields={"pod": "objectref.name"})


@pytest.mark.parametrize(
    ("source", "is_read"),
    [
        ({"product": "kubernetes", "service": "audit"}, True),
        ({"product": "Kubernetes", "category": "application"}, True),
        ({"product": "kubernetes", "service": "kubelet"}, False),
        ({"product": "windows", "service": "security"}, False),
        ({"category": "process_creation"}, False),
    ],
    ids=str,
)
def test_rules_of_other_log_sources_are_counted(source: dict[str, str], is_read: bool, tmp_path: Path) -> None:
    read = load_rules([written(tmp_path, rule({"selection": {"verb": "get"}}, logsource=source))])
    assert (len(read.detections), read.others) == ((1, 0) if is_read else (0, 1))


def test_counting_is_remarked(tmp_path: Path) -> None:
    """An aggregation of an older version of Sigma: its condition is the step."""
    given = {"selection": {"verb": "list"}, "condition": "selection | count() by user > 5", "timeframe": "5m"}
    (found,) = load_rules([written(tmp_path, rule(given))]).detections
    assert str(found.steps[0]) == "verb = list"
    assert found.remarks == ("how many events there must be (count() by user > 5) is not looked at",)


def correlation(kind: str, *rules: str, **more: Any) -> dict[str, Any]:
    given = {"type": kind, "rules": list(rules), "group-by": ["user.username"], "timespan": "5m", **more}
    return {"title": "Both", "correlation": given}


LIST = rule({"selection": {"verb": "list"}}, name="listed")
GET = rule({"selection": {"verb": "get"}}, name="read")
MORE = {"condition": {"gte": 5}}


def steps_of(rules: Rules) -> list[list[str]]:
    return [[str(step) for step in one.steps] for one in rules.detections]


def test_a_correlation_in_time_has_a_step_for_each_of_its_rules(tmp_path: Path) -> None:
    """And replaces them, unless it says generate."""
    found = load_rules([written(tmp_path, LIST, GET, correlation("temporal_ordered", "listed", "read"))])
    assert steps_of(found) == [["verb = list", "verb = get"]]
    found = load_rules([written(tmp_path, LIST, GET, correlation("temporal", "listed", "read", generate=True))])
    assert steps_of(found) == [["verb = list"], ["verb = get"], ["verb = list", "verb = get"]]


def test_a_correlation_that_counts_has_one_step(tmp_path: Path) -> None:
    found = load_rules([written(tmp_path, LIST, GET, correlation("event_count", "listed", "read", **MORE))])
    assert steps_of(found) == [["verb = one of list, get"]]
    assert found.detections[0].remarks == ("how many events there must be (event_count) is not looked at",)


def test_a_correlation_with_rules_of_other_sources_says_so(tmp_path: Path) -> None:
    other = rule({"selection": {"Image": "x"}}, logsource={"product": "windows"}, name="other")
    found = load_rules([written(tmp_path, LIST, other, correlation("temporal", "listed", "other"))])
    assert steps_of(found) == [["verb = list"]]
    assert found.detections[0].remarks == ("it also needs other, a rule about another log source",)
    assert load_rules([written(tmp_path, other, correlation("temporal", "other"))]).others == 1


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (correlation("temporal", "missing"), "refers to the rule missing"),
        (correlation("temporal", "loop") | {"name": "loop"}, ""),
        (correlation("temporal_extended", "listed", condition="listed and not read"), "by and, or and not"),
        (correlation("event_count", **MORE), "names no rules"),
    ],
    ids=str,
)
def test_correlations_that_are_not_read(given: dict[str, Any], reason: str, tmp_path: Path) -> None:
    read = load_rules([written(tmp_path, LIST, GET, given)])
    assert not reason or reason in read.not_read[0].reason
    assert not any("correlation" in one.title for one in read.detections)


def test_a_filter_is_applied_to_its_rules(tmp_path: Path) -> None:
    """A filter takes events away from the rules that it names."""
    given = {"rules": ["listed"], "selection": {"user.username|startswith": "system:"}, "condition": "not selection"}
    wanted = {"title": "Without controllers", "logsource": LIST["logsource"], "filter": given}
    listed, read = load_rules([written(tmp_path, LIST, GET, wanted)]).detections
    assert not matches(listed.steps[0], {"verb": "list", "user": {"username": "system:node:a"}})
    assert matches(listed.steps[0], {"verb": "list", "user": {"username": "alice"}})
    assert listed.remarks == ("the filter Without controllers is applied to it",)
    assert read.remarks == ()


def test_a_template_is_merged_into_the_rules_of_its_file(tmp_path: Path) -> None:
    """``action: global`` of older versions of Sigma."""
    template = {"action": "global", "title": "All", "logsource": LIST["logsource"], "level": "low"}
    parts = [{"detection": {"selection": {"verb": verb}, "condition": "selection"}} for verb in ("get", "list")]
    read = load_rules([written(tmp_path, template, *parts)])
    assert [(one.id, one.title, one.severity) for one in read.detections] == [
        ("rules/All", "All", "low"),
        ("rules/All#2", "All", "low"),
    ]
    assert steps_of(read) == [["verb = get"], ["verb = list"]]


def test_without_pysigma_the_error_names_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Stands in for an environment without the package: the import fails as it would there."""
    real = builtins.__import__

    def importing(name: str, *args: Any, **more: Any) -> Any:
        if name == "auditproof.detections.readers.sigma" and "read" in (args[2] or ()):
            raise ImportError("No module named 'sigma'")
        return real(name, *args, **more)

    monkeypatch.setattr(builtins, "__import__", importing)
    with pytest.raises(AuditproofError, match=r"pip install 'pysigma>=2\.0'"):
        load_rules([written(tmp_path, LIST)])


def test_not_read_has_id_pack_and_position(tmp_path: Path) -> None:
    (one,) = load_rules([written(tmp_path, LIST, rule({"selection": ["word"]}, id="second"))]).not_read
    assert isinstance(one, NotRead)
    assert (one.title, one.pack, one.position.line) == ("A rule", "rules", 11)
