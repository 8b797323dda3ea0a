"""Whether detection rules fire on what real servers record, and what keeps them silent."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from auditproof import load_policy, load_served
from auditproof.clusters.existing.cleanup import find_made
from auditproof.detections import (
    ANYWHERE,
    EACH,
    Condition,
    Derived,
    Detection,
    Feed,
    Field,
    Not,
    Operator,
    Test,
    both,
    check_detections,
)
from auditproof.detections.examples import Firing
from auditproof.errors import Position
from auditproof.proof.detected import tried
from auditproof.proof.prover import Prover
from auditproof.proof.server_view import ServerView
from auditproof.proof.verdict import Outcome
from auditproof.setup.admin import AdminClient
from tests.live.test_existing import kubeconfig, profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditproof.clusters.embedded import EmbeddedProvider
    from auditproof.clusters.run.run_directory import RunDirectory
    from auditproof.proof.verdict import Verdict

    Fired = Callable[..., dict[str, tuple[str, Firing, Verdict]]]

SERVED = load_served("1.37")
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
BODIES, METADATA, NOTHING = (f"{HEAD}- level: {level}\n" for level in ("RequestResponse", "Metadata", "None"))


def equals(path: str, *values: str) -> Test:
    return Test(Field.at(path), Operator.EQUALS, values)


def to(verb: str, resource: str, *more: Condition) -> Condition:
    return both(equals("verb", verb), equals("objectRef.resource", resource), *more)


WHOLE = Not(Test(Field.at("objectRef.subresource"), Operator.EXISTS))
COMPLETE = equals("stage", "ResponseComplete")
SUCCEEDED = Test(Field.at("responseStatus.code"), Operator.STARTS_WITH, ("2",))
TLS = Test(Field.at("requestObject.spec.tls"), Operator.EXISTS)
# What rules of the public packs ask for, in conditions of our own.
RULES: dict[str, Condition] = {
    "host-pid": to("create", "pods", WHOLE, equals("requestObject.spec.hostPID", "true")),
    "host-path": to("create", "pods", Test(Field(("requestObject", ANYWHERE, "hostPath")), Operator.EXISTS)),
    "image": to("create", "pods", Test(Field(("requestObject", "spec", "containers", EACH, "image"),
                                            Derived.REPOSITORY), Operator.EQUALS, ("evil/miner",))),
    "wildcard": to("create", "clusterroles",
                   Test(Field(("requestObject", "rules", EACH, "verbs", EACH)), Operator.EQUALS, ("*",))),
    "password": to("create", "configmaps",
                   Test(Field(("requestObject", "data"), Derived.TEXT), Operator.CONTAINS, ("password",))),
    "no-tls": to("create", "ingresses", COMPLETE, SUCCEEDED, Not(TLS)),
    "real": to("create", "configmaps", Not(Test(Field.at("requestURI"), Operator.CONTAINS, ("dryRun",)))),
    "kube-system": to("create", "pods", WHOLE, equals("objectRef.namespace", "kube-system")),
    "system-role": to("create", "clusterroles", COMPLETE,
                      Test(Field.at("objectRef.name"), Operator.STARTS_WITH, ("system:",))),
    "cluster-admin": to("create", "clusterrolebindings", SUCCEEDED,
                        equals("requestObject.roleRef.name", "cluster-admin")),
    "shell": both(equals("objectRef.subresource", "exec"), equals("verb", "get", "create"),
                  equals("stage", "ResponseStarted")),
    "secret-read": to("get", "secrets", COMPLETE, SUCCEEDED),
    "secret-tried": to("get", "secrets", COMPLETE, Not(SUCCEEDED)),
    "deleted": to("delete", "deployments", SUCCEEDED),
    "replaced": to("update", "services", SUCCEEDED),
    "patched": to("patch", "deployments", SUCCEEDED),
    "debugged": both(equals("objectRef.subresource", "ephemeralcontainers"), equals("verb", "patch"), SUCCEEDED),
    "conflict": to("create", "secrets", equals("responseStatus.code", "409")),
    "forbidden": equals("responseStatus.code", "403"),
    "login": equals("responseStatus.code", "401"),
    "public": both(equals("user.username", "system:anonymous"), Not(equals("requestURI", "/healthz")),
                   Test(Field(("annotations", "authorization.k8s.io/decision")), Operator.EQUALS, ("allow",))),
    "agent": Test(Field.at("userAgent"), Operator.CONTAINS, ("rakkess",)),
    "account": Test(Field.at("user.username"), Operator.STARTS_WITH, ("system:serviceaccount:",)),
    "impossible": equals("responseStatus.code", "ALLOW"),
}  # fmt: skip
BODY = {"host-pid", "host-path", "image", "wildcard", "password", "cluster-admin", "no-tls"}


@pytest.fixture(scope="module")
def fired(embedded: EmbeddedProvider, run_directory: RunDirectory, write_policy: Callable[[str], Path]) -> Fired:
    """Performs the examples of all rules on a server; returns the feed, the firing and the verdict of each case."""

    def fired(policy_text: str, running_text: str = "") -> dict[str, tuple[str, Firing, Verdict]]:
        path, running = write_policy(policy_text), write_policy(running_text or policy_text)
        policy = load_policy(path)
        rules = [Detection(key, key, "own", (one,), Position("rules.yaml", 1, 1)) for key, one in RULES.items()]
        made = tried(policy, check_detections(policy, rules, SERVED), SERVED)
        prover = Prover(
            ServerView(embedded.cluster(running), embedded),
            policy,
            running=load_policy(running),
            folder=run_directory.private_folder(),
        )
        cases = {case.id: (str(one.fed.feed), case) for one in made for case in one.cases}
        proofs = prover.prove([case for _, case in cases.values()])
        prover.close()
        found = {}
        for proof in proofs:
            feed, case = cases[proof.case.id]
            assert isinstance(case.expectation.watcher, Firing)
            found[proof.case.id] = feed, case.expectation.watcher, proof.verdict
        return found

    return fired


def fires(firing: Firing, verdict: Verdict) -> bool:
    return firing.fired([event.raw for event in verdict.evidence.events]) is not None


def test_every_rule_fires_where_everything_is_recorded_and_no_near_miss_does(fired: Fired) -> None:
    found = fired(BODIES)

    silent_rules = {
        key: (firing.silence([event.raw for event in verdict.evidence.events]), verdict.reasons)
        for key, (_, firing, verdict) in found.items()
        if not firing.miss and not fires(firing, verdict)
    }
    assert silent_rules == {}
    assert {key for key, (_, firing, verdict) in found.items() if firing.miss and fires(firing, verdict)} == set()
    assert {key: one.reasons for key, (_, _, one) in found.items() if one.outcome is not Outcome.PROVEN} == {}
    assert {"shell", "shell-spdy"} <= found.keys(), "by WebSocket and by SPDY"
    assert {key.removesuffix("-miss") for key in found} == {*RULES, "shell-spdy"} - {"impossible"}
    assert {verdict.evidence.exchange.status for key, (_, _, verdict) in found.items() if key in BODY} == {201}


def test_rules_about_bodies_are_silent_where_only_metadata_is_recorded(fired: Fired) -> None:
    """That agrees with what the check says of every request, and names the field."""
    found = fired(METADATA)

    examples = {key: one for key, one in found.items() if not one[1].miss}
    blind = {key for key, (feed, _, _) in examples.items() if feed == Feed.BLIND}
    assert blind == BODY
    for key, (_, firing, verdict) in found.items():
        assert verdict.outcome is Outcome.PROVEN, (key, verdict.reasons)
        assert fires(firing, verdict) is (not firing.miss and key not in BODY), key
    _, firing, verdict = found["host-pid"]
    assert firing.silence([event.raw for event in verdict.evidence.events]) == (
        "requestObject.spec.hostPID = true: the event (Metadata, ResponseComplete) has no requestObject"
    )


def test_every_rule_is_silent_where_nothing_is_recorded(fired: Fired) -> None:
    found = fired(NOTHING)

    assert {key: one.reasons for key, (_, _, one) in found.items() if one.outcome is not Outcome.PROVEN} == {}
    assert {firing.silence([e.raw for e in verdict.evidence.events]) for _, firing, verdict in found.values()} == {
        "no event was recorded"
    }


def test_a_server_that_blinds_a_rule_is_found_out(fired: Fired) -> None:
    """The sabotage twin: the policy has bodies, the server records none, and nothing that depends on them passes."""
    found = fired(BODIES, METADATA)

    for key in BODY:
        _, firing, verdict = found[key]
        assert verdict.outcome is Outcome.VIOLATED, key
        assert not fires(firing, verdict)
        assert any(f"the rule {key!r} is silent, but the policy feeds it" in reason for reason in verdict.reasons), key


def test_nothing_is_changed_outside_the_own_namespace(
    fired: Fired, embedded: EmbeddedProvider, write_policy: Callable[[str], Path]
) -> None:
    """What the examples ask for elsewhere is a dry run."""
    fired(METADATA)

    admin = AdminClient(embedded.cluster(write_policy(METADATA)))
    pods = admin.send("GET", "/api/v1/namespaces/kube-system/pods").json()["items"]
    roles = admin.send("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles").json()["items"]
    bindings = admin.send("GET", "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings").json()["items"]
    admin.close()
    assert pods == []
    made = {one["metadata"]["name"] for one in (*roles, *bindings)}
    assert made & {"system:", "auditproof-example-new"} == set()


DETECTIONS = """
apiVersion: auditproof/v1
kind: Detections
detections:
  - id: secret
    title: A Secret is read
    when: {verb: get, objectRef.resource: secrets, stage: ResponseComplete}
  - id: host-pid
    title: A Pod sees the node's processes
    when: {verb: create, objectRef.resource: pods, requestObject.spec.hostPID: true}
  - id: strange
    title: A Pod has a gizmo
    when: {verb: create, objectRef.resource: pods, requestObject.**.gizmo: true}
  - id: never
    title: Nothing has this verb
    when: {verb: replace}
"""


@pytest.mark.thorough
def test_a_run_on_workers_says_of_each_rule_whether_it_fired(
    tmp_path: Path, write_policy: Callable[[str], Path]
) -> None:
    """In the terminal, in results.json and in the JUnit file alike; the next test runs in one process."""
    rules = tmp_path / "detections.yaml"
    rules.write_text(DETECTIONS)
    policy, report = write_policy(METADATA), tmp_path / "report"
    asked = ["-m", "detection", f"--detections={rules}", f"--report={report}", "-n", "2"]
    command = [sys.executable, "-m", "auditproof", "run", str(policy), *asked]

    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)

    results = json.loads((report / "results.json").read_text())
    found = {one["id"]: one for one in results["detections"]["rules"]}
    assert ended.returncode == 0, ended.stdout
    assert {name: (one["feed"], one["fired"]) for name, one in found.items()} == {
        "secret": ("FED", "FIRED"),
        "host-pid": ("BLIND", "SILENT"),
        "strange": ("BLIND", "NOT FIRED"),
        "never": ("IMPOSSIBLE", "NOT FIRED"),
    }
    assert "On the server, 1 rule fired, 1 silent, 1 not tried." in " ".join(ended.stdout.split())
    assert "A Pod has a gizmo: not fired: no place in a Pod is known for requestObject.**.gizmo" in ended.stdout
    proofs = {one["id"]: one["firing"] for one in results["proofs"]}
    assert [proofs[name]["fired"] for name in found["secret"]["proofs"]] == [True, False]
    assert proofs[found["host-pid"]["proofs"][0]]["silence"] == (
        "requestObject.spec.hostPID = true: the event (Metadata, ResponseComplete) has no requestObject"
    )
    assert (report / "junit.xml").read_text().count('name="fired" value="FIRED"') == 1


GUEST = """
apiVersion: auditproof/v1
kind: Detections
detections:
  - {id: secret, title: A Secret is deleted, when: {verb: delete, objectRef.resource: secrets, responseStatus.code: 200}}
  - {id: forbidden, title: A request is refused, when: {responseStatus.code: 403}}
  - {id: system, title: A Pod in kube-system, when: {verb: create, objectRef.resource: pods, objectRef.namespace: kube-system}}
  - {id: role, title: A ClusterRole, when: {verb: create, objectRef.resource: clusterroles, responseStatus.code: 201}}
"""  # noqa: E501


@pytest.mark.thorough
def test_on_an_existing_cluster_nothing_outside_the_runs_own_namespace_is_asked_for(
    tmp_path: Path, embedded: EmbeddedProvider, write_policy: Callable[[str], Path]
) -> None:
    """What needs more is not supported, which is not a pass; nothing is left behind."""
    policy = write_policy(f"# of a cluster without a namespace of ours\n{BODIES}")
    cluster = embedded.cluster(policy)
    kubeconfig(tmp_path / "kubeconfig", cluster)
    profile(tmp_path / "existing.yaml", cluster)
    (tmp_path / "detections.yaml").write_text(GUEST)
    asked = ["-m", "detection", "--detections=detections.yaml", "--cluster=existing.yaml", "--report=report"]
    command = [sys.executable, "-m", "auditproof", "run", str(policy), *asked]

    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)

    assert ended.returncode == 0, ended.stdout
    results = json.loads((tmp_path / "report/results.json").read_text())
    assert {one["id"]: one["fired"] for one in results["detections"]["rules"]} == {
        "secret": "FIRED",
        "forbidden": "FIRED",
        "system": "NOT FIRED",
        "role": "NOT FIRED",
    }
    assert "On the server, 2 rules fired, 2 not tried." in " ".join(ended.stdout.split())
    assert find_made(cluster.probe(), "") == ()
