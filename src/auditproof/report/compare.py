"""Compares two runs: different verdicts, different recordings, and actions of one run only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditproof.proof.verdict import Outcome
from auditproof.report.faithful import judged_by_given
from auditproof.report.model import ReferenceState
from auditproof.report.requirement_states import requirement_states
from auditproof.report.statements import decision
from auditproof.text.markdown import markdown, table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.audit.event import Stage
    from auditproof.report.model import ProofRecord, Report


NOT_CHECKED = "not checked"
_ATTESTED = (Outcome.PROVEN, Outcome.NOT_SUPPORTED)  # what an attestation can say of a case


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run says about one action; ``rule`` counts from 1, 0 is none."""

    verdict: Outcome
    level: str
    stages: tuple[Stage, ...]
    rule: int

    def __str__(self) -> str:
        recorded = self.level if self.level == "None" else f"{self.level} at {', '.join(self.stages) or 'no stage'}"
        decided = f"rule {self.rule}" if self.rule else "no rule"
        return f"{self.verdict.replace('_', ' ')}, recorded {recorded}, by {decided}"


@dataclass(frozen=True, slots=True)
class Differing:
    """An action of both runs with another outcome."""

    id: str
    title: str
    first: Seen
    second: Seen

    @property
    def rank(self) -> tuple[bool, int, str]:
        """To sort by: other verdicts before other recordings, and the worst of the second run first."""
        return self.first.verdict == self.second.verdict, self.second.verdict.rank, self.id


@dataclass(frozen=True, slots=True)
class Comparison:
    """What differs: circumstances (name, first, second), requirements (id, first, second), and actions.

    The others are ids of single runs.
    """

    about: tuple[tuple[str, str, str], ...]
    requirements: tuple[tuple[str, str, str], ...]
    differing: tuple[Differing, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    alike: int

    @property
    def same(self) -> bool:
        """Whether both runs have shown the same about the same actions, whatever the circumstances."""
        return not (self.requirements or self.differing or self.only_first or self.only_second)


def compare(first: Report, second: Report) -> Comparison:
    """Compare two ConformanceReports, action by action."""
    one, two = _by_id(first, second), _by_id(second, first)
    both = [name for name in one if name in two]
    differing = (Differing(name, one[name][0], one[name][1], two[name][1]) for name in both)
    found = sorted((item for item in differing if item.first != item.second), key=lambda item: item.rank)
    pairs = (
        ("policy", first.policy.path, second.policy.path),
        ("policy SHA-256", first.policy.sha256, second.policy.sha256),
        ("Kubernetes", first.cluster.kubernetes, second.cluster.kubernetes),
        ("provider", first.cluster.provider, second.cluster.provider),
        ("auditproof", first.auditproof, second.auditproof),
        ("reference cases", _reference(first), _reference(second)),
        ("decision", decision(first).word, decision(second).word),
    )
    return Comparison(
        about=tuple([(name, one, two) for name, one, two in pairs if one != two]),
        requirements=tuple(_requirements(first, second)),
        differing=tuple(found),
        only_first=tuple(sorted(one.keys() - two.keys())),
        only_second=tuple(sorted(two.keys() - one.keys())),
        alike=len(both) - len(found),
    )


def _reference(report: Report) -> str:
    """What became of the reference cases: those that were attested are in the other run only."""
    return ", ".join(dict.fromkeys(str(one.state) for one in report.reference)) or "performed"


def _requirements(first: Report, second: Report) -> Iterator[tuple[str, str, str]]:
    """The requirements that stand differently in the two runs."""
    one, two = ({state.record.id: str(state.state) for state in requirement_states(run)} for run in (first, second))
    for name in dict.fromkeys((*one, *two)):
        if one.get(name) != two.get(name):
            yield name, one.get(name, NOT_CHECKED), two.get(name, NOT_CHECKED)


def _by_id(report: Report, other: Report) -> dict[str, tuple[str, Seen]]:
    """Title and outcome of every planned action; an id below the given policy is known without the policy's path.

    Without the reference cases that were proven, if the other run names an attestation that they were.
    """
    own = f"{report.policy.path}::"
    attested = ReferenceState.ATTESTED in {one.state for one in other.reference} - {
        one.state for one in report.reference
    }
    given = {proof.id for proof in judged_by_given(report)}
    found = {
        _name(proof.id, own): (proof.title, _seen(proof))
        for proof in report.proofs
        if not (attested and proof.verdict in _ATTESTED and proof.id.startswith("suites/") and proof.id not in given)
    }
    nothing = Seen(Outcome.UNPROVEN, "None", (), 0)
    return found | {_name(name, own): ("not performed", nothing) for name in report.not_performed}


def _name(proof_id: str, own: str) -> str:
    return f"POLICY::{proof_id.removeprefix(own)}" if proof_id.startswith(own) else proof_id


def _seen(proof: ProofRecord) -> Seen:
    rule, observed = proof.expected.rule, proof.observed
    level = "nothing (not performed)" if observed.level is None else str(observed.level)
    return Seen(proof.verdict, level, observed.stages, 0 if rule is None else rule + 1)


def to_record(comparison: Comparison) -> dict[str, Any]:
    """The comparison as JSON values."""
    return {
        "apiVersion": "auditproof/v1",
        "kind": "Comparison",
        "about": [{"name": name, "first": one, "second": two} for name, one, two in comparison.about],
        "requirements": [{"id": name, "first": one, "second": two} for name, one, two in comparison.requirements],
        "alike": comparison.alike,
        "differing": [
            {"id": item.id, "title": item.title, "first": _record(item.first), "second": _record(item.second)}
            for item in comparison.differing
        ],
        "onlyFirst": list(comparison.only_first),
        "onlySecond": list(comparison.only_second),
    }


def _record(seen: Seen) -> dict[str, Any]:
    return {
        "verdict": seen.verdict,
        "level": seen.level,
        "stages": list(seen.stages),
        "rule": seen.rule - 1 if seen.rule else None,
    }


def render_text(comparison: Comparison) -> str:
    """For a terminal: the counts, the circumstances, then every difference, worst first."""
    lines = [headline(comparison)]
    lines += [f"  {name}: {one} → {two}" for name, one, two in comparison.about]
    lines += [f"  requirement {name}: {one} → {two}" for name, one, two in comparison.requirements]
    for item in comparison.differing:
        lines += [f"\n{item.id}  {item.title}", f"  first   {item.first}", f"  second  {item.second}"]
    for which, names in (("first", comparison.only_first), ("second", comparison.only_second)):
        lines += [f"\nonly in the {which} run:", *(f"  {name}" for name in names)] if names else []
    return "\n".join(lines) + "\n"


def headline(comparison: Comparison) -> str:
    """The comparison in a line."""
    single = len(comparison.only_first) + len(comparison.only_second)
    counts = f"{comparison.alike} the same, {len(comparison.differing)} different, {single} in one run only"
    return f"{'no difference' if comparison.same else 'different'}: {counts}"


def render_markdown(comparison: Comparison) -> str:
    """A table, for a change ticket or a comment on a pull request."""
    lines = [f"**{headline(comparison)}**", ""]
    lines += [f"- {name}: {markdown(one)} → {markdown(two)}" for name, one, two in comparison.about]
    lines += [f"- requirement {markdown(name)}: {one} → {two}" for name, one, two in comparison.requirements]
    if comparison.differing:
        cells = [[f"{item.title} ({item.id})", str(item.first), str(item.second)] for item in comparison.differing]
        lines += ["", *table(["Action", "First", "Second"], cells)]
    for which, names in (("first", comparison.only_first), ("second", comparison.only_second)):
        lines += ["", f"Only in the {which} run:", "", *(f"- {markdown(name)}" for name in names)] if names else []
    return "\n".join(lines) + "\n"
