"""What a run must have shown of its reference cases before they are attested."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from auditproof.plugin.attesting import NotAttested, by_verdict, matching_counters
from tests.browser.reports import proof, report, with_more

if TYPE_CHECKING:
    from auditproof.report.model import Report

COUNTED = {"policy": "p.yaml", "events": 9, "lost": 0, "lines": 9, "levels": {}, "holds": True, "reason": ""}
IDS = {f"suites/shop.audit.yaml::case-{number}" for number in (1, 2)}


def with_verdicts(*verdicts: str, reasons: tuple[str, ...] = ()) -> Report:
    proofs = [proof(number, verdict) for number, verdict in enumerate(verdicts, 1)]
    return report(*(one | ({"reasons": list(reasons)} if one["verdict"] != "PROVEN" else {}) for one in proofs))


def test_what_is_proven_and_what_the_cluster_does_not_support_is_attested() -> None:
    shown = with_verdicts("PROVEN", "NOT_SUPPORTED", reasons=("Kubernetes 1.38",))

    first, second = sorted(IDS)
    assert by_verdict(shown, IDS) == ([first], [second])


def test_each_action_of_a_python_test_counts() -> None:
    name = "suites/test_shop.py::test_x"
    actions = [proof(1, name=f"{name}#1"), proof(2, name=f"{name}#2")]
    assert by_verdict(report(*actions), {name}) == ([name], [])

    with pytest.raises(NotAttested, match="test_x is not PROVEN in this run"):
        by_verdict(report(actions[0], proof(2, "UNPROVEN", name=f"{name}#2")), {name})


@pytest.mark.parametrize("verdict", ["VIOLATED", "UNPROVEN"])
def test_another_verdict_of_one_case_attests_nothing(verdict: str) -> None:
    with pytest.raises(NotAttested, match="case-2 is not PROVEN in this run"):
        by_verdict(with_verdicts("PROVEN", verdict, reasons=("a reason",)), IDS)


def test_a_case_without_a_result_attests_nothing() -> None:
    with pytest.raises(NotAttested, match="case-2 is not PROVEN in this run"):
        by_verdict(with_verdicts("PROVEN"), IDS)


def test_a_case_that_was_skipped_is_not_one_that_the_cluster_does_not_support() -> None:
    with pytest.raises(NotAttested, match="case-2 is not PROVEN in this run"):
        by_verdict(with_verdicts("PROVEN", "NOT_SUPPORTED", reasons=("skipped: not today",)), IDS)


def test_cases_of_which_none_is_supported_attest_nothing() -> None:
    with pytest.raises(NotAttested, match="none of them is supported"):
        by_verdict(with_verdicts("NOT_SUPPORTED", "NOT_SUPPORTED", reasons=("Kubernetes 1.38",)), IDS)


@pytest.mark.parametrize(
    "others",
    [[{"lines": 8, "holds": False, "reason": "one is missing"}], [{"holds": None, "reason": "it has ended"}]],
    ids=["one is missing", "unknown"],
)
def test_counters_that_do_not_match_attest_nothing(others: list[dict[str, object]]) -> None:
    good = with_more(report(proof(1)), counting=[COUNTED])
    (counted,) = matching_counters(good, "")
    assert (counted.policy, counted.events, counted.lines) == ("p.yaml", 9, 9)

    with pytest.raises(NotAttested, match="the counters of a server do not match its log"):
        matching_counters(with_more(good, counting=[COUNTED, *(COUNTED | other for other in others)]), "")
    with pytest.raises(NotAttested):
        matching_counters(report(proof(1)), "")  # nothing was counted


def test_of_several_versions_only_its_own_servers_count() -> None:
    shown = with_more(
        report(proof(1)), counting=[COUNTED | {"policy": f"p.yaml on {version}"} for version in ("1.36", "1.37")]
    )

    assert [one.policy for one in matching_counters(shown, "1.36")] == ["p.yaml on 1.36"]
