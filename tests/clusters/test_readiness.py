"""Why a server ended: what this machine lacks, else what the server itself names, out of real logs."""

from __future__ import annotations

import resource
from typing import TYPE_CHECKING

import pytest

from auditproof.clusters.run.readiness import exited, last_words

if TYPE_CHECKING:
    from pathlib import Path

NO_SPACE = """\
{"level":"warn","ts":"2026-11-26T01:17:37Z","caller":"embed/config.go:956","msg":"Running http and grpc server"}
{"level":"panic","ts":"2026-11-26T01:17:37Z","msg":"failed to create WAL","error":"write /x: no space left on device"}
panic: failed to create WAL

goroutine 1 [running]:
main.main()
	go.etcd.io/etcd/server/v3/main.go:31 +0x28
"""
NO_FILES = "listen tcp: accept4: too many open files; retrying in 5ms\n"
NO_WATCH = (
    'E1126 08:15:31.122 1 dynamic_cafile_content.go:168] "Failed to watch CA file, will retry later" '
    'err="error creating fsnotify watcher: too many open files"\n'
)
FATAL = """\
{"level":"warn","ts":"2026-11-26T01:17:37Z","msg":"Running http and grpc server on single port."}
{"level":"fatal","ts":"2026-11-26T01:17:38Z","msg":"discovery failed","error":"bind: address already in use"}
"""
REQUESTS = 'I1126 01:18:32.050214 32387 httplog.go:135] "HTTP" verb="GET" URI="/version"\n'


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "server.log"


def test_a_full_disk_is_told_by_its_folder(log: Path) -> None:
    """The server's own words are a stack trace; the user needs the folder and the variable that moves it."""
    log.write_text(NO_SPACE)

    words = last_words(log)

    assert words.startswith(f"no space left on the disk of {log.parent} (")
    assert "TMPDIR" in words
    assert "goroutine" not in words


def test_a_limit_of_open_files_is_told_with_its_number(log: Path) -> None:
    log.write_text(NO_FILES)

    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert last_words(log) == f"too many open files: a process may have {limit} here; allow more (ulimit -n 1024)"


def test_a_certificate_that_cannot_be_watched_is_no_reason(log: Path) -> None:
    """A failed watch of a CA file is retried by the server, and does not end it."""
    log.write_text(NO_WATCH + REQUESTS)

    assert last_words(log).endswith(REQUESTS.strip())


def test_what_etcd_calls_fatal_is_its_reason(log: Path) -> None:
    log.write_text(FATAL)

    assert exited("etcd", log) == "etcd exited: discovery failed: bind: address already in use"


def test_a_panic_is_a_reason_without_its_stack(log: Path) -> None:
    log.write_text("panic: runtime error: index out of range\n\ngoroutine 1 [running]:\nmain.main()\n")

    assert exited("kube-apiserver", log) == "kube-apiserver exited: panic: runtime error: index out of range"


def test_a_server_that_was_killed_says_nothing_and_no_line_is_taken_for_a_reason(log: Path) -> None:
    """A log of ordinary requests must not be quoted as the cause."""
    log.write_text(REQUESTS)

    assert exited("etcd", log) == "etcd exited: its log does not say why, it may have been killed"
