"""Public rules and policies, which are not part of this repository: read where they are.

AUDITPROOF_PUBLIC names a folder with ``detections`` and ``policies``. docs/detections.md has the results.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from auditproof import Attributes, PolicyRefused, UserInfo, content, load_policy, load_served
from auditproof.audit.event import Level, Stage
from auditproof.detections import Feed, check_detections, load_rules
from auditproof.detections.demand import Solver
from auditproof.detections.moments import stages_of

if TYPE_CHECKING:
    from auditproof.detections import Detection, Moment, Rules

PUBLIC = Path(os.environ.get("AUDITPROOF_PUBLIC", "nowhere")).resolve()
pytestmark = pytest.mark.skipif(not (PUBLIC / "detections").is_dir(), reason="AUDITPROOF_PUBLIC names no such folder")
MARK = "<!-- public: tests/contract/test_public_detections.py computes these rows -->\n"
TABLE = (content.root() / "docs" / "detections.md").read_text(encoding="utf-8").partition(MARK)[2].partition("\n\n")[0]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in TABLE.splitlines()[2:]]
FALCO = "falco/k8s_audit_rules.yaml"
PACKS = (FALCO, "sigma")
EVERYTHING = PUBLIC / "policies" / "stig-v-242403.yaml"
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


def test_every_policy_that_a_server_accepts_has_a_row() -> None:
    accepted = []
    for path in sorted((PUBLIC / "policies").glob("*.yaml")):
        with suppress(PolicyRefused):
            load_policy(path)
            accepted.append(path.stem)
    assert [row[0] for row in ROWS] == accepted


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


# Facts that the hand-written file leaves out.
NO_BODY_YET = ("hostpath_mount", "privileged_pod_creation")  # at RequestReceived
ANY_STAGE = ("port-forward",)  # it asks for none, so that the first event matches, too
NAMES = {"System ClusterRole Modified/Deleted": "system:x"}  # the file's x has not the prefix that the rule asks for


def plain(title: str) -> str:
    """A title as both sides write it: ``K8s deployments Created`` is ``K8s Deployment Created``."""
    short = {"permisions": "permissions", "(create only)": ""}
    for old, new in short.items():
        title = title.replace(old, new)
    return re.sub(r"s (?=(created|deleted)$)", " ", title.lower())


def detection(need: dict[str, Any]) -> Detection:
    for one in pack(FALCO if need["pack"] == "falco" else "sigma").detections:
        file = Path(one.position.path).stem.removeprefix("kubernetes_audit_")
        if plain(need["rule"]) in (plain(named(one.title)), plain(file)):
            return one
    raise LookupError(need["rule"])


def moments(rule: Detection, asked: dict[str, Any], name: str) -> frozenset[Moment]:
    """The levels and stages at which an event of a request can match."""
    user = None if asked["user"] in (None, "None") else UserInfo(asked["user"], tuple(asked["groups"]))
    place = asked["namespace"], asked["apiGroup"], asked["apiVersion"], asked["resource"], asked["subresource"]
    found = Solver(rule.steps[0]).demand(Attributes(user, asked["verb"], *place, name))
    return frozenset(found.at) if found else frozenset()


@pytest.mark.parametrize("need", needs(), ids=lambda need: need["rule"])
def test_what_a_rule_needs_is_what_its_authors_readers_wrote_down(need: dict[str, Any]) -> None:
    """For each of the requests that the file has, at the same levels and stages; or the difference is explained."""
    rule = detection(need)
    for asked in need["requests"]:
        name = NAMES.get(need["rule"], asked["name"]) if asked["name"] else ""
        found = moments(rule, asked, name)
        if need["rule"] in IMPOSSIBLE:
            assert not found
            continue
        failed = asked["user"] in (None, "None")
        emitted = stages_of(
            Attributes(None if failed else UserInfo("x"), asked["verb"], subresource=asked["subresource"])
        )
        stages = {Stage(stage) for stage in need["stages"]} & emitted
        if need["rule"] in NO_BODY_YET:
            stages -= {Stage.REQUEST_RECEIVED}
        if need["rule"] in ANY_STAGE:
            stages |= {Stage.REQUEST_RECEIVED}
        assert {moment.level for moment in found} == {Level(level) for level in need["levels"]}
        assert {moment.stage for moment in found} == stages


def test_only_known_rules_are_impossible() -> None:
    for name in PACKS:
        found = check_detections(load_policy(EVERYTHING), pack(name).detections, load_served("1.37"))
        impossible = {one.detection.title for one in found if one.feed is Feed.IMPOSSIBLE}
        assert len(impossible) == (5 if name == FALCO else 1)
        assert all(one.feed in (Feed.FED, Feed.IMPOSSIBLE) for one in found)
