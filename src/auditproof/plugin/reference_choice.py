"""The option for reference cases, and what follows from it for a session."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import pytest

from auditproof.attestation import Found
from auditproof.plugin.asked import effective
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from auditproof.attestation import Subject


NOTHING_FOUND = Found()


class ReferenceMode(StrEnum):
    """When reference cases are performed."""

    ALWAYS = "always"
    ONCE = "once"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class ReferenceChoice:
    """Whether the reference cases of a session are left out; ``found`` is the attestation, or why there is none.

    ``subject`` is what an attestation of this run would be about; None: there will be none. ``files`` are the shipped
    files that need not even be collected, because the attestation is about all that is in them.
    """

    left_out: bool = False
    found: Found = NOTHING_FOUND
    subject: Subject | None = None
    files: frozenset[str] = frozenset()


def reference_mode(config: pytest.Config) -> ReferenceMode:
    """The value of the option. Raises pytest.UsageError."""
    text = effective(config, "reference") or ReferenceMode.ALWAYS
    if text not in list(ReferenceMode):
        meant = did_you_mean(text, list(ReferenceMode), quote="")
        raise pytest.UsageError(
            f"--audit-reference: invalid value {text!r}{meant} (choose from {', '.join(ReferenceMode)})"
        )
    return ReferenceMode(text)
