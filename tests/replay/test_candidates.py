"""A rule that is proposed is one that the API server reads, and saves what it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditproof.audit.policy.load import parse_policy
from auditproof.replay.candidates import candidates, yaml_of
from auditproof.replay.duckdb_engine import read_log
from auditproof.replay.inputs.found import find_logs
from auditproof.replay.query import PolicyColumns
from auditproof.replay.summary import summarize

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.audit.policy.load import PolicyRule
    from auditproof.replay.result import Candidate

HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
LAST = "- level: RequestResponse\n"


def proposed(log: Path, blind: Any = None, *, rule: str = "") -> tuple[int, tuple[Candidate, ...]]:
    """The bytes that a policy with a first rule records, and the rules proposed for it."""
    one = PolicyColumns(parse_policy(f"{HEAD}{rule}{LAST}".encode(), "policy.yaml"))
    with read_log(find_logs([str(log)]).files, [one]) as read:
        return summarize(read.sums, one, None).after.bytes, candidates(read.sums, blind)


def test_every_proposed_rule_saves_what_it_says(tmp_path: Path, log: bytes) -> None:
    (tmp_path / "audit.log").write_bytes(log)

    before, found = proposed(tmp_path / "audit.log")

    names = {"create pods by alice", "update leases.coordination.k8s.io by system:node:n1", "get secrets by alice"}
    assert {one.name for one in found} == names
    assert [one.saved.bytes for one in found] == sorted((one.saved.bytes for one in found), reverse=True)
    for one in found:
        after, _ = proposed(tmp_path / "audit.log", rule=one.yaml)
        assert before - after == one.saved.bytes


def test_a_rule_that_would_blind_a_detection_rule_lowers_bodies_instead(tmp_path: Path, log: bytes) -> None:
    (tmp_path / "audit.log").write_bytes(log)

    def blinded(rule: PolicyRule) -> tuple[str, ...]:
        return ("pods are created",) if str(rule.level) == "None" and "pods" in yaml_of(rule) else ()

    before, found = proposed(tmp_path / "audit.log", blinded)

    [pods] = [one for one in found if one.name.startswith("create pods")]
    assert (pods.level, pods.blinded) == ("Metadata", ())
    after, _ = proposed(tmp_path / "audit.log", rule=pods.yaml)
    assert before - after == pods.saved.bytes


def test_members_of_a_group_that_do_the_same_are_one_rule(tmp_path: Path, log: bytes) -> None:
    (tmp_path / "audit.log").write_bytes(log + log.replace(b"system:node:n1", b"system:node:n2"))

    before, found = proposed(tmp_path / "audit.log")

    [leases] = [one for one in found if "leases" in one.name]
    assert leases.name == "update leases.coordination.k8s.io by nodes"
    after, _ = proposed(tmp_path / "audit.log", rule=leases.yaml)
    assert before - after == leases.saved.bytes
