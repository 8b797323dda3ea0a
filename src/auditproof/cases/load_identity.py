"""Converts an entry of ``identities`` in a case file into an Identity. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.kube.identity import (
    BOOTSTRAP_ID,
    OIDC_EXTRA,
    OIDC_KINDS,
    OIDC_PREFIX,
    STATIC_USER,
    AccessRule,
    Identity,
    IdentityKind,
    Impersonation,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.cases.schema import IdentityModel

_CERTIFICATES = {
    "valid": IdentityKind.X509,
    "expired": IdentityKind.EXPIRED_CERTIFICATE,
    "untrusted": IdentityKind.UNTRUSTED_CERTIFICATE,
}
_OIDC = {"": IdentityKind.OIDC, "expired": IdentityKind.OIDC_EXPIRED, "foreign": IdentityKind.OIDC_FOREIGN}
_ACCOUNTS = {"": IdentityKind.SERVICE_ACCOUNT, "legacy": IdentityKind.LEGACY_TOKEN}
WAYS = "user, serviceAccount, oidc, frontProxy, staticToken, bootstrapToken, anonymous and badToken"
NOBODY = Identity(IdentityKind.ANONYMOUS)
_NAMED = {*_CERTIFICATES.values(), *OIDC_KINDS, IdentityKind.FRONT_PROXY}  # kinds whose credential can carry groups


def identity_of(model: IdentityModel) -> tuple[Identity, list[tuple[str, str]]]:
    """Return the Identity of an entry, and its problems as pairs of key (empty: the whole entry) and message."""
    ways = {
        _CERTIFICATES[model.certificate]: model.user,
        _ACCOUNTS.get(model.token, IdentityKind.SERVICE_ACCOUNT): model.service_account,
        _OIDC.get(model.token, IdentityKind.OIDC): model.oidc,
        IdentityKind.ANONYMOUS: model.anonymous,
        IdentityKind.BAD_TOKEN: model.bad_token,
        IdentityKind.FRONT_PROXY: model.front_proxy,
        IdentityKind.STATIC_TOKEN: model.static_token,
        IdentityKind.BOOTSTRAP_TOKEN: model.bootstrap_token,
    }
    kinds = [kind for kind, given in ways.items() if given]
    if len(kinds) != 1:
        return NOBODY, [("", f"needs exactly one of {WAYS}")]
    prefix = OIDC_PREFIX if kinds[0] in OIDC_KINDS else ""
    namespace, _, name = model.service_account.partition("/")
    if model.service_account:
        user_name = f"system:serviceaccount:{namespace}:{name}"
    elif model.bootstrap_token:
        user_name = f"system:bootstrap:{BOOTSTRAP_ID}"
    else:
        user_name = STATIC_USER if model.static_token else model.user or model.front_proxy or model.oidc
    identity = Identity(
        kinds[0],
        prefix + user_name,
        tuple(prefix + group for group in model.groups),
        _impersonation(model),
        without_rights=model.rights == "none",
        access=_access(model),
        pod=model.pod,
        node=model.node,
        uid=model.uid,
        extra=_pairs(model.extra),
    )
    return identity, list(_problems(model, kinds[0]))


def _problems(model: IdentityModel, kind: IdentityKind) -> Iterator[tuple[str, str]]:
    if model.groups and kind not in _NAMED:
        yield "groups", "groups apply only to user, oidc and frontProxy"
    for key in ("pod", "node"):
        if getattr(model, key) and kind is not IdentityKind.SERVICE_ACCOUNT:
            yield key, f"{key} applies only to serviceAccount tokens"
    if model.pod and model.node:
        yield "node", "a token can be bound to a pod or to a node, not to both"
    if model.uid and kind not in _NAMED - {IdentityKind.FRONT_PROXY}:
        yield "uid", "uid applies only to user and oidc"
    if model.extra and kind not in {*OIDC_KINDS, IdentityKind.FRONT_PROXY}:
        yield "extra", "extra applies only to oidc and frontProxy"
    if kind in OIDC_KINDS and model.extra.keys() - {OIDC_EXTRA}:
        yield "extra", f"from oidc tokens the API server accepts only the extra key {OIDC_EXTRA}"
    tokens = _OIDC if kind in OIDC_KINDS else _ACCOUNTS if model.service_account else {"": kind}
    if model.token not in tokens:
        yield "token", f"this kind of identity has no {model.token} token"


def _impersonation(model: IdentityModel) -> Impersonation | None:
    asked = model.impersonates
    if asked is None:
        return None
    return Impersonation(asked.user, tuple(asked.groups), asked.uid, _pairs(asked.extra))


def _pairs(extra: dict[str, list[str]]) -> tuple[tuple[str, str], ...]:
    return tuple((key, value) for key, values in extra.items() for value in values)


def _access(model: IdentityModel) -> tuple[AccessRule, ...]:
    return tuple(
        AccessRule(
            tuple(rule.verbs),
            tuple(rule.api_groups),
            tuple(rule.resources),
            tuple(rule.resource_names),
            tuple(rule.non_resource_urls),
        )
        for rule in model.access
    )
