"""Kubernetes versions: how one or several are written, and which one is meant where none is given."""

from __future__ import annotations

import re

from auditproof.kube.discovery import minors
from auditproof.text.suggestion import did_you_mean

DEFAULT_VERSION = "1.37"
KUBERNETES_VERSION = re.compile(r"v?1\.[0-9]+(\.[0-9]+)?")
ALL = "all"
_RANGE = ".."


def minor(version: str) -> str:
    """The minor version: 1.37 for v1.37.2."""
    return ".".join(version.removeprefix("v").split(".")[:2])


def version_of(kubernetes: str) -> tuple[int, ...]:
    """Major and minor of a Kubernetes version, for comparison; for an empty text an empty tuple, less than any."""
    return tuple(int(part) for part in kubernetes.removeprefix("v").split(".")[:2] if part)


def is_within(kubernetes: str, since: str, until: str) -> bool:
    """Whether a version is from ``since`` to ``until``, both minors and included; an empty text is no limit.

    >>> is_within("1.36.3", "1.35", "1.36"), is_within("1.37", "", "1.36")
    (True, False)
    """
    version = version_of(kubernetes)
    return version_of(since) <= version and (not until or version <= version_of(until))


def choose_versions(text: str) -> tuple[str, ...]:
    """The versions that ``text`` names, oldest first: separated by commas, ``1.35..1.37`` for a range, ``all``.

    A range and ``all`` stand for minors that auditproof knows. A version that is named twice counts once. Raises
    ValueError, with what is wrong, also where two patch releases of a minor are named: reports tell versions apart by
    their minor.

    >>> choose_versions("1.37,1.34..1.35")
    ('1.34', '1.35', '1.37')
    """
    found: dict[str, str] = {}
    for word in (part.strip() for part in text.split(",")):
        for version in _named(word):
            known = found.setdefault(minor(version), version)
            if known != version:
                raise ValueError(f"{known} and {version} are of the same minor version: name one of them")
    return tuple(sorted(found.values(), key=version_of))


def _named(word: str) -> tuple[str, ...]:
    """The versions of one word of a list. Raises ValueError."""
    if word == ALL:
        return minors()
    if _RANGE in word:
        first, _, last = word.partition(_RANGE)
        for end in (first, last):
            if end not in minors():
                raise ValueError(f"invalid range {word!r}: {end or 'an end'} is none of {', '.join(minors())}")
        if version_of(first) > version_of(last):
            raise ValueError(f"invalid range {word!r}: it is empty (write {last}{_RANGE}{first})")
        return tuple(known for known in minors() if is_within(known, first, last))
    if not KUBERNETES_VERSION.fullmatch(word):
        meant = did_you_mean(word, [*minors(), ALL], quote="")
        raise ValueError(
            f"invalid version {word!r}{meant} (expected one such as 1.37 or 1.37.2; several: 1.35,1.37 or 1.35..1.37)"
        )
    return (word.removeprefix("v"),)
