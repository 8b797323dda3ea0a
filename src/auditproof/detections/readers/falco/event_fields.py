"""The fields of Falco's rules on audit events, as fields of an event. Pure.

Sources in falcosecurity/plugins: fields.go and extract.go of plugins/k8saudit for ``ka.*``, json.go of plugins/json for
``jevt.*`` and ``json.*``. Where the plugin reads something else than the name of a field says, so does this table, with
a remark.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from auditproof.detections.condition import TRUE, Condition, Not, Operator, Test, both, either, negated
from auditproof.detections.fields import ANYWHERE, EACH, Derived, Field
from auditproof.detections.readers.falco.unreadable import Unreadable
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from auditproof.detections.readers.falco.syntax import FieldName


@dataclass(frozen=True, slots=True)
class Values:
    """The values of ``field``, if ``given`` is true of the event; ``is_scalar``: none is an object or a list."""

    field: Field
    given: Condition = TRUE
    is_list: bool = False
    is_scalar: bool = True
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Cases:
    """A text for each of some conditions that exclude each other; absent if none is true."""

    cases: tuple[tuple[Condition, str], ...]
    is_list: bool = False
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Clock:
    """A positive integer that differs each time; a text, if not ``is_number``."""

    is_number: bool
    is_list: bool = False
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Whole:
    """The JSON text of the whole event, indented."""

    is_list: bool = False
    remark: str = ""


Source = Values | Cases | Clock | Whole

_SCALARS = {
    "ka.auditid": ("auditID",),
    "ka.stage": ("stage",),
    "ka.auth.decision": ("annotations", "authorization.k8s.io/decision"),
    "ka.auth.reason": ("annotations", "authorization.k8s.io/reason"),
    "ka.auth.openshift.decision": ("annotations", "authentication.openshift.io/decision"),
    "ka.auth.openshift.username": ("annotations", "authentication.openshift.io/username"),
    "ka.validations.admission.policy.failure": ("annotations", "validation.policy.admission.k8s.io/validation_failure"),
    "ka.security.pod.violations": ("annotations", "pod-security.kubernetes.io/audit-violations"),
    "ka.user.name": ("user", "username"),
    "ka.impuser.name": ("impersonatedUser", "username"),
    "ka.verb": ("verb",),
    "ka.uri": ("requestURI",),
    "ka.target.name": ("objectRef", "name"),
    "ka.target.namespace": ("objectRef", "namespace"),
    "ka.target.resource": ("objectRef", "resource"),
    "ka.target.subresource": ("objectRef", "subresource"),
    "ka.req.binding.role": ("requestObject", "roleRef", "name"),
    "ka.req.configmap.name": ("objectRef", "name"),
    "ka.req.pod.host_ipc": ("requestObject", "spec", "hostIPC"),
    "ka.req.pod.host_network": ("requestObject", "spec", "hostNetwork"),
    "ka.req.container.host_network": ("requestObject", "spec", "hostNetwork"),
    "ka.req.pod.host_pid": ("requestObject", "spec", "hostPID"),
    "ka.req.pod.run_as_user": ("requestObject", "spec", "securityContext", "runAsUser"),
    "ka.req.pod.run_as_group": ("requestObject", "spec", "securityContext", "runAsGroup"),
    "ka.req.pod.fs_group": ("requestObject", "spec", "securityContext", "fsGroup"),
    "ka.req.service.type": ("requestObject", "spec", "type"),
    "ka.resp.name": ("responseObject", "metadata", "name"),
    "ka.response.code": ("responseStatus", "code"),
    "ka.response.reason": ("responseStatus", "reason"),
    "ka.useragent": ("userAgent",),
    "ka.cluster.name": ("annotations", "cluster_name"),
}
_LISTS = {
    "ka.user.groups": (("user", "groups", EACH), True),
    "ka.req.binding.subjects": (("requestObject", "subjects", EACH), False),
    "ka.req.role.rules": (("requestObject", "rules", EACH), False),
    "ka.req.pod.supplemental_groups": (
        ("requestObject", "spec", "securityContext", "supplementalGroups", EACH),
        True,
    ),
}
_SUBJECTS = {
    "ka.req.binding.subjects.user_names": "User",
    "ka.req.binding.subjects.group_names": "Group",
    "ka.req.binding.subjects.serviceaccount_names": "ServiceAccount",
    "ka.req.binding.subjects.serviceaccount_ns_names": "NamespacedServiceAccount",
}
_RULES = {f"ka.req.role.rules.{key}": key for key in ("apiGroups", "nonResourceURLs", "resources", "verbs")}
_VOLUMES = {
    "ka.req.pod.volumes.hostpath": (("hostPath", "path"), None),
    "ka.req.pod.volumes.flexvolume_driver": (("flexVolume", "driver"), None),
    "ka.req.pod.volumes.volume_type": ((), Derived.VOLUME_TYPE),
}
_CONTAINERS = {
    "name": (("name",), None),
    "image": (("image",), None),
    "image.repository": (("image",), Derived.UNTIL_COLON),
    "args": (("args",), Derived.JOINED),
    "command": (("command",), Derived.JOINED),
    "host_port": (("ports", EACH), Derived.HOST_PORT),
    "privileged": (("securityContext", "privileged"), None),
    "allow_privilege_escalation": (("securityContext", "allowPrivilegeEscalation"), None),
    "read_only_fs": (("securityContext", "readOnlyRootFilesystem"), None),
    "run_as_user": (("securityContext", "runAsUser"), None),
    "run_as_group": (("securityContext", "runAsGroup"), None),
    "proc_mount": (("securityContext", "procMount"), None),
    "add_capabilities": (("securityContext", "capabilities", "add"), Derived.TEXT),
    "eff_run_as_user": ((), None),
    "eff_run_as_group": ((), None),
}
_KINDS_OF_CONTAINERS = ("containers", "initContainers", "ephemeralContainers")
_NO_EPHEMERAL = "ka.req.pod.ephemeralContainers.host_port"
_OF_CONTAINERS = {
    name: (kind, key)
    for kind in _KINDS_OF_CONTAINERS
    for key in _CONTAINERS
    if (name := f"ka.req.pod.{kind}.{key}") != _NO_EPHEMERAL
}
_CLOCKS = {"jevt.rawtime": False, "json.rawtime": False, "evt.num": True, "evt.rawtime": True, "evt.rawtime.s": True}
_FALCOS = (  # of the engine and of the machine it runs on
    "evt.time", "evt.time.s", "evt.time.iso8601", "evt.datetime", "evt.datetime.s", "evt.rawtime.ns", "evt.reltime",
    "evt.reltime.s", "evt.reltime.ns", "evt.pluginname", "evt.plugininfo", "evt.is_async", "evt.asynctype",
    "evt.hostname", "evt.type", "evt.dir",
)  # fmt: skip
_INDEXED = {*_OF_CONTAINERS, *_RULES, *_VOLUMES, "ka.req.service.ports", "ka.sourceips"}
_KEYED = {"ka.uri.param", "ka.req.volume.hostpath", "ka.req.binding.subject.has_name", "jevt.value", "json.value"}
FIELDS = frozenset({
    *_SCALARS, *_LISTS, *_SUBJECTS, *_INDEXED, *_KEYED, *_CLOCKS, "jevt.obj", "json.obj", "ka.target.pod.name",
    "ka.req.configmap.obj", "ka.req.container.image", "ka.req.container.image.repository",
    "ka.req.container.privileged", "evt.source",
})  # fmt: skip
_SPEC = ("requestObject", "spec")
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
_SHORT_SCALARS = (("metadata", "name"), ("metadata", "namespace"), ("kind",), ("apiVersion",))


def source_of(written: FieldName) -> Source:
    """What a field of a rule reads. Raises Unreadable for one that is unknown, or not decided by the event alone."""
    name, argument = written.name, written.argument
    if name in _FALCOS:
        raise Unreadable(f"{name} depends on Falco and its machine, not on the audit event")
    if name not in FIELDS:
        raise Unreadable(f"{name} is no field of Falco's audit events{did_you_mean(name, FIELDS)}")
    if name in _KEYED:
        if not argument:
            raise Unreadable(f"{name} needs an argument in brackets")
        if set(argument) & set(" ]"):
            raise Unreadable(f"the argument of {name} has a blank or a ], at which Falco ends it")
    elif argument is not None and not (name in _INDEXED and _INDEX.fullmatch(argument)):
        expected = "an index such as [0]" if name in _INDEXED else "none"
        raise Unreadable(f"the argument of {name} is [{argument}]; expected {expected}")
    return _source(name, argument or "", EACH if argument is None else argument)


def _source(name: str, argument: str, index: str) -> Source:
    if name in _SCALARS:
        return Values(Field(_SCALARS[name]))
    if name in _LISTS:
        path, is_scalar = _LISTS[name]
        return Values(Field(path), is_list=True, is_scalar=is_scalar)
    if name in _SUBJECTS:
        field = Field(("requestObject", "subjects", EACH), Derived.SUBJECT, _SUBJECTS[name])
        return Values(field, is_list=True)
    if name in _RULES:
        return Values(Field(("requestObject", "rules", index, _RULES[name], EACH)), is_list=True)
    if name in _VOLUMES:
        keys, derived = _VOLUMES[name]
        return Values(Field((*_SPEC, "volumes", index, *keys), derived), is_list=True)
    if name in _OF_CONTAINERS:
        return _of_containers(name, index)
    if name in _CLOCKS:
        return Clock(_CLOCKS[name])
    if name in ("jevt.value", "json.value"):
        return _pointer(argument)
    return _special(name, argument)


def _of_containers(name: str, index: str) -> Source:
    kind, key = _OF_CONTAINERS[name]
    containers = (*_SPEC, kind, index)
    if key.startswith("eff_"):
        # readFromContainerEffectively looks for runAsUser in the container itself, where no Pod has it.
        found = "no value with an index" if index != EACH else "0 for every container"
        remark = f"Falco's plugin reads {name} past the securityContext and finds {found}"
        cases = ((Test(Field(containers), Operator.EXISTS), "0"),) if index == EACH else ()
        return Cases(cases, is_list=True, remark=remark)
    keys, derived = _CONTAINERS[key]
    field = Field((*containers, *keys), derived, whole=index == EACH and key in ("name", "image", "image.repository"))
    remark = f"Falco reads {name} as the JSON text of a list" if key == "add_capabilities" else ""
    return Values(field, is_list=True, remark=remark)


def _pointer(pointer: str) -> Source:
    """The value at a JSON pointer, whose leading slash may be missing."""
    if pointer == "/":
        raise Unreadable("the JSON pointer [/] names no key")
    keys = tuple(key.replace("~1", "/").replace("~0", "~") for key in pointer.removeprefix("/").split("/"))
    if EACH in keys or ANYWHERE in keys:
        raise Unreadable(f"the JSON pointer [{pointer}] has the key *, which Falco takes literally")
    is_scalar = keys in _SCALARS.values() or keys[1:] in _SHORT_SCALARS or keys == ("level",)
    return Values(Field(keys), is_scalar=is_scalar)


def _special(name: str, argument: str) -> Source:
    match name:
        case "jevt.obj" | "json.obj":
            return Whole()
        case "evt.source":
            return Cases(((TRUE, "k8s_audit"),))
        case "ka.req.binding.subject.has_name":
            return Cases(((TRUE, "true"),), remark=f"{name} is true of every event")
        case "ka.uri.param":
            return Values(Field(("requestURI",), Derived.PARAMETER, argument, first=True))
        case "ka.req.configmap.obj":
            return Values(Field(("requestObject", "data")), is_scalar=False)
        case "ka.req.service.ports":
            return Values(Field((*_SPEC, "ports")), is_list=True, is_scalar=False)
        case "ka.sourceips":
            # extractRulesField is called with this key: a mistake of the plugin, so that no address is ever found.
            remark = "Falco's plugin looks for ka.sourceips in requestObject.rules, where no address is"
            return Values(Field(("requestObject", "rules", EACH, "sourceIPs", EACH)), is_list=True, remark=remark)
        case "ka.target.pod.name":
            is_pod = Test(Field.at("objectRef.resource"), Operator.EQUALS, ("pods",))
            has_part = Test(Field.at("objectRef.subresource"), Operator.EXISTS)
            return Values(Field.at("responseObject.metadata.name"), both(is_pod, Not(has_part)))
        case "ka.req.container.image" | "ka.req.container.image.repository":
            derived = Derived.UNTIL_COLON if name.endswith("repository") else None
            return Values(Field((*_SPEC, "containers", "0", "image"), derived))
        case "ka.req.container.privileged":
            flags = Field((*_SPEC, "containers", EACH, "securityContext", "privileged"))
            return _flag(Test(flags, Operator.EQUALS, ("true",)), Field((*_SPEC, "containers")))
    paths = Field((*_SPEC, "volumes", EACH, "hostPath", "path"))
    is_used: Condition = Test(paths, Operator.EQUALS, (argument,))
    if argument.endswith("*"):
        is_used = either(is_used, Test(paths, Operator.STARTS_WITH, (argument[:-1],)))
    return _flag(is_used, Field((*_SPEC, "volumes")))


def _flag(is_true: Condition, read: Field) -> Source:
    """The text true or false; absent without the list that is read."""
    is_there = Test(read, Operator.EXISTS)
    return Cases(((is_true, "true"), (both(is_there, negated(is_true)), "false")))


def as_text(values: Values) -> Field:
    """The field with objects and lists as JSON text, as the plugin passes them on."""
    return values.field if values.field.derived else replace(values.field, derived=Derived.TEXT)
