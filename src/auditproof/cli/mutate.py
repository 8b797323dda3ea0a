"""``auditproof mutate``: how strong requirements and cases are, measured on one-step mutants of the policy."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditproof.analysis.mutation import Stated, strength
from auditproof.analysis.requirements import load_requirements
from auditproof.audit.policy.load import load_policy
from auditproof.cases.load import load_case_file
from auditproof.cli.command import add_command, version
from auditproof.cli.requirements import FOLDER, add_option
from auditproof.errors import AuditproofError
from auditproof.kube.attributes import attributes_of
from auditproof.kube.discovery import load_served
from auditproof.text import output
from auditproof.text.printable import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from auditproof.analysis.mutation import Strength, Tried
    from auditproof.audit.policy.load import Policy
    from auditproof.cases.case import CaseFile
    from auditproof.cli.command import Commands

EPILOG = """\
A mutant is the policy with one thing changed, as a slip of the hand would change it: the level of a rule, a rule
dropped or moved behind the next, a verb, user, group, namespace, resource or path left out, omitStages. Only mutants
that change what is recorded of some request count. A mutant is noticed by a requirement of which a class of requests no
longer is as required, or by a case that states a level or stages which are no longer recorded. What nothing notices
could happen to you unnoticed.

exit codes: 0 done; 1 the score is below --least; 4 a file cannot be used.

examples:
  auditproof mutate policies/prod.yaml --requirements baseline --requirements cis
  auditproof mutate policies/prod.yaml --requirements our-own.yaml --cases audit/ --least 80
"""


def add_mutate(commands: Commands) -> None:
    """Declare the subcommand."""
    asked = add_command(commands, "mutate", "tell which slips in a policy nothing would notice", EPILOG)
    asked.add_argument("policy", metavar="POLICY", help="the audit policy file")
    add_option(asked, "requirements to try; may be repeated (default without --cases: baseline)")
    asked.add_argument(
        "--cases",
        metavar="FILE|FOLDER",
        action="append",
        default=[],
        help="case files to try; those that name another policy are left out; may be repeated",
    )
    asked.add_argument(
        "--kubernetes", type=version, metavar="VERSION", default="1.37", help="the Kubernetes minor (default: 1.37)"
    )
    asked.add_argument("--least", type=float, metavar="PERCENT", default=0.0, help="exit with 1 below this score")
    asked.add_argument("--format", choices=["text", "json"], default="text", help="default: text")
    asked.set_defaults(run=_mutate, unusable=4)


def _mutate(options: argparse.Namespace, _rest: Sequence[str]) -> int:
    policy = load_policy(options.policy, kubernetes=options.kubernetes)
    names = options.requirements or ([] if options.cases else ["baseline"])
    requirements = [one for name in names for one in load_requirements(name, FOLDER).requirements]
    files = [file for given in options.cases for file in _case_files(Path(given))]
    stated = [case for file in files if _is_about(file, Path(options.policy)) for case in _stated(file)]
    found = strength(policy, requirements, stated, load_served(options.kubernetes), _progress)
    if options.format == "json":
        output.tell_json(_json(policy, found))
    else:
        output.tell(_text(policy, found))
    return int(found.score * 100 < options.least)


def _progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\rauditproof: {printable(text)}\033[K")
        sys.stderr.flush()


def _case_files(path: Path) -> list[CaseFile]:
    """The case files below ``path``.

    Raises AuditproofError where there is none.
    """
    found = sorted(path.rglob("*.audit.yaml")) if path.is_dir() else [path]
    if not found:
        raise AuditproofError(f"--cases {path}: no *.audit.yaml is below it")
    return [load_case_file(file) for file in found]


def _is_about(file: CaseFile, policy: Path) -> bool:
    return file.policy is None or file.policy == policy.resolve()


def _stated(file: CaseFile) -> Iterator[Stated]:
    """The cases that state something; one that says no status is taken for answered."""
    for case in file.cases:
        asked = case.expectation
        if asked.level is not None or asked.stages is not None:
            attributes = attributes_of(case.request.method, case.request.uri, case.identity.user_info())
            yield Stated(f"{file.path.name}::{case.id}", attributes, asked.level, asked.stages, asked.status or 200)


def _text(policy: Policy, found: Strength) -> str:
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
    lines = [_line(policy, one) for one in found.unnoticed]
    noticed = len(found.tried) - len(found.unnoticed)
    score = f"{noticed} of {len(found.tried)} mutants noticed: {found.score:.0%}"
    return "\n".join([*(["nothing notices:"] if lines else []), *lines, score])


def _line(policy: Policy, one: Tried) -> str:
    rule = one.mutant.rule
    place = policy.path if rule is None else f"{policy.path}:{rule.position.line}: rule {rule.index + 1}"
    return f"  {place}: {one.mutant.text}"


def _json(policy: Policy, found: Strength) -> str:
    document = {
        "apiVersion": "auditproof/v1",
        "kind": "PolicyStrength",
        "policy": {"path": policy.path, "sha256": policy.sha256},
        "score": round(found.score, 4),
        "mutants": [_record(one) for one in found.tried],
    }
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _record(one: Tried) -> dict[str, Any]:
    rule = one.mutant.rule
    place = {"rule": rule.index if rule else None, "line": rule.position.line if rule else None}
    return {**place, "change": one.mutant.text, "noticedBy": one.noticed or None}
