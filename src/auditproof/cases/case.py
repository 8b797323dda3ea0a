"""A case: one sentence of the form *as X, do Y, expect Z*. The unit that is proven, whether written or generated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from auditproof.audit.server_flags import DEFAULT_FLAGS, ServerFlags
from auditproof.cases.expectation import Expectation
from auditproof.errors import Position
from auditproof.kube.attributes import attributes_of
from auditproof.kube.versions import is_within

if TYPE_CHECKING:
    from pathlib import Path

    from auditproof.cases.expectation import Claim
    from auditproof.kube.action import Request
    from auditproof.kube.attributes import Attributes
    from auditproof.kube.capability import Capability
    from auditproof.kube.identity import Identity

Manifests = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Source:
    """Where a case comes from; ``made``: it was made from a policy or from a requirement, not written as a case."""

    position: Position
    made: bool = False

    @property
    def file(self) -> str:
        """The file, as a report names it."""
        return self.position.path

    @property
    def line(self) -> int:
        """The line in it, from 1."""
        return self.position.line


NOWHERE = Source(Position("", 1, 1))


@dataclass(frozen=True, slots=True)
class Difference:
    """What a case expects on some Kubernetes versions instead, and ``because`` of what.

    ``since`` is the first and ``until`` the last of these versions (minors); empty where there is none.
    """

    expectation: Expectation
    because: str
    since: str = ""
    until: str = ""


@dataclass(frozen=True)
class Case:
    """One action with what is expected of it.

    ``given`` are the objects that must exist before, in the order in which they are created; ``needs`` is what the
    cluster must be able to do, besides what the identity itself needs. ``claim`` is what another text says about the
    action, ``covers`` are the ids of the facts that the case shows, ``since`` and ``until`` are the first and the last
    Kubernetes version (a minor) for which it holds, empty where there is none. ``differs`` are the versions among these
    on which it expects something else. ``stated``: a case file says what it expects.

    >>> from auditproof import Case, Identity, act, to_request
    >>> case = Case("read-secret", Identity.x509("alice"), to_request(act("get", "secrets/db", "shop")))
    >>> case.attributes.resource, case.expectation.level is None
    ('secrets', True)
    """

    id: str
    identity: Identity
    request: Request
    expectation: Expectation = field(default_factory=Expectation)
    given: Manifests = ()
    _: KW_ONLY
    title: str = ""
    because: str = ""
    claim: Claim | None = None
    needs: frozenset[Capability] = frozenset()
    marks: tuple[str, ...] = ()
    source: Source = NOWHERE
    covers: tuple[str, ...] = ()
    since: str = ""
    until: str = ""
    differs: tuple[Difference, ...] = ()
    stated: bool = True

    def holds_on(self, kubernetes: str) -> bool:
        """Whether the case says anything about version ``kubernetes``."""
        return is_within(kubernetes, self.since, self.until)

    def on(self, kubernetes: str) -> Case:
        """The case as version ``kubernetes`` is expected to behave: without ``differs``, of which at most one applies.

        >>> from auditproof import Case, Expectation, Identity, act, to_request
        >>> from auditproof.cases.case import Difference
        >>> older = Difference(Expectation(status=404), "its handler looks for Endpoints", until="1.36")
        >>> request = to_request(act("get", "services/web/proxy", "shop"))
        >>> case = Case("proxy", Identity.x509("alice"), request, Expectation(status=503), differs=(older,))
        >>> case.on("1.36.3").expectation.status, case.on("1.37").expectation.status
        (404, 503)
        """
        for other in self.differs:
            if is_within(kubernetes, other.since, other.until):
                because = "\n".join(filter(None, (self.because, other.because)))
                return replace(self, expectation=other.expectation, because=because, differs=())
        return replace(self, differs=()) if self.differs else self

    @cached_property
    def attributes(self) -> Attributes:
        """The request as the audit of the API server sees it. Raises NotAudited where it never does."""
        return attributes_of(self.request.method, self.request.uri, self.identity.user_info())

    @property
    def lasts(self) -> bool:
        """Whether the request lasts, however fast the server is: a watch, or a client that does not just wait."""
        return self.attributes.verb == "watch" or bool(self.request.client)


@dataclass(frozen=True, slots=True)
class CaseFile:
    """A case file; ``policy`` None means the policy that the run is given, ``sabotage`` is the policy's broken twin.

    ``settings`` are those of the API server that its cases want, ``broken_settings`` their twin. ``since`` is the first
    Kubernetes version whose API server takes the policy; its cases are of that version, or of a later one. ``given``
    are the objects that all of its cases need; each of the cases has them, too.

    >>> from auditproof import load_case_file
    >>> file = load_case_file("suites/levels/levels.audit.yaml")
    >>> file.title, file.policy.name
    ('The content of an event at each level, and the order of rules', 'levels.yaml')
    """

    path: Path
    title: str
    policy: Path | None
    sabotage: Path | None
    given: Manifests
    cases: tuple[Case, ...]
    settings: ServerFlags = DEFAULT_FLAGS
    broken_settings: ServerFlags = DEFAULT_FLAGS
    since: str = ""
