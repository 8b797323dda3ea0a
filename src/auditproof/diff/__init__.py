"""diff(old, new): exactly which requests two policies treat differently, in a few rows, worst first. Pure."""

from __future__ import annotations

from auditproof.diff.effect import Change, Effect, Kind, effect_of
from auditproof.diff.policies import Difference, PolicyDiff, changed, diff
from auditproof.diff.rendering import render_markdown, render_text, to_json, to_record

__all__ = [
    "Change",
    "Difference",
    "Effect",
    "Kind",
    "PolicyDiff",
    "changed",
    "diff",
    "effect_of",
    "render_markdown",
    "render_text",
    "to_json",
    "to_record",
]
