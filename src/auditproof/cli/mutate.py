"""``auditproof mutate``: which plausible mistakes in a policy the requirements and cases would catch."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditproof.cli.arguments import add_format, add_kubernetes, add_policy, add_requirements, load_required, names_in
from auditproof.cli.exit_codes import ExitCode
from auditproof.cli.progress import progress
from auditproof.errors import AuditproofError
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator, Sequence

    from auditproof.analysis.mutation import Stated, Tried
    from auditproof.audit.policy.load import Policy
    from auditproof.cases.case import CaseFile

EPILOG = """\
A mutant is the policy with one plausible mistake: another level, a rule missing or moved behind the next one, a verb,
user, group, namespace, resource or path missing, other omitStages. Mutants that record the same as the policy do not
count. A requirement catches a mutant that violates it; a case catches a mutant that changes the level or stages that
the case expects. Mutants that nothing catches are mistakes that could ship. A case that no mutant breaks is listed:
it cannot fail, whatever single mistake is made.

examples:
  auditproof mutate policies/prod.yaml --requirements baseline --requirements cis
  auditproof mutate policies/prod.yaml --requirements our-own.yaml --cases audit/ --least 80
"""
EXIT_CODES = {
    ExitCode.FINE: "the score is written",
    ExitCode.FOUND: "the score is below --least",
    ExitCode.UNUSABLE: "unusable options, or a file cannot be used",
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_policy(parser)
    add_requirements(
        parser, "requirements: a shipped name or a file; may be repeated (default: baseline, if there are no --cases)"
    )
    parser.add_argument(
        "--cases",
        metavar="FILE|FOLDER",
        action="append",
        default=[],
        help="case files, except those that name another policy; may be repeated",
    )
    add_kubernetes(parser)
    parser.add_argument("--least", type=float, metavar="PERCENT", default=0.0, help="exit with 1 below this score")
    add_format(parser, ["text", "json"])


def execute(options: Namespace) -> int:
    """Try every mutant, and write the score and what was not caught."""
    from auditproof.analysis.mutation import idle_cases, strength
    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.kube.discovery import load_served

    policy_files = PolicyFiles()
    source = policy_files.choose(options.policy, Path.cwd())
    policy = policy_files.load(source.path, kubernetes=options.kubernetes, name=source.place.name)
    names = names_in(options.requirements) or ([] if options.cases else ["baseline"])
    requirements = [one for file in load_required(names, options.kubernetes) for one in file.requirements]
    files = [file for given in options.cases for file in _case_files(Path(given))]
    stated = [case for file in files if file.policy is None or file.policy == source.path for case in _stated(file)]
    found = strength(policy, requirements, stated, load_served(options.kubernetes), progress)
    idle = idle_cases(policy, stated)
    progress("")
    if options.format == "json":
        document = {
            "apiVersion": "auditproof/v1",
            "kind": "PolicyStrength",
            "policy": {"path": policy.path, "sha256": policy.sha256},
            "score": round(found.score, 4),
            "mutants": [_record(one) for one in found.tried],
            "idleCases": idle,
        }
        output.tell_json(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
    else:
        noticed = len(found.tried) - len(found.unnoticed)
        score = f"{noticed} of {len(found.tried)} mutants caught: {found.score:.0%}"
        missed = [_line(policy, one) for one in found.unnoticed]
        listed = [*_listed("not caught:", missed), *_listed("cases that no mutant breaks:", idle)]
        output.tell("\n".join([*listed, score]))
    return int(found.score * 100 < options.least)


def _case_files(path: Path) -> list[CaseFile]:
    """The case files in ``path``, or the one that it is.

    Raises AuditproofError if there is none.
    """
    from auditproof.cases.load import load_case_file

    found = sorted(path.rglob("*.audit.yaml")) if path.is_dir() else [path]
    if not found:
        raise AuditproofError(f"--cases {path}: found no *.audit.yaml file in this folder")
    return [load_case_file(file) for file in found]


def _stated(file: CaseFile) -> Iterator[Stated]:
    """The cases that expect a level or stages; without an expected status, 200 is assumed."""
    from auditproof.analysis.mutation import Stated
    from auditproof.kube.attributes import attributes_of

    for case in file.cases:
        expected = case.expectation
        if expected.level is not None or expected.stages is not None:
            attributes = attributes_of(case.request.method, case.request.uri, case.identity.user_info())
            name = f"{file.path.name}::{case.id}"
            yield Stated(name, attributes, expected.level, expected.stages, expected.status or 200)


def _listed(head: str, lines: Sequence[str]) -> list[str]:
    return [head, *(f"  {line}" for line in lines)] if lines else []


def _line(policy: Policy, one: Tried) -> str:
    rule = one.mutant.rule
    place = policy.path if rule is None else f"{rule.position.path}:{rule.position.line}: rule {rule.index + 1}"
    return f"{place}: {one.mutant.text}"


def _record(one: Tried) -> dict[str, Any]:
    rule = one.mutant.rule
    place = {"rule": rule.index if rule else None, "line": rule.position.line if rule else None}
    return {**place, "change": one.mutant.text, "noticedBy": one.noticed or None}
