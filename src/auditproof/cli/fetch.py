"""``auditproof fetch``: puts server binaries, and kind, into the cache, for images and machines without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.cli.arguments import SEVERAL, add_kubernetes
from auditproof.cli.exit_codes import ExitCode
from auditproof.errors import AuditproofError
from auditproof.kube.versions import DEFAULT_VERSION
from auditproof.text import output
from auditproof.text.sizes import readable

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Callable
    from pathlib import Path

    from auditproof.clusters.binaries.store import Note

EPILOG = """\
A run fetches what it needs by itself; fetch does it ahead, in a step of its own: to build an image, to fill the cache
of a CI system, or before a machine loses its network. What is in the cache already is not fetched again, and two
processes that fetch the same wait for each other.

etcd and kube-apiserver are downloaded from the envtest releases, or built from source if these cannot be reached (some
five minutes, with Go). AUDITPROOF_ENVTEST_INDEX and AUDITPROOF_KIND_RELEASES name mirrors.
Progress is on standard error, the result on standard output.

examples:
  auditproof fetch
  auditproof fetch --kubernetes 1.35..1.37
  auditproof fetch --kubernetes all --kind
  AUDITPROOF_CACHE=/opt/auditproof auditproof fetch
"""
EXIT_CODES = {
    ExitCode.FINE: "everything is in the cache",
    ExitCode.UNUSABLE: "unusable options, or something cannot be fetched (what can be, is in the cache)",
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_kubernetes(parser, several=True, text=f"versions to fetch, {SEVERAL} (default: {DEFAULT_VERSION})")
    parser.add_argument("--kind", action="store_true", help="fetch the program kind, too")


def execute(options: Namespace) -> int:
    """Fetch each version, and kind if asked for.

    Raises AuditproofError at the end if something could not be fetched.
    """
    from functools import partial

    from auditproof.clusters.binaries.find import given_assets

    if assets := given_assets():
        output.complain(f"auditproof: KUBEBUILDER_ASSETS is set: as long as it is, runs use {assets}, not the cache")
    failed = [_failure(partial(_fetch_version, version)) for version in options.kubernetes]
    if options.kind:
        failed.append(_failure(_fetch_kind))
    reasons = [reason for reason in failed if reason]
    if reasons:
        raise AuditproofError("\n".join(reasons))
    return ExitCode.FINE


def _failure(fetch: Callable[[], None]) -> str:
    """Why it cannot be fetched; empty if it is. The others are fetched all the same."""
    try:
        fetch()
    except AuditproofError as error:
        return str(error)
    return ""


def _fetch_version(version: str) -> None:
    from auditproof.clusters.binaries.find import fetch_binaries

    fetched = fetch_binaries(version, output.complain)
    found = fetched.binaries
    _tell(f"Kubernetes {found.version}", fetched.note, [found.etcd, found.kube_apiserver], found.etcd.parent)


def _fetch_kind() -> None:
    from auditproof.clusters.kind.binary import VERSION, fetch_kind

    program, note = fetch_kind(output.complain)
    _tell(f"kind {VERSION}", note, [program], program)


def _tell(what: str, note: Note | None, programs: list[Path], place: Path) -> None:
    how = f"{note.how} in {note.seconds:.0f} s" if note else "was there"
    size = sum(program.stat().st_size for program in programs)
    output.tell(f"{what}: {how}: {place} ({readable(size)})")
