"""A diff shown on two real API servers side by side: each witness is performed on both, and judged on both."""

from __future__ import annotations

from contextlib import ExitStack, closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.audit.server_flags import NO_SETTINGS
from auditproof.cases.case import Case
from auditproof.clusters import start_provider
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.proof.prover import Prover
from auditproof.proof.server_view import ServerView
from auditproof.proof.verdict import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from auditproof.analysis.diff import PolicyDiff
    from auditproof.audit.policy.load import Policy
    from auditproof.clusters.cluster import Provider
    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.clusters.profile import Profile
    from auditproof.proof.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Shown:
    """What the two servers have shown of a difference; without verdicts where its witness cannot be performed."""

    old: Verdict | None = None
    new: Verdict | None = None
    reason: str = ""

    @property
    def outcome(self) -> Outcome | None:
        """PROVEN where both are; else the worse one. None: not performed."""
        verdicts = [verdict.outcome for verdict in (self.old, self.new) if verdict]
        return next((some for some in (Outcome.VIOLATED, Outcome.UNPROVEN, Outcome.PROVEN) if some in verdicts), None)

    def __str__(self) -> str:
        if self.old is None or self.new is None:
            return f"not performed: {self.reason}"
        reasons = "; ".join(dict.fromkeys(self.old.reasons + self.new.reasons))
        text = f"{self.outcome}: old {_recorded(self.old)}; new {_recorded(self.new)}"
        return f"{text}: {reasons}" if reasons else text


def _recorded(verdict: Verdict) -> str:
    evidence = verdict.evidence
    stages = ", ".join(str(event.stage) for event in evidence.events)
    return f"recorded at {evidence.level} ({stages})" if stages else "not recorded"


def show(
    diff: PolicyDiff,
    old: Path,
    new: Path,
    *,
    files: PolicyFiles,
    profile: Profile,
    kubernetes: str,
    report: Callable[[str], None],
) -> tuple[Shown, ...]:
    """Perform the witness of every difference on a server with each policy file; the results in the same order.

    ``files`` has read both.
    Raises ClusterError where the servers cannot be had. They are ended in any case.
    """
    directory = files.share(RunDirectory.create())
    try:
        provider = start_provider(
            profile, directory, kubernetes=kubernetes, assets=None, image="", policy=new, report=report
        )
        provider.prepare()
        report(f"auditproof: starting 2 API servers (Kubernetes {kubernetes})")
        provider.start_all([(old, NO_SETTINGS), (new, NO_SETTINGS)])
        return _perform(diff, provider, {old: diff.old, new: diff.new}, directory)
    finally:
        directory.close()


def _perform(
    diff: PolicyDiff, provider: Provider, policies: dict[Path, Policy], directory: RunDirectory
) -> tuple[Shown, ...]:
    cases = [
        Case(f"change-{number}", found.identity, found.request)
        for number, difference in enumerate(diff.differences, 1)
        if (found := difference.witness.performable)
    ]
    with ExitStack() as stack:
        proofs = []
        for path, policy in policies.items():
            cluster = provider.cluster(path)
            folder = directory.private_folder()
            prover = Prover(ServerView(cluster, provider), policy, running=policy, folder=folder)
            stack.enter_context(closing(prover))
            proofs.append({proof.case.id: proof.verdict for proof in prover.prove(cases)})
    old, new = proofs
    return tuple(
        Shown(old[name], new[name]) if (name := f"change-{number}") in old else Shown(reason=difference.witness.reason)
        for number, difference in enumerate(diff.differences, 1)
    )
