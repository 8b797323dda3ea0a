"""Arguments that several commands have."""

from __future__ import annotations

import argparse
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.kube.discovery import unknown_version
from auditproof.kube.versions import DEFAULT_VERSION, KUBERNETES_VERSION, choose_versions

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.analysis.requirements import RequirementsFile
    from auditproof.audit.policy.load import Policy
    from auditproof.replay.price import Price


POLICY_FORMS = "a file, - (standard input), git:REF:PATH, or FILE#PLACE for a policy inside another document"


def add_policy(parser: argparse.ArgumentParser) -> None:
    """Declare the policy."""
    parser.add_argument("policy", metavar="POLICY", help=f"audit policy: {POLICY_FORMS}")


def load_given(policy: str, kubernetes: str) -> Policy:
    """The policy that the argument POLICY names.

    Raises SourceError, and PolicyRefused if the API server would reject it.
    """
    from auditproof.clusters.policy_files import PolicyFiles

    return PolicyFiles().load_given(policy, Path.cwd(), kubernetes=kubernetes)


APPLIES = "Kubernetes version whose rules and resources apply"
SEVERAL = "such as 1.34,1.36, 1.35..1.37 or all"


def add_kubernetes(parser: argparse.ArgumentParser, *, several: bool = False, text: str = "") -> None:
    """Declare the version whose API server reads the policy; with ``several`` a list, which is a tuple of versions.

    ``text`` is the help of an option whose versions are for something else.
    """
    more = f"; or several, {SEVERAL}" if several else ""
    parser.add_argument(
        "--kubernetes",
        type=_versions if several else _version,
        metavar="VERSION",
        default=DEFAULT_VERSION,
        help=text or f"{APPLIES}{more} (default: {DEFAULT_VERSION})",
    )


def add_format(parser: argparse.ArgumentParser, formats: Sequence[str]) -> None:
    """Declare the output format; text is the default."""
    parser.add_argument("--format", choices=formats, default="text", help="output format (default: text)")


def add_price(parser: argparse.ArgumentParser) -> None:
    """Declare what recorded bytes cost."""
    parser.add_argument("--price", metavar="PRICE", type=_price, help="price of recorded bytes, such as 0.50/GiB")


def _price(text: str) -> Price:
    from auditproof.replay.price import parse_price

    try:
        return parse_price(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def add_requirements(parser: argparse.ArgumentParser, text: str) -> None:
    """Declare which requirements apply."""
    parser.add_argument("--requirements", metavar="NAME|FILE", action="append", default=[], help=text)


def load_required(given: Sequence[str], kubernetes: str) -> list[RequirementsFile]:
    """The requirements files and detection rules that --requirements names, each once.

    Policies that they refer to may be in any form. Raises SourceError for a mistake in one of them, and AuditproofError
    for an unknown name, and for a rule that cannot be read in full.
    """
    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.detections.as_requirements import load_required

    read = partial(PolicyFiles().load_given, folder=Path.cwd(), kubernetes=kubernetes)
    return [load_required(name, kubernetes, read) for name in dict.fromkeys(names_in(given))]


def names_in(given: Sequence[str]) -> list[str]:
    """The names in an option that may be repeated, and may have several names at once, separated by commas."""
    return [name.strip() for text in given for name in text.split(",") if name.strip()]


def _version(text: str) -> str:
    """A Kubernetes version on the command line.

    Raises ArgumentTypeError if it is none.
    """
    if not KUBERNETES_VERSION.fullmatch(text):
        raise argparse.ArgumentTypeError(f"invalid version {text!r} (expected one such as 1.37 or 1.37.2)")
    return _known(text)


def _versions(text: str) -> tuple[str, ...]:
    """Kubernetes versions on the command line.

    Raises ArgumentTypeError if they are none.
    """
    try:
        return tuple(map(_known, choose_versions(text)))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _known(version: str) -> str:
    """The version; says where what it serves is not known."""
    if remark := unknown_version(version):
        sys.stderr.write(f"auditproof: {remark}\n")
    return version
