"""Case files (``*.audit.yaml``): one sentence a case: as X, do Y, expect Z."""

from __future__ import annotations

import difflib
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import yaml
from pydantic import Field

from auditproof.action import PATCH_TYPES, Action, Request, parse_target, to_request
from auditproof.attributes import NotAudited, attributes_of
from auditproof.audit import Level, Stage
from auditproof.errors import Problem, SourceError
from auditproof.expect import Claim, Expectation
from auditproof.identity import AccessRule, Identity, IdentityKind, Impersonation
from auditproof.model import Strict, read_model
from auditproof.resources import Resource, UnknownResource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from auditproof.errors import Position
    from auditproof.source import Node

VERBS = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
SLUG = r"^[a-z0-9][a-z0-9-]*$"
LevelName = Literal["None", "Metadata", "Request", "RequestResponse"]
StageName = Literal["RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"]


class ImpersonationModel(Strict):
    """Who an identity asks to be taken for."""

    user: str
    groups: list[str] = []
    uid: str = ""
    extra: dict[str, list[str]] = {}


class AccessModel(Strict):
    """An RBAC rule."""

    verbs: list[str]
    apiGroups: list[str] = []
    resources: list[str] = []
    resourceNames: list[str] = []
    nonResourceURLs: list[str] = []


class IdentityModel(Strict):
    """Who acts: exactly one of user, serviceAccount, anonymous, badToken."""

    user: str | None = None
    groups: list[str] = []
    serviceAccount: str | None = Field(default=None, pattern=r"^[a-z0-9-]+/[a-z0-9.-]+$")
    anonymous: Literal[True] | None = None
    badToken: Literal[True] | None = None
    impersonates: ImpersonationModel | None = None
    rights: Literal["none"] | None = None
    access: list[AccessModel] = []


class DoModel(Strict):
    """An action: one verb with its target, or path, or request."""

    get: str | None = None
    list_: str | None = Field(default=None, alias="list")
    watch: str | None = None
    create: str | None = None
    update: str | None = None
    patch: str | None = None
    delete: str | None = None
    deletecollection: str | None = None
    path: str | None = Field(default=None, pattern="^/")
    request: str | None = Field(default=None, pattern=r"^\S+ /\S*$")
    method: str = Field(default="GET", pattern=r"^[A-Za-z]+$")
    in_: str = Field(default="", alias="in")
    version: str | None = None
    clusterScoped: bool = False
    object_: dict[str, Any] | None = Field(default=None, alias="object")
    body: dict[str, Any] | list[Any] | str | None = None
    contentType: str = ""
    type: Literal["json", "merge", "strategic", "apply"] = "merge"
    fieldSelector: str = ""
    labelSelector: str = ""
    query: dict[str, str] = {}
    headers: dict[str, str] = {}
    dryRun: bool = False
    upgrade: Literal["", "websocket", "spdy"] = ""


class ExpectModel(Strict):
    """What the log must show; what is not stated is the policy's Decision."""

    level: LevelName | None = None
    stages: list[StageName] | None = None
    status: int | None = Field(default=None, ge=100, le=599)
    present: list[str] = []
    absent: list[str] = []


class ClaimModel(Strict):
    """What somebody else says."""

    text: str
    level: LevelName


class CaseModel(Strict):
    """One case."""

    id: str = Field(pattern=SLUG)
    title: str
    as_: str = Field(alias="as")
    do: DoModel
    given: list[str | dict[str, Any]] = []
    expect: Literal["excluded", "Metadata", "Request", "RequestResponse"] | ExpectModel | None = None
    claim: ClaimModel | None = None
    because: str = ""
    needs: list[Literal["setsPolicy", "mintsX509", "readsLog", "runsPods"]] = []
    marks: list[str] = []


class FileModel(Strict):
    """A case file."""

    apiVersion: Literal["auditproof/v1"]
    kind: Literal["CaseFile"]
    title: str
    policy: str | None = None
    sabotage: str | None = None
    identities: dict[str, IdentityModel]
    given: list[str | dict[str, Any]] = []
    cases: list[CaseModel] = Field(min_length=1)


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """One sentence: ``identity`` sends ``request``, and the log must show what ``expectation`` says."""

    id: str
    title: str
    identity: Identity
    request: Request
    expectation: Expectation
    claim: Claim | None
    because: str
    given: tuple[Mapping[str, Any], ...]
    needs: frozenset[str]
    marks: tuple[str, ...]
    position: Position


@dataclass(frozen=True, slots=True, eq=False)
class CaseFile:
    """The cases of one file; without ``policy`` they are judged by the policy that the run is given."""

    path: Path
    title: str
    policy: Path | None
    sabotage: Path | None
    given: tuple[Mapping[str, Any], ...]
    cases: tuple[Case, ...]


def case_schema() -> dict[str, Any]:
    """The JSON Schema of case files, for editors."""
    return FileModel.model_json_schema(by_alias=True)


def load_case_file(path: Path) -> CaseFile:
    """Read a case file.

    Raises SourceError with everything that is wrong with it, each with line and column.
    """
    model, root = read_model(path, FileModel)
    reader = _Reader(path, model, root)
    loaded = reader.read()
    if reader.problems:
        raise SourceError(sorted(reader.problems, key=lambda problem: problem.position))
    return loaded


class _Reader:
    """Turns a checked model into Cases, gathering what only a second look finds."""

    def __init__(self, path: Path, model: FileModel, root: Node) -> None:
        self._path = path
        self._model = model
        self._root = root
        self.problems: list[Problem] = []

    def _wrong(self, text: str, *path: str | int) -> None:
        self.problems.append(Problem(self._root.at(path).position, text))

    def read(self) -> CaseFile:
        model = self._model
        self._check_ids()
        identities = {name: self._identity(name, each) for name, each in model.identities.items()}
        policy, sabotage = (self._file(key, getattr(model, key)) for key in ("policy", "sabotage"))
        if bool(policy) != bool(sabotage):
            self._wrong("a file with a policy of its own needs a sabotage twin, and only such a file has one", "policy")
        cases = (self._case(n, case, identities) for n, case in enumerate(model.cases))
        return CaseFile(
            self._path,
            model.title,
            policy,
            sabotage,
            tuple(self._given(model.given, "given")),
            tuple(case for case in cases if case is not None),
        )

    def _check_ids(self) -> None:
        counts = Counter(case.id for case in self._model.cases)
        for n, case in enumerate(self._model.cases):
            if counts[case.id] > 1:
                self._wrong(f"the id {case.id} is there {counts[case.id]} times", "cases", n, "id")

    def _file(self, key: str, name: str | None) -> Path | None:
        if name is None:
            return None
        path = (self._path.parent / name).resolve()
        if not path.is_file():
            self._wrong(f"{key}: there is no file {path}", key)
        return path

    def _identity(self, name: str, model: IdentityModel) -> Identity:
        ways = [model.user is not None, model.serviceAccount is not None, bool(model.anonymous), bool(model.badToken)]
        if sum(ways) != 1:
            text = f"identity {name}: exactly one of user, serviceAccount, anonymous, badToken is needed"
            self._wrong(text, "identities", name)
        if model.groups and model.user is None:
            self._wrong(f"identity {name}: only a user has groups of its own", "identities", name, "groups")
        kind, user = _kind(model)
        asked = model.impersonates
        return Identity(
            kind,
            user,
            tuple(model.groups),
            _impersonation(asked) if asked else None,
            model.rights == "none",
            tuple(_access(rule) for rule in model.access),
        )

    def _given(self, entries: list[str | dict[str, Any]], *path: str | int) -> Iterator[Mapping[str, Any]]:
        for n, entry in enumerate(entries):
            if isinstance(entry, str):
                yield from self._manifests(entry, *path, n)
            else:
                yield self._manifest(entry, *path, n)

    def _manifests(self, name: str, *path: str | int) -> Iterator[Mapping[str, Any]]:
        file = (self._path.parent / name).resolve()
        try:
            documents = list(yaml.safe_load_all(file.read_bytes()))
        except OSError as error:
            self._wrong(f"{file} cannot be read: {error.strerror}", *path)
        except yaml.YAMLError as error:
            self._wrong(f"{file} is not YAML: {error}", *path)
        else:
            yield from (self._manifest(document, *path) for document in documents if document is not None)

    def _manifest(self, manifest: Any, *path: str | int) -> Mapping[str, Any]:
        needed = ("apiVersion", "kind", "metadata")
        if not isinstance(manifest, dict) or any(key not in manifest for key in needed):
            self._wrong("a manifest needs apiVersion, kind and metadata", *path)
            return {}
        return manifest

    def _case(self, n: int, model: CaseModel, identities: Mapping[str, Identity]) -> Case | None:
        identity = identities.get(model.as_)
        if identity is None:
            guess = difflib.get_close_matches(model.as_, identities, n=1)
            meant = f"; did you mean {guess[0]}?" if guess else f"; known: {', '.join(identities)}"
            self._wrong(f"there is no identity {model.as_}{meant}", "cases", n, "as")
        request = self._request(n, model.do)
        if identity is None or request is None:
            return None
        return Case(
            model.id,
            model.title,
            identity,
            request,
            _expectation(model.expect),
            Claim(model.claim.text, Level(model.claim.level)) if model.claim else None,
            model.because,
            tuple(self._given(model.given, "cases", n, "given")),
            frozenset(model.needs),
            tuple(model.marks),
            self._root.at(("cases", n)).position,
        )

    def _request(self, n: int, do: DoModel) -> Request | None:
        given = {verb: getattr(do, "list_" if verb == "list" else verb) for verb in VERBS}
        verbs = [verb for verb, target in given.items() if target is not None]
        forms = [*verbs, *(key for key in ("path", "request") if getattr(do, key) is not None)]
        if len(forms) != 1:
            self._wrong(
                f"do needs exactly one of {', '.join(VERBS)}, path, request; it has {len(forms)}", "cases", n, "do"
            )
            return None
        try:
            request = _action_request(verbs[0], given[verbs[0]], do) if verbs else _raw_request(do)
            attributes_of(request.method, request.uri, None)
        except (UnknownResource, NotAudited) as error:
            self._wrong(str(error.args[0]), "cases", n, "do", forms[0])
            return None
        return request


def _kind(model: IdentityModel) -> tuple[IdentityKind, str]:
    if model.serviceAccount is not None:
        namespace, _, name = model.serviceAccount.partition("/")
        return IdentityKind.SERVICE_ACCOUNT, f"system:serviceaccount:{namespace}:{name}"
    if model.anonymous:
        return IdentityKind.ANONYMOUS, ""
    if model.badToken:
        return IdentityKind.BAD_TOKEN, ""
    return IdentityKind.X509, model.user or ""


def _impersonation(model: ImpersonationModel) -> Impersonation:
    extra = tuple((key, value) for key, values in model.extra.items() for value in values)
    return Impersonation(model.user, tuple(model.groups), model.uid, extra)


def _access(model: AccessModel) -> AccessRule:
    return AccessRule(
        tuple(model.verbs),
        tuple(model.apiGroups),
        tuple(model.resources),
        tuple(model.resourceNames),
        tuple(model.nonResourceURLs),
    )


def _expectation(model: str | ExpectModel | None) -> Expectation:
    if model is None:
        return Expectation()
    if isinstance(model, str):
        return Expectation(level=Level.NONE if model == "excluded" else Level(model))
    return Expectation(
        Level(model.level) if model.level else None,
        frozenset(map(Stage, model.stages)) if model.stages is not None else None,
        model.status,
        tuple(model.present),
        tuple(model.absent),
    )


def _raw_request(do: DoModel) -> Request:
    method, path = do.request.split(" ", 1) if do.request else (do.method, do.path or "/")
    query = "&".join(f"{key}={value}" for key, value in do.query.items())
    body, headers = None, tuple(do.headers.items())
    if do.body is not None:
        body = do.body.encode() if isinstance(do.body, str) else json.dumps(do.body).encode()
        headers = (("Content-Type", do.contentType or "application/json"), *headers)
    return Request(method, f"{path}?{query}" if query else path, headers, body, do.upgrade)


def _action_request(verb: str, target: str, do: DoModel) -> Request:
    body: Any = do.object_ if do.body is None else do.body
    raw = body.encode() if isinstance(body, str) else None
    return to_request(
        Action(
            verb,
            parse_target(target, do.in_, _custom_resource(target, do)),
            body=None if raw is not None else body,
            raw=raw,
            patch=do.type if do.type in PATCH_TYPES else "merge",
            media_type=do.contentType,
            query=_query(do),
            headers=tuple(do.headers.items()),
            upgrade=do.upgrade,
        )
    )


def _query(do: DoModel) -> dict[str, str]:
    named = {"fieldSelector": do.fieldSelector, "labelSelector": do.labelSelector, "dryRun": "All" if do.dryRun else ""}
    return {**{key: value for key, value in named.items() if value}, **do.query}


def _custom_resource(target: str, do: DoModel) -> Resource | None:
    """A custom resource, named in full: ``plural.group``, with its version and its kind in the object."""
    if do.version is None:
        return None
    plural, _, group = target.partition("/")[0].partition(".")
    kind = str((do.object_ or {}).get("kind", "")) or _singular(plural)
    return Resource(group, do.version, plural, kind, not do.clusterScoped)


def _singular(plural: str) -> str:
    return re.sub(r"s$", "", plural).capitalize()
