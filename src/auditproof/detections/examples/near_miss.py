"""A request like the one that triggers a rule, with one thing changed that the rule needs. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from auditproof.analysis.space.identities import service_account
from auditproof.detections.condition import Operator, matches, tests_of
from auditproof.detections.examples.body import NotBuilt
from auditproof.detections.examples.candidates import NAME, NAMESPACE, RUNNING, USER
from auditproof.detections.examples.draft import (
    AGENT_FIELD,
    NAME_FIELD,
    URI_FIELD,
    answers,
    draft_of,
    with_name,
)
from auditproof.detections.examples.forecast import Answer, Forecast
from auditproof.kube.attributes import UserInfo
from auditproof.kube.resources import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from auditproof.detections.condition import Condition
    from auditproof.detections.examples.draft import Values
    from auditproof.kube.attributes import Attributes

    Change = tuple[str, Attributes, Answer, Values]  # what is changed, and the parts of the request then

OTHER = "auditproof-other"
_OTHERS = ("configmaps", "services", "clusterroles")
_OTHER_VERBS = {
    "create": ("list",),
    "get": ("list", "delete"),
    "list": ("get", "watch"),
    "update": ("get",),
    "patch": ("get",),
    "delete": ("get",),
    "deletecollection": ("list",),
    "watch": ("list",),
}


def near_miss(condition: Condition, asked: Attributes, answer: Answer, values: Values) -> dict[str, Any]:
    """``miss`` and ``changed`` of an example: a draft that triggers nothing, and in what it differs; empty if none is.

    >>> from auditproof import Attributes, UserInfo
    >>> from auditproof.detections import Field, Operator, Test
    >>> from auditproof.detections.examples.forecast import Answer
    >>> from auditproof.detections.examples.near_miss import near_miss
    >>> asked = Attributes(UserInfo("alice"), "create", "shop", "", "v1", "pods")
    >>> host_pid = {Field.at("requestObject.spec.hostPID"): (True,)}
    >>> rule = Test(Field.at("requestObject.spec.hostPID"), Operator.EQUALS, ("true",))
    >>> near_miss(rule, asked, Answer.ACCEPTED, host_pid)["changed"]
    'requestObject.spec.hostPID is false'
    """
    for changed, its, response, other in _changes(condition, asked, answer, values):
        try:
            miss = draft_of(its, response, other)
        except NotBuilt:
            continue
        forecast = Forecast.of(miss)
        if not any(matches(condition, event) for event in forecast.events.values()):
            return {"miss": miss, "changed": changed}
    return {}


def _changes(condition: Condition, asked: Attributes, answer: Answer, values: Values) -> Iterator[Change]:
    """What is changed, and the request's attributes, response and values then; the smallest changes first."""
    for field, given in values.items():
        if not given:
            continue
        rest = {one: some for one, some in values.items() if one != field}
        if field.path == NAME_FIELD.path:
            yield f"{field} is {OTHER}", asked, answer, {**rest, field: (OTHER,)}
        elif isinstance(given[0], bool):
            yield f"{field} is {str(not given[0]).lower()}", asked, answer, {**rest, field: (not given[0],)}
        elif field in (URI_FIELD, AGENT_FIELD):
            yield f"{field} is an ordinary one", asked, answer, rest
        yield f"without {field}", asked, answer, rest
        if field not in (URI_FIELD, AGENT_FIELD):
            yield f"{field} is {OTHER}", asked, answer, {**rest, field: (OTHER,)}
    kept = {field: given for field, given in values.items() if field.path != URI_FIELD.path}  # a URI is of one object
    if not asked.resource_request and asked.user is not None:
        other_path = replace(asked, path="/healthz")
        yield "the path is /healthz", other_path, answers(other_path)[0], kept
    for other in answers(asked):
        if other is not answer:
            yield f"the response is {other}", asked, other, values
    if asked.resource_request:
        yield from _other_objects(asked, answer, kept)
    yield from _other_users(condition, asked, answer, values)


def _other_objects(asked: Attributes, answer: Answer, values: Values) -> Iterator[Change]:
    if asked.name and asked.name not in (NAME, RUNNING):
        yield f"the name is {OTHER}", with_name(asked, OTHER), answer, values
    if asked.namespace and asked.resource != "namespaces":
        namespace = NAMESPACE if asked.namespace != NAMESPACE else "kube-system"
        yield f"the namespace is {namespace}", replace(asked, namespace=namespace), answer, values
    if asked.subresource and asked.resource == "pods" and asked.subresource != "log":
        name = RUNNING if asked.name == NAME else asked.name  # the other one runs nowhere
        log = replace(asked, subresource="log", verb="get", name=name)
        yield "the subresource is log", log, answers(log)[0], values
    for verb in _OTHER_VERBS.get(asked.verb, ()):
        name = "" if verb in ("list", "watch") else asked.name or NAME
        if asked.subresource and verb == "list":
            continue
        inside = "" if asked.resource == "namespaces" and not name else asked.namespace
        other = replace(asked, verb=verb, name=name, namespace=inside)
        yield f"the verb is {verb}", other, answers(other)[0], values
    for (group, resource), known in RESOURCES.items():
        if resource in _OTHERS and resource != asked.resource and known.namespaced == bool(asked.namespace):
            other = replace(asked, api_group=group, api_version=known.version, resource=resource, subresource="")
            yield f"the resource is {resource}", other, answers(other)[0], values


def _other_users(condition: Condition, asked: Attributes, answer: Answer, values: Values) -> Iterator[Change]:
    names = [USER, "system:auditproof-example"]
    for test in tests_of(condition):
        if test.field.path == ("user", "username") and test.operator is Operator.EQUALS:
            names += [value for value in test.values if not service_account(value) and value != "system:anonymous"]
    for name in dict.fromkeys(names):
        if asked.user is None or asked.user.name != name:
            other = replace(asked, user=UserInfo(name, ("system:authenticated",)))
            yield f"the user is {name}", other, answer if asked.user else answers(other)[0], values
