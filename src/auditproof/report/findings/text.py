"""Findings for people: a line as compilers write it, then the request that shows it and what to do."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING

from auditproof.analysis.lint.catalogue import Severity
from auditproof.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from auditproof.analysis.lint.finding import Finding
    from auditproof.report.findings.linted import Linted

_PLURALS = {Severity.ERROR: "errors", Severity.WARNING: "warnings", Severity.INFO: "notes"}
_NAMES = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
EACH = "AP001"  # of a refused policy each problem has to be fixed
FEW = 3  # findings of one code in one policy that are each shown
LINES = 5  # lines that are named of those that are not
CODES = 5  # codes whose explanation is offered


def as_text(linted: Sequence[Linted], kubernetes: str, *, every: bool = True) -> str:
    """All findings, a line that counts them, and if there are any, the command that explains their codes.

    Unless ``every`` is true, of more than FEW findings of one code in one policy only the first is shown in full, with
    the lines of the others.
    """
    findings = [finding for one in linted for finding in one.examination.findings]
    ignored = sum(len(one.examination.ignored) for one in linted)
    unreadable = sum(bool(one.unreadable) for one in linted)
    files = len(linted)
    counts = Counter(finding.severity for finding in findings)
    said = [f"{counts[s]} {_NAMES[s] if counts[s] == 1 else _PLURALS[s]}" for s in Severity if counts[s]]
    said += [f"{ignored} ignored by comments"] if ignored else []
    said += [f"{unreadable} cannot be read"] if unreadable else []
    where = f"{files} {'policy' if files == 1 else 'policies'} for Kubernetes {kubernetes}"
    summary = f"{where}: {', '.join(said) or 'nothing found'}"
    texts = [text for one in linted for text in _texts(one.examination.findings, every)]
    return "\n".join([*texts, summary, *_explained(dict.fromkeys(finding.code for finding in findings))])


def _explained(codes: Collection[str]) -> list[str]:
    rest = f" (and {len(codes) - CODES} more)" if len(codes) > CODES else ""
    return [f"explained by: auditproof explain-code {' '.join(islice(codes, CODES))}{rest}"] if codes else []


def _texts(findings: Sequence[Finding], every: bool) -> Iterator[str]:
    alike: dict[str, list[Finding]] = {}
    for finding in findings:
        alike.setdefault(finding.code, []).append(finding)
    for finding in findings:
        first, *others = alike[finding.code]
        if every or len(others) < FEW or finding.code == EACH:
            yield _finding(finding)
        elif finding is first:
            lines = [str(line) for line in dict.fromkeys(finding.position.line for finding in others)]
            rest = f" and {len(lines) - LINES} more" if len(lines) > LINES else ""
            where = "line" if len(lines) == 1 else "lines"
            more = (
                f"and {len(others)} more of this kind, in {where} {', '.join(lines[:LINES])}{rest} (--all shows each)"
            )
            yield f"{_finding(finding)}\n    {more}"


def _finding(finding: Finding) -> str:
    lines = [f"{finding.position}: {_NAMES[finding.severity]} {finding.code} {finding.name}: {finding.message}"]
    lines += [f"    shown by: {finding.shown}"] if finding.shown else []
    return "\n".join(map(printable, [*lines, f"    to do: {finding.advice}"]))
