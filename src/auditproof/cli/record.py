"""``auditproof record``: performs the cases of a file, and writes what was observed as their expectation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.arguments import POLICY_FORMS, add_kubernetes
from auditproof.cli.exit_codes import ExitCode
from auditproof.errors import AuditproofError
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from auditproof.cases.case import Case, CaseFile
    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.proof.run_options import RunOptions
    from auditproof.proof.verdict import Evidence, Verdict

EPILOG = """\
record performs the cases that have no expectation on a real API server. What the log shows becomes their `expect:`:
level, stages and status. It prints the change of the file; --write writes it. Comments and layout are kept.

Nothing is recorded of a case that is not PROVEN: if the log may be incomplete, or the server recorded something else
than the policy decides.

What was recorded is what the policy does today, not what it should do: read the change before you write it.

examples:
  auditproof record audit/shop.audit.yaml --policy policies/prod.yaml
  auditproof record audit/shop.audit.yaml --policy policies/prod.yaml --write
  record one case again, after a change of the policy
    auditproof record audit/shop.audit.yaml --policy policies/prod.yaml --case read-secret --write
"""
EXIT_CODES = {
    ExitCode.FINE: "every case that was asked for is recorded, or none was",
    ExitCode.FOUND: "a case could not be recorded, because it is not PROVEN or not supported here",
    ExitCode.UNUSABLE: "a file cannot be used or written, there is no such case, or the servers cannot be started",
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", metavar="CASEFILE", help="case file (*.audit.yaml)")
    parser.add_argument("--policy", metavar="POLICY", help=f"audit policy, if the file names none: {POLICY_FORMS}")
    parser.add_argument("--all", action="store_true", help="record the cases that have an expectation again, too")
    parser.add_argument("--case", metavar="ID", action="append", default=[], help="record this case; may be repeated")
    parser.add_argument("--write", action="store_true", help="write the file instead of printing the change")
    parser.add_argument("--cluster", metavar="PROFILE", default="embedded", help="cluster profile (default: embedded)")
    add_kubernetes(parser)


def execute(options: Namespace) -> int:
    """Perform the cases, and print or write the change of their file.

    Raises AuditproofError if a file cannot be used, or no server can be started.
    """
    from auditproof.analysis.fix import unified
    from auditproof.cases.load import load_case_file
    from auditproof.cases.write_expectation import with_expectations

    path = Path(options.file)
    file = load_case_file(path, recording=True)
    old = _text(path)
    cases = _asked_for(file, options)
    if not cases:
        output.tell(f"{path}: every case has an expectation (--all records them again)")
        return ExitCode.FINE
    recorded = _recorded(file, cases, *_run(file, options))
    new = with_expectations(old, recorded, str(path))
    if options.write and new != old:
        _write(path, old, new)
        output.tell(f"{path}: {len(recorded)} of {len(cases)} cases recorded and written")
    else:
        output.write_for_programs(unified(old, new, path.name if path.is_absolute() else path.as_posix()))
        hint = ": --write writes this" if new != old else ", as they are in the file" if recorded else ""
        output.complain(f"{path}: {len(recorded)} of {len(cases)} cases recorded{hint}")
    return ExitCode.FINE if len(recorded) == len(cases) else ExitCode.FOUND


def _asked_for(file: CaseFile, options: Namespace) -> list[Case]:
    """The cases to record. Raises AuditproofError for an id that no case has."""
    from auditproof.text.suggestion import did_you_mean

    known = {case.id: case for case in file.cases}
    for name in options.case:
        if name not in known:
            raise AuditproofError(f"{options.file} has no case {name!r}{did_you_mean(name, known)}")
    if options.case:
        return [known[name] for name in dict.fromkeys(options.case)]
    return [case for case in file.cases if options.all or not case.stated]


def _run(file: CaseFile, options: Namespace) -> tuple[RunOptions, PolicyFiles]:
    """The options of a run with the policy that judges the cases, and what has read it.

    Raises AuditproofError if there is no policy, or two.
    """
    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.clusters.profile import load_profile
    from auditproof.proof.run_options import RunOptions

    if file.policy and options.policy:
        raise AuditproofError(f"{options.file} names its own policy, {file.policy}: leave out --policy")
    if not file.policy and not options.policy:
        raise AuditproofError(f"{options.file} names no policy: give --policy POLICY")
    files = PolicyFiles()
    source = files.choose(options.policy or str(file.policy), Path.cwd())
    policy = files.load(source.path, kubernetes=options.kubernetes, name=source.place.name)
    profile = load_profile(options.cluster)
    run = RunOptions(source.path, policy, profile, options.kubernetes, folders=(Path.cwd(),), image=profile.image)
    return run, files


def _recorded(file: CaseFile, cases: Sequence[Case], run: RunOptions, files: PolicyFiles) -> dict[str, str]:
    """What was observed of each case, as YAML; tells why nothing is recorded of the others."""
    from dataclasses import replace

    from auditproof.cases.expectation import Expectation
    from auditproof.proof.placement import Placement
    from auditproof.proof.session import Session
    from auditproof.proof.verdict import Outcome

    placement = Placement(settings=file.settings)
    blank = [replace(case, expectation=Expectation(), differs=()) for case in cases]
    found: dict[str, str] = {}
    with Session(run, report=output.complain, policy_files=files) as session:
        session.start_servers([placement])
        session.batches.plan((file.path, case, placement) for case in blank)
        for case in blank:
            if missing := session.support.missing(case, placement):
                _leave(case, f"not supported: this cluster lacks {', '.join(missing)}")
                continue
            try:
                verdict = session.batches.proof(case).verdict
            except AuditproofError as error:
                _leave(case, f"UNPROVEN: {error}")
                continue
            if verdict.outcome is Outcome.PROVEN:
                found[case.id] = _expectation(verdict.evidence)
            else:
                _leave(case, _why(verdict))
    return found


def _why(verdict: Verdict) -> str:
    return f"{verdict.outcome}: {'; '.join(verdict.reasons)}"


def _leave(case: Case, why: str) -> None:
    output.complain(f"{case.source.file}:{case.source.line}: {case.id} is not recorded: {why}")


def _expectation(evidence: Evidence) -> str:
    """What was observed of a request, as an expectation in YAML, in one line."""
    from auditproof.audit.event import Level
    from auditproof.audit.stages import in_order

    parts = [f"level: {evidence.level}"]
    if evidence.level is not Level.NONE:
        parts.append(f"stages: [{', '.join(in_order(evidence.stages))}]")
    if evidence.exchange.status:
        parts.append(f"status: {evidence.exchange.status}")
    return f"{{{', '.join(parts)}}}"


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except OSError as error:
        raise AuditproofError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise AuditproofError(f"{path} cannot be edited: it is not in UTF-8") from None


def _write(path: Path, old: str, new: str) -> None:
    """Replace the file, unless it has changed. Raises AuditproofError."""
    try:
        if path.read_bytes() != old.encode():
            raise AuditproofError(f"{path} was changed meanwhile: run the command again")
        path.write_bytes(new.encode())
    except OSError as error:
        raise AuditproofError(f"{path} cannot be written: {error.strerror}") from None
