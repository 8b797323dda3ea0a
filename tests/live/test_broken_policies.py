"""The real kube-apiserver on every broken policy: it loads, warns and refuses as tests/vectors/broken.json says."""

from __future__ import annotations

import os
import re
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from auditproof.clusters.binaries.find import find_binaries
from auditproof.clusters.run.readiness import last_words
from tests.support.broken import BROKEN, data_of

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Any

    from auditproof.clusters.embedded import EmbeddedProvider
    from auditproof.clusters.run.run_directory import RunDirectory

REFUSED = "loading audit policy file: "
LENIENT = "falling back to lenient decoding"
QUOTED = re.compile(r"\"[^\"]*\"|\d+|\[[^]]*\]")  # what differs between messages of one kind
LATER = "/nowhere/admission.yaml"  # what a server stumbles over once it has read its policy


def command(run_directory: RunDirectory, port: int, policy: Path) -> list[str]:
    """A kube-apiserver that ends by itself: over its policy, or soon after it."""
    keys = run_directory.path / "pki"
    flags = {
        "etcd-servers": f"unix://{run_directory.path / 'etcd' / 'client.sock'}",
        "etcd-prefix": "/broken",
        "bind-address": "127.0.0.1",
        "secure-port": port,
        "permit-port-sharing": "true",
        "tls-cert-file": keys / "server.crt",
        "tls-private-key-file": keys / "server.key",
        "service-account-issuer": "https://kubernetes.default.svc",
        "service-account-key-file": keys / "service-account.pub",
        "service-account-signing-key-file": keys / "service-account.key",
        "audit-policy-file": policy,
        "audit-log-path": policy.parent / "audit.log",
        "admission-control-config-file": LATER,
    }
    server = find_binaries("1.37", None, print).kube_apiserver
    return [str(server), *(f"--{name}={value}" for name, value in flags.items())]


def disagreement(case: dict[str, Any], run_directory: RunDirectory, port: int, folder: Path) -> str:
    """An empty text where the server does what the case says, else what it did."""
    folder.mkdir()
    policy, log = folder / "policy.yaml", folder / "server.log"
    policy.write_bytes(data_of(case))
    environment = os.environ | {"GOGC": "off"}  # none of them lives long
    asked = command(run_directory, port, policy)
    with log.open("wb") as out:
        subprocess.run(asked, stdout=out, stderr=out, env=environment, check=False, timeout=120)
    words = last_words(log)
    refused = words.startswith(REFUSED)
    if not refused and LATER not in words:
        return f"{case['name']}: the server ended over something else: {words}"
    if refused == case["loads"]:
        return f"{case['name']}: expected {case['error'] or 'to load'}: {words}"
    warned = LENIENT in log.read_text(errors="replace")
    if case["loads"] and warned != (case["warning"] != ""):
        return f"{case['name']}: expected the warning {case['warning']!r}: {words}"
    return ""


def of_each_kind(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The cases that differ in what the server says of them: one of each kind, or all with AUDITPROOF_TEST_ALL=1."""
    if os.environ.get("AUDITPROOF_TEST_ALL"):
        return cases
    kinds: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for case in cases:
        said = (QUOTED.sub("", str(case[name]))[:80] for name in ("loads", "error", "warning"))
        kinds.setdefault(tuple(said), []).append(case)
    return [alike[0] for alike in kinds.values()]


@pytest.mark.thorough
@pytest.mark.covers("T12", "T50", "U4", "U5", "U6", "U8")
def test_a_real_server_reads_every_broken_policy_as_the_vectors_say(
    embedded: EmbeddedProvider, everything: Path, run_directory: RunDirectory, tmp_path: Path
) -> None:
    embedded.cluster(everything)  # for its etcd and its keys
    with socket.socket() as reserved, ThreadPoolExecutor(2) as pool:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        reserved.bind(("127.0.0.1", 0))  # bound and silent: the servers share the port, and nobody else gets it
        port = reserved.getsockname()[1]
        asked = [
            pool.submit(disagreement, case, run_directory, port, tmp_path / str(n))
            for n, case in enumerate(of_each_kind(BROKEN))
        ]
        assert [text for text in (answer.result() for answer in asked) if text] == []
