"""Where the servers' binaries come from: a given folder, the cache, an index of releases, a build.

The index is a real HTTP server on loopback; what it serves are small scripts in the place of etcd and kube-apiserver,
because only finding and keeping them is tested here. Nothing else is fetched: going on to a build is a test failure.
"""

from __future__ import annotations

import os
import random
import re
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest

from auditproof.clusters.binaries import build as building
from auditproof.clusters.binaries.find import find_binaries
from auditproof.clusters.binaries.store import NOTE, target
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.clusters.stand_ins.small_disk import CannotMount, mount_disk
from auditproof.content import root
from auditproof.errors import BinaryNotFound, ClusterError
from auditproof.kube.discovery import minors
from tests.support.mirror import SERVERS, Mirror, install, packed

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    folder = tmp_path / "mirror"
    folder.mkdir()
    mirror = Mirror(folder)
    threading.Thread(target=mirror.server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AUDITPROOF_ENVTEST_INDEX", mirror.url)
    yield mirror
    mirror.server.shutdown()
    mirror.server.server_close()


@pytest.fixture(autouse=True)
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache, empty; without a build and without folders of the user's own."""

    def build(wanted: str, folder: Path, report: Callable[[str], None]) -> str:
        raise BinaryNotFound("it cannot be built in this test")

    monkeypatch.setattr(building, "build", build)
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("AUDITPROOF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AUDITPROOF_ENVTEST_INDEX", "http://127.0.0.1:9/nobody-listens.yaml")
    return tmp_path / "cache" / "k8s"


def left_in(store: Path) -> list[str]:
    return sorted(path.name for path in store.iterdir() if not path.name.endswith(".lock"))


def quietly(_: str) -> None:
    pass


def test_a_given_folder_goes_before_everything(tmp_path: Path, store: Path) -> None:
    """The given folder has an older patch than the cache, and still wins."""
    install(store / f"1.37.5-{target()}")
    given = install(tmp_path / "given", "1.37.1")

    assert find_binaries("1.37", given, quietly).version == "1.37.1"
    assert find_binaries("1.37", None, quietly).version == "1.37.5"


def test_the_variable_of_envtest_names_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KUBEBUILDER_ASSETS, as other envtest users have it set, counts as a given folder."""
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(install(tmp_path / "assets")))
    assert find_binaries("1.37.9", None, quietly).kube_apiserver == tmp_path / "assets" / "kube-apiserver"


@pytest.mark.parametrize(
    ("version", "names", "says"),
    [
        ("1.36.4", tuple(SERVERS), r"is Kubernetes 1\.36\.4, expected 1\.37: .*--kubernetes"),
        ("1.37.9", ("etcd",), "holds no executable kube-apiserver: expected both"),
        ("1.37.9", (), "holds no executable etcd and no executable kube-apiserver"),
    ],
)
def test_a_given_folder_that_cannot_be_used_is_told(
    tmp_path: Path, version: str, names: tuple[str, ...], says: str
) -> None:
    given = install(tmp_path / "given", version, names)
    with pytest.raises(ClusterError, match=says):
        find_binaries("1.37", given, quietly)


def test_the_newest_patch_in_the_cache_is_taken_and_half_a_folder_is_not(store: Path, tmp_path: Path) -> None:
    """10 is newer than 9 (numbers, not texts), and a folder without an API server is incomplete."""
    install(store / f"1.37.9-{target()}")
    install(store / f"1.37.10-{target()}")
    install(store / f"1.37.11-{target()}", names=("etcd",))
    install(store / f"1.38.0-{target()}")
    assert find_binaries("1.37", None, quietly).version == "1.37.10"
    assert find_binaries("1.37.9", None, quietly).version == "1.37.9"


def test_the_store_of_setup_envtest_is_used(tmp_path: Path) -> None:
    """What setup-envtest has downloaded is not downloaded again."""
    install(tmp_path / "data" / "kubebuilder-envtest" / "k8s" / f"1.36.2-{target()}")
    assert find_binaries("1.36", None, quietly).version == "1.36.2"


def test_a_release_is_downloaded_once_and_kept(mirror: Mirror, store: Path) -> None:
    """Of several patches the newest is taken, and nothing but the two servers stays in the cache."""
    mirror.add("1.37.3", packed(SERVERS))
    mirror.add("1.37.9", packed(SERVERS))
    mirror.add("1.38.0", packed(SERVERS))
    told: list[str] = []

    first = find_binaries("1.37", None, told.append)
    again = find_binaries("1.37", None, told.append)

    assert first == again
    assert first.version == "1.37.9"
    assert mirror.downloads == 1
    assert left_in(store) == [f"1.37.9-{target()}"]
    assert sorted(path.name for path in first.etcd.parent.iterdir()) == ["etcd", "kube-apiserver", NOTE]
    assert any("downloading Kubernetes 1.37.9" in line for line in told)


def test_two_runs_at_once_download_once(mirror: Mirror) -> None:
    """The lock makes later runs wait for the first one, and they find its result."""
    mirror.add("1.37.9", packed(SERVERS))
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: find_binaries("1.37", None, quietly), range(4)))
    assert len(set(found)) == 1
    assert mirror.downloads == 1


def test_an_archive_with_another_checksum_is_not_used_and_nothing_of_it_stays(mirror: Mirror, store: Path) -> None:
    """A mirror that serves something else must not get its binary run."""
    mirror.add("1.37.9", packed(SERVERS), digest="00")
    with pytest.raises(ClusterError, match=r"the index says 00: it is not used"):
        find_binaries("1.37", None, quietly)
    assert left_in(store) == []


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (packed({"etcd": "x"}), "holds no kube-apiserver"),
        (b"this is no archive", "cannot be unpacked"),
        (packed(SERVERS)[:120], "cannot be unpacked"),
    ],
    ids=["incomplete", "no-archive", "cut"],
)
def test_an_archive_that_is_of_no_use_is_told_and_nothing_of_it_stays(
    mirror: Mirror, store: Path, content: bytes, says: str
) -> None:
    mirror.add("1.37.9", content)
    with pytest.raises(BinaryNotFound, match=says):
        find_binaries("1.37", None, quietly)
    assert left_in(store) == []


def test_everything_that_was_tried_is_told(store: Path) -> None:
    """Each place is in the message with its own reason, so that a user can fix any of them."""
    with pytest.raises(BinaryNotFound) as error:
        find_binaries("1.37", None, quietly)
    lines = str(error.value).splitlines()
    assert lines[0] == "etcd and kube-apiserver of Kubernetes 1.37 are not available:"
    assert "nothing in" in lines[1]
    assert "the index of envtest releases cannot be reached (http://127.0.0.1:9/" in lines[2]
    assert "it cannot be built in this test" in lines[3]


def test_what_an_interrupted_run_has_left_is_cleared_away(mirror: Mirror, store: Path) -> None:
    """Half a download is never taken for a release."""
    mirror.add("1.37.9", packed(SERVERS))
    half = store / f".making-1.37-{target()}"
    half.mkdir(parents=True)
    (half / "archive.tar.gz").write_text("half")
    assert find_binaries("1.37", None, quietly).version == "1.37.9"
    assert left_in(store) == [f"1.37.9-{target()}"]


@pytest.mark.parametrize("text", ["- a\n", "releases: 3\n", "{", ""])
def test_an_index_that_is_none_is_told(mirror: Mirror, text: str) -> None:
    (mirror.folder / "index.yaml").write_text(text)
    with pytest.raises(BinaryNotFound, match=r"the index of envtest releases (is not YAML|has no releases)"):
        find_binaries("1.37", None, quietly)


@pytest.mark.parametrize("version", ["latest", "1", "2.0", "1.37.x"])
def test_what_is_no_version_is_told(version: str) -> None:
    with pytest.raises(ClusterError, match="is no Kubernetes version"):
        find_binaries(version, None, quietly)


class TestBuilding:
    """The build, with the real Go where it is there."""

    @pytest.fixture(autouse=True)
    def real(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.undo()

    def test_a_version_without_modules_is_told_with_those_that_have_some(self, tmp_path: Path) -> None:
        with pytest.raises(BinaryNotFound, match=r"has Go modules for 1\.34, 1\.35, 1\.36, 1\.37 only"):
            building.build("1.20", tmp_path, quietly)

    def test_another_patch_than_the_modules_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(BinaryNotFound, match=r"is for Kubernetes 1\.37\.\d+"):
            building.build("1.37.99", tmp_path, quietly)

    def test_a_machine_without_go_is_told(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("PATH", str(tmp_path))
        with pytest.raises(BinaryNotFound, match="there is no go on the PATH"):
            building.build("1.37", tmp_path, quietly)

    @pytest.mark.parametrize(
        ("says", "message"),
        [
            (
                "echo go1.25.9",
                r"Kubernetes 1.38.0 needs Go 1.27.0 or newer, or a folder with --assets; \S+/go is 1.25.9",
            ),
            (
                "echo 'go: download go1.27.0: no route' >&2; exit 1",
                "--assets; .*/go says: go: download go1.27.0: no route",
            ),
        ],
    )
    def test_a_go_that_is_too_old_is_said_before_the_build_begins(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, message: str
    ) -> None:
        """Which Go is needed is what the modules of the version name, the newer one of both."""
        source = tmp_path / "clusters" / "embedded" / "1.38"
        for name, line in (("etcd", "1.26"), ("kube-apiserver", "1.27.0")):
            (source / name).mkdir(parents=True)
            (source / name / "go.mod").write_text(f"module x\n\ngo {line}\n\nrequire k8s.io/kubernetes v1.38.0\n")
        program = tmp_path / "bin" / "go"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\n{says}\n")
        program.chmod(0o755)
        monkeypatch.setenv("PATH", str(program.parent), prepend=os.pathsep)
        monkeypatch.setattr("auditproof.content.root", lambda: tmp_path)

        with pytest.raises(BinaryNotFound, match=message):
            building.build("1.38", tmp_path, quietly)

    @pytest.mark.parametrize("minor", minors())
    def test_the_go_that_a_version_needs_is_read_from_its_modules(self, minor: str) -> None:
        assert re.fullmatch(r"1\.\d+(\.\d+)?", building.needed_go(root() / "clusters" / "embedded" / minor))

    @pytest.mark.skipif(shutil.which("go") is None, reason="there is no go on the PATH")
    def test_a_build_that_fails_shows_the_compilers_words(self, tmp_path: Path) -> None:
        """The last lines of go's output are in the error, and no output file is left."""
        source = tmp_path / "source"
        source.mkdir()
        (source / "go.mod").write_text("module example.test/broken\n\ngo 1.21\n")
        (source / "go.sum").write_text("")
        go = str(shutil.which("go"))
        with pytest.raises(ClusterError, match=r"(?s)go build .*\nfailed with exit code 1:\n.*example\.test/broken"):
            building._go_build(go, source, "", "example.test/broken", tmp_path / "out", quietly)
        assert not (tmp_path / "out").exists()


def test_a_cache_on_a_full_disk_is_told_at_once(mirror: Mirror, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk is for the user to fix: a build would need even more space."""
    run = RunDirectory.create()
    try:
        disk = mount_disk(run, "cache", "1m")
        monkeypatch.setenv("AUDITPROOF_CACHE", str(disk))
        mirror.add("1.37.9", random.Random(0).randbytes(2 << 20))

        with pytest.raises(
            ClusterError, match=rf"cannot be put into the cache: no space left on the disk of {disk} "
        ) as e:
            find_binaries("1.37", None, quietly)

        assert "AUDITPROOF_CACHE" in str(e.value)
        assert left_in(disk / "k8s") == []
    except CannotMount as error:
        pytest.skip(str(error))
    finally:
        run.close()


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("AUDITPROOF_CACHE", str(tmp_path / "file" / "cache"))

    with pytest.raises(
        ClusterError, match=r"cannot be put into the cache: .*Not a directory \(set AUDITPROOF_CACHE to"
    ):
        find_binaries("1.37", None, quietly)
