"""Servers find default objects in etcd that another server created: the same as they would create themselves."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from auditproof.audit.server_flags import ServerFlags
from auditproof.clusters.binaries.find import find_binaries
from auditproof.clusters.binaries.store import Note, write_note
from auditproof.clusters.bootstrap_data import file_in_cache
from auditproof.clusters.embedded import EmbeddedProvider
from auditproof.clusters.profile import load_profile
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.wait import wait_until
from tests.live.conftest import EVERYTHING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from auditproof.clusters.cluster import Cluster

AUTHENTICATION = "/api/v1/namespaces/kube-system/configmaps kube-system/extension-apiserver-authentication"

KINDS = [
    "/api/v1/namespaces",
    "/api/v1/services",
    "/api/v1/namespaces/kube-system/configmaps",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/rbac.authorization.k8s.io/v1/roles",
    "/apis/rbac.authorization.k8s.io/v1/rolebindings",
    "/apis/scheduling.k8s.io/v1/priorityclasses",
    "/apis/flowcontrol.apiserver.k8s.io/v1/flowschemas",
    "/apis/flowcontrol.apiserver.k8s.io/v1/prioritylevelconfigurations",
    "/apis/apiregistration.k8s.io/v1/apiservices",
    "/apis/networking.k8s.io/v1/servicecidrs",
]


def objects(cluster: Cluster) -> dict[str, object]:
    """Every default object by its kind and name, without when and as what it was stored, and without the server's port.

    The service ``kubernetes`` names that port: it must be the server's own.
    """
    admin = cluster.probe()
    service = "/api/v1/namespaces/default/services/kubernetes"  # created after the server is ready
    wait_until(lambda: admin.request("GET", service).status == 200 or None, what=service, timeout_s=30)
    found: dict[str, object] = {}
    for kind in KINDS:
        for item in admin.request("GET", kind).json()["items"]:
            meta = item["metadata"]
            name = f"{kind} {meta.get('namespace', '')}/{meta['name']}"
            content = json.dumps({key: value for key, value in item.items() if key not in ("metadata", "status")})
            found[name] = content.replace(f'"targetPort": {cluster.url.rpartition(":")[2]}', '"targetPort": "its own"')
    return found


def test_a_copied_start_leads_to_the_objects_of_a_fresh_one(
    embedded: EmbeddedProvider, write_policy: Callable[[str], Path]
) -> None:
    """A server with flags of its own creates everything itself: that is what a copy is compared with."""
    first = embedded.cluster(write_policy(f"{EVERYTHING}# first\n"))
    copied = embedded.cluster(write_policy(f"{EVERYTHING}# copied\n"))
    fresh = embedded.cluster(write_policy(f"{EVERYTHING}# fresh\n"), ServerFlags.of({}, {"profiling": "false"}))

    assert objects(copied) == objects(fresh) == objects(first)
    assert created(copied) < created(fresh) / 10, "the copied objects were created again"


def created(cluster: Cluster) -> int:
    """How many objects the server has created by itself: its own requests, in its audit log."""
    own = (line for line in cluster.log.read_text().splitlines() if '"username":"system:apiserver"' in line)
    return sum(1 for line in own if '"verb":"create"' in line and '"stage":"ResponseComplete"' in line)


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the cache in which no run has left anything yet."""
    folder, found = tmp_path_factory.mktemp("programs"), find_binaries("1.37", None, print)
    for program in (found.kube_apiserver, found.etcd):
        (folder / program.name).symlink_to(program)
    write_note(folder, Note("built", 1.0))
    return folder


@contextmanager
def a_run(programs: Path, policy: Path) -> Iterator[Cluster]:
    """A run with one server."""
    run = RunDirectory.create()
    try:
        profile = load_profile("embedded")
        yield EmbeddedProvider(profile, run, kubernetes="1.37", assets=programs, report=print).cluster(policy)
    finally:
        run.close()


@pytest.fixture(scope="module")
def first(programs: Path, write_policy: Callable[[str], Path]) -> tuple[int, dict[str, object]]:
    """How many objects the first run on this machine created, and which."""
    with a_run(programs, write_policy(EVERYTHING)) as cluster:
        return created(cluster), objects(cluster)


def test_a_run_starts_with_the_objects_of_an_earlier_one_but_for_its_own_certificate(
    first: tuple[int, dict[str, object]], programs: Path, write_policy: Callable[[str], Path]
) -> None:
    created_first, of_first = first[0], dict(first[1])
    with a_run(programs, write_policy(EVERYTHING)) as cluster:
        created_later, of_later = created(cluster), objects(cluster)
        authority = json.dumps(cluster.ca.read_text())

    assert created_later < created_first / 10, "the kept objects were created again"
    assert authority in str(of_later.pop(AUTHENTICATION))
    assert authority not in str(of_first.pop(AUTHENTICATION))
    assert of_later == of_first


def test_kept_objects_that_were_changed_are_refused_and_kept_again(
    first: tuple[int, dict[str, object]], programs: Path, write_policy: Callable[[str], Path]
) -> None:
    (kept,) = programs.glob("bootstrap-*")
    forged = kept.read_bytes().replace(b"cluster-admin", b"cluster-admim")
    kept.write_bytes(forged)

    with a_run(programs, write_policy(EVERYTHING)) as cluster:
        assert created(cluster) > first[0] * 0.9, "it started with the forged objects"

    assert kept.read_bytes() != forged


def test_objects_are_kept_for_one_program_and_its_flags_and_only_in_the_cache(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = programs / "kube-apiserver"
    (tmp_path / server.name).symlink_to(server)
    kept = file_in_cache(server, {})

    assert kept == file_in_cache(server, {})
    assert kept != file_in_cache(server, {"runtime-config": "api/all=true"})
    monkeypatch.setenv("KUBE_FEATURE_AnyVolumeDataSource", "false")
    assert kept != file_in_cache(server, {})
    monkeypatch.undo()
    assert file_in_cache(tmp_path / "kube-apiserver", {}) is None, "it is not in the cache"
