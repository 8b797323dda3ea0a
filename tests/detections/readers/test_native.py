"""auditproof's own format of detection rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof import content
from auditproof.detections import Rules, load_rules, matches
from auditproof.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

HEAD = "apiVersion: auditproof/v1\nkind: Detections\n"
EVENT = {
    "verb": "create",
    "requestURI": "/api/v1/namespaces/shop/pods/web/exec?command=sh&command=-c",
    "user": {"username": "alice", "groups": ["dev", "ops"]},
    "sourceIPs": ["10.1.2.3"],
    "objectRef": {"resource": "pods", "subresource": "exec", "namespace": "shop"},
    "responseStatus": {"code": 201},
    "requestObject": {"spec": {"hostPID": True, "containers": [{"image": "shop/web:1"}, {"image": "shop/log:2"}]}},
}


def load(folder: Path, text: str) -> Rules:
    path = folder / "own.yaml"
    path.write_text(text)
    return load_rules([path])


@pytest.mark.parametrize(
    ("when", "true"),
    [
        ("{verb: create}", True),
        ("{verb: Create}", False),
        ("{verb: {equals: Create, ignoreCase: true}}", True),
        ("{verb: [get, create]}", True),
        ("{verb: create, objectRef.resource: secrets}", False),
        ("{all: [{verb: create}, {objectRef.resource: pods}]}", True),
        ("{any: [{verb: get}, {objectRef.subresource: exec}]}", True),
        ("{not: {verb: get}}", True),
        ("{not: {verb: create, user.username: bob}}", True),
        ("{responseStatus.code: 201}", True),
        ("{responseStatus.code: 201.0}", True),
        ("{responseStatus.code: {gte: 200, lt: 300}}", True),
        ("{responseStatus.code: {gt: 201}}", False),
        ("{responseStatus.code: {lte: 201}}", True),
        ("{requestObject.spec.hostPID: true}", True),
        ("{requestObject.spec.containers.image: {startsWith: shop/}}", True),
        ("{requestObject.spec.containers.image: {startsWith: shop/web, every: true}}", False),
        ("{requestObject.spec.containers.image: {endsWith: [':1', ':3']}}", True),
        ("{requestObject.spec.containers.image: {contains: log}}", True),
        ("{requestObject.spec.containers.image: {wildcard: 's*/w?b:1'}}", True),
        ("{requestObject.spec.containers.image: {regex: ':[0-9]$'}}", True),
        ("{requestObject.**.image: 'shop/log:2'}", True),
        ("{sourceIPs: {cidr: 10.0.0.0/8}}", True),
        ("{user.groups: ops}", True),
        ("{'requestURI?command': -c}", True),
        ("{impersonatedUser: {exists: false}}", True),
        ("{objectRef.name: {exists: true}}", False),
    ],
)
def test_a_condition_is_true_of_an_event_or_not(when: str, true: bool, tmp_path: Path) -> None:
    (rule,) = load(tmp_path, f"{HEAD}detections:\n- id: one\n  when: {when}\n").detections
    assert matches(rule.steps[0], EVENT) is true


def test_a_rule_has_what_is_said_about_it(tmp_path: Path) -> None:
    """Own names of fields are remarked, and steps are kept in order."""
    (rule,) = load(
        tmp_path,
        HEAD
        + """\
title: Own rules
fields: {pod: objectRef.name}
detections:
- id: two
  title: Two events
  severity: high
  tags: [attack.t1609]
  enabled: false
  steps: [{verb: get, pod: web}, {verb: delete}]
""",
    ).detections
    assert (rule.id, rule.title, rule.severity, rule.tags) == ("two", "Two events", "high", ("attack.t1609",))
    assert (rule.pack, rule.position.line, rule.position.column, rule.enabled) == ("own", 6, 3, False)
    assert (len(rule.steps), rule.remarks) == (2, ("pod is read as objectRef.name",))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("detections:\n- id: one\n  wehn: {verb: get}\n", 'own.yaml:5:3: detections.0.wehn: unknown key "wehn"'),
        ("detections:\n- id: one\n", "own.yaml:4:3: a rule has exactly one of when"),
        ("detections:\n- {id: one, when: {verb: get}, steps: [{verb: get}]}\n", "own.yaml:4:3: a rule has exactly one"),
        ("detections: []\n", "own.yaml:3:13: detections: List should have at least 1 item"),
        (
            "fields: {pod: objectref.name}\ndetections:\n- {id: one, when: {pod: web}}\n",
            "own.yaml:3:15: objectref.name: an audit event has no such field",
        ),
    ],
)
def test_a_mistake_is_reported_where_it_is(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as raised:
        load(tmp_path, HEAD + text)
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("when", "message"),
    [
        ("{}", "own.yaml:4:19: expected a condition"),
        ("{all: {verb: get}}", "own.yaml:4:25: expected a list of conditions"),
        ("{not: [1]}", "own.yaml:4:25: expected a condition"),
        ("{verv: get}", 'own.yaml:4:26: verv: an audit event has no such field; did you mean "verb"?'),
        ("{verb: null}", "write {exists: false} for a field that must be absent"),
        ("{verb: {}}", "expected how the value is compared"),
        ("{verb: []}", "an empty list of values"),
        ("{verb: {contain: x}}", 'own.yaml:4:36: unknown key contain; did you mean "contains"?'),
        ("{verb: {contains: 3}}", "own.yaml:4:37: verb: contains: expected a text, or a list of texts"),
        ("{verb: {exists: maybe}}", "verb: exists: expected true or false"),
        ("{verb: {regex: '('}}", "the regular expression ( cannot be evaluated"),
        ("{sourceIPs: {cidr: 10.0.0}}", "10.0.0 is no network"),
        ("{not: " * 60 + "{verb: get}" + "}" * 60, "nested more than 30 levels"),
    ],
    ids=lambda one: str(one)[:40],
)
def test_a_mistake_in_a_condition_is_reported_where_it_is(when: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SourceError) as raised:
        load(tmp_path, f"{HEAD}detections:\n- {{id: one, when: {when}}}\n")
    assert message in str(raised.value)


def test_all_mistakes_of_a_file_are_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(SourceError) as raised:
        load(tmp_path, f"{HEAD}detections:\n- {{id: a, when: {{x: 1}}}}\n- {{id: b, when: {{verb: {{lt: a}}}}}}\n")
    assert next(problem.position.line for problem in raised.value.problems) == 4
    assert len(raised.value.problems) >= 2


def test_the_example_of_the_document_is_read(tmp_path: Path) -> None:
    """docs/detection-rules.md shows what is accepted."""
    page = (content.root() / "docs" / "detection-rules.md").read_text(encoding="utf-8")
    found = load(tmp_path, page.partition("```yaml\n")[2].partition("```")[0]).detections
    assert [(one.id, len(one.steps)) for one in found] == [
        ("exec-by-a-person", 1),
        ("privileged-or-host-path", 1),
        ("reads-a-secret-and-deletes-it", 2),
    ]
    assert matches(found[1].steps[0], {**EVENT, "requestObject": {"spec": {"volumes": [{"hostPath": {"path": "/"}}]}}})
