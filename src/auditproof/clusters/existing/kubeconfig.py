"""A kubeconfig as kubectl reads it, through the official client: files, data, tokens, and programs that issue them."""

from __future__ import annotations

import os
import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditproof.client.credential import Credential
from auditproof.client.probe import Probe
from auditproof.clusters.pki.x509 import write_private
from auditproof.errors import ClusterError
from auditproof.text.paths import is_file, path_of

if TYPE_CHECKING:
    from collections.abc import Callable

DEFAULT = "default"  # what a profile must say to get kubectl's own choice


def find_kubeconfig(asked: str) -> Path:
    """The kubeconfig file: a path, or ``default`` for the one that kubectl takes.

    Raises ClusterError where none was asked for, because no context is used by surprise, or where there is none.
    """
    if not asked:
        raise ClusterError(
            "an existing cluster needs a kubeconfig: give --kubeconfig FILE, or kubeconfig: in the profile "
            f"(a path, or {DEFAULT} for the one that kubectl takes)"
        )
    first = os.environ.get("KUBECONFIG", "").split(os.pathsep)[0] or "~/.kube/config"
    path = path_of(first if asked == DEFAULT else asked).resolve()
    if not is_file(path):
        raise ClusterError(f"{path}: there is no such kubeconfig file")
    return path


def require_client() -> None:
    """Raise ClusterError if the Kubernetes client, the extra ``existing``, is not installed."""
    if find_spec("kubernetes") is None:
        raise ClusterError(
            "reading a kubeconfig needs the Kubernetes client, which is not installed; install it: "
            'pip install "auditproof[existing]"'
        )


def load_kubeconfig(path: Path, context: str, folder: Path) -> Probe:
    """How the kubeconfig's user reaches its cluster; ``context`` is empty for the current one.

    Keys are copied into ``folder``, which is private. Raises ClusterError with what is wrong with the file, or where it
    asks for what would keep a proof from being one: a server that is not verified, or a proxy.
    """
    settings = _load(path, context)
    if not settings.verify_ssl:
        raise ClusterError(f"{path}: insecure-skip-tls-verify: auditproof talks to no server that it cannot verify")
    for key in ("proxy", "tls_server_name"):
        if getattr(settings, key, None):
            raise ClusterError(f"{path}: {key.replace('_', '-')} is not supported by auditproof")
    copied = {
        name: _copy(getattr(settings, attribute), folder / name)
        for name, attribute in (("ca.crt", "ssl_ca_cert"), ("admin.crt", "cert_file"), ("admin.key", "key_file"))
    }
    keys = settings.api_key
    # The client stores a token under either name, as a whole header or alone.
    value = str(keys.get("authorization") or keys.get("BearerToken") or "")
    credential = Credential(copied["admin.crt"], copied["admin.key"], value.removeprefix("Bearer ") or None)
    return Probe(settings.host.rstrip("/"), copied["ca.crt"], credential)


def _load(path: Path, context: str) -> Any:
    require_client()
    from kubernetes.client import Configuration
    from kubernetes.config import load_kube_config

    settings = Configuration()
    settings.proxy = None  # the environment's is not the kubeconfig's
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about the client's own dependencies
        try:
            load_kube_config(str(path), context or None, settings, persist_config=False)
        except Exception as error:  # it raises what its YAML, base64 and subprocesses raise
            raise ClusterError(f"{path}: cannot be used as a kubeconfig: {error}") from None
    return settings


def _copy(source: str | None, target: Path) -> Path | None:
    if not source:
        return None
    read: Callable[[], bytes] = Path(source).read_bytes
    try:
        write_private(target, read())
    except OSError as error:
        raise ClusterError(f"{source}: cannot be read: {error.strerror}") from None
    return target
