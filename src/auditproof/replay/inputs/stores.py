"""Logs in a store, named by a URL that fsspec knows: what is there, and what to do if it cannot be read.

Whatever the library of a store raises is shown as the store's own message, in one line, with the setting to check.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import warnings
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from auditproof.errors import AuditproofError
from auditproof.replay.extra import require_replay

if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = "*?["
STORE_TIMEOUT = 20  # seconds that S3 may take to begin a response; it is asked again twice
CONTACT_TIMEOUT = 30  # seconds that any other store may take for its first response, with all that its library retries
AZURE_RETRIES = 2  # how often Azure is asked again, after seconds
_LONGEST_MESSAGE = 300  # characters: Azure's list every source of credentials, Google's may be a page of HTML
_NOISE = re.compile(r"\s(RequestId|Content):.*", re.DOTALL)  # in messages of Azure


@dataclass(frozen=True, slots=True)
class Library:
    """A library of fsspec for one kind of store: its package, what the store calls a bucket, and its settings."""

    package: str
    bucket: str = "bucket"
    credentials: str = ""
    endpoint: str = ""


_S3 = Library("s3fs", "bucket", "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE", "AWS_ENDPOINT_URL")
_GCS = Library(
    "gcsfs",
    "bucket",
    "GOOGLE_APPLICATION_CREDENTIALS, or gcloud auth application-default login",
    "STORAGE_EMULATOR_HOST if it is set",
)
_AZURE = Library(
    "adlfs",
    "container",
    "AZURE_STORAGE_CONNECTION_STRING, or AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
    "AZURE_STORAGE_CONNECTION_STRING or AZURE_STORAGE_ACCOUNT_NAME",
)
_LIBRARIES = {"s3": _S3, "s3a": _S3, "gs": _GCS, "gcs": _GCS, "abfs": _AZURE, "abfss": _AZURE, "az": _AZURE}
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
    "refresherror",
    "padding",  # of a key in base64
)
_INCOMPLETE = ("connection_string", "connection string")  # of adlfs, before it asks the store
_AWAY = ("connect", "timeout", "timed out", "did not respond", "resolve", "getaddrinfo")


def files_in_store(url: str) -> Iterator[tuple[Any, str, str, int]]:
    """The files that a URL names, sorted: the store, the path in it, the URL and the size in bytes of each.

    Raises AuditproofError, which says what to do, if there is none, or the store cannot be read.
    """
    require_replay("fsspec")
    kind = url.partition("://")[0]
    library = _LIBRARIES.get(kind, Library(kind))
    _leave_the_terminal_alone()
    try:
        found = list(_listed(url, library))
    except ImportError:
        raise AuditproofError(f"{url}: install the library for {kind}://: pip install {library.package}") from None
    except Exception as error:
        advice = _advice(url, library, error)
        raise AuditproofError(f"{url}: the store cannot be read: {message_of(error)}{advice}") from None
    if not found:
        raise AuditproofError(f"{url}: there is no file there; expected audit logs")
    yield from found


def _leave_the_terminal_alone() -> None:
    """What libraries log, or warn of, goes nowhere, not to stderr, unless the caller has set that up."""
    if not logging.getLogger().handlers:
        logging.getLogger().addHandler(logging.NullHandler())
    if not sys.warnoptions:
        warnings.simplefilter("ignore")


def _listed(url: str, library: Library) -> Iterator[tuple[Any, str, str, int]]:
    # gcsfs would ask another service, by gRPC, of which kind a bucket is; private endpoints do not have that service.
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    from fsspec.core import url_to_fs

    limits = {"connect_timeout": STORE_TIMEOUT, "read_timeout": STORE_TIMEOUT, "retries": {"max_attempts": 1}}
    store, place = url_to_fs(url, **({"config_kwargs": limits} if library is _S3 else {}))
    store.retries = 2  # of s3fs, which would try five times
    if library is _AZURE:
        _retry_sooner(store)
    if library in (_GCS, _AZURE):
        _make_contact(store, place)
    found: dict[str, Any] = {}  # with details: adlfs would ask three times for those of each file
    if any(letter in place for letter in MAGIC):
        with suppress(FileNotFoundError):  # of gcsfs, for a bucket that is not there; others find nothing in it
            found = store.glob(place, detail=True)
    else:
        found = store.find(place, detail=True) if store.isdir(place) else {place: store.info(place)}
    for name, details in sorted(found.items()):
        if details["type"] != "directory" and not name.endswith("/"):
            yield store, name, store.unstrip_protocol(name), int(details["size"] or 0)


def _retry_sooner(store: Any) -> None:
    """Let Azure's client ask again within seconds: by default, it waits for 84 seconds before it reports an error.

    adlfs has no setting for this. A client without such a policy keeps its own limits.
    """
    with suppress(AttributeError):
        policy = store.service_client._config.retry_policy
        policy.total_retries, policy.initial_backoff, policy.increment_base = AZURE_RETRIES, 1, 2


def _make_contact(store: Any, place: str) -> None:
    """Raise TimeoutError if a store does not respond to a first, small question: its library would wait for minutes.

    Any other refusal is left to the listing, which has the better message; who may list a prefix need not see more.
    """
    from fsspec.asyn import sync
    from fsspec.exceptions import FSTimeoutError

    start = re.split(f"[{re.escape(MAGIC)}]", place)[0]
    folder = place if start == place else start.rpartition("/")[0]
    try:
        with suppress(ValueError):
            sync(store.loop, store._isdir, folder, timeout=CONTACT_TIMEOUT)
    except FSTimeoutError:
        raise TimeoutError(f"it did not respond within {CONTACT_TIMEOUT} s") from None


def _advice(url: str, library: Library, error: Exception) -> str:
    """What to do about an error of a store, as far as its text says."""
    text = f"{type(error).__name__} {error}".lower()
    if isinstance(error, FileNotFoundError):
        bucket = url.partition("://")[2].partition("/")[0]
        return f": is there a {library.bucket} {bucket}, and this path in it?"
    if any(part in text for part in _INCOMPLETE):
        return f": check the credentials ({library.credentials})"
    if any(part in text for part in _AWAY):
        return ": check the network and the endpoint" + (f" ({library.endpoint})" if library.endpoint else "")
    if library.credentials and any(part in text for part in _REFUSED):
        return f": check the credentials ({library.credentials})"
    return ""


def message_of(error: Exception) -> str:
    """What an error of a store's library says, in one line."""
    if isinstance(error, FileNotFoundError):
        return "no such file"
    said = " ".join(_NOISE.sub("", f"{type(error).__name__}: {error}").split())
    return said if len(said) <= _LONGEST_MESSAGE else f"{said[:_LONGEST_MESSAGE]}..."
