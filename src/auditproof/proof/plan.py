"""What a run proves besides the written cases: witnesses, the change of the policy, requirements."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from auditproof.analysis.coverage import plan_coverage
from auditproof.analysis.diff import diff
from auditproof.kube.discovery import load_served
from auditproof.proof.generated import NEW, OLD, changes, require, witnesses
from auditproof.proof.placement import GIVEN, Placement
from auditproof.text.paths import shown_path

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditproof.analysis.coverage import Coverage
    from auditproof.analysis.diff import PolicyDiff
    from auditproof.cases.case import Case
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
    def required(self) -> tuple[Required, ...]:
        """The results of checking the run's requirements against the policy."""
        options = self._options
        if options.sabotage:
            return ()
        served = load_served(options.kubernetes)
        return tuple(
            require(options.policy, file, shown_path(file.path.resolve(), options.folders), served, base=options.base)
            for file in options.requirements
        )

    def made(self) -> Iterator[MadeCases]:
        """All generated cases, by the file that they are generated from."""
        options, policy = self._options, self._options.policy
        if self.change is not None and options.base is not None and options.base_file is not None:
            cases = tuple(changes(self.change, options.base, OLD))
            yield MadeCases(options.base.path, options.base_file, cases, "change", Placement(options.base_file))
            cases = tuple(changes(self.change, policy, NEW))
            yield MadeCases(policy.path, options.policy_file, cases, "change")
        if self.coverage is not None:
            cases = tuple(witnesses(policy, self.coverage))
            yield MadeCases(policy.path, options.policy_file, cases, "witness")
        for required in self.required:
            cases = tuple(required.cases())
            yield MadeCases(required.suite, required.file.path.resolve(), cases, "requirement")

    def prefixes(self) -> tuple[str, ...]:
        """The prefixes of these cases' ids."""
        policies = (policy.path for policy in (self._options.policy, self._options.base) if policy is not None)
        return tuple(f"{name}::" for name in (*policies, *(required.suite for required in self.required)))
