"""Which detection rules fired on what servers recorded: in the word of each rule, and in the statement."""

from __future__ import annotations

from typing import Any

import pytest

from auditproof.audit.event import Level, Stage
from auditproof.kube.identity import IdentityKind
from auditproof.proof.verdict import Outcome
from auditproof.report.detections.fired import fired_sentence, fired_text, rule_word, unfired_lines
from auditproof.report.model import (
    DetectionRecord,
    Expected,
    FiringRecord,
    IdentityRecord,
    Observed,
    PolicyRef,
    ProofRecord,
    RequestRecord,
)
from tests.report.test_report import report

GET = RequestRecord(
    method="GET", path="/x", verb="get", api_group="", resource="pods", subresource="", namespace="", name=""
)


def proof(name: str, *, fired: bool | None, miss: bool = False, verdict: Outcome = Outcome.PROVEN) -> ProofRecord:
    seen = {"level": Level.METADATA, "stage": Stage.RESPONSE_COMPLETE} if fired else {"silence": "no event"}
    return ProofRecord(
        id=name,
        policy=PolicyRef(path="policy.yaml", sha256="0" * 64),
        identity=IdentityRecord(user="alice", groups=(), kind=IdentityKind.X509),
        request=GET,
        audit_id="",
        expected=Expected(rule=None, line=None, level=Level.NONE),
        observed=Observed(level=None, stages=()),
        verdict=verdict,
        reasons=("the log is cut off",) if verdict is Outcome.UNPROVEN else (),
        firing=FiringRecord(rule="r", fired=fired, miss=miss, **seen),
    )


def rule(*names: str, **more: Any) -> DetectionRecord:
    return DetectionRecord.model_validate(
        {"id": "r", "title": "R", "pack": "own", "file": "r.yaml", "line": 1, "feed": "FED", "proofs": names, **more}
    )


FIRED, ALSO = proof("a", fired=True), proof("b", fired=True)
SILENT = proof("c", fired=False)
OPEN = proof("d", fired=None, verdict=Outcome.UNPROVEN)
MISS = proof("e", fired=False, miss=True)
LEFT_OUT = proof("f", fired=None, verdict=Outcome.NOT_SUPPORTED)
PROOFS = {one.id: one for one in (FIRED, ALSO, SILENT, OPEN, MISS, LEFT_OUT)}


@pytest.mark.parametrize(
    ("record", "word"),
    [
        (rule("a", "e"), "FIRED"),
        (rule("a", "b", "e"), "FIRED"),
        (rule("a", "c"), "IN PART"),
        (rule("c", "e"), "SILENT"),
        (rule("a", "d"), "UNPROVEN"),
        (rule("a", "never reached"), "UNPROVEN"),
        (rule("f"), "NOT FIRED"),
        (rule("a", "f"), "FIRED"),
        (rule(notTried=["why"]), "NOT FIRED"),
        (rule("a", notTried=["a step has no example"]), "NOT FIRED"),
        (rule(), None),
    ],
)
def test_a_rule_fired_only_if_every_example_shows_it(record: DetectionRecord, word: str | None) -> None:
    """A near miss is no example: that it is silent says nothing about the rule."""
    assert rule_word(record, PROOFS) == word


def test_every_example_says_what_it_shows() -> None:
    assert list(fired_text(rule("a", "c", "d", "e", "gone", notTried=["why"]), PROOFS)) == [
        "GET /x (Metadata, ResponseComplete)",
        "GET /x: no event",
        "GET /x: UNPROVEN: the log is cut off",
        "it was not sent",
        "not sent: why",
    ]


def test_a_rule_that_is_fed_and_silent_is_named() -> None:
    """The field that it wants is not kept by the API server, for example; no policy can help it."""
    never = rule(notTried=["w"], feed="IMPOSSIBLE")
    rules = [rule("c"), rule("c", feed="BLIND"), rule("a"), rule(notTried=["why"]), never]
    sent = [one.model_dump(by_alias=True) for one in (FIRED, SILENT)]
    found = report(*sent, parts={"detections": {"rules": [one.model_dump(by_alias=True) for one in rules]}})

    assert unfired_lines(found) == ["R: fed, but silent: GET /x: no event", "R: not fired: why"]


def test_the_sentence_counts_what_fired_and_never_hides_what_did_not() -> None:
    words = [("FIRED", "FED"), ("FIRED", "PARTLY"), ("SILENT", "BLIND"), ("IN PART", "PARTLY"), ("UNPROVEN", "FED"),
             ("NOT FIRED", "FED"), ("NOT FIRED", "IMPOSSIBLE")]  # fmt: skip

    assert fired_sentence([rule(fired=word, feed=feed) for word, feed in words]) == (
        " On the server, 2 rules fired, 1 silent, 1 in part, 1 not shown, 1 not tried."
    )
    assert fired_sentence([rule(fired="FIRED")]) == " On the server, 1 rule fired."
    assert fired_sentence([rule()]) == ""
