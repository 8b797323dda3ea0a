"""results.json as types: the one description of its keys, their defaults and their meaning. Pure.

A report is built out of these models, written from them and read back into them; results.schema.json is generated from
them (``make schema``). Within ``auditproof/v1`` keys may be added; none is removed or changes its meaning. Whatever has
a default may be missing in a file that an earlier version wrote. Rules are counted from 0, lines from 1.
"""

from auditproof.report.model.backends import BackendAccount, BackendLoad, BackendsRecord, BackendTest, Deliveries
from auditproof.report.model.change import (
    ChangeProofs,
    ChangeRecord,
    ChangeRow,
    EffectRecord,
    RulePair,
    RuleRef,
    WitnessRecord,
)
from auditproof.report.model.detections import DetectionRecord, DetectionsRecord, LostRecord, NotReadRecord
from auditproof.report.model.gate import AcknowledgementRecord, GatedChange, GatedEffect, GateRecord
from auditproof.report.model.logs import (
    LogFile,
    LogRecord,
    NoiseComponent,
    NoiseRecord,
    NoiseRule,
    NoiseShare,
    ServerCount,
)
from auditproof.report.model.policy import (
    CoverageRecord,
    FindingRequest,
    FindingUser,
    LintFinding,
    LintRecord,
    RuleCoverage,
    Unperformed,
)
from auditproof.report.model.proof import (
    ClaimRecord,
    EarlierRule,
    Expected,
    ExplanationRecord,
    FiringRecord,
    IdentityRecord,
    Observed,
    ProofRecord,
    RequestRecord,
)
from auditproof.report.model.reference import ReferenceRecord, ReferenceState
from auditproof.report.model.report import API_VERSION, KIND, Report, Sections, results_parts, results_text
from auditproof.report.model.requirements import (
    AcknowledgedRequirement,
    RequirementEntries,
    RequirementRecord,
    StrengthRecord,
    Unnoticed,
    ViolationRecord,
)
from auditproof.report.model.run import ClusterRecord, PolicyRecord, PolicyRef, RunRecord, Summary, TicketRecord
from auditproof.report.model.statements import (
    ChangeStatement,
    Decision,
    DetectionsStatement,
    FaithfulStatement,
    RequirementsStatement,
    Statement,
    Statements,
)
from auditproof.report.model.values import Record, plain
from auditproof.report.model.versions import DifferingCase, VersionRecord, VersionResult

__all__ = [
    "API_VERSION",
    "KIND",
    "AcknowledgedRequirement",
    "AcknowledgementRecord",
    "BackendAccount",
    "BackendLoad",
    "BackendTest",
    "BackendsRecord",
    "ChangeProofs",
    "ChangeRecord",
    "ChangeRow",
    "ChangeStatement",
    "ClaimRecord",
    "ClusterRecord",
    "CoverageRecord",
    "Decision",
    "Deliveries",
    "DetectionRecord",
    "DetectionsRecord",
    "DetectionsStatement",
    "DifferingCase",
    "EarlierRule",
    "EffectRecord",
    "Expected",
    "ExplanationRecord",
    "FaithfulStatement",
    "FindingRequest",
    "FindingUser",
    "FiringRecord",
    "GateRecord",
    "GatedChange",
    "GatedEffect",
    "IdentityRecord",
    "LintFinding",
    "LintRecord",
    "LogFile",
    "LogRecord",
    "LostRecord",
    "NoiseComponent",
    "NoiseRecord",
    "NoiseRule",
    "NoiseShare",
    "NotReadRecord",
    "Observed",
    "PolicyRecord",
    "PolicyRef",
    "ProofRecord",
    "Record",
    "ReferenceRecord",
    "ReferenceState",
    "Report",
    "RequestRecord",
    "RequirementEntries",
    "RequirementRecord",
    "RequirementsStatement",
    "RuleCoverage",
    "RulePair",
    "RuleRef",
    "RunRecord",
    "Sections",
    "ServerCount",
    "Statement",
    "Statements",
    "StrengthRecord",
    "Summary",
    "TicketRecord",
    "Unnoticed",
    "Unperformed",
    "VersionRecord",
    "VersionResult",
    "ViolationRecord",
    "WitnessRecord",
    "plain",
    "results_parts",
    "results_text",
]
