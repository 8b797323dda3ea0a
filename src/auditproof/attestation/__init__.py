"""Attestations: that the reference suites were proven with the same auditproof, the same servers and the same flags.

An attestation is a file in the cache, sealed with a key of this user. It is bound to a subject, which is computed
again in every run: what differs from it in anything, or has no seal of this user, is not used.
"""

from auditproof.attestation.attestation import Attestation, Counted
from auditproof.attestation.store import Found, Kept, attestations, clear_attestations, find_attestation, keep
from auditproof.attestation.subject import Subject, present_binaries, subject_of

__all__ = [
    "Attestation",
    "Counted",
    "Found",
    "Kept",
    "Subject",
    "attestations",
    "clear_attestations",
    "find_attestation",
    "keep",
    "present_binaries",
    "subject_of",
]
