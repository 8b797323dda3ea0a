"""Where the program kind comes from: a variable, the PATH, the cache, a mirror of its releases, its Go module.

The mirror is a real HTTP server on loopback; what it serves are small scripts in the place of kind. A small script
stands in the place of go as well: what it is asked to do is looked at.
"""

from __future__ import annotations

import functools
import hashlib
import http.server
import threading
from typing import TYPE_CHECKING, Any

import pytest

from auditproof.clusters.binaries.store import target
from auditproof.clusters.kind.binary import VERSION, find_kind
from auditproof.errors import BinaryNotFound, ClusterError
from tests.support.programs import program

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KIND = "#!/bin/sh\necho kind\n"
GO = """
test "$1 $5" = "install sigs.k8s.io/kind@%s" || exit 9
echo built >"$GOBIN/kind"
"""
NAME = f"kind-{target()}"


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH; the cache is empty, and no release can be reached."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}")
    monkeypatch.setenv("AUDITPROOF_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("AUDITPROOF_KIND_RELEASES", "http://127.0.0.1:9/nobody-listens")
    monkeypatch.delenv("KIND", raising=False)
    return folder


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


@pytest.fixture
def mirror(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder of a release, served on loopback."""
    folder = tmp_path / "mirror" / VERSION
    folder.mkdir(parents=True)
    handler = functools.partial(Quiet, directory=str(tmp_path / "mirror"))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("AUDITPROOF_KIND_RELEASES", f"http://127.0.0.1:{server.server_address[1]}/")
        yield folder
        server.shutdown()


def release(mirror: Path, checksum: str = "") -> None:
    (mirror / NAME).write_text(KIND)
    line = f"{checksum or hashlib.sha256(KIND.encode()).hexdigest()}  {NAME}\n"
    (mirror / f"{NAME}.sha256sum").write_text(line)


def store(tmp_path: Path) -> list[str]:
    return sorted(file.name for file in (tmp_path / "cache" / "kind").iterdir() if not file.name.endswith(".lock"))


def test_kind_is_taken_from_the_variable_then_the_path_then_the_cache(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each place is filled in turn, the least preferred first, and the new one wins."""
    cached = program(tmp_path / "cache" / "kind" / f"{VERSION}-{target()}", "kind")
    assert find_kind(print) == cached
    found = program(path, "kind")
    assert find_kind(print) == found
    given = program(tmp_path / "given", "my-kind")
    monkeypatch.setenv("KIND", str(given))
    assert find_kind(print) == given


def test_a_variable_that_names_no_program_is_an_error(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KIND", "/nowhere/kind")

    with pytest.raises(ClusterError, match="KIND is '/nowhere/kind': expected the path of the program kind"):
        find_kind(print)


def test_a_release_is_downloaded_once_and_can_be_run(mirror: Path, tmp_path: Path) -> None:
    """The second call finds the cached program although the mirror no longer has it."""
    release(mirror)

    found = find_kind(print)
    (mirror / NAME).unlink()

    assert find_kind(print) == found == tmp_path / "cache" / "kind" / f"{VERSION}-{target()}" / "kind"
    assert found.read_text() == KIND
    assert found.stat().st_mode & 0o111


def test_a_release_with_another_checksum_is_not_used(mirror: Path, path: Path, tmp_path: Path) -> None:
    """A wrong checksum is an error: it does not fall back to a build, which would hide it."""
    release(mirror, "0" * 64)
    program(path, "go", GO % VERSION)

    with pytest.raises(ClusterError, match=r"has the SHA-256 [0-9a-f]{64}, the index says 0{64}: it is not used"):
        find_kind(print)

    assert store(tmp_path) == []


@pytest.mark.parametrize("checksum", [None, "", "no checksum\n"])
def test_without_a_release_it_is_built(mirror: Path, path: Path, tmp_path: Path, checksum: str | None) -> None:
    """A missing release and an unusable checksum file both lead to ``go install``."""
    if checksum is not None:
        (mirror / f"{NAME}.sha256sum").write_text(checksum)
    program(path, "go", GO % VERSION)

    assert find_kind(print).read_text() == "built\n"
    assert store(tmp_path) == [f"{VERSION}-{target()}"]


def test_a_release_that_breaks_off_is_not_used(mirror: Path, path: Path) -> None:
    """A connection that ends early must not leave half a program in the cache."""
    release(mirror)
    (mirror / NAME).write_text(KIND[:-3])

    with pytest.raises(ClusterError, match="it is not used"):
        find_kind(print)


def test_without_any_way_every_place_is_named(path: Path, tmp_path: Path) -> None:
    with pytest.raises(BinaryNotFound) as error:
        find_kind(print)

    said = str(error.value)
    assert f"not on the PATH, not in {tmp_path / 'cache' / 'kind'}" in said
    assert "the releases of kind cannot be reached (http://127.0.0.1:9/nobody-listens" in said
    assert "there is no go on the PATH" in said
    assert "name it in the variable KIND" in said
    assert store(tmp_path) == []
