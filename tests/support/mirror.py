"""A mirror of the envtest releases on loopback; what it serves are small scripts in the place of the servers."""

from __future__ import annotations

import functools
import hashlib
import http.server
import io
import tarfile
from typing import TYPE_CHECKING, Any

import yaml

from auditproof.clusters.binaries.store import target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

SERVERS = {"etcd": "#!/bin/sh\n", "kube-apiserver": '#!/bin/sh\necho "Kubernetes v1.37.9"\n'}


def packed(names: dict[str, str]) -> bytes:
    """An archive in the layout of the envtest releases."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w:gz") as archive:
        for name, text in names.items():
            member = tarfile.TarInfo(f"controller-tools/envtest/{name}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return raw.getvalue()


class Mirror:
    """A folder served on loopback, with an index of releases in it; counts the downloads of archives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.releases: dict[str, Any] = {}
        self.downloads = 0
        self.before_archive: Callable[[], object] = lambda: None  # is called before an archive is sent
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(self._handler()))

    def _handler(self) -> type[http.server.SimpleHTTPRequestHandler]:
        mirror = self

        class Handler(http.server.SimpleHTTPRequestHandler):
            def __init__(self, *args: Any) -> None:
                super().__init__(*args, directory=str(mirror.folder))

            def do_GET(self) -> None:
                if self.path.endswith(".gz"):
                    mirror.downloads += 1
                    mirror.before_archive()
                super().do_GET()

            def log_message(self, *args: Any) -> None:
                pass

        return Handler

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/index.yaml"

    def add(self, version: str, content: bytes, digest: str = "") -> None:
        name = f"envtest-v{version}-{target()}.tar.gz"
        (self.folder / name).write_bytes(content)
        entry = {"selfLink": name, "hash": digest or hashlib.sha512(content).hexdigest()}
        self.releases[f"v{version}"] = {name: entry}
        (self.folder / "index.yaml").write_text(yaml.safe_dump({"releases": self.releases}))


def install(folder: Path, version: str = "1.37.9", names: tuple[str, ...] = tuple(SERVERS)) -> Path:
    folder.mkdir(parents=True)
    for name in names:
        (folder / name).write_text(SERVERS[name].replace("1.37.9", version))
        (folder / name).chmod(0o755)
    return folder
