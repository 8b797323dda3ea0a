"""The process that API servers ask answers our own user alone, and believes nobody beyond its limits."""

from __future__ import annotations

import os
import socket
import ssl
from typing import TYPE_CHECKING

import pytest

from auditproof.client.probe import Probe
from auditproof.clusters.pki import x509 as pki
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.clusters.stand_ins import issuer_and_webhooks as answering
from auditproof.clusters.stand_ins.callback import LABEL, start_callback

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REVIEW = {"request": {"uid": "1", "object": {}}}
NOBODY = 65534


@pytest.fixture(scope="module")
def callback() -> Iterator[Probe]:
    run = RunDirectory.create()
    keys = run.path / "keys"
    keys.mkdir()
    authority = pki.Authority.create("test")
    authority.pair().write(keys, "ca")
    url = start_callback(run, keys, authority).url
    assert (run.path / LABEL).is_dir()
    yield Probe(url, keys / "ca.crt")
    run.close()


def port(callback: Probe) -> int:
    return int(callback.url.rpartition(":")[2])


def test_our_own_user_is_answered(callback: Probe) -> None:
    assert callback.request("GET", "/jwks").status == 200
    assert callback.request("POST", f"{answering.ADMISSION}warn=w", REVIEW).json()["response"]["warnings"] == ["w"]


@pytest.mark.parametrize("length", [str(answering.MAX_BODY + 1), "9" * 5000, "-1", "many"])
def test_a_length_beyond_the_limit_is_refused_before_anything_is_read(callback: Probe, length: str) -> None:
    """Content-Length is the client's claim: no memory is reserved for it."""
    context = ssl.create_default_context(cafile=str(callback.ca))
    with (
        socket.create_connection((answering.ADDRESS, port(callback)), timeout=10) as plain,
        context.wrap_socket(plain, server_hostname=answering.ADDRESS) as client,
    ):
        client.sendall(f"POST {answering.ADMISSION} HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n".encode())
        answer = client.recv(4096)

    assert answer.startswith(b"HTTP/1.1 413 ")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_another_user_is_hung_up_on_before_a_word_is_read(callback: Probe) -> None:
    """Another user of the machine does not even get a TLS handshake."""
    context = ssl.create_default_context(cafile=str(callback.ca))

    assert as_another_user(lambda: is_answered(port(callback), context)) == 0
    assert is_answered(port(callback), context) == 1, "we are"


def is_answered(number: int, context: ssl.SSLContext) -> int:
    """Whether the other side shakes hands."""
    try:
        with socket.create_connection((answering.ADDRESS, number), timeout=20) as plain:
            context.wrap_socket(plain, server_hostname=answering.ADDRESS).close()
    except OSError:
        return 0
    return 1


def as_another_user(do: Callable[[], int]) -> int:
    """What ``do`` answers in a process of the user NOBODY; forked, because NOBODY may not be let to read our Python."""
    child = os.fork()
    if not child:
        try:
            os.setuid(NOBODY)
            os._exit(do())
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
