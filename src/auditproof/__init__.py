"""auditproof proves what a Kubernetes audit policy really records, on a real API server."""

__version__ = "0.1.0"
