"""Three stores on loopback, each a real server that .ci/stores installs, with the files of a folder in them.

S3 is served by versitygw, the Google Cloud Storage API by fake-gcs-server, Azure's blobs by Azurite.
Each folder in the folder is a bucket. fake-gcs-server checks no credentials; the other two do.
"""

from __future__ import annotations

import base64
import os
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import platformdirs

from auditproof.wait import wait_until
from tests.support.ports import free_port, listens

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FOLDER = platformdirs.user_cache_path("auditproof") / "stores"
ARE_THERE = (FOLDER / "azurite" / "installed.lock").exists()  # what .ci/stores installs last
REQUIRED = os.environ.get("AUDITPROOF_STORES") == "required"
KEY, SECRET = "reader", base64.b64encode(b"s3cret-of-the-reader").decode()
_PREFIXES = ("AWS_", "AZURE_", "GOOGLE_", "GCSFS_", "STORAGE_EMULATOR_HOST")


@dataclass(frozen=True, slots=True)
class Store:
    """How a store is served, and what a reader of it has in its environment; both take the address HOST:PORT."""

    scheme: str
    command: Callable[[str, Path], list[str | Path]]
    variables: Callable[[str], dict[str, str]]


def connection(address: str, name: str = KEY, key: str = SECRET) -> str:
    """What Azure's portal shows as the connection string of an account."""
    return f"DefaultEndpointsProtocol=http;AccountName={name};AccountKey={key};BlobEndpoint=http://{address}/{name};"


S3 = Store(
    "s3",
    lambda address, folder: [
        *(FOLDER / "bin" / "versitygw", "--port", address, "--access", KEY, "--secret", SECRET, "--quiet"),
        *("posix", "--nometa", folder),
    ],
    lambda address: {
        "AWS_ENDPOINT_URL": f"http://{address}",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",  # no credentials come from outside of this machine
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    },
)
GCS = Store(
    "gs",
    lambda address, folder: [
        *(FOLDER / "bin" / "fake-gcs-server", "-scheme", "http", "-backend", "memory", "-data", folder),
        *("-host", address.partition(":")[0], "-port", address.partition(":")[2], "-public-host", address),
    ],
    lambda address: {
        "STORAGE_EMULATOR_HOST": f"http://{address}",
        "NO_GCE_CHECK": "true",  # no credentials come from outside of this machine
        "CLOUDSDK_CONFIG": os.devnull,
    },
)
AZURE = Store(
    "abfs",
    lambda address, folder: [
        *("node", FOLDER / "azurite" / "node_modules" / "azurite" / "dist" / "src" / "blob" / "main.js"),
        *("--blobHost", address.partition(":")[0], "--blobPort", address.partition(":")[2], "--inMemoryPersistence"),
        *("--disableTelemetry", "--silent", "--skipApiVersionCheck"),
    ],
    lambda address: {
        "AZURE_STORAGE_CONNECTION_STRING": connection(address),
        "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",  # no credentials come from outside of this machine
    },
)


@contextmanager
def serving(store: Store, folder: Path) -> Iterator[str]:
    """Serve a folder; yields the address, HOST:PORT. Azurite begins empty: its reader puts the files there."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    with (folder.parent / "server.log").open("wb") as log:
        server = subprocess.Popen(
            store.command(address, folder),
            stdout=log,
            stderr=log,
            cwd=folder.parent,
            env={**os.environ, "AZURITE_ACCOUNTS": f"{KEY}:{SECRET}"},
        )
        try:
            wait_until(
                lambda: True if server.poll() is not None or listens(port) else None,
                what=f"the server of {store.scheme}://",
                timeout_s=60,
            )
            assert server.poll() is None, (folder.parent / "server.log").read_text()
            yield address
        finally:
            server.terminate()
            server.wait()


def environment(store: Store, address: str) -> dict[str, str]:
    """What a program needs to read a store: its library, and credentials, none of them the user's own."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(_PREFIXES)}
    return {**kept, "PYTHONPATH": str(FOLDER / "python"), **store.variables(address)}
