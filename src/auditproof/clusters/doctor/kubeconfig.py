"""What a kubeconfig gives access to. In a process of its own, because credential programs and name servers may hang.

``python -m auditproof.clusters.doctor.kubeconfig FILE CONTEXT`` prints the findings as JSON.
"""

from __future__ import annotations

import json
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from shlex import join
from typing import TYPE_CHECKING

from auditproof.clusters.doctor.finding import Finding, State, ask
from auditproof.clusters.existing.kubeconfig import DEFAULT, find_kubeconfig, load_kubeconfig, require_client
from auditproof.clusters.existing.preflight import METRICS, NEEDED, Right, missing_rights, who_am_i
from auditproof.errors import AuditproofError
from auditproof.text import output

if TYPE_CHECKING:
    from collections.abc import Iterator

LIMIT_S = 15.0
NAME = "kubeconfig"
CLIENT = 'pip install "auditproof[existing]"'
LOGS = (
    Right("get", "nodes/proxy", why="to read a log through a node (--log node:NODE/PATH)"),
    Right("get", path="/logs/", why="to read a log through the API server (--log api:/logs/PATH)"),
)


def kubeconfig(file: str, context: str, limit_s: float = LIMIT_S) -> list[Finding]:
    """What a kubeconfig gives access to, within ``limit_s`` seconds."""
    reply = ask([sys.executable, "-P", "-m", __name__, file, context], limit_s)
    try:
        return [Finding(**{**one, "state": State(one["state"])}) for one in json.loads(reply.output)]
    except ValueError:
        text = f"{file}: the server, the name server or the credential program {reply.failure or 'gives no answer'}"
        return [Finding(NAME, State.MISSING, text, f"{_kubectl(file, context)} version")]


def examined(file: str, context: str) -> Iterator[Finding]:
    """The findings; one that makes the others impossible is the last one."""
    kubectl = _kubectl(file, context)
    try:
        require_client()
    except AuditproofError as error:
        yield Finding(NAME, State.MISSING, str(error), CLIENT)
        return
    try:
        with tempfile.TemporaryDirectory() as folder:
            probe = load_kubeconfig(find_kubeconfig(file), context, Path(folder))
            answer = probe.request("GET", "/version")
            version = str(answer.json().get("gitVersion", ""))
            if answer.status != 200 or not version:
                text = f"{probe.url}: GET /version was answered {answer.status}: {answer.message}"
                yield Finding(NAME, State.MISSING, text, f"{kubectl} version")
                return
            missing = missing_rights(probe, [*NEEDED, METRICS, *LOGS])
            user = who_am_i(probe) or "a user that it does not name"
            yield Finding(NAME, State.OK, f"{probe.url}, Kubernetes {version.removeprefix('v')}, as {user}")
    except AuditproofError as error:
        yield Finding(NAME, State.MISSING, str(error), f"{kubectl} version")
        return
    yield from _rights(missing, f"{kubectl} auth can-i")


def _rights(missing: list[Right], can_i: str) -> Iterator[Finding]:
    needed = [right for right in missing if right in NEEDED]
    if needed:
        text = f"the user may not {'; '.join(map(str, needed))}"
        yield Finding("rights", State.MISSING, text, f"{can_i} {_asked(needed[0])}")
    else:
        yield Finding("rights", State.OK, "all that a run needs")
    if METRICS in missing:
        text = "the user may not get /metrics: without it, that an event is absent is UNPROVEN"
        yield Finding("metrics", State.OPTIONAL, text, f"{can_i} {_asked(METRICS)}")
    else:
        yield Finding("metrics", State.OK, "the user may get /metrics")
    readable = [right for right in LOGS if right not in missing]
    if readable:
        yield Finding("audit log", State.OK, f"the user may {'; '.join(map(str, readable))}")
    else:
        text = "the user may read no log through the API server: use --log FILE, command:COMMAND or webhook:FOLDER"
        yield Finding("audit log", State.OPTIONAL, text, f"{can_i} {_asked(LOGS[0])}")


def _asked(right: Right) -> str:
    """A right as ``kubectl auth can-i`` asks for it."""
    resource, _, subresource = right.resource.partition("/")
    full = ".".join(filter(None, (resource, right.group)))
    return " ".join([right.verb, right.path or full, *([f"--subresource={subresource}"] if subresource else [])])


def _kubectl(file: str, context: str) -> str:
    named = [] if file == DEFAULT else ["--kubeconfig", file]
    return join(["kubectl", *named, *(["--context", context] if context else [])])


if __name__ == "__main__":
    output.write(json.dumps([asdict(one) for one in examined(*sys.argv[1:3])]))
