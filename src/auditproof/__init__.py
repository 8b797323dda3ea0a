"""auditproof shows, on a real API server, what a Kubernetes audit policy actually records.

The public API: what a policy decides (load_policy, decide, explain), what can be known about it without a server (lint,
diff, plan_coverage, check_requirement), the nouns of a test (Identity, Action, Case, Expectation, Verdict), a Session
that proves cases on real servers, and the Report that a run has left. Each name is imported on first use (PEP 562), so
that ``import auditproof`` costs nothing and needs no other package.

>>> from auditproof import Identity, act, attributes_of, decide, load_policy, to_request
>>> policy = load_policy("fixtures/policies/baseline.yaml")
>>> request = to_request(act("get", "secrets/db", "shop"))
>>> user = Identity.x509("alice", "developers").user_info()
>>> str(decide(policy, attributes_of(request.method, request.uri, user)).level)
'Metadata'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from auditproof.analysis.coverage.plan import Coverage, Depth, plan_coverage
    from auditproof.analysis.diff.diff import PolicyDiff, diff
    from auditproof.analysis.lint.finding import Finding
    from auditproof.analysis.lint.lint import lint
    from auditproof.analysis.requirements.check import check_requirement
    from auditproof.analysis.requirements.load import load_requirements
    from auditproof.audit.decide import Decision, decide
    from auditproof.audit.event import AuditEvent, Level, Stage
    from auditproof.audit.explain import Explanation, explain
    from auditproof.audit.policy.load import Policy, PolicyRule, load_policy, parse_policy
    from auditproof.cases.case import Case, CaseFile
    from auditproof.cases.expectation import Expectation
    from auditproof.cases.load import load_case_file
    from auditproof.errors import AuditproofError, PolicyRefused, SourceError
    from auditproof.kube.action import Action, Request, act, path_request, to_request
    from auditproof.kube.attributes import Attributes, UserInfo, attributes_of
    from auditproof.kube.discovery import Served, load_served
    from auditproof.kube.identity import Identity
    from auditproof.proof.prover import Proof
    from auditproof.proof.run_options import RunOptions
    from auditproof.proof.session import Session
    from auditproof.proof.verdict import Evidence, Outcome, Verdict
    from auditproof.report.model import Report
    from auditproof.report.read import load_report

__version__ = "0.1.0"
__all__ = [
    "Action",
    "Attributes",
    "AuditEvent",
    "AuditproofError",
    "Case",
    "CaseFile",
    "Coverage",
    "Decision",
    "Depth",
    "Evidence",
    "Expectation",
    "Explanation",
    "Finding",
    "Identity",
    "Level",
    "Outcome",
    "Policy",
    "PolicyDiff",
    "PolicyRefused",
    "PolicyRule",
    "Proof",
    "Report",
    "Request",
    "RunOptions",
    "Served",
    "Session",
    "SourceError",
    "Stage",
    "UserInfo",
    "Verdict",
    "__version__",
    "act",
    "attributes_of",
    "check_requirement",
    "decide",
    "diff",
    "explain",
    "lint",
    "load_case_file",
    "load_policy",
    "load_report",
    "load_requirements",
    "load_served",
    "parse_policy",
    "path_request",
    "plan_coverage",
    "to_request",
]
_MODULES = {  # the same names as above, for the interpreter
    "analysis.coverage.plan": ("Coverage", "Depth", "plan_coverage"),
    "analysis.diff.diff": ("PolicyDiff", "diff"),
    "analysis.lint.finding": ("Finding",),
    "analysis.lint.lint": ("lint",),
    "analysis.requirements.check": ("check_requirement",),
    "analysis.requirements.load": ("load_requirements",),
    "audit.decide": ("Decision", "decide"),
    "audit.event": ("AuditEvent", "Level", "Stage"),
    "audit.explain": ("Explanation", "explain"),
    "audit.policy.load": ("Policy", "PolicyRule", "load_policy", "parse_policy"),
    "cases.case": ("Case", "CaseFile"),
    "cases.expectation": ("Expectation",),
    "cases.load": ("load_case_file",),
    "errors": ("AuditproofError", "PolicyRefused", "SourceError"),
    "kube.action": ("Action", "Request", "act", "path_request", "to_request"),
    "kube.attributes": ("Attributes", "UserInfo", "attributes_of"),
    "kube.discovery": ("Served", "load_served"),
    "kube.identity": ("Identity",),
    "proof.prover": ("Proof",),
    "proof.run_options": ("RunOptions",),
    "proof.session": ("Session",),
    "proof.verdict": ("Evidence", "Outcome", "Verdict"),
    "report.model": ("Report",),
    "report.read": ("load_report",),
}


def __getattr__(name: str) -> Any:
    """Import a public name from its module; later uses find it here."""
    from importlib import import_module

    for module, names in _MODULES.items():
        if name in names:
            value = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
            return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
