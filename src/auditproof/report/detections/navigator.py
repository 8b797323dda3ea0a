"""A layer for the ATT&CK Navigator: which techniques the detection rules still see.

Source: the layer file format 4.5 of MITRE's ATT&CK Navigator.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from typing import TYPE_CHECKING

from auditproof.detections import Feed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.detections import Fed
    from auditproof.report.detections.fed_rules import FedRules

_TECHNIQUE = re.compile(r"attack\.(t\d{4}(?:\.\d{3})?)", re.IGNORECASE)
_FED, _PARTLY, _BLIND = "#5aae61", "#fdae61", "#d7301f"  # told apart by people who do not see red or green, too
_SCORES = {Feed.FED: 100, Feed.PARTLY: 50, Feed.BLIND: 0}


def as_navigator(found: FedRules) -> str:
    """A layer with the techniques that rules are tagged with; the score is the share of rules that are fed, in percent.

    A PARTLY fed rule counts as half. Rules that are IMPOSSIBLE, or were not read, count as nothing.
    """
    by_technique: dict[str, list[Fed]] = defaultdict(list)
    for one in found.rules:
        for tag in one.detection.tags:
            if (match := _TECHNIQUE.fullmatch(tag)) and one.feed in _SCORES:
                by_technique[match[1].upper()].append(one)
    techniques = [_technique(name, rules) for name, rules in sorted(by_technique.items())]
    layer = {
        "name": f"{found.policy.path} on Kubernetes {found.kubernetes}",
        "versions": {"layer": "4.5"},
        "domain": "enterprise-attack",
        "description": " ".join(found.sentences()),
        "techniques": techniques,
        "gradient": {"colors": [_BLIND, _PARTLY, _FED], "minValue": 0, "maxValue": 100},
        "legendItems": [
            {"label": "fed", "color": _FED},
            {"label": "partly fed", "color": _PARTLY},
            {"label": "blind", "color": _BLIND},
        ],
    }
    return json.dumps(layer, indent=1, ensure_ascii=False)


def _technique(name: str, rules: Sequence[Fed]) -> dict[str, object]:
    return {
        "techniqueID": name,
        "score": round(sum(_SCORES[one.feed] for one in rules) / len(rules)),
        "comment": "\n".join(f"{one.feed}: {one.detection.title} ({one.detection.pack})" for one in rules),
        "enabled": True,
    }
