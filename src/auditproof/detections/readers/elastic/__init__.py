"""Reads detection rules of Elastic Security: KQL and EQL, from TOML and from exports. Pure.

The fields of its documents: the package ``kubernetes``, data stream ``audit_logs`` (ingest_pipeline/default.yml and
fields.yml), and the table in field_names.toml.
"""

from __future__ import annotations

from auditproof.detections.readers.elastic.read import is_elastic, read_elastic, rules_in

__all__ = ["is_elastic", "read_elastic", "rules_in"]
