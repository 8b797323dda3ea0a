"""Case files: what they mean, and how everything that is wrong with one is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import jsonschema
import pytest
import yaml

from auditproof.audit.event import Level, Stage
from auditproof.audit.server_flags import ServerFlags
from auditproof.cases.load import case_schema, load_case_file
from auditproof.content import root
from auditproof.errors import SourceError
from auditproof.kube.attributes import UserInfo
from auditproof.kube.capability import Capability
from auditproof.kube.identity import AccessRule, IdentityKind, Impersonation

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.cases.case import Case, CaseFile

HEAD = """\
apiVersion: auditproof/v1
kind: CaseFile
title: A title
identities:
  alice: {user: alice, groups: [developers]}
"""
ONE_CASE = "cases: [{id: a, title: A, as: alice, do: {path: /}, expect: None}]\n"


def _load(folder: Path, text: str) -> CaseFile:
    path = folder / "some.audit.yaml"
    path.write_text(text)
    return load_case_file(path)


def _case(folder: Path, do: str, more: str = "") -> Case:
    text = f"{HEAD}cases:\n  - id: one\n    title: One\n    as: alice\n    do: {do}\n{more}"
    return _load(folder, text).cases[0]


def _problems(folder: Path, text: str) -> list[str]:
    with pytest.raises(SourceError) as caught:
        _load(folder, text)
    return [f"{p.position.line}:{p.position.column} {p.message}" for p in caught.value.problems]


def test_the_ready_made_identities_need_no_declaration_and_a_declared_one_wins(tmp_path: Path) -> None:
    head = "apiVersion: auditproof/v1\nkind: CaseFile\ntitle: A title\n"
    cases = "cases:\n- {id: a, title: A, as: robot, do: {path: /}}\n- {id: b, title: B, as: alice, do: {path: /}}\n"

    ready = _load(tmp_path, head + cases)
    own = _load(tmp_path, f"{head}identities: {{alice: {{user: Alice}}}}\n{cases}")

    assert [case.identity.user for case in ready.cases] == ["system:serviceaccount:robots:robot", "alice"]
    assert own.cases[1].identity.user == "Alice"


def test_an_unknown_identity_is_told_with_those_that_there_are(tmp_path: Path) -> None:
    head = "apiVersion: auditproof/v1\nkind: CaseFile\ntitle: A title\n"

    (problem,) = _problems(tmp_path, f"{head}cases: [{{id: a, title: A, as: mallory, do: {{path: /}}}}]\n")

    assert 'unknown identity "mallory"; declare it, or use one of alice, bob, admin' in problem


@pytest.mark.parametrize(
    ("do", "method", "uri"),
    [
        (
            "{exec: pods/web, in: shop, command: [cat, /x]}",
            "GET",
            "exec?command=cat&command=%2Fx&stderr=true&stdout=true",
        ),
        ("{exec: pods/web, in: shop, command: id, upgrade: spdy}", "POST", "exec?command=id&stderr=true&stdout=true"),
        ("{attach: pods/web, in: shop, container: main}", "GET", "attach?container=main&stderr=true&stdout=true"),
        ("{portforward: pods/web, in: shop}", "GET", "portforward"),
        ("{log: pods/web, in: shop, query: {follow: true}}", "GET", "log?follow=true"),
        ("{evict: pods/web, in: shop, dryRun: true}", "POST", "eviction?dryRun=All"),
    ],
)
def test_a_verb_of_kubectl_is_what_kubectl_sends(tmp_path: Path, do: str, method: str, uri: str) -> None:
    request = _case(tmp_path, do).request

    assert (request.method, request.uri) == (method, f"/api/v1/namespaces/shop/pods/web/{uri}")


@pytest.mark.parametrize(
    ("do", "says"),
    [
        ("{exec: pods/web}", "pods are namespaced: name the namespace with in:"),
        ("{exec: services/web, in: shop}", "exec applies to a pod, not to services: write pods/<name>"),
        ("{log: pods/web/log, in: shop}", "log adds the subresource itself: write pods/web"),
        ("{log: pods/web, in: shop, command: id}", "command applies only to exec, not to log"),
        ("{get: pods/web, in: shop, command: id}", "command applies only to exec, not to get"),
        ("{evict: pods/web, in: shop, body: {}}", "body does not apply to evict, which says everything that is sent"),
        ("{exec: pod/web, in: shop}", "'pod' is no built-in resource; did you mean pods?"),
        ("{exec: pods/web, get: pods/web, in: shop}", "found both get and exec"),
        ("{get: pods/web, namespace: shop}", 'unknown key "namespace"; write "in"'),
        ("{logs: pods/web, in: shop}", 'unknown key "logs"; did you mean "log"?'),
        ("{port-forward: pods/web, in: shop}", 'unknown key "port-forward"; did you mean "portforward"?'),
    ],
)
def test_a_verb_of_kubectl_that_means_nothing_is_told(tmp_path: Path, do: str, says: str) -> None:
    problems = _problems(tmp_path, f"{HEAD}cases: [{{id: a, title: A, as: alice, do: {do}}}]\n")

    assert says in problems[0]


def test_a_case_says_everything_about_itself(tmp_path: Path) -> None:
    more = """\
    expect:
      {level: Request, stages: [ResponseComplete], status: 201, present: [requestObject], absent: [responseObject]}
    claim: {text: It is not recorded., level: excluded}
    because: The reason.
    needs: [runsPods]
    marks: [slow]
"""
    case = _case(tmp_path, "{create: configmaps/a, in: shop}", more)

    assert case.expectation.level is Level.REQUEST
    assert case.expectation.stages == frozenset({Stage.RESPONSE_COMPLETE})
    assert (case.expectation.status, case.expectation.present, case.expectation.absent) == (
        201,
        ("requestObject",),
        ("responseObject",),
    )
    assert case.claim is not None
    assert (case.claim.text, case.claim.level) == ("It is not recorded.", Level.NONE)
    needs = {Capability.RUNS_PODS, Capability.MINTS_X509}
    assert (case.because, case.needs, case.marks) == ("The reason.", needs, ("slow",))
    assert (case.source.line, case.source.position.column) == (7, 5)


def test_a_case_is_as_new_as_its_file_or_newer(tmp_path: Path) -> None:
    cases = """\
since: "1.9"
cases:
  - {id: a, title: A, as: alice, do: {path: /}, covers: [T1, U2]}
  - {id: b, title: B, as: alice, do: {path: /}, since: "1.10"}
  - {id: c, title: C, as: alice, do: {path: /}, since: "1.8"}
"""
    file = _load(tmp_path, HEAD + cases)

    assert [case.since for case in file.cases] == ["1.9", "1.10", "1.9"]
    assert [case.covers for case in file.cases] == [("T1", "U2"), (), ()]


DIFFERS = """\
    because: The proxy.
    expect: {level: Metadata, status: 503, event: {responseStatus: {reason: ServiceUnavailable}}}
    since: "1.34"
    until: "1.37"
    differs:
      - {until: "1.35", expect: {status: 404}, because: It looks for Endpoints.}
      - {since: "1.37", expect: {level: excluded, event: {}}, because: It has gone.}
"""


OVERLAPPING = """\
    differs:
      - {until: "1.36", expect: {status: 404}, because: B}
      - {since: "1.36", expect: {status: 403}, because: B}
"""
LEAVES_NOTHING = """\
    expect: {level: Metadata, event: {verb: get}}
    differs: [{until: "1.35", expect: None, because: B}]
"""


@pytest.mark.parametrize(
    ("kubernetes", "level", "status", "because"),
    [
        ("1.35.4", Level.METADATA, 404, "The proxy.\nIt looks for Endpoints."),
        ("v1.36", Level.METADATA, 503, "The proxy."),
        ("1.37.2", Level.NONE, 503, "The proxy.\nIt has gone."),
    ],
)
def test_a_case_expects_of_each_version_what_it_says_of_that_version(
    tmp_path: Path, kubernetes: str, level: Level, status: int, because: str
) -> None:
    """Keys that an entry of differs gives replace those of the case, and its source is added to the case's."""
    case = _case(tmp_path, "{get: services/web/proxy, in: shop}", DIFFERS).on(kubernetes)

    assert (case.expectation.level, case.expectation.status, case.because) == (level, status, because)
    assert bool(case.expectation.event) == (level is Level.METADATA)
    assert case.differs == ()


@pytest.mark.parametrize(("kubernetes", "holds"), [("1.33", False), ("1.34.1", True), ("1.37", True), ("1.38", False)])
def test_a_case_holds_from_its_first_version_to_its_last(tmp_path: Path, kubernetes: str, holds: bool) -> None:
    assert _case(tmp_path, "{path: /}", DIFFERS).holds_on(kubernetes) is holds


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ('    since: "1.36"\n    until: "1.35"\n', "12:12 until: 1.35 is older than the first version, since"),
        ("    until: 1.35.2\n", "11:12 cases.0.until: String should match pattern '^$|^1\\.[0-9]+$'"),
        ("    differs: [{expect: {status: 404}, because: B}]\n", "needs since: or until:"),
        ('    differs: [{until: "1.35", expect: {status: 404}}]\n', "cases.0.differs.0.because: Field required"),
        ('    differs: [{until: "1.35", because: B}]\n', "cases.0.differs.0.expect: Field required"),
        (
            '    differs: [{since: "1.36", until: "1.35", expect: {status: 404}, because: B}]\n',
            "until: 1.35 is older than since: 1.36",
        ),
        (
            '    since: "1.36"\n    differs: [{until: "1.35", expect: {status: 404}, because: B}]\n',
            "the case is not about these versions (its own since and until)",
        ),
        (OVERLAPPING, "13:9 an entry above is about some of these versions as well"),
        (LEAVES_NOTHING, "event does not apply: an excluded action leaves no event"),
    ],
)
def test_what_is_wrong_about_versions_is_told_with_its_place(tmp_path: Path, more: str, problem: str) -> None:
    text = f"{HEAD}cases:\n  - id: one\n    title: One\n    as: alice\n    do: {{path: /}}\n{more}"

    (found,) = _problems(tmp_path, text)

    assert problem in found
    assert int(found.partition(":")[0]) >= 11


@pytest.mark.parametrize(
    ("text", "level"), [("excluded", Level.NONE), ("None", Level.NONE), ("RequestResponse", Level.REQUEST_RESPONSE)]
)
def test_an_expectation_may_be_a_level_alone(tmp_path: Path, text: str, level: Level) -> None:
    assert _case(tmp_path, "{list: pods}", f"    expect: {text}\n").expectation.level is level


def test_without_expectation_the_policy_decides(tmp_path: Path) -> None:
    expectation = _case(tmp_path, "{list: pods}").expectation

    assert (expectation.level, expectation.stages, expectation.status) == (None, None, None)


def test_all_kinds_of_identities_are_told_apart(tmp_path: Path) -> None:
    text = """\
apiVersion: auditproof/v1
kind: CaseFile
title: A title
identities:
  a: {user: alice, groups: [x], rights: none, access: [{verbs: [get], apiGroups: [""], resources: [pods]}]}
  b: {serviceAccount: shop/robot}
  c: {user: deputy, impersonates: {user: bob, groups: [ops], uid: "7", extra: {reason: [x, z]}}}
  d: {anonymous: true}
  e: {badToken: true}
cases:
""" + "".join(f"  - {{id: {name}, title: T, as: {name}, do: {{path: /}}}}\n" for name in "abcde")

    a, b, c, d, e = (case.identity for case in _load(tmp_path, text).cases)

    assert (a.kind, a.user, a.groups, a.without_rights) == (IdentityKind.X509, "alice", ("x",), True)
    assert a.access == (AccessRule(("get",), ("",), ("pods",)),)
    assert (b.kind, b.user) == (IdentityKind.SERVICE_ACCOUNT, "system:serviceaccount:shop:robot")
    assert c.impersonates == Impersonation("bob", ("ops",), "7", (("reason", "x"), ("reason", "z")))
    assert (d.kind, e.kind) == (IdentityKind.ANONYMOUS, IdentityKind.BAD_TOKEN)


@pytest.mark.parametrize(
    ("do", "method", "uri"),
    [
        ("{get: pods/web/log, in: shop}", "GET", "/api/v1/namespaces/shop/pods/web/log"),
        ("{list: deployments.apps}", "GET", "/apis/apps/v1/deployments"),
        (
            "{list: pods, fieldSelector: metadata.name=a, labelSelector: b=c}",
            "GET",
            "/api/v1/pods?fieldSelector=metadata.name%3Da&labelSelector=b%3Dc",
        ),
        ("{delete: nodes/n1, dryRun: true}", "DELETE", "/api/v1/nodes/n1?dryRun=All"),
        (
            "{get: widgets.example.com/a, in: shop, version: v2}",
            "GET",
            "/apis/example.com/v2/namespaces/shop/widgets/a",
        ),
        ("{get: realms.example.com/a, version: v1, clusterScoped: true}", "GET", "/apis/example.com/v1/realms/a"),
        ("{path: /healthz}", "GET", "/healthz"),
        ("{path: /healthz, method: HEAD, query: {verbose: true, k: [1, 2]}}", "HEAD", "/healthz?verbose=true&k=1&k=2"),
        ('{request: "OPTIONS /api/v1/pods?x=y", query: {a: b}}', "OPTIONS", "/api/v1/pods?x=y&a=b"),
        ("{create: selfsubjectreviews}", "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews"),
        (
            "{create: configmaps, in: shop, object: {metadata: {generateName: a-}}}",
            "POST",
            "/api/v1/namespaces/shop/configmaps",
        ),
    ],
)
def test_an_action_is_named_as_the_api_server_names_it(tmp_path: Path, do: str, method: str, uri: str) -> None:
    request = _case(tmp_path, do).request

    assert (request.method, request.uri) == (method, uri)


def test_bodies_and_headers_are_sent_as_they_are_said(tmp_path: Path) -> None:
    raw = _case(
        tmp_path, "{create: pods/a, in: shop, body: 'not json', contentType: text/plain, headers: {X-A: b}}"
    ).request
    patch = _case(tmp_path, "{patch: pods/a, in: shop, type: json, body: [{op: remove, path: /a}]}").request
    custom = _case(tmp_path, "{create: widgets.example.com/a, in: s, version: v1, kind: Widget}").request
    stream = _case(tmp_path, "{create: pods/a/exec, in: shop, upgrade: spdy, query: {command: [ls, -l]}}").request

    assert (raw.body, raw.headers) == (b"not json", (("Content-Type", "text/plain"), ("X-A", "b")))
    assert json.loads(patch.body or b"") == [{"op": "remove", "path": "/a"}]
    assert json.loads(custom.body or b"")["kind"] == "Widget"
    assert (stream.body, stream.upgrade, stream.uri.partition("?")[2]) == (None, "spdy", "command=ls&command=-l")


@pytest.mark.parametrize(
    ("do", "message"),
    [
        ("{in: shop}", "10:9 an action needs exactly one of"),
        ("{get: pods/a, list: pods}", "found both get and list"),
        ("{get: podz/a, in: shop}", "10:15 'podz' is no built-in resource; did you mean pods?"),
        ("{get: pods/a}", "pods are namespaced: name the namespace with in:"),
        ("{get: nodes/a, in: shop}", "nodes are cluster-scoped: remove in:"),
        ("{list: pods/a}", "list applies to all pods and takes no name"),
        ("{get: pods, in: shop}", "get needs a name: pods/<name>"),
        ("{get: pods/a, in: shop, object: {}}", "object applies only to create, update and an apply patch"),
        ("{create: pods/a, in: shop, object: {}, body: {}}", "use only one of object and body"),
        ("{get: pods/a, in: shop, type: json}", "type applies only to patch"),
        ("{get: pods/a, in: shop, method: HEAD}", "method applies only to path"),
        ("{path: /, in: shop}", "in applies only to verbs"),
        ("{path: /, body: {}}", "the body of a path or request must be text"),
        ('{request: "GET /", method: HEAD}', "request begins with its method"),
        ("{create: widgets.example.com/a, in: shop, version: v1}", "needs kind: to create an object"),
        ("{list: pods, query: {a: {b: c}}}", "a must be a string, a number"),
        ("{path: /api/v1/watch}", "never consults its audit policy"),
        ("{path: healthz}", "do.path: String should match pattern"),
        ("{gett: pods/a, in: shop}", '10:10 cases.0.do.gett: unknown key "gett"; did you mean "get"?'),
    ],
)
def test_an_action_that_means_nothing_is_refused(tmp_path: Path, do: str, message: str) -> None:
    problems = _problems(tmp_path, f"{HEAD}cases:\n  - id: one\n    title: One\n    as: alice\n    do: {do}\n")

    assert len(problems) == 1
    assert message in problems[0]


def test_everything_that_is_wrong_is_told_at_once_and_in_order(tmp_path: Path) -> None:
    text = f"""{HEAD}  bob: {{user: bob, anonymous: true}}
  robot: {{serviceAccount: shop/robot, groups: [x]}}
policy: nowhere.yaml
given: [{{kind: Pod}}, no-manifest.yaml]
cases:
  - {{id: a, title: A, as: alise, do: {{list: pods}}}}
  - {{id: a, title: A, as: alice, do: {{list: pods}}, expect: {{level: excluded, present: [x]}}}}
"""
    problems = _problems(tmp_path, text)

    assert [problem.partition(" ")[0] for problem in problems] == sorted(
        (problem.partition(" ")[0] for problem in problems), key=lambda place: [int(n) for n in place.split(":")]
    )
    expected = [
        'identity "bob" needs exactly one of',
        "groups apply only to user, oidc and frontProxy",
        "no such file: ",
        "lacks apiVersion, metadata.name",
        "no-manifest.yaml",
        'case "a" lacks expect:, what is recorded of it; write it, or run auditproof record some.audit.yaml --write',
        'unknown identity "alise"; did you mean "alice"?',
        'duplicate id "a", first used in line 11',
        "present does not apply: an excluded action leaves no event",
    ]
    assert len(problems) == len(expected)
    assert all(text in problem for text, problem in zip(expected, problems, strict=True)), problems


def test_the_shape_of_the_file_is_checked_with_positions_and_suggestions(tmp_path: Path) -> None:
    text = """\
apiVersion: auditproof/v2
kind: CaseFile
title: x
title: again
identitys: {}
identities: {a: {usr: x}}
given: [1]
cases:
  - id: A b
    as: a
    do: {list: pods}
    expect: Metdata
    needs: [fly]
"""
    assert [problem.split(": ")[0] for problem in _problems(tmp_path, text)] == [
        "1:13 apiVersion",
        '4:1 duplicate key "title"',
        "5:1 identitys",
        "6:18 identities.a.usr",
        "7:9 given.0",
        "9:5 cases.0.title",
        "9:9 cases.0.id",
        "12:13 cases.0.expect.level",
        "13:13 cases.0.needs.0",
    ]


@pytest.mark.parametrize("text", ["", "[]", "- a", "a: [", "apiVersion: auditproof/v1"])
def test_what_is_no_case_file_at_all_is_refused_in_words(tmp_path: Path, text: str) -> None:
    assert _problems(tmp_path, text)


def test_a_missing_file_is_told_with_its_neighbour(tmp_path: Path) -> None:
    (tmp_path / "baseline.yaml").write_text("")

    problems = _problems(
        tmp_path,
        f"{HEAD}policy: baselin.yaml\nsabotage: baseline.yaml\n{ONE_CASE}",
    )

    assert len(problems) == 1
    assert problems[0].endswith('; did you mean "baseline.yaml"?')


def test_a_case_without_an_expectation_is_only_to_be_recorded(tmp_path: Path) -> None:
    """In a file with a policy; without one, what the policy under test decides is expected."""
    (tmp_path / "p.yaml").write_text("")
    text = f"{HEAD}policy: p.yaml\n{ONE_CASE.replace(', expect: None', '')}"

    (problem,) = _problems(tmp_path, text)

    assert problem.startswith('7:9 case "a" lacks expect:')
    loaded = load_case_file(tmp_path / "some.audit.yaml", recording=True)
    assert loaded.cases[0].expectation.level is None


def test_a_policy_needs_no_twin_because_one_is_derived(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("")

    loaded = _load(tmp_path, f"{HEAD}policy: p.yaml\n{ONE_CASE}")

    assert loaded.policy == tmp_path / "p.yaml"
    assert loaded.sabotage is None


def test_sabotage_without_a_policy_is_refused(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("")

    assert (
        "needs policy:, of which it is the broken copy" in _problems(tmp_path, f"{HEAD}sabotage: p.yaml\n{ONE_CASE}")[0]
    )


def test_manifests_are_read_in_order_relative_to_the_case_file(tmp_path: Path) -> None:
    (tmp_path / "two.yaml").write_text(
        "---\n{apiVersion: v1, kind: Namespace, metadata: {name: a}}\n"
        "---\n---\n{apiVersion: v1, kind: Pod, metadata: {name: b}}\n"
    )
    text = f"""{HEAD}given: [two.yaml, {{apiVersion: v1, kind: Node, metadata: {{name: c}}}}]
cases:
  - {{id: a, title: A, as: alice, do: {{path: /}}, given: [two.yaml]}}
"""
    loaded = _load(tmp_path, text)

    assert [manifest["metadata"]["name"] for manifest in loaded.given] == ["a", "b", "c"]
    assert loaded.cases[0].given[:3] == loaded.given  # the file's own come first
    assert [manifest["kind"] for manifest in loaded.cases[0].given[3:]] == ["Namespace", "Pod"]


@pytest.mark.parametrize(
    ("text", "message"), [("a: [", "cannot be read"), ("- 1", "expected an object"), ("kind: X", "lacks")]
)
def test_a_bad_manifest_is_told_at_the_place_that_names_it(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "bad.yaml").write_text(text)

    problem = _problems(tmp_path, f"{HEAD}given: [bad.yaml]\n{ONE_CASE}")[0]

    assert problem.startswith("6:9 ")
    assert "bad.yaml" in problem
    assert message in problem


def test_a_file_that_is_not_there_is_told_in_words(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        load_case_file(tmp_path / "none.audit.yaml")


def test_every_case_file_of_ours_meets_the_published_schema() -> None:
    schema = case_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)

    for path in sorted((root() / "suites").rglob("*.audit.yaml")):
        validator.validate(yaml.safe_load(path.read_text()))


def test_the_schema_refuses_what_the_reader_refuses() -> None:
    validator = jsonschema.Draft202012Validator(case_schema())
    good = yaml.safe_load(f"{HEAD}cases: [{{id: a, title: A, as: alice, do: {{path: /}}, expect: excluded}}]")

    assert validator.is_valid(good)
    assert not validator.is_valid({**good, "more": 1})
    assert not validator.is_valid({**good, "cases": [{**good["cases"][0], "expect": "Everything"}]})


def test_a_file_may_want_flags_of_its_own_and_a_twin_of_them(tmp_path: Path) -> None:
    server = (
        "server: {auditLog: {mode: batch}, flags: {anonymous-auth: null}, sabotage: {auditLog: {mode: blocking}}}\n"
    )
    (tmp_path / "p.yaml").write_text("")

    loaded = _load(tmp_path, f"{HEAD}policy: p.yaml\n{server}{ONE_CASE}")

    assert loaded.settings == ServerFlags.of({"mode": "batch"}, {"anonymous-auth": None})
    assert loaded.broken_settings == ServerFlags.of({"mode": "blocking"})
    flags = {"audit-log-mode": "blocking", "anonymous-auth": "true", "v": "0"}
    assert loaded.settings.over(flags) == {"audit-log-mode": "batch", "v": "0"}


def test_a_flag_that_a_provider_sets_is_refused(tmp_path: Path) -> None:
    (problem,) = _problems(tmp_path, f"{HEAD}server: {{flags: {{secure-port: '1'}}}}\n{ONE_CASE}")

    assert problem == "6:31 secure-port: this flag is set by auditproof itself"


@pytest.mark.parametrize(
    ("identity", "message"),
    [
        ("{oidc: jane, extra: {example.com/other: [a]}}", "the API server accepts only the extra key example.com/team"),
        ("{oidc: jane, token: legacy}", "this kind of identity has no legacy token"),
        ("{user: jane, token: expired}", "this kind of identity has no expired token"),
        ("{serviceAccount: a/b, token: foreign}", "this kind of identity has no foreign token"),
        ("{serviceAccount: a/b, pod: p1, node: m1}", "a token can be bound to a pod or to a node, not to both"),
        ("{user: jane, node: m1}", "node applies only to serviceAccount tokens"),
        ("{serviceAccount: a/b, uid: u}", "uid applies only to user and oidc"),
        ("{user: jane, extra: {example.com/team: [a]}}", "extra applies only to oidc and frontProxy"),
        ("{oidc: jane, user: jane}", "needs exactly one of user, serviceAccount, oidc"),
    ],
)
def test_an_identity_that_is_none_is_told(tmp_path: Path, identity: str, message: str) -> None:
    file = tmp_path / "case.audit.yaml"
    file.write_text(
        f"apiVersion: auditproof/v1\nkind: CaseFile\ntitle: t\nidentities:\n  jane: {identity}\n"
        "cases:\n  - {id: a, title: a, as: jane, do: {path: /version}}\n"
    )

    with pytest.raises(SourceError) as error:
        load_case_file(file)

    assert message in str(error.value)


def test_an_issuers_user_has_the_prefix_that_the_server_puts_before_it(tmp_path: Path) -> None:
    file = tmp_path / "case.audit.yaml"
    file.write_text(
        "apiVersion: auditproof/v1\nkind: CaseFile\ntitle: t\nidentities:\n"
        "  jane: {oidc: jane, groups: [staff], uid: u-1}\n  late: {oidc: jane, token: expired}\n"
        "cases:\n  - {id: a, title: a, as: jane, do: {path: /version}}\n"
        "  - {id: b, title: b, as: late, do: {path: /version}}\n"
    )

    jane, late = (case.identity for case in load_case_file(file).cases)

    assert jane.user_info() == UserInfo("oidc:jane", ("oidc:staff", "system:authenticated"))
    assert jane.needs == late.needs == {Capability.OIDC}
    assert late.user_info() is None
