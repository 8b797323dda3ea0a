"""``auditproof doctor`` on machines that lack something: what is missing is named, with the command that mends it."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.attestation import keep
from auditproof.cli.main import main
from auditproof.clusters.binaries.store import Note, target, write_note
from auditproof.clusters.doctor.kubeconfig import kubeconfig
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.clusters.stand_ins.small_disk import CannotMount, fill, mount_disk
from tests.attestation.test_attestation import attestation, subject
from tests.support.mirror import install
from tests.support.programs import program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(autouse=True)
def bin_(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH, empty; nothing is in the cache, and nothing in the environment."""
    for name in ("KUBEBUILDER_ASSETS", "KIND", "KIND_EXPERIMENTAL_PROVIDER", "KUBECONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("AUDITPROOF_CACHE", str(tmp_path / "cache"))
    return tmp_path / "bin"


@pytest.fixture
def cached(tmp_path: Path) -> Path:
    """Binaries in the cache, which say what the real ones say."""
    folder = install(tmp_path / "cache" / "k8s" / f"1.37.9-{target()}")
    write_note(folder, Note("downloaded", 3.0))
    return folder


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A disk of 8 MB; to unmount it, the usual programs are on the PATH."""
    monkeypatch.setenv("PATH", os.defpath)
    run = RunDirectory.create()
    try:
        yield mount_disk(run, "small", "8m")
    except CannotMount as error:
        pytest.skip(str(error))
    finally:
        run.close()


def doctor(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, dict[str, Any]]:
    """The exit code, and the findings by their names."""
    code = main(["doctor", "--format", "json", *options])
    record = json.loads(capsys.readouterr().out)
    assert record["possible"] is (code == 0)
    return code, {one["name"]: one for one in record["findings"]}


def test_a_machine_with_nothing_but_binaries_can_run(cached: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, found = doctor(capsys)

    assert code == 0
    assert found["kubernetes 1.37"]["text"] == f"1.37.9, downloaded by auditproof: {cached}"
    optional = {name: one["command"] for name, one in found.items() if one["state"] == "optional"}
    assert optional == {
        "go": "https://go.dev/dl/",
        "containers": "install Docker, Podman or nerdctl",
        "kind": "auditproof fetch --kind",
        "attestations": "auditproof run POLICY",
    }


def test_attestations_are_named_also_those_that_are_refused(
    cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUDITPROOF_STATE", str(tmp_path / "state"))
    keep(attestation(subject(kubernetes="1.37.9")))
    _, found = doctor(capsys)
    assert found["attestations"]["state"] == "OK"
    assert found["attestations"]["text"] == "Kubernetes 1.37.9 on 2026-11-27"

    monkeypatch.setenv("AUDITPROOF_STATE", str(tmp_path / "elsewhere"))
    _, found = doctor(capsys)
    assert found["attestations"]["state"] == "optional"
    assert "it was changed, or made by another user or on another machine" in found["attestations"]["text"]


def test_each_line_names_the_command_that_mends_it(cached: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--kubernetes", "1.36..1.37"]) == 1
    lines = capsys.readouterr().out.splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("missing   kubernetes 1.36"))
    assert lines[at + 1].strip() == "-> auditproof fetch --kubernetes 1.36"
    assert lines[-1] == "A run is not possible yet: kubernetes 1.36."
    assert any(line.startswith("OK        kubernetes 1.37") for line in lines)


def test_what_is_missing_is_mended_by_the_command_that_is_named(
    cached: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(install(tmp_path / "assets", "1.36.1")))
    code, found = doctor(capsys)
    assert code == 1
    assert "is Kubernetes 1.36.1, expected 1.37" in found["kubernetes 1.37"]["text"]
    assert found["kubernetes 1.37"]["command"] == "unset KUBEBUILDER_ASSETS"
    monkeypatch.delenv("KUBEBUILDER_ASSETS")
    assert doctor(capsys)[0] == 0


def test_binaries_that_do_not_run_are_missing(cached: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """For another machine, say, or on a file system without the right to execute."""
    (cached / "etcd").write_text("no program")
    code, found = doctor(capsys)
    assert code == 1
    assert found["kubernetes 1.37"]["text"] == f"{cached}/etcd cannot be run: Exec format error"
    assert found["kubernetes 1.37"]["command"] == f"rm -r {cached} && auditproof fetch --kubernetes 1.37"


@pytest.mark.parametrize("place", ["file/cache", "read-only/cache"])
def test_a_cache_that_cannot_be_written_matters_only_if_something_has_to_be_fetched(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("AUDITPROOF_CACHE", str(tmp_path / "file" / "cache") if place[0] == "f" else "/proc/cache")
    code, found = doctor(capsys)
    assert (code, found["cache"]["state"]) == (1, "missing")
    assert "cannot be written: " in found["cache"]["text"]
    assert found["cache"]["command"] == "export AUDITPROOF_CACHE=/path/of/another/folder"

    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(install(tmp_path / "assets")))
    code, found = doctor(capsys)
    assert (code, found["cache"]["state"]) == (0, "optional")


def test_a_disk_without_room_is_named(
    disk: Path, cached: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(disk))
    monkeypatch.setenv("AUDITPROOF_CACHE", str(disk / "cache"))
    code, found = doctor(capsys)
    assert code == 1
    assert found["temporary"]["text"] == f"{disk}, 8.4 MB free: a run needs 100.0 MB"
    assert found["temporary"]["command"] == "export TMPDIR=/path/of/another/folder"
    assert found["cache"]["state"] == "missing"


def test_a_full_temporary_folder_is_not_the_one_that_a_run_takes(
    disk: Path, cached: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(disk)
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setenv("TMPDIR", str(disk))
    found = doctor(capsys)[1]
    assert f"(instead of TMPDIR={disk}, which cannot be written)" in found["temporary"]["text"]


def test_too_few_open_files_are_named(cached: Path) -> None:
    command = [sys.executable, "-m", "auditproof", "doctor"]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, (256, 4096)),
    )  # fmt: skip
    assert done.returncode == 1
    assert "a process may have 256, the servers need 1024\n" in done.stdout
    assert "-> ulimit -n 1024\n" in done.stdout


def test_programs_that_hang_are_ended_with_all_that_they_have_started(
    cached: Path, bin_: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("docker", "podman", "nerdctl", "go", "kind"):
        program(bin_, name, f"/bin/sleep 1000 & echo $! >{tmp_path}/{name}.pid; wait")
    started = time.monotonic()
    code, found = doctor(capsys)
    assert time.monotonic() - started < 10, "each has a limit of 1.5 seconds, and all are asked at once"
    assert code == 0
    assert "docker does not answer within 1.5 s" in found["containers"]["text"]
    assert found["containers"]["command"] == "sudo systemctl start docker"
    assert "does not answer within 1.5 s" in found["go"]["text"]
    assert "does not answer within 1.5 s" in found["kind"]["text"]
    for pid in tmp_path.glob("*.pid"):
        assert ended(int(pid.read_text()))


def ended(pid: int) -> bool:
    """Whether a process is gone, or waits for somebody to take note."""
    try:
        with open(f"/proc/{pid}/stat") as stat:  # noqa: PTH123
            return stat.read().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def test_the_first_engine_that_answers_is_found(
    cached: Path, bin_: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    program(bin_, "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    assert "docker Cannot connect to the Docker daemon" in doctor(capsys)[1]["containers"]["text"]
    program(bin_, "podman")
    assert doctor(capsys)[1]["containers"] == {
        "name": "containers", "state": "OK", "text": f"podman answers: {bin_}/podman", "command": "",
    }  # fmt: skip
    monkeypatch.setenv("KIND_EXPERIMENTAL_PROVIDER", "docker")
    assert doctor(capsys)[1]["containers"]["state"] == "optional", "kind would not take another one"


@pytest.mark.parametrize(("says", "state"), [("echo go1.21.3", "optional"), ("echo go1.99.0", "OK")])
def test_go_is_old_or_new_enough_for_the_versions_asked_for(
    cached: Path, bin_: Path, says: str, state: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """It must not download a newer Go to answer."""
    program(bin_, "go", f'test "$GOTOOLCHAIN $*" = "local env GOVERSION" || exit 9\n{says}')
    found = doctor(capsys)[1]["go"]
    assert found["state"] == state
    assert ("needs Go 1.26" in found["text"]) is (state == "optional")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "there is no such kubeconfig file"),
        ("", "cannot be used as a kubeconfig"),
        ("{", "cannot be used as a kubeconfig"),
        ({"server": "https://127.0.0.1:1"}, "https://127.0.0.1:1 does not answer: GET /version: [Errno 111]"),
        ({"server": "https://127.0.0.1:1", "insecure-skip-tls-verify": True}, "insecure-skip-tls-verify"),
    ],
    ids=["none", "empty", "broken", "dead", "insecure"],
)
def test_a_kubeconfig_that_leads_nowhere_is_missing(
    content: Any, says: str, tmp_path: Path, cached: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "kubeconfig"
    if content is not None:
        file.write_text(content if isinstance(content, str) else json.dumps(config(content, {"token": "t"})))
    code, found = doctor(capsys, "--kubeconfig", str(file))
    assert code == 1
    assert says in found["kubeconfig"]["text"]
    assert found["kubeconfig"]["command"] == f"kubectl --kubeconfig {file} version"


def test_a_credential_program_that_hangs_is_not_waited_for(tmp_path: Path) -> None:
    script = str(program(tmp_path, "credentials", "exec /bin/sleep 1000"))
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": script, "interactiveMode": "Never"}
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(config({"server": "https://127.0.0.1:1"}, {"exec": plugin})))

    [found] = kubeconfig(str(file), "", limit_s=0.5)

    assert found.text == f"{file}: the server, the name server or the credential program does not answer within 0.5 s"


def config(cluster: dict[str, Any], user: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": user}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
