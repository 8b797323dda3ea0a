"""Expectations are written into a case file's text: everything else stays as it is."""

from __future__ import annotations

import pytest

from auditproof.cases.write_expectation import NotWritable, with_expectations

HEAD = "apiVersion: auditproof/v1\nkind: CaseFile\ntitle: T  # of all\n\ncases:\n"
NEW = "{level: Metadata, status: 200}"


def written(cases: str, *names: str) -> str:
    return with_expectations(HEAD + cases, dict.fromkeys(names or ("a",), NEW), "some.audit.yaml")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (
            "- {id: a, as: alice, do: {path: /}, marks: [x]}  # why\n",
            f"- {{id: a, as: alice, do: {{path: /}}, expect: {NEW}, marks: [x]}}  # why\n",
        ),
        ("- {id: a, do: {path: /}, # }\n  }\n", f"- {{id: a, do: {{path: /}}, expect: {NEW}, # }}\n  }}\n"),
        ("- {id: a, do: {path: /}}", f"- {{id: a, do: {{path: /}}, expect: {NEW}}}"),
        ("- id: a\n  do: {path: /}  # why\n\n", f"- id: a\n  do: {{path: /}}  # why\n  expect: {NEW}\n\n"),
        ("- id: a\n  do: {path: /}", f"- id: a\n  do: {{path: /}}\n  expect: {NEW}\n"),
        (
            "  - id: a\n    do:\n      path: /  # root\n    # the end\n    marks: [x]\n",
            f"  - id: a\n    do:\n      path: /  # root\n    expect: {NEW}\n    # the end\n    marks: [x]\n",
        ),
        (
            "- id: a\n  do:\n    request: GET /\n    body: |\n      text\n\n  marks: [x]\n",
            f"- id: a\n  do:\n    request: GET /\n    body: |\n      text\n\n  expect: {NEW}\n  marks: [x]\n",
        ),
        ("- {id: a, expect: Request, do: {path: /}}\n", f"- {{id: a, expect: {NEW}, do: {{path: /}}}}\n"),
        (
            "- id: a\n  expect:\n    level: Request\n    stages:\n    - Panic  # never\n  # next\n  do: {path: /}\n",
            f"- id: a\n  expect: {NEW}  # never\n  # next\n  do: {{path: /}}\n",
        ),
        ("- id: a\r\n  do: {path: /}\r\n", f"- id: a\r\n  do: {{path: /}}\r\n  expect: {NEW}\r\n"),
        ("- {title: é€𝄞, id: a, do: {path: /}}\n", f"- {{title: é€𝄞, id: a, do: {{path: /}}, expect: {NEW}}}\n"),
    ],
)
def test_an_expectation_is_written_and_nothing_else_changes(old: str, new: str) -> None:
    assert written(old) == HEAD + new


def test_only_the_cases_that_are_asked_for_get_one() -> None:
    old = "- {id: a, do: {path: /}}\n- {id: b, do: {path: /}}\n- {id: c, do: {path: /}}\n"

    assert written(old, "a", "c").count(NEW) == 2
    assert "- {id: b, do: {path: /}}\n" in written(old, "a", "c")


def test_the_anchor_of_another_case_is_left_alone() -> None:
    old = "- {id: a, do: &do {path: /}}\n- {id: b, do: *do, title: B}\n"

    assert f"- {{id: b, do: *do, title: B, expect: {NEW}}}\n" in written(old, "b")


@pytest.mark.parametrize(
    ("cases", "says"),
    [
        (
            "- {id: b, expect: &x Request, do: {path: /}}\n- {id: a, expect: *x, do: {path: /}}\n",
            ":7: no expectation can",
        ),
        ("- &b {id: a, do: {path: /}}\n- {<<: *b, id: b}\n", "would also change other parts"),
        ("- {id: a, expect: &x Request, do: {path: /}}\n- {id: b, expect: *x, do: {path: /}}\n", "cannot be edited"),
    ],
)
def test_what_cannot_be_written_without_other_changes_is_refused(cases: str, says: str) -> None:
    with pytest.raises(NotWritable, match=r"some\.audit\.yaml") as caught:
        written(cases)

    assert says in str(caught.value)
