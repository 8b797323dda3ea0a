"""Reads detection rules of Sigma, Falco, Elastic Security and a format of auditproof's own as conditions on events.

The kind of a file is recognized by its content. Pure, apart from ``load``, which reads the files it is given.
"""

from __future__ import annotations

from auditproof.detections.readers.load import load_rules

__all__ = ["load_rules"]
