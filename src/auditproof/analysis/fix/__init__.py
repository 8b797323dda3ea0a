"""fix(policy, requirements): the smallest edit with which a policy meets requirements, as a patch of its file. Pure."""

from __future__ import annotations

from auditproof.analysis.fix.edits import Edit, Fix, Inserted, Leveled, Removed
from auditproof.analysis.fix.plan import fix
from auditproof.analysis.fix.text import NotEditable, edited, unified, within

__all__ = ["Edit", "Fix", "Inserted", "Leveled", "NotEditable", "Removed", "edited", "fix", "unified", "within"]
