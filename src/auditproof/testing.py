"""For authors of Python tests: the types of the fixtures, and what a test needs in addition to the public API.

The fixtures themselves come with the pytest plugin: ``audit`` is an Audit, ``audit(identity, action)`` returns
Recorded, and ``audit_backend`` is a BackendServer.
"""

from __future__ import annotations

from auditproof.auditlog.file_log import NO_LEVEL, FileLog
from auditproof.clusters.stand_ins.event_receiver import Behaviour
from auditproof.content import root
from auditproof.errors import ClusterError
from auditproof.kube.action import Target, parse_target
from auditproof.kube.identity import AccessRule, IdentityKind, Impersonation
from auditproof.kube.manifest import load_manifest
from auditproof.kube.resources import Resource
from auditproof.plugin.fixtures import Audit, Recorded
from auditproof.proof.backends import legacy_line_of, parse_legacy
from auditproof.proof.backends.actions import WRITER, large
from auditproof.proof.backends.server import BackendServer, UnexpectedDelivery, require
from auditproof.proof.fence.agreement import AUDIT_OFF
from auditproof.wait import wait_until

__all__ = [
    "AUDIT_OFF",
    "NO_LEVEL",
    "WRITER",
    "AccessRule",
    "Audit",
    "BackendServer",
    "Behaviour",
    "ClusterError",
    "FileLog",
    "IdentityKind",
    "Impersonation",
    "Recorded",
    "Resource",
    "Target",
    "UnexpectedDelivery",
    "large",
    "legacy_line_of",
    "load_manifest",
    "parse_legacy",
    "parse_target",
    "require",
    "root",
    "wait_until",
]
