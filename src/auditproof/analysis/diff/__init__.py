"""diff(old, new): exactly which requests two policies record differently, in a few rows, worst first. Pure."""

from __future__ import annotations

from auditproof.analysis.diff.change import Change, ChangeKind
from auditproof.analysis.diff.diff import Difference, PolicyDiff, change_between, changed, diff, witness_of
from auditproof.analysis.diff.render import render_markdown, render_text, to_json, to_record

__all__ = [
    "Change",
    "ChangeKind",
    "Difference",
    "PolicyDiff",
    "change_between",
    "changed",
    "diff",
    "render_markdown",
    "render_text",
    "to_json",
    "to_record",
    "witness_of",
]
