"""All findings about this machine, in the order in which they are shown."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING

from auditproof.clusters.doctor.finding import Finding, State
from auditproof.clusters.doctor.machine import machine, python
from auditproof.clusters.doctor.programs import binaries, engine, go, kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


def examine(auditproof: str, versions: Sequence[str], kubeconfig: str = "", context: str = "") -> list[Finding]:
    """What a run on these Kubernetes versions finds here; with a kubeconfig, also what that gives access to.

    ``auditproof`` is its own version.

    Nothing is started that stays, downloaded or changed. Each program has a limit of time, and all are asked at once.
    """
    asked: list[Callable[[], Finding]] = [partial(go, versions), engine, kind]
    with ThreadPoolExecutor(len(versions) + len(asked)) as pool:
        servers = [pool.submit(binaries, version) for version in versions]
        others = [pool.submit(one) for one in asked]
        found = [future.result() for future in servers]
        fetching = any(one.state is State.MISSING for one in found)
        findings = [python(auditproof), *found, *machine(fetching=fetching), *(future.result() for future in others)]
    if kubeconfig:
        # Here, because it imports the Kubernetes client.
        from auditproof.clusters.doctor.kubeconfig import kubeconfig as examine_kubeconfig

        findings += examine_kubeconfig(kubeconfig, context)
    return findings
