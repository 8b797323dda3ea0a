"""etcd and kube-apiserver built from their Go modules, by the go.mod and go.sum in clusters/embedded/<minor>."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof import content
from auditproof.errors import BinaryNotFound, ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

MODULES = ("etcd", "kube-apiserver")
PROGRESS_S = 10.0
_STAMP = "k8s.io/component-base/version"
_REQUIRED = re.compile(r"^require k8s\.io/kubernetes v(\S+)|^\s+k8s\.io/kubernetes v(\S+)", re.MULTILINE)
_GO_LINE = re.compile(r"^go (\S+)", re.MULTILINE)


def build(wanted: str, folder: Path, report: Callable[[str], None]) -> str:
    """Build both servers into ``folder``; return the Kubernetes version.

    Raises BinaryNotFound where there is no module for that version, no Go, or a Go that is too old for it; ClusterError
    where the build fails.
    """
    source = source_of(wanted)
    module = source / "kube-apiserver" / "go.mod"
    if not module.is_file():
        known = ", ".join(sorted(path.name for path in source.parent.iterdir() if path.is_dir()))
        raise BinaryNotFound(f"it cannot be built: {source.parent} has Go modules for {known} only")
    version = version_in(source)
    if wanted not in (version, version.rpartition(".")[0]):
        raise BinaryNotFound(f"it cannot be built: {module} is for Kubernetes {version}")
    go, has = find_go(source, version)
    stamps = {"gitVersion": f"v{version}", "gitMajor": "1", "gitMinor": version.split(".")[1]}
    flags = " ".join(["-s", "-w", *(f"-X {_STAMP}.{key}={value}" for key, value in stamps.items())])
    what = f"etcd and kube-apiserver {version} from their Go modules, with Go {has}"
    report(f"auditproof: building {what}, once: some 5 minutes")
    _go_build(go, source / "etcd", "-s -w", "go.etcd.io/etcd/server/v3", folder / "etcd", report)
    package = "k8s.io/kubernetes/cmd/kube-apiserver"
    _go_build(go, source / "kube-apiserver", flags, package, folder / "kube-apiserver", report)
    return version


def source_of(wanted: str) -> Path:
    """The folder with the Go modules of the minor version of ``wanted``, which may not be there."""
    return content.root() / "clusters" / "embedded" / ".".join(wanted.split(".")[:2])


def version_in(source: Path) -> str:
    """The Kubernetes version that the modules in ``source`` build.

    Raises ClusterError if they build none.
    """
    module = source / "kube-apiserver" / "go.mod"
    found = _REQUIRED.search(module.read_text())
    if found is None:
        raise ClusterError(f"{module} requires no k8s.io/kubernetes")
    return found[1] or found[2]


def recipe(source: Path) -> bytes:
    """What decides how binaries are built: the modules in ``source``, and the code that builds them."""
    files = [source / module / name for module in MODULES for name in ("go.mod", "go.sum")]
    return b"\0".join(file.read_bytes() for file in [*files, Path(__file__)])


def go_program() -> str:
    """The program go.

    Raises BinaryNotFound where there is none.
    """
    go = shutil.which("go")
    if go is None:
        raise BinaryNotFound("it cannot be built: there is no go on the PATH")
    return go


def find_go(source: Path, version: str) -> tuple[str, str]:
    """The program go, and the version of Go that builds both modules in ``source``; found out before the build begins.

    By GOTOOLCHAIN, go may download the version that a module names. Raises BinaryNotFound if that is not available.
    """
    needed = needed_go(source)
    help_ = f"Kubernetes {version} needs Go {needed} or newer, or a folder with --assets"
    try:
        go = go_program()
    except BinaryNotFound as error:
        raise BinaryNotFound(f"{error} ({help_})") from None
    newest = max((source / name for name in MODULES), key=lambda folder: go_numbers(_go_line(folder)))
    done = subprocess.run([go, "env", "GOVERSION"], cwd=newest, capture_output=True, text=True, check=False)
    has = done.stdout.strip().removeprefix("go")
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit code {done.returncode}"]
        raise BinaryNotFound(f"it cannot be built: {help_}; {go} says: {said[0]}")
    if go_numbers(has) < go_numbers(needed):
        raise BinaryNotFound(f"it cannot be built: {help_}; {go} is {has}")
    return go, has


def needed_go(source: Path) -> str:
    """The oldest version of Go that builds both modules in ``source``: the newer one of those that they name."""
    return max((_go_line(source / name) for name in MODULES), key=go_numbers)


def _go_line(module: Path) -> str:
    """The version of Go that a module names (https://go.dev/ref/mod#go-mod-file-go)."""
    found = _GO_LINE.search((module / "go.mod").read_text())
    return found[1] if found else "1"


def go_numbers(version: str) -> tuple[int, ...]:
    """A version of Go for comparison."""
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])


def _go_build(go: str, source: Path, flags: str, package: str, output: Path, report: Callable[[str], None]) -> None:
    """Build in a copy of the module (a build never writes into the content), telling the time every few seconds."""
    # None of the user's own settings of Go may change what is built.
    environment = {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GOFLAGS": "-mod=readonly"}
    # The linker leaves debugging data out (-w); a compiler that does not write it takes a quarter less time.
    compiler = "-gcflags=all=-dwarf=false"
    command = [go, "build", "-trimpath", "-buildvcs=false", compiler, "-ldflags", flags, "-o", str(output), package]
    with tempfile.TemporaryDirectory(prefix="auditproof-build-") as copied:
        for name in ("go.mod", "go.sum"):
            shutil.copyfile(source / name, Path(copied) / name)
        run_build(command, Path(copied), environment, output.name, report)


def run_build(
    command: Sequence[str], folder: Path, environment: dict[str, str], name: str, report: Callable[[str], None]
) -> None:
    """Run a build in ``folder``, telling the time every few seconds; it ends with everything that it has started.

    Raises ClusterError with its last lines where it fails.
    """
    started = time.monotonic()
    log = folder / "build.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        while process.poll() is None:
            try:
                process.wait(PROGRESS_S)
            except subprocess.TimeoutExpired:
                report(f"auditproof: building {name}: {time.monotonic() - started:.0f} s")
    except BaseException:
        os.killpg(process.pid, signal.SIGKILL)  # the compilers that go has started, too
        process.wait()
        raise
    if process.returncode:
        words = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        raise ClusterError(f"{' '.join(command)}\nfailed with exit code {process.returncode}:\n{words}")
    report(f"auditproof: built {name} in {time.monotonic() - started:.0f} s")
