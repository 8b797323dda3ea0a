"""Reads rules of Sigma, parsed by pySigma, which is an optional dependency (the extra ``sigma``). Pure.

Semantics: the Sigma specification, version 2 (sigma-rules-specification.md, sigma-correlation-rules-specification.md
and sigma-filters-specification.md).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from auditproof.errors import AuditproofError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from auditproof.detections.detection import Detection, NotRead
    from auditproof.detections.readers.documents import Document

_INSTALL = "pip install 'pysigma>=2.0'"


def is_sigma(value: Any) -> bool:
    """Whether a document is a rule, a correlation, a filter or a template (``action: global``) of Sigma."""
    return isinstance(value, dict) and (
        any(isinstance(value.get(key), dict) for key in ("detection", "logsource", "correlation"))
        or value.get("action") in ("global", "reset", "repeat")
    )


def read_sigma(
    documents: Sequence[tuple[Document, str]], names: Mapping[str, str]
) -> tuple[list[Detection | NotRead], int]:
    """Read rules from documents, each with its pack; ``names`` are paths of fields under other names.

    Also returns the number of rules about other log sources. Raises AuditproofError if pySigma is not installed.
    """
    try:
        from auditproof.detections.readers.sigma import read
    except ImportError:
        message = f"reading Sigma rules needs pySigma, which is not installed; install it: {_INSTALL}"
        raise AuditproofError(message) from None
    return read.read_rules(documents, names)
