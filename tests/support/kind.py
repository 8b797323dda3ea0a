"""What a container engine has of a kind cluster."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditproof.clusters.kind.engine import Engine


def left(engine: Engine, name: str) -> set[str]:
    """The containers and networks of the cluster with this name."""
    containers = engine.ask("ps", "--all", "--filter", f"name={name}", "--format", "{{.Names}}")
    networks = engine.ask("network", "ls", "--filter", f"name={name}", "--format", "{{.Name}}")
    return {*containers.split(), *networks.split()}
