"""Every code of lint: its name, its severity and a one-line description. docs/lint.md explains each one."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """ERROR: never does what the policy says; WARNING: probably not what was intended; INFO: worth knowing."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Code:
    """One code of the catalogue; ``title`` is its one-line description."""

    code: str
    name: str
    severity: Severity
    title: str


_E, _W, _I = Severity.ERROR, Severity.WARNING, Severity.INFO
_CODES = (
    Code("AP001", "refused-policy", _E, "the API server does not start with this policy"),
    Code("AP101", "unknown-key", _E, "a key that the API server does not know and ignores"),
    Code("AP102", "duplicate-key", _E, "a duplicate key: the last one counts"),
    Code("AP103", "misplaced-key", _E, "a key that belongs elsewhere and is ignored here"),
    Code("AP104", "further-document", _E, "a second YAML document, which the server does not read"),
    Code("AP201", "unreachable-rule", _E, "a rule that no request reaches, because earlier rules cover it"),
    Code("AP202", "impossible-rule", _E, "a rule whose conditions exclude each other"),
    Code("AP203", "refused-requests-only", _W, "a rule that only decides requests which the server does not serve"),
    Code("AP204", "all-stages-omitted", _W, "a rule that has a level and records nothing"),
    Code("AP205", "records-nothing", _E, "a policy that records nothing at all"),
    Code("AP206", "dead-entry", _W, "an entry of a rule that decides nothing"),
    Code("AP207", "redundant-rule", _I, "a rule that may be removed without any change"),
    Code("AP208", "no-last-rule", _I, "requests that no rule matches, which are not recorded"),
    Code("AP301", "no-such-verb", _E, "a verb that no request has"),
    Code("AP302", "identity-wildcard", _E, "a wildcard in users or userGroups, which is taken literally"),
    Code("AP303", "namespace-wildcard", _E, "a wildcard or an impossible name in namespaces, taken literally"),
    Code("AP304", "dead-resource-pattern", _E, "a resource pattern that matches no served resource"),
    Code("AP305", "name-wildcard", _E, "a wildcard in resourceNames, which is taken literally"),
    Code("AP306", "unserved-resource", _W, "a resource that the API server does not serve"),
    Code("AP307", "unknown-group", _W, "an API group that is misspelled or cannot exist"),
    Code("AP308", "removed-group", _I, "an API group that no supported version serves"),
    Code("AP309", "verb-not-served", _W, "a verb that the resource does not have"),
    Code("AP310", "name-not-known", _W, "resourceNames with verbs whose requests name no object"),
    Code("AP311", "wrong-scope", _W, "namespaces that do not match the scope of the resources"),
    Code("AP312", "resource-as-path", _E, "a resource in nonResourceURLs, which never match resources"),
    Code("AP313", "vanished-user", _W, "a user that no supported version has any more"),
    Code("AP314", "swapped-identity", _W, "a group among users, or a user among userGroups"),
    Code("AP315", "misspelt-identity", _W, "a user or group that is almost a built-in one"),
    Code("AP401", "events-twin", _W, "events of one API group without their twin in the other"),
    Code("AP402", "half-exec", _W, "exec, attach or port-forward in one of their two forms only"),
    Code("AP403", "lost-failed-logins", _W, "failed logins lost by omitting ResponseStarted"),
    Code("AP404", "no-failed-logins", _W, "no failed login is recorded"),
    Code("AP501", "secret-bodies", _W, "the contents of secrets are recorded"),
    Code("AP502", "issued-tokens", _W, "service account tokens are recorded when they are issued"),
    Code("AP503", "reviewed-tokens", _W, "tokens are recorded when they are reviewed"),
    Code("AP504", "double-volume", _W, "RequestReceived is recorded although it doubles the volume"),
    Code("AP601", "any-group", _W, 'the group "*", which API servers before 1.36 refuse'),
    Code("AP602", "not-in-every-minor", _I, "a resource that not every supported version serves"),
    Code("AP603", "lost-yaml-patches", _W, "events of YAML patches, which API servers before 1.37 lose"),
    Code("AP701", "ignore-without-reason", _E, "a suppression comment without a code or a reason"),
    Code("AP702", "ignore-without-effect", _W, "a suppression comment without effect"),
)
CATALOGUE = {code.code: code for code in _CODES}
