"""When a server is ready, and what it said last when it never becomes so."""

from __future__ import annotations

import json
import os
import re
import signal
from contextlib import suppress
from typing import TYPE_CHECKING

from auditproof.clusters.machine import lacks
from auditproof.errors import ClusterError, ServerDied
from auditproof.wait import TimedOut, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from auditproof.client.probe import Answer
    from auditproof.clusters.cluster import Cluster

REQUESTS_LOGGED = "httplog=3"  # --vmodule: a line about each request that is over (apiserver pkg/server/httplog)
PAUSE_S = 0.05
START_TIMEOUT_S = float(os.environ.get("AUDITPROOF_START_TIMEOUT", "120"))  # a server that exits is noticed at once
# What kube-apiserver prints as its last line (component-base cli.Run), and what it says of a leniently read policy.
_COMMAND_FAILED = re.compile(r'"command failed" err=("(?:[^"\\]|\\.)*")')
_PANIC = re.compile(r"^panic: .*", re.MULTILINE)
_LENIENT = re.compile(r"Audit policy contains errors, falling back to lenient decoding: (.*)")


def wait_ready(
    ready: Callable[[], bool], pid: int, log: Path, what: str, timeout_s: float, names: Mapping[str, str]
) -> None:
    """Wait until ``ready`` returns true, and notice at once when process ``pid``, a child of this one, ends before.

    ``names`` replaces paths of the run in the server's words by the user's. Raises ServerDied where the process ends,
    ClusterError after ``timeout_s`` seconds.
    """

    def look() -> bool | None:
        try:
            # A child keeps its id until it is waited for, so no other process can be meant.
            ended, status = os.waitpid(pid, os.WNOHANG)
        except ChildProcessError:  # the run is being ended in another thread, which has collected it
            ended, status = pid, signal.SIGKILL
        if ended:
            code = os.waitstatus_to_exitcode(status)
            raise ServerDied(f"{what} ended with exit code {code}: {in_user_words(last_words(log), names)}")
        return ready() or None

    try:
        wait_until(look, what=f"{what} to be ready", timeout_s=timeout_s, pause_s=PAUSE_S)
    except TimedOut as error:
        os.kill(pid, signal.SIGKILL)
        raise ClusterError(f"{error}; its last log lines: {last_words(log)}") from None


def exited(label: str, log: Path) -> str:
    """Why nothing more can be proven, in a sentence: a required server does not run."""
    try:
        text = log.read_text(errors="replace")
    except OSError as error:
        return f"{label} exited, and {log} cannot be read: {error.strerror}"
    return f"{label} exited: {_cause(text, log.parent) or 'its log does not say why, it may have been killed'}"


def last_words(log: Path, lines: int = 5) -> str:
    """What a server said last: the reason that kube-apiserver itself names, else the last lines of its log."""
    try:
        text = log.read_text(errors="replace")
    except OSError as error:
        return f"({log} cannot be read: {error.strerror})"
    return _cause(text, log.parent) or "\n".join(text.strip().splitlines()[-lines:]) or "(nothing)"


def _cause(text: str, folder: Path) -> str | None:
    """Why a server ended, out of the text of its log in ``folder``, and of what this machine lacks; None if unknown.

    What is lacking is said before the server's own words, which are then about anything that went wrong after it.
    """
    return lacks(folder, text) or why_it_ended(text) or _failure(text)


def _failure(text: str) -> str | None:
    """The last line by which a Go program says that it gives up: a panic, or what etcd logs as an error or worse."""
    found = _PANIC.findall(text)
    if found:
        return str(found[-1])
    for line in reversed(text.splitlines()):
        with suppress(ValueError, AttributeError):
            entry = json.loads(line)
            if entry.get("level") in ("error", "fatal", "panic"):
                return ": ".join(str(entry[key]) for key in ("msg", "error") if entry.get(key))
    return None


def why_it_ended(text: str) -> str | None:
    """Why kube-apiserver ended by itself, out of the text of its log; None where it does not say that it did."""
    failed = _COMMAND_FAILED.findall(text)
    lenient = [f" (before: {words})" for words in _LENIENT.findall(text)[-1:]]
    return "".join([_unquote(failed[-1]), *lenient]) if failed else None


def _unquote(quoted: str) -> str:
    try:
        return str(json.loads(quoted))
    except ValueError:
        return quoted[1:-1]  # Go quotes a few characters in ways that JSON does not know


def in_user_words(text: str, names: Mapping[str, str]) -> str:
    """A server's words with paths of the run replaced by the user's: ``names`` has those of the run as keys."""
    for own, given in names.items():
        text = text.replace(own, given)
    return text


def is_ready(get: Callable[[str], Answer]) -> bool:
    """Whether the API server that ``get`` asks (see ``Probe.repeatedly``) says so itself."""
    try:
        return get("/readyz").status == 200
    except ClusterError:
        return False


def ask(cluster: Cluster, path: str) -> bytes | None:
    """GET ``path`` as the admin, the server's certificate verified; None where the answer is not a 200."""
    try:
        answer = cluster.probe().request("GET", path)
    except ClusterError:
        return None
    return answer.body if answer.status == 200 else None
