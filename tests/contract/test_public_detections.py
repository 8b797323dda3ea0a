"""Public rules and policies, read where they are: AUDITPROOF_PUBLIC names a folder with ``detections`` and ``policies``.

They are not part of this repository. docs/detections.md has the results.
"""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditproof import Attributes, UserInfo, content, load_policy, load_served
from auditproof.audit.event import Level, Stage
from auditproof.detections import Feed, check_detections, load_rules
from auditproof.detections.demand import Solver

if TYPE_CHECKING:
    from auditproof.detections import Detection, Rules

PUBLIC = Path(os.environ.get("AUDITPROOF_PUBLIC", "nowhere"))
pytestmark = pytest.mark.skipif(not (PUBLIC / "detections").is_dir(), reason="AUDITPROOF_PUBLIC names no such folder")
MARK = "<!-- public: tests/contract/test_public_detections.py computes these rows -->\n"
TABLE = (content.root() / "docs" / "detections.md").read_text(encoding="utf-8").partition(MARK)[2].partition("\n\n")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.splitlines()[2:]]
FALCO = "falco/k8s_audit_rules.yaml"
PACKS = (FALCO, "sigma")
COUNTED = (Feed.FED, Feed.PARTLY, Feed.BLIND)


@cache
def pack(name: str) -> Rules:
    return load_rules([PUBLIC / "detections" / name])


def row_of(policy: Path) -> list[str]:
    """The row of a policy: its name, then the counts of each pack."""
    counts = []
    for name in PACKS:
        feeds = [one.feed for one in check_detections(load_policy(policy), pack(name).detections, load_served("1.37"))]
        counts += [str(feeds.count(feed)) for feed in COUNTED]
    return [policy.stem, *counts]


def test_every_public_rule_is_read_in_full() -> None:
    for name, count in ((FALCO, 48), ("sigma", 16)):
        assert (len(pack(name).detections), pack(name).not_read) == (count, ())


def test_every_policy_has_a_row() -> None:
    assert [row[0] for row in ROWS] == sorted(path.stem for path in (PUBLIC / "policies").glob("*.yaml"))


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_a_row_is_what_is_computed(row: list[str]) -> None:
    assert row == row_of(PUBLIC / "policies" / f"{row[0]}.yaml")


def named(title: str) -> str:
    """A rule's name as ``needs.json`` writes it."""
    return OTHERWISE.get(title, title)


# Titles in needs.json that are not those of the rules.
OTHERWISE = {
    "Ingress Object without TLS Certificate Created": "Ingress without TLS",
    "Untrusted Node Successfully Joined the Cluster": "Untrusted Node Joined",
    "Untrusted Node Unsuccessfully Tried to Join the Cluster": "Untrusted Node Tried",
    "K8s Secret Get Unsuccessfully Tried": "K8s Secret Get Unsuccessfully",
}
# Where what is computed is not what was written down by hand, and why.
IMPOSSIBLE = {
    "Create Disallowed Pod": "its macro allowed_k8s_containers is always true, and the condition denies it",
    "All K8s Audit Events": "its macro consider_all_events is never true",
    "Full K8s Administrative Access": "its macro allowed_full_admin_users is always true, and the condition denies it",
    "Untrusted Node Joined": "its macro allow_all_k8s_nodes is always true, and the condition denies it",
    "Untrusted Node Tried": "its macro allow_all_k8s_nodes is always true, and the condition denies it",
    "potential_enumeration_activity": "no response has the code ALLOW",
}


def needs() -> list[dict[str, Any]]:
    if not PUBLIC.is_dir():
        return []
    found: list[dict[str, Any]] = json.loads((PUBLIC / "detections" / "needs.json").read_text(encoding="utf-8"))
    return found
