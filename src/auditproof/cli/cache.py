"""``auditproof cache``: binaries and attestations in the cache, its place, a key for CI systems; and emptying it."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from auditproof.cli.arguments import SEVERAL, add_format, add_kubernetes
from auditproof.cli.exit_codes import ExitCode
from auditproof.errors import AuditproofError
from auditproof.kube.versions import DEFAULT_VERSION
from auditproof.text import output
from auditproof.text.sizes import readable

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace
    from collections.abc import Sequence

    from auditproof.attestation import Kept as Attested
    from auditproof.clusters.binaries.store import Kept

EPILOG = """\
  list    what is in the cache: version, size, date, and how it came there; --sha256 adds the digests of the programs;
          then the attestations: when the reference cases of a run were proven, or why a file is refused
  path    the folder of the cache: AUDITPROOF_CACHE, else that of the user
  key     a key for the cache of a CI system: one line, which changes if the binaries or the way to build them do
  clear   remove binaries and attestations of these versions, by default all, and kind; what auditproof has not put
          there stays

clear refuses while a run uses the binaries, or a process fills the cache. It leaves kind clusters that were kept for
later runs (`auditproof cleanup --kind` removes them).

examples:
  auditproof cache
  auditproof cache key --kubernetes 1.35..1.37
  auditproof cache clear --kubernetes 1.35 --dry-run
  rsync -a "$(auditproof cache path)/" offline-machine:.cache/auditproof/
"""
EXIT_CODES = {
    ExitCode.FINE: "done",
    ExitCode.UNUSABLE: "unusable options, the cache cannot be read or written, or something uses what would be removed",
}
ACTIONS = ("list", "path", "key", "clear")
ONLY_FOR = {"sha256": "list", "format": "list", "kind": "key", "dry_run": "clear"}  # options of one action


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("action", nargs="?", choices=ACTIONS, default="list", help="default: list")
    text = f"only these versions, {SEVERAL} (default: all; of key: {DEFAULT_VERSION})"
    add_kubernetes(parser, several=True, text=text)
    parser.set_defaults(kubernetes=None)
    parser.add_argument("--sha256", action="store_true", help="list: the SHA-256 of each program, too")
    parser.add_argument("--kind", action="store_true", help="key: for a cache that holds kind, too")
    parser.add_argument("--dry-run", action="store_true", help="clear: only say what would be removed")
    add_format(parser, ["text", "json"])


def execute(options: Namespace) -> int:
    """Do what is asked for.

    Raises AuditproofError for an option of another action, and if the cache cannot be read or emptied.
    """
    for name, action in ONLY_FOR.items():
        if getattr(options, name) not in (False, "text") and options.action != action:
            raise AuditproofError(f"--{name.replace('_', '-')} is an option of auditproof cache {action}")
    return {"list": _list, "path": _path, "key": _key, "clear": _clear}[options.action](options)


def _chosen(options: Namespace) -> Sequence[Kept]:
    """What the cache holds of the versions asked for; of all, and kind, if none is."""
    from auditproof.clusters.binaries.find import satisfies
    from auditproof.clusters.binaries.store import KUBERNETES, kept

    if options.kubernetes is None:
        return kept()
    wanted = options.kubernetes
    found = kept(lambda version: any(satisfies(version, one) for one in wanted))
    return [one for one in found if one.what == KUBERNETES]


def _chosen_attestations(options: Namespace) -> list[Attested]:
    """The attestations of the versions asked for; those that are refused are of no version."""
    from auditproof.attestation import attestations
    from auditproof.clusters.binaries.find import satisfies

    wanted = options.kubernetes
    return [
        one
        for one in attestations()
        if wanted is None or (one.attestation and any(satisfies(one.attestation.subject.kubernetes, w) for w in wanted))
    ]


def _list(options: Namespace) -> int:
    from auditproof.clusters.binaries.store import cache_folder

    try:
        found = [(one, _digests(one) if options.sha256 else {}) for one in _chosen(options)]
        if options.format == "json":
            kept = [_record(one, digests) for one, digests in found]
            attested = [_attested_record(one) for one in _chosen_attestations(options)]
            data = {"folder": str(cache_folder()), "kept": kept, "attestations": attested}
            output.tell_json(json.dumps(data, indent=1))
            return ExitCode.FINE
        lines = [_lines(one, digests) for one, digests in found]
        lines += map(_attested_line, _chosen_attestations(options))
    except OSError as error:
        raise AuditproofError(f"{error.filename}: the cache cannot be read: {error.strerror}") from None
    output.tell("\n".join([f"cache: {cache_folder()}", *(lines or ["it is empty: auditproof fetch fills it"])]))
    return ExitCode.FINE


def _digests(one: Kept) -> dict[str, str]:
    """The SHA-256 of each program. Raises OSError."""
    import hashlib

    digests = {}
    for path in one.programs:
        with path.open("rb") as program:
            digests[path.name] = hashlib.file_digest(program, "sha256").hexdigest()
    return digests


def _record(one: Kept, digests: dict[str, str]) -> dict[str, Any]:
    return {
        "what": one.what,
        "version": one.version,
        "folder": str(one.folder),
        "bytes": one.size,
        "made": datetime.fromtimestamp(one.made, UTC).isoformat(timespec="seconds"),
        "how": one.note.how if one.note else None,
        "seconds": one.note.seconds if one.note else None,
        **({"sha256": digests} if digests else {}),
    }


def _lines(one: Kept, digests: dict[str, str]) -> str:
    how = f"{one.note.how} in {one.note.seconds:.0f} s" if one.note else "origin unknown"
    date = datetime.fromtimestamp(one.made, UTC).date()
    first = f"{f'{one.what} {one.version}':20} {readable(one.size):>9}  {date}  {how:16}  {one.folder}"
    return "\n".join([first, *(f"  {digest}  {name}" for name, digest in digests.items())])


def _attested_record(one: Attested) -> dict[str, Any]:
    found = one.attestation
    if found is None:
        return {"path": str(one.path), "refused": one.refused}
    made = found.made.isoformat(timespec="seconds")
    cases = {"proven": len(found.proven), "notSupported": len(found.not_supported)}
    return {"path": str(one.path), "sha256": one.digest, "made": made, "version": found.kubernetes, **cases}


def _attested_line(one: Attested) -> str:
    found = one.attestation
    if found is None:
        return f"{'refused attestation':20} {one.path}: {one.refused}"
    name, count = f"attestation {found.subject.kubernetes}", f"{len(found.proven):,}"
    return f"{name:20} {count:>9}  {found.made.date()}  cases proven      {one.path}"


def _path(_: Namespace) -> int:
    from auditproof.clusters.binaries.store import cache_folder

    output.tell(str(cache_folder()))
    return ExitCode.FINE


def _key(options: Namespace) -> int:
    from auditproof.clusters.binaries.cache_key import cache_key
    from auditproof.clusters.kind.binary import VERSION

    output.tell(cache_key(options.kubernetes or [DEFAULT_VERSION], [f"kind-{VERSION}"] if options.kind else []))
    return ExitCode.FINE


def _clear(options: Namespace) -> int:
    from auditproof.attestation import clear_attestations
    from auditproof.clusters.binaries.store import cache_folder, clear

    found, attested = _chosen(options), _chosen_attestations(options)
    removed = [one for one in found if one.note]
    would = "would be " if options.dry_run else ""
    freed = sum(one.size for one in removed) if options.dry_run else clear(removed)
    if not options.dry_run:
        clear_attestations(attested)
    for one_attested in attested:
        output.tell(f"{one_attested.path} {would}removed")
    for one in found:
        stays = f"stays: nothing says that auditproof has put it there; remove it with rm -r {one.folder}"
        output.tell(f"{one.folder} {f'{would}removed' if one.note else stays}")
    if freed:
        output.tell(f"{readable(freed)} {would}freed")
    elif not removed and not attested:
        output.tell(f"there is nothing to remove in {cache_folder()}")
    return ExitCode.FINE
