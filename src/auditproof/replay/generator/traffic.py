"""All that happens in the invented cluster: what components do by themselves and, at work, what it is used for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.replay.generator.cluster import invent
from auditproof.replay.generator.rest import at_rest
from auditproof.replay.generator.rollouts import rollouts
from auditproof.replay.generator.work import at_work

if TYPE_CHECKING:
    from random import Random

    from auditproof.replay.generator.source import Source


def traffic(random: Random, nodes: int, namespaces: int, *, work: bool) -> list[Source]:
    """The sources of all requests to a cluster of this size."""
    cluster = invent(random, nodes, namespaces if work else 0)
    return [*at_rest(cluster), *((*at_work(cluster), *rollouts(cluster)) if work else ())]
