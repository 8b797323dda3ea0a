"""The names of a report's files. Pure.

report.html is the ticket: two printed pages. Everything else is in files next to it, which it links to.
"""

from __future__ import annotations

import re

TICKET = "report.html"
DETAILS = "details.html"
EVIDENCE = "evidence.html"  # every action in a line, each with a link to its page
TESTS = "tests.html"  # pytest-html's page
EVIDENCE_TITLE = "<title>auditproof: "  # by which a numbered page of any run is known
_PAGE = re.compile(r"(evidence|details)-[1-9]\d*\.html")


def is_evidence_page(name: str) -> bool:
    """Whether a file of this name is a page with evidence or further details, of a run of any size."""
    return _PAGE.fullmatch(name) is not None


def evidence_page_name(number: int) -> str:
    """The file with the evidence of a part of the proofs; parts are counted from 1."""
    return f"evidence-{number}.html"


def details_page_name(number: int) -> str:
    """The file with a part of the details; parts are counted from 1.

    >>> details_page_name(1), details_page_name(2)
    ('details.html', 'details-2.html')
    """
    return DETAILS if number == 1 else f"details-{number}.html"
