"""ClickHouse as a library, which .ci/clickhouse installs apart from .venv: it runs in a program of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import platformdirs

if TYPE_CHECKING:
    from pathlib import Path

FOLDER = platformdirs.user_cache_path("auditproof") / "clickhouse"
IS_THERE = (FOLDER / "installed.lock").exists()
REQUIRED = os.environ.get("AUDITPROOF_CLICKHOUSE") == "required"
_PROGRAM = """
import sys
from chdb.session import Session

session = Session(sys.argv[1])
for statement in sys.stdin.read().split(chr(0)):
    print(session.query(statement, "JSONCompactEachRow"), end=chr(0))
"""


def query(folder: Path, *statements: str) -> list[list[list[Any]]]:
    """The rows of each statement; the database is in ``folder``."""
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, str(folder)],
        input="\0".join(statements),
        env={**os.environ, "PYTHONPATH": str(FOLDER)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [list(map(json.loads, text.splitlines())) for text in done.stdout.split("\0")[:-1]]
