"""The envelope of SARIF 2.1.0, for whatever is reported in it.

By hand: it is one object, and no maintained library writes it.
Source: Static Analysis Results Interchange Format (SARIF) Version 2.1.0, OASIS Standard.
"""

from __future__ import annotations

import json
import os
from pathlib import PurePath
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from auditproof import __version__
from auditproof.text.printable import printable_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/os/schemas/sarif-schema-2.1.0.json"


def sarif_log(
    rules: Sequence[Mapping[str, Any]],
    results: Sequence[Mapping[str, Any]],
    invocation: Mapping[str, Any],
    **run: Any,
) -> str:
    """A log with one run of auditproof, as JSON text; ``run`` are further properties of the run object."""
    driver = {"name": "auditproof", "semanticVersion": __version__, "rules": rules}
    only = {"tool": {"driver": driver}, "invocations": [invocation], "results": results, **run}
    return printable_json(json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [only]}, indent=2))


def location(path: str, **region: int) -> dict[str, Any]:
    """A place in a file; ``region`` are startLine and startColumn, counted from 1, or nothing."""
    pure = PurePath(path)
    place: dict[str, Any] = {
        "artifactLocation": {"uri": pure.as_uri() if pure.is_absolute() else quote(os.fsencode(pure.as_posix()))}
    }
    return {"physicalLocation": place | ({"region": region} if region else {})}
