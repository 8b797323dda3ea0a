"""``auditproof run``: pytest on the given paths, or on the shipped suites, with the given policy.

This process is replaced by pytest (exec), so that signals and exit codes are those of pytest.
"""

from __future__ import annotations

import os
import sys
from argparse import SUPPRESS
from typing import TYPE_CHECKING

from auditproof import content
from auditproof.cli.arguments import POLICY_FORMS
from auditproof.cli.exit_codes import ExitCode
from auditproof.errors import AuditproofError
from auditproof.options import OPTIONS, ValueKind
from auditproof.text.paths import files_of, path_of

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

# Modules that are named and not imported, because the command itself needs no pytest.
LAUNCH = "auditproof.cli.launch"
SHIPPED = "auditproof.plugin.shipped"
EPILOG = """\
A run has three parts:
  standard actions   shipped requests, each checked against the decision of your policy (-m standard: only these)
  witnesses          requests generated from your policy (-m witness: only these); --coverage says how many
  reference suites   suites with policies of their own, which check the server and auditproof itself; once they are
                     proven with the same auditproof and servers, they are not repeated (--reference)

Paths of your own cases and tests (PATH) replace the shipped standard actions and reference suites; --shipped performs
both. What is generated (witnesses, requirements, the change from a base) is performed in any case.

Every other option goes to pytest: -k, -m, -n 4, -x, --lf, -v ...

With --base, the last lines say whether the change may go in: not if it does something forbidden (--forbid, by default
lost,exposed) that nobody has acknowledged (audit-changes.yaml), if a requirement is newly unmet (--fail-on), or if the
server recorded something else than the policy decides.

examples:
  test a policy, and write the report to reports/
    auditproof run policies/prod.yaml --report reports
  your own cases and tests in the folder audit, and what is generated from the policy
    auditproof run policies/prod.yaml audit
  only the standard actions on secrets, on Kubernetes 1.36
    auditproof run policies/prod.yaml --kubernetes 1.36 -m standard -k secrets
  on the versions that you have and that you upgrade to
    auditproof run policies/prod.yaml --kubernetes 1.35..1.37 --report reports
  only what changes between two policies
    auditproof run policies/prod.yaml --base git:main:policies/prod.yaml --report reports -m "change or witness"
  may this change go in, and does the new policy still meet what the old one does?
    auditproof run policies/prod.yaml --base git:origin/main:policies/prod.yaml --requirements cis --report reports
  with everything performed now, whatever an earlier run has proven
    auditproof run policies/prod.yaml --reference always --report reports
  on an existing cluster
    auditproof run policies/prod.yaml --cluster existing --kubeconfig prod.kubeconfig \\
      --log 'command:ssh cp1 tail -c +{start} /var/log/kubernetes/audit/audit.log'
  on an exported log; no requests are sent
    auditproof run policies/prod.yaml --no-actions --log audit.log --log audit-2026-11-23T06-17-08.714.log.gz
  which events survive the log and webhook backends
    auditproof run policies/prod.yaml --backends --report reports
"""
EXIT_CODES = {
    ExitCode.FINE: "the run passes",
    ExitCode.FOUND: (
        "a check failed or was inconclusive, a requirement is not met or not shown, or a change is forbidden"
    ),
    ExitCode.UNUSABLE: "unusable options, no server binaries, or a policy that the API server rejects",
    ExitCode.NOTHING_SHOWN: "nothing was checked: everything was skipped or unsupported",
}


def declare(parser: ArgumentParser) -> None:
    """Declare every option of a run, as the table has them, and which suites to run."""
    parser.usage = "auditproof run POLICY [PATH...] [options] [pytest options]"
    for option in OPTIONS:
        flag = f"--{option.name}"
        if option.name == "policy":
            parser.add_argument(option.name, metavar="POLICY", help=f"audit policy: {POLICY_FORMS}")
        elif option.kind is ValueKind.FLAG:
            parser.add_argument(flag, action="store_true", help=option.help)
        elif option.kind.repeats:
            text = f"{option.help}; may be repeated"
            parser.add_argument(flag, metavar=option.metavar, action="append", default=[], help=text)
        else:
            parser.add_argument(flag, metavar=option.metavar, help=option.help)
    # pytest's spelling is declared as well: --no-actions has to know the files
    parser.add_argument("--audit-log", dest="log", action="append", help=SUPPRESS)
    parser.add_argument(
        "--shipped",
        action="store_true",
        help="with paths of your own cases: perform the shipped suites as well",
    )
    parser.add_argument(
        "--backends",
        action="store_true",
        help="test the audit backends (log, webhook) with many server configurations, instead of the policy",
    )


def execute(options: Namespace) -> int:
    """Replace this process by pytest.

    Raises AuditproofError if --no-actions has no log to read.
    """
    if options.no_actions and not options.log:
        raise AuditproofError("--no-actions needs --log FILE: the file with the recorded events to check")
    root = content.root()
    backends = root / "suites" / "backends"
    if options.no_actions:
        suites = [file.absolute() for file in files_of(path_of(options.log[0]))][:1]
    else:
        suites = [backends if options.backends else root / "suites"]
    command = [sys.executable, "-m", LAUNCH, "-p", SHIPPED, *(f"--shipped-suite={suite}" for suite in suites)]
    command += ["--shipped-too"] if options.shipped or options.backends or options.no_actions else []
    command += [] if options.backends else [f"--ignore={backends}"]
    command += ["-p", "no:hypothesispytest"]  # where it is installed, it takes two seconds and finds nothing
    command += ["--import-mode=importlib", "-o", "console_output_style=count"]
    command += ["-rN"]  # auditproof has a summary of failures of its own
    command += [*passed_on(options), *options.pytest_arguments]
    sys.stdout.flush()
    os.execv(sys.executable, command)  # noqa: S606 - replaces this process: no shell, no child


def passed_on(options: Namespace) -> list[str]:
    """The options that were given, as pytest spells them."""
    given = []
    for option in OPTIONS:
        value = getattr(options, option.name.replace("-", "_"))
        if option.kind is ValueKind.FLAG:
            given += [option.flag] if value else []
        elif option.kind.repeats:
            given += [f"{option.flag}={option.kind.value.join(value)}"] if value else []
        elif value is not None:
            given.append(f"{option.flag}={value}")
    return given
