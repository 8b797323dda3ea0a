"""The audit policies in a text that is none itself: their names, what an API server is given, and where it is."""

from __future__ import annotations

import base64
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from auditproof.audit.policy.decode import read_text
from auditproof.audit.policy.place import Place
from auditproof.audit.policy.type_meta import GROUP, VERSION
from auditproof.audit.policy_sources.containers import candidates, is_audit
from auditproof.audit.policy_sources.documents import documents, lines_of, text_of
from auditproof.audit.policy_sources.literal import LocatedText, text_of_object, text_of_string, with_type
from auditproof.errors import PolicyRefused
from auditproof.kube.yaml.yaml_text import Mapping

if TYPE_CHECKING:
    from auditproof.audit.policy_sources.containers import Candidate, Path
    from auditproof.audit.policy_sources.documents import Document

MOST_UNPACKED = 4 * 1024 * 1024  # of a compressed policy
_DEEPEST = 3  # documents in texts of documents: a Talos patch in a Helm value in a ConfigMap
_GZIP, _PLAIN = ("gzip", "gz"), ("", "text/plain")
_BASE64 = ("base64", "b64")
_SAYS_POLICY = re.compile(rf"""^["']?apiVersion["']?\s*:\s*["']?{re.escape(GROUP)}/""", re.MULTILINE)
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_.-]+")


def _worth() -> re.Pattern[str]:
    """What is in a text that holds a policy: plain, in base64 at any of its three alignments, or a gzip in base64."""
    word, encoded = GROUP.encode(), []
    for shift in range(3):
        first, last = -(-8 * shift // 6), 8 * (shift + len(word)) // 6  # the letters that no neighbour has a part in
        encoded.append(base64.b64encode(b"\0" * shift + word + b"\0\0")[first:last].decode())
    return re.compile("|".join(["[aA]udit", "H4sI", *map(re.escape, encoded)]))


WORTH = _worth()


@dataclass(frozen=True, slots=True)
class EmbeddedPolicy:
    """A policy inside another document: ``data`` is what an API server is given, byte for byte.

    ``is_bare``: a document of a file with several that is a policy, and not the first: no API server reads it there.
    """

    place: Place
    data: bytes
    is_bare: bool = False

    @property
    def name(self) -> str:
        """What is behind FILE#."""
        return self.place.name.partition("#")[2]


def is_policy(data: bytes, path: str) -> bool:
    """Whether a text is itself an audit policy by its apiVersion, whatever is wrong with it otherwise."""
    try:
        root = read_text(data, path).root
    except PolicyRefused:
        # It cannot be read; was it meant to be an audit policy?
        return _SAYS_POLICY.search(text_of(data) or "") is not None
    return isinstance(root.value, Mapping) and is_audit(root)


def embedded(data: bytes, path: str) -> list[EmbeddedPolicy]:
    """The policies in the file ``path`` that holds ``data``, in the order of the file; none where it is one itself."""
    text = text_of(data)
    if text is None or is_policy(data, path):
        return []
    return _in_text(text, Place.file(path), 1)


def _in_text(text: str, outer: Place, depth: int) -> list[EmbeddedPolicy]:
    """The policies in a text that ``outer`` is the place of."""
    lines = lines_of(text)
    found: list[EmbeddedPolicy] = []
    read = documents(text, outer.name, worth=WORTH)
    several = len(read) > 1 or any(document.number > 1 for document in read)
    for document in read:
        number = f"{document.number}/" if several else ""
        if is_audit(document.root):
            found.append(_bare(document, outer))
            continue
        for candidate in candidates(document.root):
            name = f"{outer.name}#{number}{shown_path(candidate.path)}"
            inner = _held(candidate, lines)
            data = _data(candidate) if inner is None else inner.text.encode(errors="surrogatepass")
            if data is None:
                continue
            place = _place(name, outer, candidate, inner)
            if candidate.is_policy or is_policy(data, outer.name):
                found.append(EmbeddedPolicy(place, data))
            elif depth < _DEEPEST and (inside := text_of(data)) and "\n" in inside:
                found += _in_text(inside, place, depth + 1)
    return found


def _bare(document: Document, outer: Place) -> EmbeddedPolicy:
    position = outer.at(document.first_line, 1)
    first = outer.line(document.first_line) if outer.is_literal else None
    place = Place(f"{outer.name}#{document.number}", position, first, outer.shifts[-1:])
    return EmbeddedPolicy(place, document.text.encode(errors="surrogatepass"), is_bare=True)


def _place(name: str, outer: Place, candidate: Candidate, inner: LocatedText | None) -> Place:
    """The place of a text that ``inner`` says where to find in the text of ``outer``."""
    holder = outer.of(candidate.node.position)
    if inner is None or inner.first_line is None or not outer.is_literal:
        return Place(name, holder, None)
    shifts = tuple(shift + outer.shifts[-1] for shift in inner.shifts)
    return Place(name, holder, outer.line(inner.first_line), shifts)


def _held(candidate: Candidate, lines: list[str]) -> LocatedText | None:
    """The text of a candidate; None where it is encoded, or a text that is not worth a look."""
    node = candidate.node
    if isinstance(node.value, Mapping):
        held = text_of_object(node, lines)
        return with_type(held, node, f"{GROUP}/{VERSION}", "Policy") if candidate.lacks_type else held
    if candidate.encoding not in _PLAIN or not (candidate.is_policy or WORTH.search(node.value)):
        return None
    return text_of_string(node, lines)


def _data(candidate: Candidate) -> bytes | None:
    """The bytes that an encoded text holds."""
    if candidate.encoding in _PLAIN or not isinstance(candidate.node.value, str):
        return None
    return decoded(candidate.node.value, candidate.encoding)


def decoded(text: str, encoding: str) -> bytes | None:
    """The bytes that a text encodes; None if it is not valid in its encoding.

    ``encoding`` is base64 or gzip+base64, or one of cloud-init's names of them.
    """
    outer = encoding.rpartition("+")[2]
    if outer not in _BASE64:
        return None
    try:
        data = base64.b64decode("".join(text.split()), validate=True)
    except ValueError:
        return None
    if encoding.partition("+")[0] not in _GZIP:
        return data
    reader = zlib.decompressobj(wbits=31)
    try:
        # No more than this is unpacked: what remains shows that the text is too large, or was cut off.
        found = reader.decompress(data, MOST_UNPACKED)
    except zlib.error:
        return None
    return found if reader.eof else None


def shown_path(path: Path) -> str:
    """A path as it is named: keys behind dots, indexes and unusual keys in brackets."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        else:
            text += f".{step}" if _PLAIN_KEY.fullmatch(step) else f"[{step}]"
    return text.removeprefix(".")
