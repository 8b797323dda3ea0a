"""An S3 server on loopback, versitygw, which .ci/s3 installs: a folder is a store, and each folder in it a bucket."""

from __future__ import annotations

import os
import socket
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING

import platformdirs

from auditproof.wait import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = platformdirs.user_cache_path("auditproof") / "s3"
IS_THERE = (FOLDER / "installed.lock").exists()
REQUIRED = os.environ.get("AUDITPROOF_S3") == "required"
KEY, SECRET = "reader", "s3cret-of-the-reader"


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def serving(store: Path) -> Iterator[str]:
    """Serve a folder; yields the URL of the endpoint."""
    address = f"127.0.0.1:{free_port()}"
    command = [FOLDER / "bin" / "versitygw", "--port", address, "--access", KEY, "--secret", SECRET, "--quiet"]
    with (store.parent / "s3.log").open("wb") as log:
        server = subprocess.Popen([*command, "posix", "--nometa", str(store)], stdout=log, stderr=log)
        try:
            wait_until(
                lambda: True if server.poll() is not None or is_open(address) else None,
                what="the S3 server",
                timeout_s=60,
            )
            assert server.poll() is None, (store.parent / "s3.log").read_text()
            yield f"http://{address}"
        finally:
            server.terminate()
            server.wait()


def is_open(address: str) -> bool:
    host, _, port = address.partition(":")
    with socket.socket() as one:
        return one.connect_ex((host, int(port))) == 0


def environment(endpoint: str, **more: str) -> dict[str, str]:
    """What a program needs to read the store: s3fs, and credentials that ``more`` may replace."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    ours = {
        "PYTHONPATH": str(FOLDER / "python"),
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",  # no credentials come from outside of this machine
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }
    return {name: value for name, value in {**kept, **ours, **more}.items() if value}
