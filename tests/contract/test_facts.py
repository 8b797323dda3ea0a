"""Every fact of suites/facts.yaml is shown by a case or a test, or says why no server can show it."""

from __future__ import annotations

from collections import Counter

from tools.facts import DOCUMENT, document, load_facts, shown

FACTS = load_facts()


def test_every_fact_has_an_id_of_its_own_and_an_origin() -> None:
    assert [name for name, count in Counter(fact.id for fact in FACTS).items() if count > 1] == []
    assert [fact.id for fact in FACTS if not (fact.source if fact.id.startswith("T") else fact.asked)] == []


def test_what_cases_and_tests_cover_is_in_the_list() -> None:
    known = {fact.id for fact in FACTS}

    assert [f"{row.path.name}: {row.name} covers {row.fact}" for row in shown() if row.fact not in known] == []


def test_what_no_server_can_show_is_shown_by_nothing() -> None:
    covered = {row.fact for row in shown()}

    assert [fact.id for fact in FACTS if fact.without and fact.id in covered] == []


def test_every_other_fact_is_shown_by_a_case_or_a_test() -> None:
    covered = {row.fact for row in shown()}

    assert [fact.id for fact in FACTS if not fact.without and fact.id not in covered] == []


def test_the_document_is_the_one_that_is_written() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run `make facts` to regenerate docs/coverage.md"
