"""Writes docs/cases.md from the models of case files and the examples in docs/examples. ``make cases``."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import yaml

from auditproof import content
from auditproof.cases.load_action import request_of
from auditproof.cases.schema import (
    AccessModel,
    CaseFileModel,
    CaseModel,
    ClaimModel,
    DiffersModel,
    DoModel,
    ExpectModel,
    IdentityModel,
    ImpersonatesModel,
    ServerModel,
)
from auditproof.kube.attributes import attributes_of
from auditproof.kube.ready_made import MEANINGS, READY_MADE

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from auditproof.kube.yaml.strict_model import Strict

DOCUMENT = content.root() / "docs" / "cases.md"
EXAMPLES = content.root() / "docs" / "examples"
LONGEST = 70  # of an example in a table, in characters
HEAD = """\
# Case reference

<!-- Written by `make cases` from the models of case files (`src/auditproof/cases/schema.py`) and `docs/examples`. -->

Look up the keys of a case file, who can send a request, and what can be expected of its events.
A test runs the examples on a real API server. [Own cases](writing-cases.md) is the introduction;
`auditproof schema case` prints the same keys as a [JSON Schema](schemas.md).

## Identities that need no declaration

`as:` takes one of these, or a name from `identities:` of the file, which comes first. In Python, write
`Identity.named("alice")`.

| name | recorded as | who it is |
| --- | --- | --- |
"""
KUBECTL = """
## kubectl's verbs

`do:` takes these besides Kubernetes' own verbs; in Python, `act("exec", "pods/web", "shop")`. What is sent is what
kubectl sends, and the last column is what an audit policy has to match.

| `do:` | kubectl | request | verb and resource |
| --- | --- | --- | --- |
"""
UPGRADES = """
Since 1.31, kubectl opens a WebSocket for exec, attach and port-forward, and a WebSocket begins with GET: the verb is
`get`. Older clients, and kubectl after a WebSocket was refused, use SPDY with POST: the verb is `create`. So a rule for
shells must not name verbs, or must name both; `upgrade: spdy` sends the other one. `query:` adds to the query and
replaces what is in it, such as `query: {stdin: true, tty: true}` for `kubectl exec -it`.

The Pod need not run: the audit policy is asked before the server looks for it. On embedded, a Pod with
`image: <pod-image>` and `nodeName: <node>` in its spec responds as a running one does.
"""
SAID_BY_KUBECTL = (
    ("kubectl exec web -- sh", "exec: pods/web"),
    ("kubectl-1.30 exec web -- sh", "exec: pods/web, upgrade: spdy"),
    ("kubectl attach web", "attach: pods/web"),
    ("kubectl port-forward web 8080", "portforward: pods/web"),
    ("kubectl logs web", "log: pods/web"),
    ("kubectl scale deployment web --replicas=3", "scale: deployments/web, replicas: 3"),
    ("kubectl drain", "evict: pods/web"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a case file a model applies; ``*`` stands for every entry, ``title`` is the heading of its keys."""

    title: str
    model: type[Strict]
    path: tuple[str, ...]


PLACES = (
    Place("The file", CaseFileModel, ()),
    Place("A case: `cases`", CaseModel, ("cases", "*")),
    Place("The action: `do`", DoModel, ("cases", "*", "do")),
    Place("The expected events: `expect`", ExpectModel, ("cases", "*", "expect")),
    Place("Other versions: `differs`", DiffersModel, ("cases", "*", "differs", "*")),
    Place("A statement of others: `claim`", ClaimModel, ("cases", "*", "claim")),
    Place("An identity: `identities`", IdentityModel, ("identities", "*")),
    Place("Impersonation: `impersonates`", ImpersonatesModel, ("identities", "*", "impersonates")),
    Place("Further rights: `access`", AccessModel, ("identities", "*", "access", "*")),
    Place("The API server: `server`", ServerModel, ("server",)),
)


def document() -> str:
    """The text of docs/cases.md."""
    parts = [HEAD, *(_identity(name) for name in READY_MADE), KUBECTL, *map(_of_kubectl, SAID_BY_KUBECTL), UPGRADES]
    parts += [_keys(place) for place in PLACES]
    parts.append("\n## Examples\n\nAll keys, in files that are proven as they are with `policies/prod.yaml` below.\n")
    parts += [_block(path) for path in files()]
    return "".join(parts)


def files() -> list[Path]:
    """The files of the examples, cases first."""
    return sorted(EXAMPLES.rglob("*.yaml"), key=lambda path: (not path.name.endswith(".audit.yaml"), path))


def examples(place: Place, key: str) -> list[str]:
    """Every value that the examples have for a key at a place, as YAML of one line, the shortest first."""
    found = [entry[key] for document in _documents() for entry in _at(document, place.path) if key in entry]
    return sorted({_flow({key: value}) for value in found}, key=lambda text: (len(text), text))


@cache
def _documents() -> list[Any]:
    return [yaml.safe_load(path.read_text()) for path in files() if path.name.endswith(".audit.yaml")]


def _at(value: Any, path: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    if not path:
        yield from [value] if isinstance(value, dict) else []
    elif path[0] == "*":
        for entry in value.values() if isinstance(value, dict) else value:
            yield from _at(entry, path[1:])
    elif isinstance(value, dict) and path[0] in value:
        yield from _at(value[path[0]], path[1:])


def _flow(value: dict[str, Any]) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False)
    return text.strip().removeprefix("{").removesuffix("}")


def _identity(name: str) -> str:
    info = READY_MADE[name].user_info()
    recorded = f"`{info.name}`" if info else "no user"
    groups = [f"`{group}`" for group in (info.groups if info else ())]
    return f"| `{name}` | {recorded}{', groups ' if groups else ''}{', '.join(groups)} | {MEANINGS[name]} |\n"


def _of_kubectl(said: tuple[str, str]) -> str:
    command, do = said
    request = request_of(DoModel.model_validate(yaml.safe_load(f"{{{do}, in: shop}}")))
    attributes = attributes_of(request.method, request.uri, None)
    what = f"`{attributes.verb}` `{attributes.resource}/{attributes.subresource}`"
    protocol = {"websocket": ", WebSocket", "spdy": ", SPDY"}.get(request.upgrade, "")
    body = f" with `{request.body.decode()}`" if request.body else ""
    return f"| `{{{do}, in: shop}}` | `{command}` | `{request.method} {request.uri}`{protocol}{body} | {what} |\n"


def _keys(place: Place) -> str:
    schema = place.model.model_json_schema(by_alias=True)
    doc = " ".join(str(schema.get("description", "")).replace("``", "`").split())
    rows = [
        _row(place, key, value, required=key in schema.get("required", ()))
        for key, value in schema["properties"].items()
    ]
    head = "| key | type | default | meaning | example |\n| --- | --- | --- | --- | --- |\n"
    return f"\n## {place.title}\n\n{doc}\n\n{head}{''.join(rows)}"


def _row(place: Place, key: str, schema: dict[str, Any], *, required: bool) -> str:
    default = "required" if required else _default(schema.get("default"))
    shown = next((text for text in examples(place, key) if len(text) <= LONGEST), "")
    cells = [f"`{key}`", _type(schema), default, schema.get("description", ""), f"`{shown}`" if shown else "below"]
    return f"| {' | '.join(str(cell).replace('|', chr(92) + '|') for cell in cells)} |\n"


def _default(value: Any) -> str:
    if isinstance(value, bool) or value not in (None, "", [], {}):
        return f"`{_flow({'v': value}).removeprefix('v: ')}`" if not isinstance(value, dict) else ""
    return ""


def _type(schema: dict[str, Any]) -> str:
    """The type of a key in words."""
    if "anyOf" in schema:
        kinds = (_type(one) for one in schema["anyOf"] if one.get("type") != "null")
        return " or ".join(dict.fromkeys(kinds))
    if "enum" in schema or "const" in schema:
        return ", ".join(f"`{value}`" if value else "" for value in schema.get("enum", [schema.get("const")]) if value)
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_type(schema['items'])}" if "items" in schema else "list"
    if isinstance(kind, list):
        return " or ".join(_NAMES[one] for one in kind)
    return "keys below" if "$ref" in schema else _NAMES.get(str(kind), "anything")


_NAMES = {
    "string": "text",
    "integer": "number",
    "number": "number",
    "boolean": "true or false",
    "object": "mapping",
    "array": "list",
}


def _block(path: Path) -> str:
    name = path.relative_to(EXAMPLES).as_posix()
    return f'\n```yaml title="{name}"\n{path.read_text()}```\n'


def main() -> None:
    """Write the document."""
    DOCUMENT.write_text(document(), encoding="utf-8")


if __name__ == "__main__":
    main()
