"""A run on several Kubernetes versions: whose proof is which, what differs, and the sections of all as one. Pure.

The id of an item names its version as pytest names a parameter: ``suite.audit.yaml::case[1.36]``,
``test_it.py::test_x[1.36-other]#1``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

from auditproof.analysis.gate import Relation
from auditproof.detections import Feed
from auditproof.kube.discovery import load_served
from auditproof.proof.verdict import Outcome
from auditproof.report.detections.fed_rules import WORST_LAST
from auditproof.report.gate import concluded
from auditproof.report.model import (
    ChangeProofs,
    ChangeRecord,
    CoverageRecord,
    DifferingCase,
    LintRecord,
    Record,
    RequirementRecord,
    RuleCoverage,
    Sections,
    VersionResult,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from auditproof.report.model import DetectionRecord, DetectionsRecord, GatedChange, GateRecord, ProofRecord

R = TypeVar("R", bound=Record)
ONLY_THERE = "it exists on {} only, because that is where the request is served or told apart"


def version_in(name: str, versions: Iterable[str]) -> str:
    """The version that an id names; empty where it names none of ``versions``."""
    return next((version for version in versions if version and _parameter(version).search(name)), "")


def without_version(name: str, version: str) -> str:
    """An id as it is in a run on one version."""
    found = list(_parameter(version).finditer(name))
    if not found:
        return name
    before, after = name[: found[-1].start()], name[found[-1].end() :]
    if before.endswith("[") and after.startswith("]"):
        return before[:-1] + after[1:]
    return before + after[1:] if before.endswith("[") else before[:-1] + after


def _parameter(version: str) -> re.Pattern[str]:
    """The version among the parameters of an id, which are in brackets and joined by hyphens."""
    return re.compile(rf"(?<=[\[-]){re.escape(version)}(?=[\]-])")


def differing(
    proofs: Sequence[ProofRecord], versions: Sequence[str], missing: Collection[str] = ()
) -> tuple[DifferingCase, ...]:
    """The cases without the same result on all versions, sorted by id; nothing in a run on one.

    What was planned and not reached, by the ids in ``missing``, makes no difference.
    """
    found: dict[tuple[str, ...], dict[str, ProofRecord]] = {}
    for proof in proofs if versions else ():
        case = without_version(proof.id, proof.kubernetes)
        # what is generated for a version may have the number that something else has on another
        asked = (proof.request.method, proof.request.path, proof.title) if proof.request.method else ()
        found.setdefault((case, *asked), {})[proof.kubernetes] = proof
    left = {
        (without_version(name, version), version): name for name in missing if (version := version_in(name, versions))
    }
    rows = (_differing(key[0], by_version, versions, left) for key, by_version in found.items())
    return tuple(sorted((row for row in rows if row is not None), key=lambda row: (row.id, row.title)))


def _differing(
    case: str, proofs: dict[str, ProofRecord], versions: Sequence[str], left: Mapping[tuple[str, str], str]
) -> DifferingCase | None:
    results = tuple(_result(version, proofs.get(version), left.get((case, version), "")) for version in versions)
    reached = [result for result in results if (case, result.kubernetes) not in left]
    if len({result.model_copy(update={"kubernetes": "", "proof": ""}) for result in reached}) == 1:
        return None
    newest = list(proofs.values())[-1]
    there = [result.kubernetes for result in results if result.proof]
    return DifferingCase(id=case, title=newest.title, results=results, why=tuple(_why(proofs, there, versions)))


def _result(version: str, proof: ProofRecord | None, left: str) -> VersionResult:
    """``left`` is the id of what was planned and not reached."""
    if proof is None:
        return VersionResult(kubernetes=version, proof=left, verdict=Outcome.UNPROVEN if left else None)
    seen = proof.observed
    return VersionResult(
        kubernetes=version,
        proof=proof.id,
        verdict=proof.verdict,
        level=seen.level,
        stages=seen.stages,
        status=seen.status,
    )


def _why(proofs: dict[str, ProofRecord], there: Sequence[str], versions: Sequence[str]) -> Iterator[str]:
    """What the cases themselves say about the difference, and why one is not proven."""
    if len(there) < len(versions):
        yield ONLY_THERE.format(", ".join(there))
    yield from _not_served(proofs)
    sources = {version: proof.because for version, proof in proofs.items()}
    if len(set(sources.values())) > 1:
        yield from dict.fromkeys(line for text in sources.values() for line in text.splitlines()[-1:])
    for version, proof in proofs.items():
        if proof.verdict is Outcome.NOT_SUPPORTED:
            yield f"{version}: needs {', '.join(proof.reasons)}"
        elif proof.verdict is not Outcome.PROVEN:
            yield f"{version}: {proof.reasons[0] if proof.reasons else proof.verdict}"
    statuses: dict[int, list[str]] = {}
    for version, proof in proofs.items():
        if proof.audit_id:
            statuses.setdefault(proof.observed.status, []).append(version)
    if len(statuses) > 1:
        yield "; ".join(f"status {status} on {', '.join(some)}" for status, some in statuses.items())


def _not_served(proofs: dict[str, ProofRecord]) -> Iterator[str]:
    """Which versions do not serve the requested resource, where others do."""
    asked = list(proofs.values())[-1].request
    key = (asked.api_group, asked.resource, asked.subresource)
    serving = [
        version
        for version in proofs
        if any((one.group, one.resource, one.subresource) == key for one in load_served(version).resources)
    ]
    others = [version for version in proofs if version not in serving]
    if asked.resource and serving and others:
        name = "/".join(filter(None, (".".join(filter(None, (asked.resource, asked.api_group))), asked.subresource)))
        yield f"{name} is served on {', '.join(serving)} only"


def merged(versions: Sequence[str], parts: Sequence[Sections]) -> Sections:
    """The sections of a run on several versions as one; of background and mutation test those of the newest.

    ``parts`` are those of each version. What is the same on all versions is there once; the ids of proofs name their
    version. A run on one version has its own.
    """
    if not versions:
        return parts[0]
    by_version = dict(zip(versions, parts, strict=True))
    return Sections(
        counting=tuple(
            entry.model_copy(update={"policy": f"{entry.policy} on {version}"})
            for version, part in by_version.items()
            for entry in part.counting
        ),
        noise=parts[-1].noise,
        lint=_lint(by_version),
        coverage=_coverage(by_version),
        change=_change(by_version),
        gate=_gate(by_version),
        detections=_detections(by_version),
        requirements=tuple(_requirements(by_version)),
        requirement_entries=parts[-1].requirement_entries,
        fail_on=parts[-1].fail_on,
        strength=parts[-1].strength,
    )


def _named(ids: Iterable[str], version: str) -> tuple[str, ...]:
    return tuple(f"{name}[{version}]" for name in ids)


def _union(versions: Mapping[str, Sequence[R]], key: Callable[[R], Any] = lambda one: one) -> tuple[R, ...]:
    """What any version has, once; what not all have names those that do."""
    having: dict[Any, list[str]] = {}
    first: dict[Any, R] = {}
    for version, records in versions.items():
        for record in records:
            first.setdefault(key(record), record)
            if version not in having.setdefault(key(record), []):
                having[key(record)].append(version)
    return tuple(
        record if len(having[name]) == len(versions) else record.model_copy(update={"kubernetes": tuple(having[name])})
        for name, record in first.items()
    )


def _lint(parts: dict[str, Sections]) -> LintRecord | None:
    linted = {version: part.lint for version, part in parts.items() if part.lint is not None}
    if not linted:
        return None
    findings = _union({version: lint.findings for version, lint in linted.items()}, repr)
    ignored = _union({version: lint.ignored for version, lint in linted.items()}, repr)
    return LintRecord(
        findings=tuple(sorted(findings, key=lambda one: (one.line, one.column, one.code))), ignored=ignored
    )


def _coverage(parts: dict[str, Sections]) -> CoverageRecord | None:
    covered = {version: part.coverage for version, part in parts.items() if part.coverage is not None}
    if not covered:
        return None
    newest = list(covered.values())[-1]
    unperformed = dict.fromkeys(one for coverage in covered.values() for one in coverage.unperformed)
    rules = [
        _rule({version: one.rules[number] for version, one in covered.items()}) for number in range(len(newest.rules))
    ]
    return CoverageRecord(depth=newest.depth, rules=tuple(rules), unperformed=tuple(unperformed))


def _rule(rules: dict[str, RuleCoverage]) -> RuleCoverage:
    """A rule on all versions: it cannot be reached where it can be on none."""
    reasons = dict.fromkeys(rule.reason for rule in rules.values())
    return list(rules.values())[-1].model_copy(
        update={
            "witnesses": tuple(name for version, rule in rules.items() for name in _named(rule.witnesses, version)),
            "near_misses": tuple(name for version, rule in rules.items() for name in _named(rule.near_misses, version)),
            "reason": "; ".join(reasons) if all(reasons) else "",
        }
    )


def _change(parts: dict[str, Sections]) -> ChangeRecord | None:
    changes = {version: part.change for version, part in parts.items() if part.change is not None}
    if not changes:
        return None
    newest = list(changes.values())[-1]
    rows = (
        row.model_copy(update={"kubernetes": version, "proofs": _proofs(row.proofs, version)})
        for version, change in changes.items()
        for row in change.changes
    )
    return newest.model_copy(update={"changes": tuple(rows)})


def _gate(parts: dict[str, Sections]) -> GateRecord | None:
    """The gate on all versions: it passes if it does on each, and an entry is unused if it is on each."""
    gates = {version: part.gate for version, part in parts.items() if part.gate is not None}
    if not gates:
        return None
    newest = list(gates.values())[-1]
    relations = {one.relation for one in gates.values()}
    more = bool(relations & {Relation.MORE, Relation.INCOMPARABLE})
    less = bool(relations & {Relation.LESS, Relation.INCOMPARABLE})
    merged_gate = newest.model_copy(
        update={
            "relation": Relation.of(gains=more, loses=less),
            "passes": all(one.passes for one in gates.values()),
            "forbidden": _gated({version: one.forbidden for version, one in gates.items()}),
            "allowed": _gated({version: one.allowed for version, one in gates.items()}),
            "unused": tuple(entry for entry in newest.unused if all(entry in one.unused for one in gates.values())),
        }
    )
    return concluded(merged_gate)


def _gated(rows: Mapping[str, Sequence[GatedChange]]) -> tuple[GatedChange, ...]:
    """Rows of the gate on several versions; proofs are those of the first version that has the row."""
    named = {
        version: tuple(one.model_copy(update={"proofs": _proofs(one.proofs, version)}) for one in some)
        for version, some in rows.items()
    }
    return _union(named, lambda one: one.model_copy(update={"proofs": ChangeProofs()}))


def _proofs(proofs: ChangeProofs, version: str) -> ChangeProofs:
    return ChangeProofs(**{side: f"{name}[{version}]" for side in ("old", "new") if (name := getattr(proofs, side))})


def _detections(parts: dict[str, Sections]) -> DetectionsRecord | None:
    """The rules on all versions: of each, what is found on the version that feeds it worst."""
    found = {version: part.detections for version, part in parts.items() if part.detections is not None}
    if not found:
        return None
    rules = [dict(zip(found, same, strict=True)) for same in zip(*(one.rules for one in found.values()), strict=True)]
    return list(found.values())[-1].model_copy(update={"rules": tuple(map(_worst_fed, rules))})


def _worst_fed(rules: dict[str, DetectionRecord]) -> DetectionRecord:
    worst = max(rules.values(), key=lambda one: (WORST_LAST.index(Feed(one.feed)), one.worse))
    versions = tuple(version for version, one in rules.items() if one.feed == worst.feed)
    return worst.model_copy(
        update={
            "kubernetes": versions if len(versions) < len(rules) else (),
            "proofs": tuple(name for version, one in rules.items() for name in _named(one.proofs, version)),
            "not_tried": tuple(dict.fromkeys(reason for one in rules.values() for reason in one.not_tried)),
        }
    )


def _requirements(parts: dict[str, Sections]) -> Iterator[RequirementRecord]:
    found: dict[tuple[str, str], dict[str, RequirementRecord]] = {}
    for version, part in parts.items():
        for record in part.requirements:
            found.setdefault((record.file, record.id), {})[version] = record
    for records in found.values():
        newest = list(records.values())[-1]
        every = list(records.values())
        # New on one version is new; known only if it is known on every version on which it is not met.
        unmet = {record.status for record in every if record.violations}
        if not unmet:
            worst_status = "fixed" if any(record.status == "fixed" for record in every) else ""
        else:
            worst_status = next(status for status in ("new", "", "known") if status in unmet)
        yield newest.model_copy(
            update={
                "status": worst_status,
                "acknowledged": newest.acknowledged or next((one.acknowledged for one in records.values()), None),
                "classes": sum(record.classes for record in records.values()),
                "violations": _union({version: record.violations for version, record in records.items()}),
                "beyond": _union({version: record.beyond for version, record in records.items()}),
                "proofs": tuple(name for version, one in records.items() for name in _named(one.proofs, version)),
            }
        )
