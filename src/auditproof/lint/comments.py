"""Comments in a policy that suppress findings: ``# auditproof: ignore AP104 because ...``.

Behind a value, a comment is for the findings of its line; on a line of its own, for those of the next line that is no
comment. Where a rule begins on that line, it is for the whole rule.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import yaml

from auditproof.errors import Position
from auditproof.lint.catalogue import CATALOGUE
from auditproof.lint.finding import Finding, Ignored
from auditproof.lint.suggestions import close

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.policy import Policy

_COMMENT = re.compile(r"(?:^|(?<=\s))#\s*auditproof:(.*)$")
_IGNORE = re.compile(r"\s*ignore\b\s*(?P<codes>[A-Za-z0-9_,\s]*?)\s*(?:\bbecause\b\s*:?\s*(?P<reason>.*))?$")


@dataclass(frozen=True, slots=True)
class Suppression:
    """One comment: the codes that it names, its reason, and the lines that it is for (both ends included)."""

    position: Position
    codes: tuple[str, ...]
    reason: str
    first: int
    last: int

    def covers(self, finding: Finding) -> bool:
        """Whether the comment is meant for this finding."""
        return finding.code in self.codes and self.first <= finding.position.line <= self.last


def apply(policy: Policy, findings: Sequence[Finding]) -> tuple[tuple[Finding, ...], tuple[Ignored, ...]]:
    """What is left of ``findings`` and what is ignored; comments that are wrong are findings themselves."""
    found = suppressions(policy)
    left: list[Finding] = []
    ignored: list[Ignored] = []
    for finding in findings:
        by = next((one for one in found if one.reason and one.covers(finding)), None)
        if by:
            ignored.append(Ignored(finding, by.reason))
        else:
            left.append(finding)
    return (*left, *_wrong(found, findings)), tuple(ignored)


def _wrong(found: Sequence[Suppression], findings: Sequence[Finding]) -> Iterator[Finding]:
    for one in found:
        if not one.reason or not one.codes:
            advice = "Write `# auditproof: ignore AP504 because ...`, with the code and with your reason."
            yield Finding("AP701", one.position, "this comment suppresses nothing: code or reason is missing", advice)
            continue
        for code in one.codes:
            if code not in CATALOGUE:
                meant = close(code, CATALOGUE, 0.6)
                advice = f'Did you mean "{meant}"?' if meant else "The codes stand in docs/lint.md."
                yield Finding("AP702", one.position, f'there is no finding "{code}"', advice)
            elif not any(one.covers(finding) and finding.code == code for finding in findings):
                message = f"this comment suppresses nothing: there is no {code} here"
                yield Finding("AP702", one.position, message, "Remove it, or move it to the line of the finding.")


def suppressions(policy: Policy) -> tuple[Suppression, ...]:
    """All such comments of the policy, in file order."""
    lines = policy.text.splitlines()
    if "auditproof:" not in policy.text or policy.text.lstrip().startswith("{"):
        return ()
    quoted = _scalars(policy.text)
    found = []
    for number, line in enumerate(lines, start=1):
        match = _COMMENT.search(line)
        if match and not any(begin <= (number, match.start()) < end for begin, end in quoted):
            found.append(_suppression(policy, lines, number, match))
    return tuple(found)


def _scalars(text: str) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Where scalars begin and end, as line (from 1) and column (from 0): a # in them is no comment."""
    spans = []
    try:
        for token in yaml.scan(text):
            if isinstance(token, yaml.ScalarToken):
                begin, end = token.start_mark, token.end_mark
                spans.append(((begin.line + 1, begin.column), (end.line + 1, end.column)))
    except yaml.YAMLError:
        pass  # behind the first document anything may stand
    return spans


def _suppression(policy: Policy, lines: Sequence[str], number: int, match: re.Match[str]) -> Suppression:
    said = _IGNORE.match(match.group(1))
    codes = tuple(code.upper() for code in re.split(r"[,\s]+", said["codes"]) if code) if said else ()
    alone = not lines[number - 1][: match.start()].strip()
    first = _next_line(lines, number) if alone else number
    rules = {rule.position.line: rule.index for rule in policy.rules}
    last = first
    if first in rules:
        later = [line for line in rules if line > first]
        last = min(later, default=len(lines) + 1) - 1
    reason = (said["reason"] or "").strip() if said else ""
    return Suppression(Position(policy.path, number, match.start() + 1), codes, reason, first, last)


def _next_line(lines: Sequence[str], number: int) -> int:
    """The first line behind ``number`` (from 1) that is neither empty nor a comment."""
    for later in range(number, len(lines)):
        if lines[later].strip() and not lines[later].lstrip().startswith("#"):
            return later + 1
    return number
