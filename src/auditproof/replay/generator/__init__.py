"""Audit logs of any size for tests and measurements: the traffic of an invented cluster, as a policy records it.

The same settings and the same seed give the same bytes. Nothing here reads a clock or a real cluster.
"""

from auditproof.replay.generator.generate import Generator, LogSettings

__all__ = ["Generator", "LogSettings"]
