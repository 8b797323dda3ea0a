"""kubectl's own verbs: the requests that it sends for exec, attach, port-forward, logs, scale and drain. Pure.

Source: k8s.io/kubectl pkg/cmd/exec/exec.go, pkg/cmd/attach/attach.go, pkg/cmd/portforward/portforward.go,
pkg/polymorphichelpers/logsforobject.go, pkg/scale/scale.go and pkg/drain/drain.go.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from auditproof.errors import Misuse
from auditproof.kube.action import Action, parse_target
from auditproof.kube.attributes import METHODS
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Sequence

    from auditproof.kube.action import Target

SUBRESOURCES = {
    "exec": "exec",
    "attach": "attach",
    "portforward": "portforward",
    "log": "log",
    "scale": "scale",
    "evict": "eviction",
}
KUBECTL_VERBS = tuple(SUBRESOURCES)
APPLIES = {  # what only some of these verbs take
    "command": ("exec",),
    "container": ("exec", "attach", "log"),
    "replicas": ("scale",),
    "upgrade": ("exec", "attach", "portforward"),
}
SHELL = "sh"
_OPTIONS = ("command", "container", "replicas")
_EXAMPLE = 'write act("get", "secrets/db", "shop")'


def action_of(verb: str, target: str, namespace: str, **options: Any) -> Action:
    """What ``kube.action.act`` returns for the same arguments, and raises."""
    for name, value in (("verb", verb), ("target", target), ("namespace", namespace)):
        if not isinstance(value, str):
            raise Misuse(f"act: the {name} must be text, not {value!r}: {_EXAMPLE}")
    known = (*METHODS, *KUBECTL_VERBS)
    if verb not in known:
        meant = did_you_mean(verb, known, quote="")
        raise Misuse(f"act: unknown verb {verb!r}{meant} ({_EXAMPLE}; verbs: {', '.join(known)})")
    found = parse_target(target, namespace)
    return sent_by_kubectl(verb, found, **options) if verb in KUBECTL_VERBS else Action(verb, found, **options)


def sent_by_kubectl(verb: str, target: Target, *, upgrade: str = "", **options: Any) -> Action:
    """Return the Action behind one of kubectl's verbs; ``options`` are those of ``act``, and override what is implied.

    Raises Misuse if an option does not apply to the verb, or the verb not to the target.
    """
    own = {key: options.pop(key) for key in _OPTIONS if key in options}
    action = as_sent(verb, target, **own)
    if upgrade and not action.upgrade:
        raise Misuse(f"upgrade applies only to {', '.join(APPLIES['upgrade'])}, not to {verb}")
    if upgrade == "spdy":
        action = over_spdy(action)
    query = {**action.query, **options.pop("query", {})}
    return replace(action, query=query, **options)


def as_sent(
    verb: str, target: Target, *, command: str | Sequence[str] = (), container: str = "", replicas: int | None = None
) -> Action:
    """Return the Action that kubectl performs for one of KUBECTL_VERBS on ``target``, which names no subresource.

    The verb that the server reads is ``get`` for exec, attach and portforward, because kubectl opens a WebSocket, and a
    WebSocket begins with a GET; ``over_spdy`` makes it the ``create`` of older clients. Raises Misuse if the verb does
    not apply to the target.
    """
    _check(verb, target)
    _check_applies(verb, {"command": command, "container": container, "replicas": replicas is not None})
    part = replace(target, subresource=SUBRESOURCES[verb])
    if verb == "scale":
        return Action("patch", part, body={"spec": {"replicas": 1 if replicas is None else replicas}})
    if verb == "evict":
        return Action("create", part)
    # In the order in which url.Values.Encode of Go writes them; kubectl always names the container.
    query: dict[str, str | tuple[str, ...]] = {}
    if verb == "exec":
        query["command"] = (command,) if isinstance(command, str) and command else tuple(command) or (SHELL,)
    if container:
        query["container"] = container
    if verb in ("exec", "attach"):
        query |= {"stderr": "true", "stdout": "true"}
    return Action("get", part, query=query, upgrade="" if verb == "log" else "websocket")


def over_spdy(action: Action) -> Action:
    """The same action as kubectl performed it before 1.31, and does if a WebSocket is refused: by POST, for SPDY."""
    return replace(action, verb="create", upgrade="spdy")


def _check(verb: str, target: Target) -> None:
    plural, name = target.resource.plural, target.name
    if verb != "scale" and (plural, target.resource.group) != ("pods", ""):
        raise Misuse(f"{verb} applies to a pod, not to {plural}: write pods/<name>")
    if not name:
        raise Misuse(f"{verb} needs a name: {plural}/<name>")
    if target.subresource:
        raise Misuse(f"{verb} adds the subresource itself: write {plural}/{name}")


def _check_applies(verb: str, given: dict[str, Any]) -> None:
    for key, value in given.items():
        if value and verb not in APPLIES[key]:
            raise Misuse(f"{key} applies only to {' and '.join(APPLIES[key])}, not to {verb}")
