"""Comments in a policy that suppress findings: ``# auditproof: ignore AP104 because ...``.

After a value, a comment applies to the findings on its line; on its own line, to those on the next line that is not a
comment. If a rule begins on that line, it applies to the whole rule.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import yaml

from auditproof.analysis.lint.catalogue import CATALOGUE
from auditproof.analysis.lint.finding import Finding, Ignored
from auditproof.analysis.lint.suggestions import close

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.audit.policy.load import Policy
    from auditproof.errors import Position

LONGEST = 20  # letters of a code that are compared with the known ones
_COMMENT = re.compile(r"(?:^|(?<=\s))#\s*auditproof:(.*)$")
_IGNORE = re.compile(r"\s*ignore\b\s*(?P<codes>[A-Za-z0-9_,\s]*?)\s*(?:\bbecause\b\s*:?\s*(?P<reason>.*))?$")


@dataclass(frozen=True, slots=True)
class Suppression:
    """One comment: its codes, its reason, and the lines it applies to (both ends included)."""

    position: Position
    codes: tuple[str, ...]
    reason: str
    first: int
    last: int

    def covers(self, finding: Finding) -> bool:
        """Whether the comment applies to this finding."""
        return finding.code in self.codes and self.first <= finding.position.line <= self.last


def apply(policy: Policy, findings: Sequence[Finding]) -> tuple[tuple[Finding, ...], tuple[Ignored, ...]]:
    """The remaining and the ignored findings; invalid comments become findings themselves."""
    found = suppressions(policy)
    named: dict[str, list[Suppression]] = {}
    for one in found:
        for code in one.codes if one.reason else ():
            named.setdefault(code, []).append(one)
    left: list[Finding] = []
    ignored: list[Ignored] = []
    for finding in findings:
        by = next((one for one in named.get(finding.code, ()) if one.covers(finding)), None)
        if by:
            ignored.append(Ignored(finding, by.reason))
        else:
            left.append(finding)
    return (*left, *_wrong(found, findings)), tuple(ignored)


def _wrong(found: Sequence[Suppression], findings: Sequence[Finding]) -> Iterator[Finding]:
    places: dict[str, list[int]] = {}
    for finding in findings:
        places.setdefault(finding.code, []).append(finding.position.line)
    for lines in places.values():
        lines.sort()
    for one in found:
        if not one.reason or not one.codes:
            advice = "Write `# auditproof: ignore AP504 because ...`, with the code and your reason."
            yield Finding(
                "AP701", one.position, "this comment suppresses nothing: the code or the reason is missing", advice
            )
            continue
        for code in one.codes:
            if code not in CATALOGUE:
                meant = _meant(code)
                advice = f'Did you mean "{meant}"?' if meant else "`auditproof explain-code` lists the codes."
                yield Finding("AP702", one.position, f'there is no code "{code}"', advice)
            elif not _any_within(places.get(code, ()), one.first, one.last):
                message = f"this comment suppresses nothing: there is no {code} here"
                yield Finding("AP702", one.position, message, "Remove it, or move it to the line of the finding.")


@cache
def _meant(code: str) -> str:
    return close(code[:LONGEST], CATALOGUE, 0.6)


def _any_within(lines: Sequence[int], first: int, last: int) -> bool:
    at = bisect_left(lines, first)
    return at < len(lines) and lines[at] <= last


def suppressions(policy: Policy) -> tuple[Suppression, ...]:
    """All suppression comments of the policy, in file order."""
    lines = policy.text.splitlines()
    if "auditproof:" not in policy.text or policy.text.lstrip().startswith("{"):
        return ()
    begins, ends = _scalars(policy.text)
    meant = _meant_lines(lines)
    rules = sorted(rule.position.line for rule in policy.rules)
    found = []
    for number, line in enumerate(lines, start=1):
        match = _COMMENT.search(line)
        # A # in a scalar is no comment: the last scalar that begins before it must have ended.
        before = bisect_right(begins, (number, match.start())) if match else 0
        if match and not (before and (number, match.start()) < ends[before - 1]):
            alone = not line[: match.start()].strip()
            first = policy.place.line(meant[number] if alone else number)
            position = policy.place.at(number, match.start() + 1)
            last = policy.place.line(len(lines))
            said = _IGNORE.match(match.group(1))
            codes = tuple(code.upper() for code in re.split(r"[,\s]+", said["codes"]) if code) if said else ()
            reason = (said["reason"] or "").strip() if said else ""
            # At the first line of a rule it applies to the whole rule, up to the line before the next one.
            here = bisect_left(rules, first)
            begins_rule = here < len(rules) and rules[here] == first
            after = bisect_right(rules, first)
            end = (rules[after] if after < len(rules) else last + 1) - 1
            found.append(Suppression(position, codes, reason, first, end if begins_rule else first))
    return tuple(found)


def _scalars(text: str) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Where scalars begin and end, as line (from 1) and column (from 0): a # inside one is not a comment."""
    begins, ends = [], []
    try:
        for token in yaml.scan(text):
            if isinstance(token, yaml.ScalarToken):
                begin, end = token.start_mark, token.end_mark
                begins.append((begin.line + 1, begin.column))
                ends.append((end.line + 1, end.column))
    except yaml.YAMLError:
        pass  # after the first document, anything may follow
    return begins, ends


def _meant_lines(lines: Sequence[str]) -> list[int]:
    """For each line (from 1), the next line that is neither empty nor a comment; if there is none, the line itself."""
    meant, later = list(range(len(lines) + 1)), 0
    for number in range(len(lines), 0, -1):
        meant[number] = later or number
        text = lines[number - 1].lstrip()
        later = number if text and not text.startswith("#") else later
    return meant
