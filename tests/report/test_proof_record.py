"""The record of a proof says whose fault a violation is: the server's, or the case's."""

from __future__ import annotations

import pytest

from auditproof.audit.event import Level
from auditproof.audit.policy.load import parse_policy
from auditproof.cases.case import Case, Source
from auditproof.cases.expectation import Expectation
from auditproof.errors import Position
from auditproof.proof.prover import Proof
from auditproof.proof.verdict import Evidence, Outcome, judge
from auditproof.report.proof_record import proof_record, story
from tests.proof.test_verdict import ALICE, COMPLETE, READ, RECEIVED, UNSEEN, both, event, evidence

POLICY = parse_policy(b"apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n", "policy.yaml")
METADATA = evidence(both())


def judged(expectation: Expectation, found: Evidence) -> Proof:
    case = Case("c", ALICE, READ, expectation, source=Source(Position("s.audit.yaml", 3, 1)))
    return Proof(case, judge(expectation, found))


@pytest.mark.parametrize(
    ("expectation", "found", "contradicts"),
    [
        (Expectation(), METADATA, ""),
        (Expectation(level=Level.REQUEST), METADATA, "policy"),
        (Expectation(level=Level.NONE), METADATA, "policy"),
        (Expectation(stages=frozenset({COMPLETE})), METADATA, "policy"),
        (Expectation(level=Level.NONE), evidence(both(), doubts=(UNSEEN,)), "policy"),
        (Expectation(level=Level.METADATA), evidence(rules="[{level: None}]"), "policy"),
        (Expectation(event={"verb": "list"}), METADATA, "events"),
        (Expectation(present=("responseObject",)), METADATA, "events"),
        (Expectation(), evidence(both(Level.REQUEST)), ""),
        (Expectation(level=Level.METADATA), evidence(both(Level.REQUEST)), ""),
        (Expectation(level=Level.REQUEST), evidence(both(Level.REQUEST)), ""),
        (Expectation(), evidence((event(RECEIVED),)), ""),
    ],
)
def test_a_case_is_at_odds_with_the_policy_only_if_the_server_is_not(
    expectation: Expectation, found: Evidence, contradicts: str
) -> None:
    """A server that records otherwise than its policy decides is at fault, whatever the case expects."""
    proof = judged(expectation, found)

    record = proof_record(proof, POLICY)

    assert record.contradicts == contradicts
    if contradicts:
        assert record.verdict is Outcome.VIOLATED
        said = (
            "expects other than the policy decides" if contradicts == "policy" else "expects other than the events say"
        )
        assert said in story(proof, POLICY)
    elif record.verdict is not Outcome.PROVEN:
        assert "the case expects other than" not in story(proof, POLICY)
