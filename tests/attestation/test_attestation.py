"""What an attestation is bound to, and what is refused: whatever is changed, copied or broken proves nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from auditproof.attestation import (
    Attestation,
    Counted,
    Subject,
    attestations,
    find_attestation,
    keep,
    subject_of,
)
from auditproof.attestation.store import KEPT, attestations_folder
from auditproof.clusters.binaries.find import Binaries
from auditproof.clusters.profile import Profile
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.clusters.stand_ins.small_disk import CannotMount, fill, mount_disk
from auditproof.content import root
from auditproof.errors import AuditproofError
from auditproof.seal import KeyRefused, key_file
from auditproof.seal.key import own_key
from auditproof.seal.sealed_file import LARGEST

if TYPE_CHECKING:
    from pathlib import Path

EMBEDDED = Profile("embedded", "1.37", {}, {})
MADE = datetime(2026, 11, 27, 12, tzinfo=UTC)
FIELDS = tuple(Subject.model_fields)


@pytest.fixture(autouse=True)
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache and a state folder of the test's own."""
    monkeypatch.setenv("AUDITPROOF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AUDITPROOF_STATE", str(tmp_path / "state"))
    return tmp_path


@pytest.fixture
def binaries(tmp_path: Path) -> Binaries:
    found = Binaries(tmp_path / "etcd", tmp_path / "kube-apiserver", "1.37.2")
    found.etcd.write_bytes(b"etcd")
    found.kube_apiserver.write_bytes(b"kube-apiserver")
    return found


def subject(**others: str) -> Subject:
    return Subject(**({name: name for name in FIELDS} | others))


def attestation(of: Subject | None = None, made: datetime = MADE) -> Attestation:
    return Attestation(
        made=made,
        kubernetes="v1.37.2",
        subject=of or subject(),
        proven=("suites/a.audit.yaml::one", "suites/a.audit.yaml::two"),
        not_supported=("suites/a.audit.yaml::three",),
        counting=(Counted(policy="fixtures/policies/levels.yaml", events=7, lines=7),),
    )


def file() -> Path:
    (path,) = attestations_folder().glob("*.attestation")
    return path


def test_an_attestation_is_found_as_it_was_kept() -> None:
    digest = keep(attestation())

    found = find_attestation(subject())

    assert (found.attestation, found.digest, found.why) == (attestation(), digest, "")


@pytest.mark.parametrize("name", FIELDS)
def test_it_stands_for_nothing_that_differs_in_one_field(name: str) -> None:
    keep(attestation())

    found = find_attestation(subject(**{name: "other"}))

    assert found.attestation is None
    assert found.why.startswith("since the attestation of 27 November 2026 this has changed: ")
    assert len(subject().differences(subject(**{name: "other"}))) == 1


def test_the_subject_is_the_same_until_a_byte_of_a_server_changes(binaries: Binaries) -> None:
    before = subject_of(binaries, EMBEDDED)

    assert subject_of(binaries, EMBEDDED) == before
    for path, name in ((binaries.etcd, "etcd"), (binaries.kube_apiserver, "kube-apiserver")):
        known, content = path.stat(), path.read_bytes()
        path.write_bytes(bytes([content[0] ^ 1]) + content[1:])
        os.utime(path, ns=(known.st_atime_ns, known.st_mtime_ns))  # same size, same time, same inode
        assert before.differences(subject_of(binaries, EMBEDDED)) == [name]
        path.write_bytes(content)


@pytest.mark.parametrize(
    "profile",
    [
        Profile("embedded", "1.37", {"maxsize": "1"}, {}),
        Profile("embedded", "1.37", {}, {"feature-gates": "AllAlpha=true"}),
        Profile("embedded", "1.37", {}, {}, servers=2),
    ],
)
def test_the_subject_changes_with_the_flags_of_the_servers(binaries: Binaries, profile: Profile) -> None:
    before = subject_of(binaries, EMBEDDED)

    assert before.differences(subject_of(binaries, profile)) == ["the flags of the cluster profile"]


@pytest.mark.parametrize("name", ["GODEBUG", "KUBE_FEATURE_WatchListClient", "ETCD_QUOTA_BACKEND_BYTES", "LD_PRELOAD"])
def test_the_subject_changes_with_variables_that_the_servers_read(
    binaries: Binaries, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = subject_of(binaries, EMBEDDED)
    monkeypatch.setenv(name, "other")

    assert before.differences(subject_of(binaries, EMBEDDED)) == ["the environment variables of the servers"]


def test_the_subject_changes_with_any_byte_of_auditproof_and_of_what_it_ships(tmp_path: Path) -> None:
    """In a copy of auditproof: of its code, of a suite, of a policy, of a profile, and with one more file."""
    copy = tmp_path / "copy"
    for name in ("src/auditproof", "suites", "fixtures", "clusters"):
        subprocess.run(["mkdir", "-p", copy / name], check=True)
        subprocess.run(["cp", "-r", f"{root() / name}/.", copy / name], check=True)
    subprocess.run(["cp", root() / "conftest.py", copy], check=True)
    script = (
        "import sys; from auditproof.attestation.subject import sources, _digest\n"
        "for _ in sys.stdin: print(_digest(sources()), flush=True)"
    )
    variables = {**os.environ, "PYTHONPATH": str(copy / "src")}

    with subprocess.Popen(
        [sys.executable, "-B", "-c", script],
        env=variables, text=True, bufsize=1, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as process:  # fmt: skip

        def digest() -> str:
            assert process.stdin is not None
            assert process.stdout is not None
            process.stdin.write("again\n")
            return process.stdout.readline()

        found = [digest()]
        for name in (
            "src/auditproof/proof/verdict.py",
            "src/auditproof/kube/discovery.json",
            "suites/facts.yaml",
            "fixtures/policies/levels.yaml",
            "clusters/embedded.yaml",
            "conftest.py",
        ):
            with (copy / name).open("a") as changed:
                changed.write(" ")
            found.append(digest())
        (copy / "suites" / "new.audit.yaml").write_text("")
        found.append(digest())
        last = digest()

    assert len(set(found)) == 8
    assert "" not in found
    assert last == found[-1]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data.replace(b'"not_supported":["suites/a.audit.yaml::three"]', b'"not_supported":[]'),
        lambda data: data.replace(b"2026", b"2027"),
        lambda data: data.replace(b'"etcd":"etcd"', b'"etcd":"ETCD"'),
        lambda data: data[:-1],
        lambda data: data[: len(data) // 2],
        lambda data: data.partition(b"\n")[2],
        lambda data: b"0" * 64 + data[64:],
        lambda data: b"",
        lambda data: b"\n" + data.partition(b"\n")[2],
        lambda data: data.replace(b"\n", b"\r\n"),
        lambda data: data + b" ",
        lambda data: b"[" * 2_000_000,
        lambda data: b'{"format": ' + b"9" * 100_000 + b"}",
        lambda data: b"\xff\x00" * 100,
        lambda data: b"x" * (LARGEST + 10),
    ],
)
def test_a_file_that_was_edited_or_cut_is_refused(change: object) -> None:
    keep(attestation())
    before = file().read_bytes()
    file().write_bytes(change(before))  # type: ignore[operator]
    assert file().read_bytes() != before

    found = find_attestation(subject())

    assert found.attestation is None
    assert f"{file()} is refused: it was changed, or made by another user or on another machine" in found.why


def test_a_file_from_a_place_with_another_key_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    keep(attestation())
    monkeypatch.setenv("AUDITPROOF_STATE", str(tmp_path / "elsewhere"))

    assert find_attestation(subject()).why.endswith(f"there is no {tmp_path}/elsewhere/attestation.key")
    assert not key_file().exists()  # none is made by looking

    own_key()
    assert "its seal is not that of" in find_attestation(subject()).why
    keep(attestation())  # takes its place
    assert find_attestation(subject()).attestation == attestation()


def test_a_seal_of_another_version_of_the_format_is_told_from_a_forged_one() -> None:
    import hashlib
    import hmac

    keep(attestation())
    payload = json.dumps({"format": 2}).encode()
    seal = hmac.new(own_key(), b"auditproof attestation 1\n" + payload, hashlib.sha256).hexdigest().encode()
    file().write_bytes(seal + b"\n" + payload)

    assert find_attestation(subject()).why.endswith("is refused: another version of auditproof wrote it")


def test_the_key_is_for_its_user_alone() -> None:
    keep(attestation())

    assert key_file().stat().st_mode & 0o777 == 0o600
    assert key_file().parent.stat().st_mode & 0o777 == 0o700
    assert own_key() == key_file().read_bytes()


@pytest.mark.parametrize("what", ["open to others", "short", "long", "a link", "a folder", "a pipe"])
def test_a_key_that_cannot_be_relied_on_is_refused(what: str, tmp_path: Path) -> None:
    keep(attestation())
    key = key_file()
    content = key.read_bytes()
    if what == "open to others":
        key.chmod(0o640)
    elif what in ("short", "long"):
        key.write_bytes(content[:-1] if what == "short" else content + b"x")
    else:
        key.unlink()
        (tmp_path / "real").write_bytes(content)
        (tmp_path / "real").chmod(0o600)
        make = {"a link": lambda: key.symlink_to(tmp_path / "real"), "a folder": lambda: key.mkdir(mode=0o700)}
        make.get(what, lambda: os.mkfifo(key, 0o600))()

    assert str(key) in find_attestation(subject()).why
    assert find_attestation(subject()).attestation is None
    with pytest.raises(KeyRefused):
        keep(attestation())


@pytest.mark.parametrize("kind", ["a link", "a pipe", "a folder"])
def test_what_is_no_file_in_the_place_of_an_attestation_is_refused(kind: str, tmp_path: Path) -> None:
    keep(attestation())
    path = file()
    path.rename(tmp_path / "real")
    make = {"a link": lambda: path.symlink_to(tmp_path / "real"), "a pipe": lambda: os.mkfifo(path)}
    make.get(kind, path.mkdir)()

    assert find_attestation(subject()).attestation is None
    assert [bool(one.refused) for one in attestations()] == [True]


def test_many_processes_that_keep_at_once_have_one_key_and_whole_files(tmp_path: Path) -> None:
    script = (
        "import sys; from tests.attestation.test_attestation import attestation, subject;"
        "from auditproof.attestation import keep; keep(attestation(subject(etcd=sys.argv[1])))"
    )
    commands = [[sys.executable, "-c", script, str(number % 2)] for number in range(6)]
    running = [subprocess.Popen(command, env={**os.environ, "PYTHONPATH": str(root())}) for command in commands]

    assert [one.wait() for one in running] == [0] * 6
    assert [one.refused for one in attestations()] == ["", ""]
    assert sorted(path.name for path in key_file().parent.iterdir()) == ["attestation.key"]


def test_old_attestations_make_room() -> None:
    for number in range(KEPT + 3):
        keep(attestation(subject(etcd=str(number))))

    assert len(attestations()) == KEPT


def test_a_full_disk_is_told_and_leaves_what_was_there(monkeypatch: pytest.MonkeyPatch) -> None:
    run = RunDirectory.create()
    try:
        try:
            disk = mount_disk(run, "small", "1m")
        except CannotMount as error:
            pytest.skip(str(error))
        monkeypatch.setenv("AUDITPROOF_CACHE", str(disk / "cache"))
        keep(attestation())
        fill(disk)
        later = attestation(made=datetime(2026, 11, 28, tzinfo=UTC))

        with pytest.raises(
            AuditproofError, match=r"the attestation cannot be kept: No space left on device \(set AUDIT"
        ):
            keep(later)

        assert find_attestation(subject()).attestation == attestation()
        assert not [path for path in attestations_folder().iterdir() if path.name.endswith("-")]
        monkeypatch.setenv("AUDITPROOF_STATE", str(disk / "state"))
        with pytest.raises(KeyRefused, match=r"cannot be made: No space left on device \(set AUDITPROOF_STATE"):
            keep(later)
    finally:
        run.close()


def test_a_cache_that_cannot_be_written_or_read_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("no folder")

    with pytest.raises(AuditproofError, match=r"the attestation cannot be kept: Not a directory"):
        keep(attestation())
    assert "attestations cannot be read: Not a directory" in find_attestation(subject()).why
