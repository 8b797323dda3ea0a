"""``auditproof fix``: the smallest edit with which a policy meets requirements, as a patch of its file."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.arguments import add_kubernetes, add_policy, add_requirements, load_required
from auditproof.cli.diff import show_live
from auditproof.cli.exit_codes import ExitCode
from auditproof.cli.progress import progress
from auditproof.errors import AuditproofError
from auditproof.text import output
from auditproof.text.printable import printable

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator, Sequence

    from auditproof.analysis.diff import PolicyDiff
    from auditproof.analysis.fix import Fix
    from auditproof.analysis.requirements import Requirement
    from auditproof.audit.policy.load import Policy
    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.clusters.policy_sources import PolicySource
    from auditproof.kube.discovery import Served
    from auditproof.proof.side_by_side import SideBySide

SHOWN = 10  # contradictions
FEW = 3  # rules of a patch; many of them may be copies that keep what a requirement excepts
EPILOG = """\
fix inserts rules, or changes the level of one, so that the policy meets every requirement. What is recorded of all
other requests stays as it is, apart from failed logins with the same verb and object. The requirements are checked
again with the edited policy, over all requests.

The output is a unified patch for `git apply` and `patch -p1`, after comments with what it changes; comments,
indentation and line ends of the file are kept. A policy that is written as a literal block of another document, such
as a ConfigMap, is edited there. --write edits the file instead of printing the patch, --prove sends an example of each
change to two API servers, one with the policy and one with the edited policy.

Copies of old rules keep requests as they are that a requirement excepts. --allow-more leaves out as many rules as it
can: the patch is shorter, and more requests are recorded than the requirements ask for, without bodies.

Requirements that contradict each other are refused: no policy meets them.

examples:
  auditproof fix policies/prod.yaml --requirements cis
  auditproof fix policies/prod.yaml --requirements cis,our-own.yaml --prove > fix.patch && git apply fix.patch
"""
EXIT_CODES = {
    ExitCode.FINE: "every requirement is met, or is with the patch",
    ExitCode.FOUND: (
        "one is not, and the comments say why; with --prove also: a server recorded something else than "
        "computed, or a check was inconclusive"
    ),
    ExitCode.UNUSABLE: (
        "unusable options, a file that cannot be used or edited, or requirements that contradict each other"
    ),
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_policy(parser)
    add_requirements(
        parser,
        "requirements to meet: shipped names or files, separated by commas; may be repeated (default: baseline)",
    )
    add_kubernetes(parser)
    parser.add_argument(
        "--allow-more",
        action="store_true",
        help="use fewer rules; more may be recorded than asked for",
    )
    parser.add_argument("--write", action="store_true", help="edit the file of the policy")
    parser.add_argument("--prove", action="store_true", help="test what changes on two API servers")


def execute(options: Namespace) -> int:
    """Edit the policy, and write the patch or the file.

    Raises AuditproofError if requirements contradict each other, or the policy cannot be edited.
    """
    from dataclasses import replace

    from auditproof.analysis.diff import diff
    from auditproof.analysis.fix import fix, unified
    from auditproof.audit.policy.load import parse_policy
    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.kube.discovery import load_served

    files, served = PolicyFiles(), load_served(options.kubernetes)
    source = files.choose(options.policy, Path.cwd())
    if options.write and source.file is None:
        raise AuditproofError(f"--write needs a file, and {source.given} is none: apply the patch instead")
    policy = files.load(source.path, kubernetes=options.kubernetes, name=source.place.name)
    required = load_required(options.requirements or ["baseline"], options.kubernetes)
    requirements = [one for file in required for one in file.requirements]
    _refuse_contradictions(requirements, served)
    found = fix(policy, requirements, served, progress, allow_more=options.allow_more)
    progress("")
    if not found.edits and not found.unmet:
        output.tell("# Every requirement is met: there is nothing to fix.")
        return 0
    old, new, text = _edit(source, files.read(source.path), found)
    place = replace(source.place, name=f"{policy.path} with the patch")  # lines are those of the whole document
    fixed = parse_policy(text.encode(), place, kubernetes=options.kubernetes)
    unmet = _unmet(found, fixed, requirements, served)
    what = diff(policy, fixed, served)
    live = _proven(what, files, source, text, options.kubernetes) if options.prove and what.differences else ()
    lines = [*_remarks(found, unmet, len(requirements), served)]
    if found.size > FEW and not options.allow_more:
        lines.append("# --allow-more may need fewer rules; then more is recorded than asked for, without bodies.")
    lines += _changes(what, [str(one) for one in live])
    wrong = any(one.outcome and one.outcome.is_trouble for one in live)
    if options.write and not wrong:
        _write(source, old, new)
        output.tell("\n".join([*lines, f"# {source.given} is edited."]))
    else:
        output.tell("\n".join(lines))
        output.write_for_programs(unified(old, new, _patched(source)))
    return int(wrong or bool(unmet))


def _refuse_contradictions(requirements: Sequence[Requirement], served: Served) -> None:
    """Raise AuditproofError if no policy can meet the requirements, naming those that contradict each other."""
    from auditproof.analysis.requirements import contradictions

    opposed = {tuple(one.id for one in found.requirements): found for found in contradictions(requirements, served)}
    if opposed:
        pairs = [
            f"{' and '.join(names)} ({found.text}): {found.row.product.verbs_text} {found.row.product.what}"
            for names, found in opposed.items()
        ]
        more = [f"... and {len(pairs) - SHOWN} more"] if len(pairs) > SHOWN else []
        lines = ["no policy can meet these requirements together; leave one of them out:", *pairs[:SHOWN], *more]
        raise AuditproofError("\n  ".join(lines))


def _edit(source: PolicySource, data: bytes, found: Fix) -> tuple[str, str, str]:
    """The document that holds the policy, as it is and edited, and the edited policy.

    Raises AuditproofError, NotEditable for a text that cannot be edited.
    """
    from auditproof.analysis.fix import NotEditable, edited, within

    place = source.place
    inside = place.name != place.holder.path
    if inside and (place.first_line is None or source.file is None):
        raise NotEditable(f"{place.name} cannot be edited inside its document: fix the policy in a file of its own")
    try:
        text = data.decode()
        document = source.file.read_bytes().decode() if inside and source.file else text
    except UnicodeDecodeError:
        raise NotEditable(f"{place.name} cannot be edited: it is not in UTF-8") from None
    except OSError as error:
        raise AuditproofError(f"{place.holder.path} cannot be read: {error.strerror}") from None
    new = edited(text, found.edits, place.name)
    if not inside or place.first_line is None:
        return text, new, new
    return document, within(document, text, new, place.first_line, place.name), new


def _unmet(found: Fix, fixed: Policy, requirements: Sequence[Requirement], served: Served) -> list[tuple[str, str]]:
    """The requirements that the edited policy does not meet, each with the reason."""
    from auditproof.analysis.requirements import check_requirement

    reasons = {one.id: reason for one, reason in found.unmet}
    return [
        (one.id, reasons.get(one.id, "the edits do not suffice"))
        for one in requirements
        if check_requirement(fixed, one, served).violations
    ]


def _remarks(found: Fix, unmet: Sequence[tuple[str, str]], count: int, served: Served) -> Iterator[str]:
    """What the patch does, and what it leaves, as comments."""
    from auditproof.analysis.fix import Removed

    by = dict.fromkeys(edit.requirement.id for edit in found.edits if not isinstance(edit, Removed))
    version = served.kubernetes.removeprefix("v")
    yield f"# With this patch {count - len(unmet)} of {count} requirements are met, on Kubernetes {version}."
    if by:
        yield f"# It edits the policy for {', '.join(by)}."
    for name, reason in unmet:
        yield printable(f"# NOT MET {name}: {reason}")


def _changes(what: PolicyDiff, live: Sequence[str]) -> Iterator[str]:
    """The exact difference that the patch makes, as comments."""
    from auditproof.analysis.diff import render_text

    yield "#"
    for line in render_text(what, live).splitlines():
        yield f"# {line}".rstrip()
    yield "#"


def _proven(
    what: PolicyDiff, files: PolicyFiles, source: PolicySource, text: str, kubernetes: str
) -> Sequence[SideBySide]:
    """What two servers, with the policy and with the edited one, record of the witness of each difference."""
    with tempfile.TemporaryDirectory() as folder:
        new = Path(folder) / "fixed.yaml"
        new.write_bytes(text.encode())
        return show_live(what, kubernetes, files, source.path, new)


def _patched(source: PolicySource) -> str:
    """The path of the file in a patch: from the root of its repository, or else from this folder."""
    if source.file is None:
        return source.place.holder.path.rpartition(":")[2]
    root = next((folder for folder in source.file.parents if (folder / ".git").exists()), Path.cwd().resolve())
    return source.file.relative_to(root).as_posix() if source.file.is_relative_to(root) else source.file.name


def _write(source: PolicySource, old: str, new: str) -> None:
    """Replace the file that holds the policy, unless it has changed. Raises AuditproofError."""
    file = source.file or source.path
    try:
        if file.read_bytes() != old.encode():
            raise AuditproofError(f"{file} was changed meanwhile: run the command again")
        file.write_bytes(new.encode())
    except OSError as error:
        raise AuditproofError(f"{file} cannot be written: {error.strerror}") from None
