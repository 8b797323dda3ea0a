"""Divides sections of a page over as many pages as they need: between rows and items, and nothing is left out. Pure.

The sections are rendered by auditproof's own templates, in which every element is closed and text is escaped.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property
from html.parser import HTMLParser
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

DIVISIBLE = frozenset({"section", "div", "table", "tbody", "details", "ul", "li"})
HEADS = frozenset({"h2", "caption", "thead", "summary"})  # these are repeated in every part
VOID = frozenset({"br", "img", "wbr"})
_START_TAG = re.compile(r"<[a-zA-Z]")
WITH_NEXT = 'class="above"'  # a row that belongs to the one after it


@dataclass(frozen=True, slots=True)
class Room:
    """What a page, or a part of it, has or takes: elements of the DOM, and bytes."""

    nodes: int
    size: int

    def __add__(self, other: Room) -> Room:
        return Room(self.nodes + other.nodes, self.size + other.size)

    def __sub__(self, other: Room) -> Room:
        return Room(self.nodes - other.nodes, self.size - other.size)

    def holds(self, other: Room) -> bool:
        """Whether there is enough of both."""
        return other.nodes <= self.nodes and other.size <= self.size


def room_of(page: str) -> Room:
    """The room that a whole page takes."""
    return Room(len(_START_TAG.findall(page)), len(page.encode()))


@dataclass(frozen=True)
class Part:
    """An element with its parts, or a text if ``tag`` is empty."""

    tag: str
    opening: str
    parts: tuple[Part, ...] = ()

    @property
    def closing(self) -> str:
        """Its end tag."""
        return f"</{self.tag}>" if self.tag and self.tag not in VOID else ""

    @property
    def html(self) -> str:
        """Its text as in a page."""
        return self.opening + "".join(part.html for part in self.parts) + self.closing

    @property
    def visible(self) -> bool:
        """Whether it is more than the space between two elements."""
        return bool(self.tag or self.parts or self.opening.strip())

    @cached_property
    def takes(self) -> Room:
        """The room that it takes."""
        own = Room(1 if self.tag else 0, len((self.opening + self.closing).encode(errors="backslashreplace")))
        return sum((part.takes for part in self.parts), own)


CONTINUED = Part("", " ", (Part("small", "<small>", (Part("", "(continued)"),)),))


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.open: list[tuple[str, str, list[Part]]] = [("", "", [])]

    def _add(self, part: Part) -> None:
        self.open[-1][2].append(part)

    def handle_starttag(self, tag: str, attrs: object) -> None:  # noqa: ARG002 - HTMLParser's signature
        opening = self.get_starttag_text() or ""
        if tag in VOID:
            self._add(Part(tag, opening))
        else:
            self.open.append((tag, opening, []))

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002 - every element is closed in its turn
        name, opening, parts = self.open.pop()
        self._add(Part(name, opening, tuple(_joined(parts))))

    def handle_data(self, data: str) -> None:
        self._add(Part("", data))

    def handle_entityref(self, name: str) -> None:
        self._add(Part("", f"&{name};"))

    def handle_charref(self, name: str) -> None:
        self._add(Part("", f"&#{name};"))


def _joined(parts: Sequence[Part]) -> Iterator[Part]:
    """The parts, a row and the one that it belongs to as one."""
    rest = iter(parts)
    for part in rest:
        if WITH_NEXT in part.opening:
            following = [part]
            while not following[-1].tag or len(following) == 1:
                following.append(next(rest))
            yield Part("", "", tuple(following))
        else:
            yield part


def parsed(html: str) -> tuple[Part, ...]:
    """The elements and texts of a rendered template; their texts together are ``html``."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    return tuple(parser.open[0][2])


def paged(sections: Sequence[str], first: Room, further: Room) -> list[list[str]]:
    """The parts of rendered ``sections`` on each page: the first one has the room ``first``, every other ``further``.

    Nothing is left out: a row that no page holds has a page of its own.

    >>> paged(["<ul><li>a</li><li>b</li></ul>"], Room(2, 99), Room(2, 99))
    [['<ul><li>a</li></ul>'], ['<ul><li>b</li></ul>']]
    """
    pages: list[list[str]] = [[]]
    left = first
    for section in sections:
        for part in parsed(section):
            rest: Part | None = part if part.visible else None
            while rest is not None:
                begun, after = _divided(rest, left)
                if begun is None and pages[-1]:
                    pages.append([])
                    left = further
                    continue
                if begun is None:
                    begun, after = _divided(rest, left, forced=True)
                assert begun is not None
                pages[-1].append(begun.html)
                left -= begun.takes
                rest = after
    return pages


def _divided(part: Part, room: Room, *, forced: bool = False) -> tuple[Part | None, Part | None]:
    """What of ``part`` the room holds, at least one row if ``forced``, and the rest of it."""
    if room.holds(part.takes):
        return part, None
    if part.tag not in DIVISIBLE:
        return (part, None) if forced else (None, part)
    heads = tuple(one for one in part.parts if one.tag in HEADS)
    left = room - replace(part, parts=heads).takes
    taken: list[Part] = []
    rest = list(part.parts)
    filled = False  # with something that is not repeated
    while rest:
        one = rest.pop(0)
        if one.tag in HEADS or not one.visible:
            taken.append(one)
            continue
        begun, after = _divided(one, left, forced=forced and not filled)
        if begun is not None:
            taken.append(begun)
            left -= begun.takes
            filled = True
        if begun is None or after is not None:
            rest.insert(0, after or one)
            break
    if not filled:
        return None, part
    if not any(one.visible for one in rest):
        return replace(part, parts=(*taken, *rest)), None
    return replace(part, parts=tuple(taken)), replace(part, parts=(*map(_again, heads), *rest))


def _again(head: Part) -> Part:
    """A head in a further part."""
    if head.tag != "h2" or head.parts[-1] == CONTINUED:
        return head
    return replace(head, parts=(*head.parts, CONTINUED))
