"""The broken policies of tests/vectors/broken.json."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

BROKEN: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "vectors" / "broken.json").read_text())["cases"]


def data_of(case: dict[str, Any], *, divided_by: int = 1) -> bytes:
    """The bytes of a policy; a large one is kept as a part that is repeated, here as often or less."""
    if "base64" in case:
        return base64.b64decode(case["base64"])
    text: str = case["text"] + case.get("then", "") * (case.get("times", 0) // divided_by) + case.get("end", "")
    return text.encode()
