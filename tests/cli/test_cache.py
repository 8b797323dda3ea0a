"""``auditproof fetch`` and ``auditproof cache``, with a mirror on loopback in the place of the envtest releases."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from auditproof.attestation import keep
from auditproof.cli.main import main
from auditproof.clusters.binaries.store import NOTE, target
from auditproof.clusters.kind.binary import VERSION
from auditproof.content import root
from tests.attestation.test_attestation import attestation, subject
from tests.support.mirror import SERVERS, Mirror, install, packed

if TYPE_CHECKING:
    from collections.abc import Iterator

FETCH = [sys.executable, "-m", "auditproof", "fetch"]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache, empty, on a machine without Go, kind and folders of setup-envtest."""
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("AUDITPROOF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AUDITPROOF_KIND_RELEASES", "http://127.0.0.1:9/nobody-listens")
    for name in ("KUBEBUILDER_ASSETS", "KIND"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "cache"


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    (tmp_path / "mirror").mkdir()
    mirror = Mirror(tmp_path / "mirror")
    threading.Thread(target=mirror.server.serve_forever, daemon=True).start()
    monkeypatch.setenv("AUDITPROOF_ENVTEST_INDEX", mirror.url)
    mirror.add("1.36.4", packed(SERVERS))
    mirror.add("1.37.9", packed(SERVERS))
    yield mirror
    mirror.server.shutdown()
    mirror.server.server_close()


def test_attestations_are_listed_and_removed(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUDITPROOF_STATE", str(tmp_path / "state"))
    for version in ("1.36.4", "1.37.9"):
        keep(attestation(subject(kubernetes=version)))
    foreign = cache / "attestations" / "foreign.attestation"
    foreign.write_text("made elsewhere")

    assert main(["cache"]) == 0
    told = capsys.readouterr().out
    assert re.search(r"attestation 1\.37\.9 +2  2026-11-27  cases proven +/", told)
    assert f"refused attestation  {foreign}: it was changed, or made by another user" in told
    assert main(["cache", "--format", "json", "--kubernetes", "1.37"]) == 0
    (record,) = json.loads(capsys.readouterr().out)["attestations"]
    assert (record["version"], record["proven"], record["notSupported"]) == ("v1.37.2", 2, 1)

    assert main(["cache", "clear", "--kubernetes", "1.36", "--dry-run"]) == 0
    assert "would be removed" in capsys.readouterr().out
    assert main(["cache", "clear", "--kubernetes", "1.36"]) == 0
    assert len(list(foreign.parent.glob("*.attestation"))) == 2
    assert main(["cache", "clear"]) == 0
    assert list(foreign.parent.glob("*.attestation")) == []


def folder(cache: Path, version: str) -> Path:
    return cache / "k8s" / f"{version}-{target()}"


def test_what_is_fetched_is_told_with_its_place_and_how_it_came(
    mirror: Mirror, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", "--kubernetes", "1.36..1.37"]) == 0
    first = capsys.readouterr()
    assert re.sub(r"in \d+ s", "in N s", first.out).splitlines() == [
        f"Kubernetes 1.36.4: downloaded in N s: {folder(cache, '1.36.4')} (46 B)",
        f"Kubernetes 1.37.9: downloaded in N s: {folder(cache, '1.37.9')} (46 B)",
    ]
    assert "downloading Kubernetes 1.37.9 from http://127.0.0.1" in first.err

    assert main(["fetch", "--kubernetes", "1.37"]) == 0
    again = capsys.readouterr()
    assert (again.out, again.err) == (f"Kubernetes 1.37.9: was there: {folder(cache, '1.37.9')} (46 B)\n", "")
    assert mirror.downloads == 2


def test_what_can_be_fetched_is_even_if_something_cannot(
    mirror: Mirror, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["fetch", "--kubernetes", "1.35,1.37", "--kind"]) == 4
    said = capsys.readouterr()
    assert said.out.startswith("Kubernetes 1.37.9: downloaded")
    assert "etcd and kube-apiserver of Kubernetes 1.35 are not available:" in said.err
    assert "kind is not available:" in said.err
    assert "there is no go on the PATH" in said.err


def test_a_given_folder_is_named_because_runs_use_that(
    mirror: Mirror, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(install(tmp_path / "assets")))
    assert main(["fetch"]) == 0
    assert f"runs use {tmp_path / 'assets'}, not the cache" in capsys.readouterr().err
    assert mirror.downloads == 1


def test_two_at_once_fetch_once_and_one_waits_for_the_other(mirror: Mirror) -> None:
    """The first download is held up until the second process says that it waits."""
    waits = threading.Event()
    mirror.before_archive = lambda: waits.wait(30)
    with subprocess.Popen(FETCH, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as first:
        assert first.stderr is not None and first.stdout is not None
        while "downloading" not in first.stderr.readline():
            assert first.poll() is None
        with subprocess.Popen(FETCH, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as second:
            assert second.stderr is not None and second.stdout is not None
            told = [second.stderr.readline(), second.stderr.readline()]
            waits.set()
            answers = [first.stdout.read(), second.stdout.read()]
    assert told[1] == "auditproof: another process is fetching Kubernetes 1.37: waiting for it\n"
    assert (first.returncode, second.returncode, mirror.downloads) == (0, 0, 1)
    assert "downloaded in" in answers[0] and "was there" in answers[1]


def test_an_interruption_leaves_nothing_half_done(mirror: Mirror, cache: Path) -> None:
    held = threading.Event()
    mirror.before_archive = lambda: held.wait(30)
    listening = lambda: signal.signal(signal.SIGINT, signal.default_int_handler)  # noqa: E731 - also in the background
    with subprocess.Popen(FETCH, stderr=subprocess.PIPE, text=True, preexec_fn=listening) as process:
        assert process.stderr is not None
        while "downloading" not in process.stderr.readline():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    held.set()
    assert (process.returncode, rest) == (2, "")
    assert [path.name for path in (cache / "k8s").iterdir()] == [f".1.37-{target()}.lock"]


def test_the_list_has_size_date_origin_and_digests(
    mirror: Mirror, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["cache"]) == 0
    assert capsys.readouterr().out == f"cache: {cache}\nit is empty: auditproof fetch fills it\n"
    main(["fetch"])
    install(folder(cache, "1.36.2"), "1.36.2")
    capsys.readouterr()

    assert main(["cache", "list", "--sha256"]) == 0
    text = capsys.readouterr().out
    assert re.search(r"^Kubernetes 1\.36\.2 +46 B  \d{4}-\d\d-\d\d  origin unknown ", text, re.MULTILINE)
    assert re.search(r"^Kubernetes 1\.37\.9 +46 B  \d{4}-\d\d-\d\d  downloaded in 0 s ", text, re.MULTILINE)
    digest = hashlib.sha256(SERVERS["etcd"].encode()).hexdigest()
    assert text.count(f"  {digest}  etcd\n") == 2

    assert main(["cache", "--format", "json", "--kubernetes", "1.37", "--sha256"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["folder"] == str(cache)
    [one] = data["kept"]
    assert (one["version"], one["how"], one["sha256"]["etcd"]) == ("1.37.9", "downloaded", digest)
    assert one["bytes"] == sum(map(len, SERVERS.values()))


def test_clear_removes_what_auditproof_has_put_there_and_nothing_else(mirror: Mirror, cache: Path) -> None:
    """Also what a killed download has left, and not kind clusters that were kept."""
    main_in_a_process("fetch", "--kubernetes", "1.36,1.37")
    others = install(folder(cache, "1.36.2"), "1.36.2")
    (cache / "k8s" / "my-notes").mkdir()
    (cache / "kind-clusters" / "abc").mkdir(parents=True)
    (cache / "k8s" / f".making-1.35-{target()}").mkdir()
    before = sorted(cache.rglob("*"))

    assert main_in_a_process("cache", "clear", "--dry-run")[0] == 0
    assert sorted(cache.rglob("*")) == before

    code, said = main_in_a_process("cache", "clear", "--kubernetes", "1.37")
    assert (code, said[0]) == (0, f"{folder(cache, '1.37.9')} removed")
    assert folder(cache, "1.36.4").is_dir() and not folder(cache, "1.37.9").exists()

    code, said = main_in_a_process("cache", "clear")
    assert code == 0
    assert f"{others} stays: nothing says that auditproof has put it there" in said[0]
    left = {str(path.relative_to(cache)) for path in cache.rglob("*") if path.suffix != ".lock"}
    kept = {f"k8s/{others.name}", *(f"k8s/{others.name}/{name}" for name in SERVERS)}
    assert left == {"k8s", "k8s/my-notes", "kind-clusters", "kind-clusters/abc", *kept}


def main_in_a_process(*arguments: str) -> tuple[int, list[str]]:
    """A command in a process of its own: this one uses what it has fetched until it ends."""
    command = [sys.executable, "-m", "auditproof", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.returncode, (done.stdout + done.stderr).splitlines()


def test_clear_refuses_while_a_run_uses_what_would_be_removed(mirror: Mirror, cache: Path) -> None:
    """A process uses binaries until it ends, however it ends."""
    program = "import sys; from auditproof.clusters.binaries.find import find_binaries; "
    program += "find_binaries('1.37', None, print); print('found', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as run:
        assert run.stdout is not None
        while run.stdout.readline() != "found\n":
            assert run.poll() is None
        place = folder(cache, "1.37.9")
        code, said = main_in_a_process("cache", "clear")
        assert (code, said) == (4, [f"a run uses {place}: nothing was removed; try again when it has ended"])
        assert (place / "etcd").is_file()
        run.kill()
    assert main_in_a_process("cache", "clear")[0] == 0
    assert not place.exists()


def test_clear_refuses_while_the_cache_is_being_filled(mirror: Mirror, cache: Path) -> None:
    held = threading.Event()
    mirror.before_archive = lambda: held.wait(30)
    with subprocess.Popen(FETCH, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        assert process.stderr is not None
        while "downloading" not in process.stderr.readline():
            assert process.poll() is None
        code, said = main_in_a_process("cache", "clear")
        held.set()
    assert (code, process.returncode) == (4, 0)
    assert said == [f"another process is filling {cache / 'k8s'} now: nothing was removed; wait for it"]
    assert (folder(cache, "1.37.9") / NOTE).is_file()


def test_a_cache_that_cannot_be_read_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("AUDITPROOF_CACHE", str(tmp_path / "file"))
    assert main(["cache"]) == 4
    assert capsys.readouterr().err == f"{tmp_path / 'file' / 'k8s'}: the cache cannot be read: Not a directory\n"


def key(capsys: pytest.CaptureFixture[str], *options: str) -> str:
    assert main(["cache", "key", *options]) == 0
    [line] = capsys.readouterr().out.splitlines()
    return line


def test_the_key_changes_with_versions_and_recipe_and_with_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    first = key(capsys)
    assert re.fullmatch(rf"auditproof-{target()}-1\.37\.\d+-[0-9a-f]{{12}}", first)
    assert key(capsys) == first == key(capsys, "--kubernetes", "1.37")
    others = {key(capsys, "--kubernetes", "1.36"), key(capsys, "--kubernetes", "1.36..1.37"), key(capsys, "--kind")}
    assert len({first, *others}) == 4
    assert f"-kind-{VERSION}-" in key(capsys, "--kind")
    source = tmp_path / "clusters" / "embedded" / "1.37"
    for path in (root() / "clusters" / "embedded" / "1.37").rglob("go.*"):
        copied = source / path.relative_to(root() / "clusters" / "embedded" / "1.37")
        copied.parent.mkdir(parents=True, exist_ok=True)
        copied.write_bytes(path.read_bytes())
    monkeypatch.setattr("auditproof.content.root", lambda: tmp_path)
    assert key(capsys) == first
    with (source / "etcd" / "go.sum").open("a") as sums:
        sums.write("\n")
    assert key(capsys) != first


def test_options_of_another_action_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "key", "--sha256"]) == 4
    assert capsys.readouterr().err == "--sha256 is an option of auditproof cache list\n"


def test_the_path_is_that_of_the_variable(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache", "path"]) == 0
    assert Path(capsys.readouterr().out.strip()) == cache
