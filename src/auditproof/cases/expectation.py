"""The expected events of a case."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from auditproof.audit.event import Level, Stage

CLIENT = "<client>"
NODE = "<node>"  # the cluster's node, in requests and manifests


class Followed(Protocol):
    """A request that a controller sends because of an action, as the API server's own log shows it."""

    @property
    def controller(self) -> str:
        """The name of the controller's service account in kube-system."""
        ...

    @property
    def uri(self) -> str:
        """The URI, without a query, to which no other action lets this controller send a POST."""
        ...


class Watcher(Protocol):
    """Someone who reads the events of an action, such as a detection rule, and what is expected of him.

    ``through``: he reads those of the request that a controller sends because of the action, instead of its own.
    """

    @property
    def through(self) -> Followed | None:
        """The request of a controller; None for the action's own."""
        ...

    def unlike(self, events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """What he makes of these events although he must not; no other event can change that."""
        ...

    def doubts(self, events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """Why nothing follows from what he makes of the events."""
        ...

    def missing(self, events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
        """What he must make of the events and does not; counts if it is certain that there are no others."""
        ...


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a case states about one action; None means: as the policy decides.

    ``level`` Level.NONE means excluded. ``status`` is the HTTP status of the answer, so that a sentence that says
    "is refused with 403" cannot pass on a 200. ``present`` and ``absent`` are dotted paths into the event of the
    last stage, e.g. ``responseObject`` or ``requestObject.metadata.managedFields``. ``event`` is a part of that event:
    of an object the keys that it names, of a list all items; None means that there is nothing, and
    ``{"matches": pattern}`` stands for any text that the regular expression matches as a whole, and ``<client>`` for
    the address from which the server sees the requests come. ``watcher`` reads all events of the action.

    >>> from auditproof import Expectation, Level
    >>> Expectation(level=Level.METADATA, status=200, absent=("responseObject",)).stages is None
    True
    """

    level: Level | None = None
    stages: frozenset[Stage] | None = None
    status: int | None = None
    present: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    event: Mapping[str, Any] = field(default_factory=dict)
    watcher: Watcher | None = None

    def seen_from(self, client: str) -> Expectation:
        """Return a copy with ``<client>`` replaced by the address ``client``."""
        return replace(self, event=_put(self.event, client))


def _put(expected: Any, client: str) -> Any:
    if isinstance(expected, dict):
        return {key: _put(part, client) for key, part in expected.items()}
    if isinstance(expected, list):
        return [_put(part, client) for part in expected]
    return client if expected == CLIENT else expected


def pattern_of(expected: Any) -> str | None:
    """Return the pattern of ``{"matches": pattern}``, or None for any other part of ``Expectation.event``."""
    if isinstance(expected, dict) and list(expected) == ["matches"] and isinstance(expected["matches"], str):
        return expected["matches"]
    return None


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement of another source, such as a tutorial: reported as confirmed or contradicted."""

    text: str
    level: Level
