"""What became of the reference cases is in every output, whatever a results.json says about them."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest

from auditproof.report.ci.comment import comment
from auditproof.report.ci.github import step_summary
from auditproof.report.ci.junit import EMPTY, told_in_full
from auditproof.report.compare import compare
from auditproof.report.html.page import report_pages
from auditproof.report.reference import reference_lines, reference_remarks
from auditproof.report.terminal import decision_lines
from tests.browser.reports import GREEN, with_more

if TYPE_CHECKING:
    from auditproof.report.model import Report

DIGEST = "1f" * 32
ATTESTED = {"kubernetes": "1.37", "state": "attested", "cases": 1058, "attestation": DIGEST}
SAID = (
    "1,058 reference cases were proven on 7 November 2026 with the same auditproof, kube-apiserver, etcd and flags "
    "(attestation 1f1f1f1f1f1f)."
)


def with_reference(*records: dict[str, object]) -> Report:
    return with_more(GREEN, reference=list(records), decision=None, statements=None)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (ATTESTED | {"made": "2026-11-07T12:00:00+00:00"}, SAID),
        (
            {"kubernetes": "1.37", "state": "left out", "cases": 1058},
            "The reference cases were left out: it is not shown that auditproof works with this server.",
        ),
    ],
    ids=["attested", "left out"],
)
def test_every_output_says_that_they_were_not_performed(record: dict[str, object], said: str) -> None:
    shown = with_reference(record)

    junit = ElementTree.fromstring(told_in_full(EMPTY, shown).partition("?>")[2])
    (suite,) = junit
    assert suite[0].tag == "properties"  # the schema of JUnit files has them first
    assert [one.get("value") for one in suite[0]] == [said]
    assert said in decision_lines(shown)[0]
    assert said in report_pages(shown)["report.html"]()
    words = said.partition("(")[0].partition(":")[0]
    assert words in step_summary(shown)
    assert words in comment(shown, str)


def test_cases_that_were_performed_need_no_words(capsys: pytest.CaptureFixture[str]) -> None:
    record = {"kubernetes": "1.37", "state": "performed", "cases": 1058}

    assert list(reference_remarks(with_reference(record))) == []
    assert list(reference_lines(with_reference(record))) == []
    assert list(reference_lines(with_reference(record | {"why": "a reason"}))) == [
        "no attestation of the reference cases: a reason"
    ]
    assert list(reference_lines(with_reference(record | {"why": "none yet", "attestation": DIGEST}))) == [
        "attestation 1f1f1f1f1f1f: later runs need not repeat the 1,058 reference cases of Kubernetes 1.37"
    ]


def test_of_several_versions_each_is_named() -> None:
    shown = with_reference(
        ATTESTED | {"made": "2026-11-07T12:00:00+00:00"}, ATTESTED | {"kubernetes": "1.36", "made": "some day"}
    )

    first, second = reference_remarks(shown)
    assert "were proven on Kubernetes 1.37 on 7 November 2026" in first
    assert "were proven on Kubernetes 1.36 on some day" in second


def test_a_comparison_says_why_one_run_has_fewer_cases() -> None:
    found = compare(GREEN, with_reference(ATTESTED))

    assert ("reference cases", "performed", "attested") in found.about


def test_a_proven_reference_case_is_no_difference_to_a_run_that_names_its_attestation() -> None:
    """But for one that is not proven, and for what is judged by the given policy, the runs differ."""
    another = {"path": "fixtures/policies/levels.yaml", "sha256": "2e" * 32}

    def performed(verdict: str, policy: dict[str, str] | None) -> Report:
        proof = GREEN.proofs[0].model_dump(mode="json") | {"id": "suites/levels/a.audit.yaml::a", "verdict": verdict}
        own = [one.model_dump(mode="json") for one in GREEN.proofs]
        return with_more(GREEN, proofs=[*own, proof | ({"policy": policy} if policy else {})])

    attested = with_reference(ATTESTED)

    assert compare(performed("PROVEN", another), attested).same
    assert compare(attested, performed("PROVEN", another)).same
    assert not compare(performed("VIOLATED", another), attested).same
    assert not compare(performed("PROVEN", None), attested).same
    assert not compare(performed("PROVEN", another), GREEN).same
