"""``auditproof lint``: examines policies without a server, and writes the findings in the requested format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.cli.arguments import POLICY_FORMS, add_format, add_kubernetes
from auditproof.cli.exit_codes import ExitCode
from auditproof.errors import PolicyRefused, SourceError
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Iterator, Sequence

    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.clusters.policy_sources import PolicySource
    from auditproof.report.findings import Linted

EPILOG = """\
lint knows which requests an API server of the chosen version accepts, and examines all of them; no server is started.
Each finding has a code, a position, an example request and a fix. `auditproof explain-code` describes each code.
Of more than three findings of one kind in a policy, text shows the first and the lines of the others; --all shows each.

A comment suppresses findings on its line, the next line or the rule below; a reason is required:

  # auditproof: ignore AP504 because the log is written in blocking-strict mode

examples:
  auditproof lint policies/
  auditproof lint kops-cluster.yaml configmap.yaml#data.policy.yaml
  kubectl get configmap -n kube-system audit-policy -o yaml | auditproof lint -
  auditproof lint policies/prod.yaml --kubernetes 1.35..1.37
  auditproof lint policies/prod.yaml --kubernetes 1.35 --format sarif > lint.sarif
"""
EXIT_CODES = {
    ExitCode.FINE: "no finding, or only such as --fail-on lets pass, by default informational ones",
    ExitCode.FOUND: "an error, or, unless --fail-on says otherwise, a warning",
    ExitCode.UNUSABLE: (
        "unusable options, a file that cannot be read, or a policy that the API server rejects (findings"
        " in the other files are still written)"
    ),
}
FAIL_ON = {"error": ("error",), "warning": ("error", "warning"), "never": ()}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument(
        "policies", metavar="POLICY", nargs="+", help=f"audit policies: {POLICY_FORMS}, a folder, a glob"
    )
    add_format(parser, ["text", "json", "sarif", "github"])
    parser.add_argument(
        "--all", action="store_true", help="show each finding, also if a policy has many of one kind (format text)"
    )
    parser.add_argument(
        "--fail-on",
        choices=list(FAIL_ON),
        default="warning",
        help="findings that make the exit code 1: errors alone, also warnings (the default), or none; a policy that "
        "the API server rejects always ends with 4",
    )
    add_kubernetes(parser, several=True)


def execute(options: Namespace) -> int:
    """Examine each file, and write all findings as one document."""
    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.report.findings import FORMATS, as_text, has_any

    files = PolicyFiles()
    linted = [one for given in options.policies for one in _linted(files, given, options.kubernetes)]
    if options.format in ("github", "sarif"):
        # CI systems need the paths by which the repository names the files.
        from dataclasses import replace

        from auditproof.report.provenance import repository_files

        here = Path.cwd()
        files_of = repository_files([here], otherwise=here)
        linted = [replace(one, file=files_of(one.path)) for one in linted]
    versions = ", ".join(options.kubernetes)
    if options.format == "text":
        output.write(as_text(linted, versions, every=options.all) + "\n")
    else:
        output.write(FORMATS[options.format](linted, versions) + "\n")
    for one in linted:
        if one.unreadable:
            output.complain(one.unreadable)
    if any(one.unreadable or one.refused for one in linted):
        return ExitCode.UNUSABLE
    return int(any(has_any(one, FAIL_ON[options.fail_on]) for one in linted))


def _linted(files: PolicyFiles, given: str, kubernetes: Sequence[str]) -> Iterator[Linted]:
    """The findings in each policy that ``given`` names, on these versions."""
    from auditproof.report.findings import Linted

    try:
        sources = files.all(given, Path.cwd())
    except SourceError as error:
        yield Linted(given, unreadable=str(error))
        return
    for source in sources:
        found = {version: _examine(files, source, version) for version in kubernetes}
        yield _on_all(found) if len(found) > 1 else found[kubernetes[0]]


def _on_all(found: dict[str, Linted]) -> Linted:
    """What was found on several versions as one; refused where one of them refuses the policy."""
    from auditproof.analysis.lint.lint import on_all
    from auditproof.report.findings import Linted

    first = next(iter(found.values()))
    if first.unreadable:
        return first
    examination = on_all({version: one.examination for version, one in found.items()})
    return Linted(first.path, examination, refused=any(one.refused for one in found.values()), place=first.place)


def _examine(files: PolicyFiles, source: PolicySource, kubernetes: str) -> Linted:
    """The findings in one policy, or why it could not be examined."""
    from auditproof.analysis.lint import examine
    from auditproof.analysis.lint.lint import refused
    from auditproof.kube.discovery import load_served
    from auditproof.report.findings import Linted

    place = source.place
    try:
        policy = files.load(source.path, kubernetes=kubernetes, name=place.name)
    except PolicyRefused as error:
        return Linted(place.name, refused(error), refused=True, place=place)
    except SourceError as error:
        return Linted(place.name, unreadable=str(error))
    return Linted(place.name, examine(policy, load_served(kubernetes)), place=place)
