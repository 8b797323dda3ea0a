"""Loads case files (``*.audit.yaml``) and checks them completely.

The format is defined in ``schema``; the result is plain frozen data with every name resolved and every file found.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from auditproof.audit.event import Level, Stage
from auditproof.audit.server_flags import RESERVED, ServerFlags
from auditproof.cases.case import Case, CaseFile, Difference, Source
from auditproof.cases.expectation import Claim, Expectation, pattern_of
from auditproof.cases.load_action import BadAction, request_of
from auditproof.cases.load_identity import NOBODY, identity_of
from auditproof.cases.schema import CaseFileModel, CaseModel, IdentityModel, SettingsModel
from auditproof.errors import Problem, SourceError
from auditproof.kube.action import Request
from auditproof.kube.attributes import NotAudited, attributes_of
from auditproof.kube.capability import Capability
from auditproof.kube.manifest import BadManifest, Manifest, check_object, load_manifest
from auditproof.kube.ready_made import READY_MADE
from auditproof.kube.versions import version_of
from auditproof.kube.yaml.strict_model import read_model
from auditproof.text.paths import is_file, names_beside, path_of
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auditproof.cases.case import Manifests
    from auditproof.cases.schema import ExpectModel
    from auditproof.kube.identity import Identity
    from auditproof.kube.yaml.yaml_text import Node

_LONGEST = 100  # characters of a name that are compared with known names


def case_schema() -> dict[str, Any]:
    """Return the JSON Schema of a case file, for editors."""
    schema = CaseFileModel.model_json_schema(by_alias=True)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


def load_case_file(path: str | Path, *, recording: bool = False) -> CaseFile:
    """Read a case file (``*.audit.yaml``); paths in it are relative to its folder.

    A case of a file with ``policy:`` says what it expects, unless that is only to be recorded (``recording``).

    Raises SourceError, which lists all problems with their lines and columns.

    >>> from auditproof import load_case_file
    >>> len(load_case_file("suites/levels/levels.audit.yaml").cases)
    27
    """
    path = Path(path)
    model, root = read_model(path, CaseFileModel)
    reading = _CaseFileReader(path, root, recording)
    loaded = reading.case_file(model)
    if reading.problems:
        raise SourceError(sorted(reading.problems, key=lambda problem: problem.position))
    return loaded


@dataclass(slots=True)
class _CaseFileReader:
    """Reads one file; collects problems and continues, so that all are reported at once."""

    path: Path
    root: Node
    recording: bool = False
    problems: list[Problem] = field(default_factory=list)

    def wrong(self, where: tuple[str | int, ...], message: str) -> None:
        self.problems.append(Problem(self.root.at(where).position, message))

    def case_file(self, model: CaseFileModel) -> CaseFile:
        twin = model.server.sabotage
        self.free_flags(("server", "flags"), model.server)
        self.free_flags(("server", "sabotage", "flags"), twin or SettingsModel())
        if model.sabotage and not model.policy:
            self.wrong(("sabotage",), "sabotage: needs policy:, of which it is the broken copy")
        declared = {name: self.identity(name, identity) for name, identity in model.identities.items()}
        identities = {**READY_MADE, **declared}
        self.unique([case.id for case in model.cases])
        if model.policy and not self.recording:
            self.expected(model.cases)
        given = self.manifests(("given",), model.given)
        return CaseFile(
            path=self.path,
            title=model.title,
            policy=self.file(("policy",), model.policy) if model.policy else None,
            sabotage=self.file(("sabotage",), model.sabotage) if model.sabotage else None,
            settings=_settings(model.server),
            broken_settings=_settings(twin or model.server),
            given=given,
            cases=tuple(self.case(n, case, identities, given, model.since) for n, case in enumerate(model.cases)),
            since=model.since,
        )

    def free_flags(self, where: tuple[str | int, ...], model: SettingsModel) -> None:
        for flag in RESERVED & model.flags.keys():
            self.wrong((*where, flag), f"{flag}: this flag is set by auditproof itself")

    def expected(self, cases: list[CaseModel]) -> None:
        for n, case in enumerate(cases):
            if "expect" not in case.model_fields_set:
                how = f"auditproof record {self.path.name} --write"
                message = f'case "{case.id}" lacks expect:, what is recorded of it; write it, or run {how}'
                self.wrong(("cases", n), message)

    def unique(self, ids: list[str]) -> None:
        used: dict[str, int] = {}
        for n, name in enumerate(ids):
            if used.setdefault(name, n) != n:
                first = self.root.at(("cases", used[name], "id")).position
                self.wrong(("cases", n, "id"), f'duplicate id "{name}", first used in line {first.line}')

    def case(self, n: int, model: CaseModel, identities: Mapping[str, Identity], given: Manifests, since: str) -> Case:
        if model.as_ not in identities:
            meant = did_you_mean(model.as_, identities) or f"; declare it, or use one of {', '.join(identities)}"
            message = f'unknown identity "{model.as_}"{meant}'
            self.wrong(("cases", n, "as"), message)
        return Case(
            id=model.id,
            title=model.title,
            identity=identities.get(model.as_, NOBODY),
            request=self.request(n, model),
            expectation=self.expectation(model.expect, ("cases", n)),
            claim=Claim(model.claim.text, _level(model.claim.level)) if model.claim else None,
            because=model.because.strip(),
            given=(*given, *self.manifests(("cases", n, "given"), model.given)),
            needs=frozenset(map(Capability, model.needs)) | identities.get(model.as_, NOBODY).needs,
            marks=tuple(model.marks),
            source=Source(self.root.at(("cases", n)).position),
            covers=tuple(model.covers),
            since=max(since, model.since, key=version_of),
            until=model.until,
            differs=self.differs(n, model, since),
            stated="expect" in model.model_fields_set,
        )

    def differs(self, n: int, model: CaseModel, since: str) -> tuple[Difference, ...]:
        """What the case expects on other versions; each must be one of its own, and in no other range."""
        if _is_empty(max(since, model.since, key=version_of), model.until):
            self.wrong(("cases", n, "until"), f"until: {model.until} is older than the first version, since")
        found: list[Difference] = []
        for k, other in enumerate(model.differs):
            where = ("cases", n, "differs", k)
            given = {key: getattr(other.expect, key) for key in other.expect.model_fields_set}
            expectation = self.expectation(model.expect.model_copy(update=given), where)
            found.append(Difference(expectation, other.because.strip(), other.since, other.until))
            if not other.since and not other.until:
                self.wrong(where, "needs since: or until:, the first or the last version that differs")
            elif _is_empty(other.since, other.until):
                self.wrong((*where, "until"), f"until: {other.until} is older than since: {other.since}")
            elif _apart((other.since, other.until), (max(since, model.since, key=version_of), model.until)):
                self.wrong(where, "the case is not about these versions (its own since and until)")
            elif any(not _apart((other.since, other.until), (one.since, one.until)) for one in found[:-1]):
                self.wrong(where, "an entry above is about some of these versions as well")
        return tuple(found)

    def request(self, n: int, model: CaseModel) -> Request:
        try:
            request = request_of(model.do)
            attributes_of(request.method, request.uri, None)
        except BadAction as bad:
            self.wrong(("cases", n, "do", bad.key), str(bad))
        except NotAudited as blind:
            self.wrong(("cases", n, "do"), f"the API server never consults its audit policy about this: {blind}")
        else:
            return request
        return Request("GET", "/")

    def expectation(self, model: ExpectModel, where: tuple[str | int, ...]) -> Expectation:
        level = _level(model.level) if model.level is not None else None
        for key in ("stages", "present", "absent", "event"):
            if level is Level.NONE and getattr(model, key):
                self.wrong((*where, "expect", key), f"{key} does not apply: an excluded action leaves no event")
        for pattern, fault in _bad_patterns(model.event):
            self.wrong((*where, "expect", "event"), f"{pattern!r} is not a regular expression: {fault}")
        stages = None if model.stages is None else frozenset(Stage(name) for name in model.stages)
        return Expectation(level, stages, model.status, tuple(model.present), tuple(model.absent), model.event)

    def identity(self, name: str, model: IdentityModel) -> Identity:
        identity, problems = identity_of(model)
        for key, message in problems:
            where = ("identities", name, key) if key else ("identities", name)
            self.wrong(where, message if key else f'identity "{name}" {message}')
        return identity

    def file(self, where: tuple[str | int, ...], text: str) -> Path:
        """The file ``text``, relative to the case file."""
        found = (self.path.parent / path_of(text)).resolve()
        if not is_file(found):
            self.wrong(where, f"no such file: {found}{did_you_mean(found.name[:_LONGEST], names_beside(found))}")
        return found

    def manifests(self, where: tuple[str | int, ...], given: list[Any]) -> Manifests:
        found: list[Mapping[str, Any]] = []
        for n, item in enumerate(given):
            try:
                found += self.manifest((*where, n), item)
            except BadManifest as bad:
                self.wrong((*where, n), str(bad))
        return tuple(found)

    def manifest(self, where: tuple[str | int, ...], item: Any) -> Manifests:
        if not isinstance(item, str):
            return (Manifest(check_object(item), self.root.at(where).position),)
        before = len(self.problems)
        found = self.file(where, item)
        return load_manifest(found) if len(self.problems) == before else ()


def _is_empty(since: str, until: str) -> bool:
    """Whether there is no version from ``since`` to ``until``."""
    return bool(until) and version_of(until) < version_of(since)


def _apart(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Whether two ranges of versions, each with its first and its last, have none in common."""
    return _is_empty(one[0], other[1]) or _is_empty(other[0], one[1])


def _bad_patterns(event: Any) -> Iterator[tuple[str, str]]:
    """The invalid regular expressions in the expected part of an event, with the error."""
    pattern = pattern_of(event)
    if pattern is not None:
        try:
            re.compile(pattern)
        except re.error as error:
            yield pattern, str(error)
        return
    parts = event.values() if isinstance(event, dict) else event if isinstance(event, list) else ()
    for part in parts:
        yield from _bad_patterns(part)


def _settings(model: SettingsModel) -> ServerFlags:
    return ServerFlags.of(model.audit_log, model.flags)


def _level(name: str) -> Level:
    return Level.NONE if name == "excluded" else Level(name)
