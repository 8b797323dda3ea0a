"""The Go types that kube-apiserver decodes a policy into, as data.

Source: staging/src/k8s.io/apiserver/pkg/apis/audit/v1/types.go, and ObjectMeta and what it holds from
staging/src/k8s.io/apimachinery/pkg/apis/meta/v1/types.go. The names are Go's, because error messages contain them.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """A string, or a type made of one."""

    go: str = "string"
    words: str = "a string"


@dataclass(frozen=True, slots=True)
class Boolean:
    """A bool, or with ``pointer`` a *bool, which null sets to nil."""

    pointer: bool = False
    go: str = "bool"
    words: str = "true or false"


@dataclass(frozen=True, slots=True)
class Integer:
    """An int64."""

    pointer: bool = False
    go: str = "int64"
    words: str = "an integer"


@dataclass(frozen=True, slots=True)
class Time:
    """An RFC 3339 time; Go decodes it as a string with its own unmarshaler."""

    go: str = "string"
    words: str = "a time like 2026-01-31T12:00:00Z"


@dataclass(frozen=True, slots=True)
class Anything:
    """Raw JSON, kept as is."""

    go: str = "v1.FieldsV1"
    words: str = "anything"


@dataclass(frozen=True, slots=True)
class Texts:
    """A map from strings to strings."""

    go: str = "map[string]string"
    words: str = "a mapping of strings"


@dataclass(frozen=True, slots=True)
class Struct:
    """An object with known fields; ``name`` is the Go type without its package."""

    name: str
    fields: dict[str, GoType]
    words: str = "an object"

    @property
    def go(self) -> str:
        """The type as Go prints it; all of them are from packages called v1."""
        return f"v1.{self.name}"


@dataclass(frozen=True, slots=True)
class List:
    """A slice."""

    of: Text | Struct

    @property
    def go(self) -> str:
        """The type as Go prints it."""
        return f"[]{self.of.go}"

    @property
    def words(self) -> str:
        """How messages describe it."""
        return "a list of strings" if isinstance(self.of, Text) else "a list of objects"


GoType = Text | Boolean | Integer | Time | Anything | Texts | Struct | List

_TEXT = Text()
_TEXTS = List(_TEXT)
_UID = Text("types.UID")
_OWNER_REFERENCE = Struct(
    "OwnerReference",
    {
        "apiVersion": _TEXT,
        "kind": _TEXT,
        "name": _TEXT,
        "uid": _UID,
        "controller": Boolean(pointer=True),
        "blockOwnerDeletion": Boolean(pointer=True),
    },
)
_MANAGED_FIELDS_ENTRY = Struct(
    "ManagedFieldsEntry",
    {
        "manager": _TEXT,
        "operation": Text("v1.ManagedFieldsOperationType"),
        "apiVersion": _TEXT,
        "time": Time(),
        "fieldsType": _TEXT,
        "fieldsV1": Anything(),
        "subresource": _TEXT,
    },
)
OBJECT_META = Struct(
    "ObjectMeta",
    {
        "name": _TEXT,
        "generateName": _TEXT,
        "namespace": _TEXT,
        "selfLink": _TEXT,
        "uid": _UID,
        "resourceVersion": _TEXT,
        "generation": Integer(),
        "creationTimestamp": Time(),
        "deletionTimestamp": Time(),
        "deletionGracePeriodSeconds": Integer(pointer=True),
        "labels": Texts(),
        "annotations": Texts(),
        "ownerReferences": List(_OWNER_REFERENCE),
        "finalizers": _TEXTS,
        "managedFields": List(_MANAGED_FIELDS_ENTRY),
    },
)
GROUP_RESOURCES = Struct("GroupResources", {"group": _TEXT, "resources": _TEXTS, "resourceNames": _TEXTS})
_STAGES = List(Text("v1.Stage"))
POLICY_RULE = Struct(
    "PolicyRule",
    {
        "level": Text("v1.Level"),
        "users": _TEXTS,
        "userGroups": _TEXTS,
        "verbs": _TEXTS,
        "resources": List(GROUP_RESOURCES),
        "namespaces": _TEXTS,
        "nonResourceURLs": _TEXTS,
        "omitStages": _STAGES,
        "omitManagedFields": Boolean(pointer=True),
    },
)
POLICY = Struct(
    "Policy",
    {
        "apiVersion": _TEXT,
        "kind": _TEXT,
        "metadata": OBJECT_META,
        "rules": List(POLICY_RULE),
        "omitStages": _STAGES,
        "omitManagedFields": Boolean(),
    },
)
