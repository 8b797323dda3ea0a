"""describe(policy): what a policy records, on one page; the same for policies that mean the same. Pure."""

from __future__ import annotations

from auditproof.analysis.describe.description import Description, describe
from auditproof.analysis.describe.page import TITLE, Section, introduction, render_markdown, render_text, sections

__all__ = [
    "TITLE",
    "Description",
    "Section",
    "describe",
    "introduction",
    "render_markdown",
    "render_text",
    "sections",
]
