"""Finds the files of a log: files, folders, globs, and the same in a store that fsspec knows (s3://, gs://, abfs://)."""

from __future__ import annotations

import glob
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from auditproof.errors import AuditproofError
from auditproof.replay.extra import require_replay
from auditproof.text.paths import is_file, is_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

_MAGIC = "*?["
_PACKED = (".gz", ".zst")
_STORES = {"s3": "s3fs", "s3a": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "abfs": "adlfs", "abfss": "adlfs", "az": "adlfs"}
_CREDENTIALS = {
    "s3fs": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE",
    "gcsfs": "GOOGLE_APPLICATION_CREDENTIALS, or gcloud auth application-default login",
    "adlfs": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY, or AZURE_STORAGE_CONNECTION_STRING",
}
_REFUSED = (
    "credential",
    "forbidden",
    "access",
    "signature",
    "authoriz",
    "authentica",
    "permission",
    "anonymous",
    "token",
)
_AWAY = ("connect", "timeout", "timed out", "resolve", "getaddrinfo")
STORE_TIMEOUT = 20  # seconds that a store may take to begin an answer; it is asked again twice


@dataclass(frozen=True, slots=True)
class LogFile:
    """One file of a log: what messages call it, its size in bytes, and how it is opened.

    ``path`` is its place on this machine, None in a store.
    """

    name: str
    size: int
    open: Callable[[], BinaryIO]
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class FoundLogs:
    """The files of a log, each once, and remarks about files that are not read."""

    files: tuple[LogFile, ...]
    remarks: tuple[str, ...]


def find_logs(given: Iterable[str]) -> FoundLogs:
    """Every file that the arguments LOG name, in their order, those of a folder or glob sorted by name.

    Raises AuditproofError if an argument names no file, and if a store cannot be listed.
    """
    files: dict[str, LogFile] = {}
    for text in given:
        for file in _in_store(text) if "://" in text else _on_machine(text):
            files.setdefault(str(file.path.resolve()) if file.path else file.name, file)
    kept, remarks = _without_copies(list(files.values()))
    return FoundLogs(tuple(kept), (*remarks, *_rotated_remarks(kept)))


def _on_machine(text: str) -> Iterator[LogFile]:
    path = Path(text)
    if is_file(path):
        yield _local(path)
        return
    if is_folder(path):
        found = sorted(one for one in path.rglob("[!.]*") if is_file(one))
    elif any(letter in text for letter in _MAGIC):
        names = sorted(glob.glob(text, recursive=True))  # noqa: PTH207 - Path.glob takes no absolute pattern
        found = [Path(name) for name in names if is_file(Path(name))]
    else:
        raise AuditproofError(f"{text}: no such file or folder; expected an audit log, a folder of logs, or a glob")
    if not found:
        raise AuditproofError(f"{text}: there is no file there; expected audit logs")
    yield from map(_local, found)


def _local(path: Path) -> LogFile:
    return LogFile(str(path), path.stat().st_size, lambda: path.open("rb"), path)


def _in_store(url: str) -> list[LogFile]:
    """The files of a store. Whatever its library raises is shown as the store's own message."""
    require_replay("fsspec")
    from fsspec.core import url_to_fs

    try:
        store, place = url_to_fs(url, **_options(url))
        store.retries = 2  # of s3fs, which would try five times
        if any(letter in place for letter in _MAGIC):
            names = store.glob(place)
        else:
            names = store.find(place) if store.isdir(place) else [place]
        found = [_stored(store, name) for name in sorted(names) if not store.isdir(name)]
    except ImportError:
        kind = url.partition("://")[0]
        raise AuditproofError(
            f"{url}: install the library for {kind}://: pip install {_STORES.get(kind, kind)}"
        ) from None
    except Exception as error:
        raise AuditproofError(f"{url}: the store cannot be read: {message_of(error)}{_advice(url, error)}") from None
    if not found:
        raise AuditproofError(f"{url}: there is no file there; expected audit logs")
    return found


def _options(url: str) -> dict[str, Any]:
    """Limits of time: without them, a store that does not answer is waited for many minutes."""
    if _STORES.get(url.partition("://")[0]) != "s3fs":
        return {}
    limits = {"connect_timeout": STORE_TIMEOUT, "read_timeout": STORE_TIMEOUT, "retries": {"max_attempts": 1}}
    return {"config_kwargs": limits}


def _advice(url: str, error: Exception) -> str:
    """What to do about an error of a store, as far as its text says."""
    kind, _, place = url.partition("://")
    text, library = f"{type(error).__name__} {error}".lower(), _STORES.get(kind, "")
    if isinstance(error, FileNotFoundError):
        return f": is there a bucket {place.partition('/')[0]}, and this path in it?"
    if any(part in text for part in _AWAY):
        return ": check the network and the endpoint" + (" (AWS_ENDPOINT_URL)" if library == "s3fs" else "")
    if library and any(part in text for part in _REFUSED):
        return f": check the credentials ({_CREDENTIALS[library]})"
    return ""


def _stored(store: Any, name: str) -> LogFile:
    return LogFile(
        store.unstrip_protocol(name), int(store.size(name) or 0), lambda: cast("BinaryIO", store.open(name, "rb"))
    )


def message_of(error: Exception) -> str:
    """What an error of a store's library says, in one line."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    return " ".join(f"{type(error).__name__}: {error}".split())


def _without_copies(files: list[LogFile]) -> tuple[list[LogFile], list[str]]:
    """Leaves out the compressed copy of a file that is there as well: a rotation is just compressing it."""
    names = {file.name for file in files}
    copies = [file for file in files if file.name.endswith(_PACKED) and file.name.rpartition(".")[0] in names]
    remarks = [f"{file.name} is not read: it is a copy of {file.name.rpartition('.')[0]}" for file in copies]
    return [file for file in files if file not in copies], remarks


def _rotated_remarks(files: list[LogFile]) -> list[str]:
    """Says which rotated files are next to a log and not read (kube-apiserver names them STEM-TIME.SUFFIX)."""
    given = {file.path.resolve() for file in files if file.path}
    remarks = []
    for path in sorted(given):
        if "-20" in path.stem:
            continue
        ending = f"{glob.escape(path.suffix)}*" if path.suffix else ""
        rotated = set(path.parent.glob(f"{glob.escape(path.stem)}-20*{ending}")) - given
        if rotated:
            several = "files are" if len(rotated) > 1 else "file is"
            remarks.append(f"{len(rotated)} rotated {several} next to {path.name} and not read: give the folder")
    return remarks
