"""What a run proves besides the written cases: witnesses, the change of the policy, requirements."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.analysis.coverage import plan_coverage
from auditproof.analysis.diff import diff
from auditproof.analysis.gate import Consequence, gate
from auditproof.analysis.requirements import check_requirement, status_of
from auditproof.analysis.requirements.selectors import selector_of
from auditproof.detections import check_detections
from auditproof.kube.discovery import load_served
from auditproof.proof.detected import tried
from auditproof.proof.generated import NEW, OLD, changes, forbidden_changes, required, witnesses
from auditproof.proof.placement import GIVEN, Placement

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.analysis.coverage import Coverage
    from auditproof.analysis.diff import PolicyDiff
    from auditproof.analysis.gate import Acknowledgement, GateResult
    from auditproof.analysis.requirements import Status
    from auditproof.audit.policy.load import Policy
    from auditproof.cases.case import Case
    from auditproof.detections import Fed
    from auditproof.proof.detected import Tried
    from auditproof.proof.generated import Required
    from auditproof.proof.run_options import RunOptions


@dataclass(frozen=True, slots=True)
class MadeCases:
    """Cases generated from one file; ``suite`` is the file's name in reports, ``mark`` the mark of the items."""

    suite: str
    file: Path
    cases: tuple[Case, ...]
    mark: str
    placement: Placement = GIVEN


class RunPlan:
    """Everything that is computed from the options before requests are sent; each part when it is first needed.

    A sabotage run, whose servers run broken policies, generates nothing.
    """

    def __init__(self, options: RunOptions) -> None:
        self._options = options

    @cached_property
    def coverage(self) -> Coverage | None:
        """The witnesses that the run performs; None if none were requested."""
        options = self._options
        if options.coverage is None or options.sabotage:
            return None
        return plan_coverage(options.policy, load_served(options.kubernetes), options.coverage)

    @cached_property
    def change(self) -> PolicyDiff | None:
        """The differences between the base and the given policy; None without a base."""
        options = self._options
        if options.base is None or options.sabotage:
            return None
        return diff(options.base, options.policy, load_served(options.kubernetes))

    @cached_property
    def gate(self) -> GateResult | None:
        """Whether the change from the base may go in; None without a base."""
        options = self._options
        return self._gate(options.forbid, options.acknowledged.changes if options.acknowledged else ())

    @cached_property
    def allowed(self) -> GateResult | None:
        """What else the change from the base does that is not forbidden; None without a base."""
        return self._gate(frozenset(Consequence) - self._options.forbid)

    def _gate(self, forbid: frozenset[Consequence], acknowledged: Sequence[Acknowledgement] = ()) -> GateResult | None:
        options = self._options
        if options.base is None or options.sabotage:
            return None
        return gate(
            options.base,
            options.policy,
            load_served(options.kubernetes),
            forbid=forbid,
            only=[selector_of(options.only, "--only")] if options.only else (),
            acknowledged=acknowledged,
            today=options.today,
        )

    @cached_property
    def status(self) -> Status | None:
        """How the run's requirements stand, compared with the base and with entries; None without any.

        Raises SourceError for an entry about a requirement that does not exist.
        """
        options = self._options
        if options.sabotage or not options.requirements:
            return None
        served, known = load_served(options.kubernetes), options.acknowledged
        results = [
            (file, [check_requirement(options.policy, one, served, options.base) for one in file.requirements])
            for file in options.requirements
        ]
        return status_of(results, known.requirements if known else None, options.today)

    @cached_property
    def required(self) -> tuple[Required, ...]:
        """The run's requirements files, with the requests that they are about."""
        options = self._options
        if self.status is None:
            return ()
        return required(self.status, options.policy, options.folders, load_served(options.kubernetes))

    @cached_property
    def fed(self) -> tuple[Fed, ...]:
        """What the policy, and the change from the base, do to each detection rule of the run."""
        options = self._options
        if options.detections is None:
            return ()
        return check_detections(
            options.policy, options.detections.detections, load_served(options.kubernetes), options.base
        )

    @cached_property
    def tried(self) -> tuple[Tried, ...]:
        """The examples of the run's detection rules, in the order of the rules."""
        options = self._options
        if options.sabotage or options.recorded:
            return ()
        controllers = options.profile.provider == "kind"  # the only one with both controllers and a log of requests
        return tried(options.policy, self.fed, load_served(options.kubernetes), controllers=controllers)

    def _changes(self, policy: Policy, side: int) -> Iterator[Case]:
        """A case for each difference from the base, and for each forbidden change that none of these shows."""
        if self.change is not None and self.gate is not None:
            yield from changes(self.change, policy, side)
            yield from forbidden_changes(self.gate, self.change, policy, side)

    def made(self) -> Iterator[MadeCases]:
        """All generated cases, by the file that they are generated from."""
        options, policy = self._options, self._options.policy
        if self.change is not None and options.base is not None and options.base_file is not None:
            cases = tuple(self._changes(options.base, OLD))
            yield MadeCases(options.base.path, options.base_file, cases, "change", Placement(options.base_file))
            cases = tuple(self._changes(policy, NEW))
            yield MadeCases(policy.path, options.policy_file, cases, "change")
        if self.coverage is not None:
            cases = tuple(witnesses(policy, self.coverage))
            yield MadeCases(policy.path, options.policy_file, cases, "witness")
        for one in self.required:
            yield MadeCases(one.suite, one.path, tuple(one.cases()), "requirement")
        by_file: dict[str, list[Case]] = {}
        for rule in self.tried:
            by_file.setdefault(rule.suite, []).extend(rule.cases)
        for suite, some in by_file.items():
            yield MadeCases(suite, Path(suite).absolute(), tuple(some), "detection")

    def prefixes(self) -> tuple[str, ...]:
        """The prefixes of these cases' ids."""
        policies = (policy.path for policy in (self._options.policy, self._options.base) if policy is not None)
        suites = dict.fromkeys((*(one.suite for one in self.required), *(one.suite for one in self.tried)))
        return tuple(f"{name}::" for name in (*policies, *suites))
