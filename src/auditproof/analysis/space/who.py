"""Who sends the requests of some classes, in exact words. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.analysis.space.identities import ANONYMOUS, NAMED, Region

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from auditproof.analysis.space.identities import Identities, IdentityClass

Who = tuple["IdentityClass", Region]
SHOWN = 8  # entries of a list; longer ones are not readable
COMPLETE = 1_000_000  # instead of SHOWN, where a list must not be shortened


def listed(values: Sequence[str], shown: int = SHOWN) -> str:
    """The values separated by commas, at most ``shown`` of them, e.g. ``a, b and 3 more``."""
    if len(values) <= shown:
        return ", ".join(values)
    return f"{', '.join(values[: shown - 1])} and {len(values) - shown + 1} more"


def who_text(identities: Identities, whos: Iterable[Who]) -> str:
    """One line for any number of identity classes with their group sets."""
    by_groups: dict[str, list[IdentityClass]] = {}
    for identity, region in whos:
        by_groups.setdefault(_groups_text(identities, identity, region), []).append(identity)
    whole = by_groups.pop("", [])
    texts = [_everybody(identities, whole)] if whole else []
    texts += [_anybody(identities, some, whole) + groups for groups, some in by_groups.items()]
    return "; ".join(texts)


def _everybody(identities: Identities, some: list[IdentityClass]) -> str:
    """The classes by name, or the exceptions if these are fewer."""
    if not any(identity.honest for identity in some):
        return listed([name for identity in some for name in identity.names])
    left = [identity for identity in identities.classes if identity.honest and identity not in some]
    if not left:
        return "everybody"
    names, others = _names(some), _names(left)
    return listed(names) if len(names) <= max(3, len(others)) else f"everybody except {listed(others)}"


def _anybody(identities: Identities, some: list[IdentityClass], whole: list[IdentityClass]) -> str:
    """Classes with restricted groups: "anybody" if they include every class whose groups are as free."""
    free = [identity for identity in identities.classes if identity.honest and identity.region == some[0].region]
    if free and all(identity in some or identity in whole for identity in free):
        return "anybody"
    return listed([name for identity in some for name in (_names([identity]) if identity.honest else identity.names)])


def _names(some: Iterable[IdentityClass]) -> list[str]:
    """Names, then descriptions of classes without one name."""
    named: list[str] = []
    others: list[str] = []
    for identity in some:
        if identity.failed:
            others.append("failed logins (401)")
        elif identity.kind in (NAMED, ANONYMOUS):
            named += identity.names
        else:
            others.append(identity.kind)
    return named + others


def _groups_text(identities: Identities, identity: IdentityClass, region: Region) -> str:
    """The conditions on the groups beyond those that every user of the class has."""
    base = identity.region
    avoid = region.avoid & ~base.avoid
    hits = [
        hit & ~region.avoid
        for hit in region.hits
        if not any(not (known & ~base.avoid) & ~hit for known in base.hits)  # not the groups that the class has anyway
    ]
    texts = [f" in {_any_of(identities.names_of(hit))}" for hit in dict.fromkeys(hits)]
    if avoid:
        texts.append(f" not in {listed(identities.names_of(avoid))}")
    return " and".join(texts)


def _any_of(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"any of {listed(names)}"
