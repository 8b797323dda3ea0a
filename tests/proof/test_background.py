"""What a server records beside the actions of a run, told apart by who caused it and by the rule that decides."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.audit.event import Level
from auditproof.audit.policy.load import Policy, load_policy
from auditproof.proof.background import Noise, Share, is_ours, measure, program
from auditproof.report.background import daily, noise_record, noise_sentence
from tests.report.test_report import report

if TYPE_CHECKING:
    from pathlib import Path

POLICY = """
apiVersion: audit.k8s.io/v1
kind: Policy
rules:
- level: Request
  resources: [{group: coordination.k8s.io, resources: [leases]}]
- level: Metadata
"""
LEASE = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/kube-scheduler?timeout=5s"


@pytest.fixture
def policy(tmp_path: Path) -> Policy:
    file = tmp_path / "policy.yaml"
    file.write_text(POLICY)
    return load_policy(file)


def line(second: int, **event: Any) -> bytes:
    known = {"kind": "Event", "stageTimestamp": f"2026-01-01T00:00:{second:02}.000000Z", "auditID": "x"}
    return json.dumps({**known, **event}).encode() + b"\n"


def ours(second: int) -> bytes:
    return line(second, auditID="setup-1", userAgent="auditproof/setup", requestURI="/api/v1/nodes", verb="list")


def scheduler(second: int, **event: Any) -> bytes:
    known = {
        "user": {"username": "system:kube-scheduler", "groups": ["system:authenticated"]},
        "userAgent": "kube-scheduler/v1.37.2 (linux/amd64) kubernetes/abc/leader-election",
        "verb": "update",
        "requestURI": LEASE,
        "objectRef": {"resource": "leases", "namespace": "kube-system", "name": "kube-scheduler"},
    }
    return line(second, **{**known, **event})


def test_what_others_cause_is_counted_by_component_and_rule(policy: Policy) -> None:
    """auditproof's own events bound the time that is measured and are in no count; sizes are those of lines."""
    health = scheduler(9, verb="get", requestURI="/healthz", objectRef=None)
    lines = [ours(0), scheduler(2), scheduler(4), health, ours(10)]

    noise = measure(lines, policy)

    size = len(lines[1]) + len(lines[2])
    assert noise.seconds == 10
    assert noise.components == {("system:kube-scheduler", "kube-scheduler"): Share(3, size + len(health))}
    assert noise.rules == {0: Share(2, size), 1: Share(1, len(health))}
    assert noise.total == Share(3, size + len(health))


def test_what_came_before_the_first_action_is_no_rest(policy: Policy) -> None:
    """A starting server's controllers list everything at once, which would inflate every rate."""
    assert measure([scheduler(1), ours(2), scheduler(3)], policy).total.events == 1


def test_what_controllers_do_in_namespaces_of_the_run_is_a_reaction(policy: Policy) -> None:
    """Controllers react to the run's own objects, which is no background load of a cluster."""
    within = {"resource": "serviceaccounts", "namespace": "shop", "name": "default"}
    itself = {"resource": "namespaces", "namespace": "shop", "name": "shop"}
    named = {"resource": "namespaces", "name": "shop"}

    noise = measure([ours(0), *(scheduler(1, objectRef=reference) for reference in (within, itself, named))], policy)

    assert noise.reactions.events == 3
    assert noise.total.events == 0


def test_a_policy_that_records_nothing_of_the_run_is_measured_over_the_whole_log(policy: Policy) -> None:
    """Without an event of auditproof itself there is no first action to begin from."""
    noise = measure([scheduler(0), scheduler(20)], policy)

    assert (noise.seconds, noise.total.events) == (20, 2)


@pytest.mark.parametrize("broken", [b"{", b"[]\n", b'{"kind": "Event"}\n', b'{"stageTimestamp": 5}\n'])
def test_what_is_no_event_is_passed_over(policy: Policy, broken: bytes) -> None:
    """A broken line must not end the measurement; it is reported where it can change a verdict."""
    assert measure([ours(0), broken, scheduler(1)], policy).total.events == 1


def test_an_empty_log_is_no_noise(policy: Policy) -> None:
    assert measure([], policy) == Noise(0.0, {}, {}, Share())


def test_what_is_ours_is_known_by_audit_id_or_user_agent() -> None:
    assert is_ours({"auditID": "auditproof-abc-1", "userAgent": "curl/8"})
    assert is_ours({"auditID": "random", "userAgent": "auditproof/readiness"})
    assert not is_ours({"auditID": "random", "userAgent": "kubelet/v1.37.2"})


def test_a_program_is_the_first_word_of_the_user_agent() -> None:
    assert program("kubelet/v1.37.2 (linux/amd64) kubernetes/abc") == "kubelet"
    assert program("curl") == "curl"
    assert program("") == ""


def test_the_record_has_rates_and_the_rules_places(policy: Policy) -> None:
    """Components are sorted, rules have their line in the policy, and the rate is extrapolated to a day."""
    noise = Noise(
        10.0, {("b", "p"): Share(1, 5), ("a", "p"): Share(30, 500)}, {0: Share(30, 500), None: Share(1, 5)}, Share()
    )

    record = noise_record(noise, policy)

    assert (record.events, record.bytes, record.events_per_second) == (31, 505, 3.1)
    assert [row.user for row in record.components] == ["a", "b"]
    assert (record.rules[0].rule, record.rules[0].line, record.rules[0].level) == (0, 5, Level.REQUEST)
    assert record.rules[1].rule is None
    assert "3.1 events and 50.5 B were recorded per second: 4.36 MB a day" in noise_sentence(
        report(parts={"noise": record})
    )
    assert daily(record.components[0], record) == "4.32 MB"


def test_without_a_measurement_nothing_is_said(policy: Policy) -> None:
    assert noise_sentence(report()) == ""
    quiet = report(parts={"noise": noise_record(Noise(0.0, {}, {}, Share()), policy)})
    assert "nothing was recorded" in noise_sentence(quiet)
