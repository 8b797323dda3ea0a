"""What else is known about the policy, in a sentence each; details.html has the rest. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.report.background import noise_sentence
from auditproof.report.log_lines import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.report.model import Report

SETTLED_S = 60  # before that, an API server records mostly its own start


def also_found(report: Report) -> list[tuple[str, str]]:
    """What it is about, and the sentence."""
    return list(_found(report))


def _found(report: Report) -> Iterator[tuple[str, str]]:
    if warnings := report.policy.warnings:
        more = f" And {len(warnings) - 1} more." if len(warnings) > 1 else ""
        yield "ignored", f"The API server ignores a part of the policy: {warnings[0]}.{more}"
    if findings := report.lint.findings if report.lint else ():
        first = findings[0]
        said = f"line {first.line}: {first.message} ({first.code})"
        yield "lint", f"{counted(len(findings), 'finding')}, the first in {said}."
    if report.noise and report.noise.seconds >= SETTLED_S:
        yield "volume", f"{noise_sentence(report)} Measured over {round(report.noise.seconds)} s."
    if strength := report.strength:
        tried = f"Of {strength.mutants} typical mistakes, each tried in a copy of this policy"
        yield "safety net", f"{tried}, the requirements would catch {strength.noticed}."
