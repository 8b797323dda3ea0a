"""The programs that a run starts, or that build them: servers, Go, container engine, kind."""

from __future__ import annotations

import os
import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING

from auditproof.clusters.binaries.build import go_numbers, needed_go, source_of
from auditproof.clusters.binaries.find import cached_binaries, given_assets, given_binaries
from auditproof.clusters.binaries.store import cache_folder, read_note
from auditproof.clusters.doctor.finding import Finding, Reply, State, ask
from auditproof.clusters.kind.binary import cached_kind
from auditproof.clusters.kind.engine import CHOICE, ENGINES
from auditproof.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.clusters.binaries.find import Binaries

SERVER_LIMIT_S = 10.0  # they are large, and a busy machine has to read them first
GO = "https://go.dev/dl/"
_STARTED_BY = {"docker": "sudo systemctl start docker", "nerdctl": "sudo systemctl start containerd"}


def binaries(version: str) -> Finding:
    """Etcd and kube-apiserver of a Kubernetes version, and whether they run here."""
    name = f"kubernetes {version}"
    if assets := given_assets():
        try:
            found = given_binaries(assets, version, SERVER_LIMIT_S)
        except ClusterError as error:
            return Finding(name, State.MISSING, f"KUBEBUILDER_ASSETS: {error}", "unset KUBEBUILDER_ASSETS")
        return _running(name, found, "of KUBEBUILDER_ASSETS", "unset KUBEBUILDER_ASSETS")
    cached = cached_binaries(version)
    if cached is None:
        text = f"etcd and kube-apiserver are not in {cache_folder() / 'k8s'}"
        return Finding(name, State.MISSING, text, f"auditproof fetch --kubernetes {version}")
    folder = cached.etcd.parent
    ours = folder.is_relative_to(cache_folder())
    note = read_note(folder)
    where = f"{note.how} by auditproof" if note else "in the cache" if ours else "of setup-envtest"
    return _running(name, cached, where, f"rm -r {quote(str(folder))} && auditproof fetch --kubernetes {version}")


def _running(name: str, found: Binaries, where: str, command: str) -> Finding:
    for program in (found.etcd, found.kube_apiserver):
        if failure := ask([str(program), "--version"], SERVER_LIMIT_S).failure:
            return Finding(name, State.MISSING, f"{program} {_does_not_run(failure)}", command)
    return Finding(name, State.OK, f"{found.version}, {where}: {found.etcd.parent}")


def _does_not_run(failure: str) -> str:
    return failure if failure.startswith(("cannot", "does")) else f"does not run: {failure}"


def go(versions: Sequence[str]) -> Finding:
    """Whether Go is here, and new enough to build these versions."""
    sources = [source for source in map(source_of, versions) if source.is_dir()]
    needed = max(map(needed_go, sources), key=go_numbers, default="")
    to_build = f"only to build binaries that cannot be downloaded, which needs Go {needed or 'and a module'} or newer"
    program = shutil.which("go")
    if program is None:
        return Finding("go", State.OPTIONAL, f"not on the PATH ({to_build})", GO)
    # A version that go would have to download is none that is here.
    reply = ask([program, "env", "GOVERSION"], variables={"GOTOOLCHAIN": "local"})
    has = reply.output.strip().removeprefix("go")
    if reply.failure:
        return Finding("go", State.OPTIONAL, f"{program}: {reply.failure} ({to_build})", GO)
    if needed and go_numbers(has) < go_numbers(needed):
        return Finding("go", State.OPTIONAL, f"{program} is {has} ({to_build})", GO)
    return Finding("go", State.OK, f"{has}: {program}")


def engine() -> Finding:
    """The container engine that kind would use; whether it answers."""
    chosen = os.environ.get(CHOICE, "")
    names = [chosen] if chosen else [name for name in ENGINES if shutil.which(name)]
    install = "install Docker, Podman or nerdctl"
    if not names:
        return Finding("containers", State.OPTIONAL, f"none of {', '.join(ENGINES)} (only for --cluster kind)", install)
    with ThreadPoolExecutor(len(names)) as pool:
        replies = dict(zip(names, pool.map(_asked, names), strict=True))
    for name, reply in replies.items():
        if not reply.failure:
            return Finding("containers", State.OK, f"{name} answers: {shutil.which(name)}")
    failures = [f"{name} {reply.failure}" for name, reply in replies.items()]
    started = _STARTED_BY.get(names[0], install) if shutil.which(names[0]) else f"unset {CHOICE}"
    return Finding("containers", State.OPTIONAL, f"{'; '.join(failures)} (only for --cluster kind)", started)


def _asked(name: str) -> Reply:
    program = shutil.which(name)
    return ask([program, "ps", "--quiet"]) if program else Reply("", "is not on the PATH")


def kind() -> Finding:
    """The program kind, in the order in which a run looks for it."""
    given = os.environ.get("KIND", "")
    found = shutil.which(given) if given else shutil.which("kind")
    if given and found is None:
        return Finding("kind", State.OPTIONAL, f"KIND={given} is no program (only for --cluster kind)", "unset KIND")
    program = Path(found) if found else cached_kind()
    if not program.is_file():
        return Finding("kind", State.OPTIONAL, "not here (only for --cluster kind)", "auditproof fetch --kind")
    reply = ask([str(program), "version", "--quiet"])
    if reply.failure:
        text = f"{program} {_does_not_run(reply.failure)} (only for --cluster kind)"
        return Finding("kind", State.OPTIONAL, text, "auditproof fetch --kind")
    return Finding("kind", State.OK, f"{reply.output.strip()}: {program}")
