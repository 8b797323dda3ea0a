"""The file of static tokens that a server is started with: one user with a random token.

Source: staging/src/k8s.io/apiserver/pkg/authentication/token/tokenfile (token, name, UID, groups).
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from auditproof.clusters.pki.x509 import write_private
from auditproof.kube.identity import STATIC_GROUP, STATIC_UID, STATIC_USER

if TYPE_CHECKING:
    from pathlib import Path

FILE = "tokens.csv"


def write_static_token(folder: Path) -> None:
    """Write a new token of STATIC_USER into FILE of ``folder``."""
    line = f'{secrets.token_hex(16)},{STATIC_USER},{STATIC_UID},"{STATIC_GROUP}"\n'
    write_private(folder / FILE, line.encode())


def read_static_token(folder: Path) -> str:
    """The token in FILE of ``folder``."""
    return (folder / FILE).read_text().partition(",")[0]
