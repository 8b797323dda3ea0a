"""The events of a YAML text as go-yaml would produce them, from PyYAML's C parser.

Both descend from libyaml; the one in Kubernetes (go.yaml.in/yaml/v2) is older in a few places. What only PyYAML accepts
is refused here with go-yaml's message; a character that only PyYAML rejects is replaced by a placeholder of the same
width, and restored in the scalars.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, TypeVar

import yaml

from auditproof.errors import NotYaml, Position, Problem
from auditproof.text.invisible import called

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")
_BOM = "\ufeff"
_STAND_INS = {"\U000f0001": ":", "\U000f0002": _BOM}  # private use characters, and what they replace
_COLON, _COVERED_BOM = _STAND_INS
_MOST_COLONS = 100
_TOO_DEEP = "exceeded maximum nesting depth"  # libyaml's limit, 1000 levels since PyYAML 6.0.4; go-yaml's is 10,000
_LONGEST_KEY = 1024  # characters of a key that no "?" introduces
TAB = "\t"
_ESCAPED_SLASH = re.compile(r"(?<!\\)(?:\\\\)*(\\/)")


def not_yaml(where: Position, text: str, server_text: str = "") -> NotYaml:
    """The error at one position; ``server_text`` is the message of Go's parser, if it differs."""
    return NotYaml([Problem(where, f"not valid YAML: {text}")], server_text or f"yaml: {text}")


def position_of(mark: Any, path: str) -> Position:
    """The position of a PyYAML mark."""
    return Position(path, mark.line + 1, mark.column + 1) if mark else Position(path, 1, 1)


def read_first_document(data: bytes, path: str, build: Callable[[Iterator[yaml.Event]], T]) -> T:
    """Return the result of ``build`` for the events of the first document; ``build`` may be called repeatedly.

    Raises NotYaml if go-yaml would not read the document.
    """
    bom = _BOM.encode()
    if data.find(bom, 1) >= 0:
        # To go-yaml a byte order mark counts only at the very beginning; later it is an ordinary character.
        data = data[:3] + data[3:].replace(bom, _COVERED_BOM.encode())
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML's own parser is much slower than libyaml
    # One colon at a time, as the parser finds them: each time it starts again, hence the limit.
    for _ in range(_MOST_COLONS):
        try:
            return build(_Checked(data, path, loader).events())
        except yaml.scanner.ScannerError as error:
            if _TOO_DEEP in (error.problem, error.context) and loader is not _DeepLoader:
                loader = _DeepLoader
                continue
            if error.problem != "found unexpected ':'" or error.problem_mark is None:
                raise _syntax(error, path, data) from None
            # In brackets, a colon before another indicator is text to go-yaml, and an error to PyYAML.
            index = error.problem_mark.index
            text = data.decode("utf-8", errors="surrogateescape")
            # PyYAML's index does not count a byte order mark.
            index += text.startswith(_BOM)
            covered = text[:index] + _COLON + text[index + 1 :]
            data = covered.encode("utf-8", errors="surrogateescape")
        except yaml.MarkedYAMLError as error:
            raise _syntax(error, path, data) from None
        except yaml.reader.ReaderError as error:
            before = data[: error.position]
            where = Position(path, before.count(b"\n") + 1, error.position - before.rfind(b"\n"))
            raise not_yaml(where, f"{error.reason} (byte {error.position})", f"yaml: {error.reason}") from None
    raise not_yaml(Position(path, 1, 1), "too many colons without a space after them")


def uncovered(text: str) -> str:
    """A scalar's text with the original characters."""
    for stand_in, original in _STAND_INS.items():
        if stand_in in text:
            text = text.replace(stand_in, original)
    return text


def _syntax(error: yaml.MarkedYAMLError, path: str, data: bytes) -> NotYaml:
    """A syntax error; Go counts the lines of scanner errors from 1, and of parser errors from 0 (parser.fail)."""
    text = ", ".join(part for part in (error.problem, error.context) if part) + _tab(error, data)
    line = 0
    if error.problem_mark and error.problem_mark.line:
        line = error.problem_mark.line + isinstance(error, yaml.scanner.ScannerError)
    elif error.context_mark:
        line = error.context_mark.line
    where = position_of(error.problem_mark or error.context_mark, path)
    return not_yaml(where, text, f"yaml: {f'line {line}: ' if line else ''}{error.problem}")


def _tab(error: yaml.MarkedYAMLError, data: bytes) -> str:
    """What to do about a tab at the place of an error: it looks like the spaces that it must be."""
    mark = error.problem_mark
    if mark is None:
        return ""
    line = data.decode("utf-8-sig", errors="replace").split("\n")[mark.line : mark.line + 1]
    before = line[0][: mark.column + 1] if line else ""
    return f": column {before.index(TAB) + 1} is {called(TAB)}; YAML is indented by spaces" if TAB in before else ""


class _DeepLoader(yaml.SafeLoader):
    """PyYAML's own parser, for texts that are nested too deep for libyaml.

    It looks at up to a thousand open brackets for each token, which takes minutes. The places where a key may begin are
    in the order of the text, because a bracket ends those inside it; so the oldest ones are first.
    """

    possible_simple_keys: dict[int, Any]
    index: int
    line: int

    def next_possible_simple_key(self) -> int | None:
        return next((key.token_number for key in self.possible_simple_keys.values()), None)

    def stale_possible_simple_keys(self) -> None:
        while self.possible_simple_keys:
            level, oldest = next(iter(self.possible_simple_keys.items()))
            if oldest.line == self.line and self.index - oldest.index <= _LONGEST_KEY:
                return
            if oldest.required:
                super().stale_possible_simple_keys()  # raises the error
            del self.possible_simple_keys[level]


class _Checked:
    """The parser's events up to the end of the first document; raises on those that go-yaml would refuse."""

    def __init__(self, data: bytes, path: str, loader: Any) -> None:
        self._data = data
        self._loader = loader
        self._path = path
        self._flow: list[bool | None] = []  # for each open collection: True for {}, False for [], None for neither
        self._text = data.decode("utf-8-sig", errors="replace") if b"\\/" in data else ""

    def events(self) -> Iterator[yaml.Event]:
        for event in yaml.parse(self._data, Loader=self._loader):
            if isinstance(event, yaml.ScalarEvent):
                self._check_scalar(event)
            elif isinstance(event, yaml.CollectionStartEvent):
                self._flow.append(isinstance(event, yaml.MappingStartEvent) if event.flow_style else None)
            elif isinstance(event, yaml.CollectionEndEvent):
                self._flow.pop()
            elif isinstance(event, yaml.DocumentStartEvent) and event.version not in (None, (1, 1)):
                self._refuse(event, 0, "found incompatible YAML document", parser_error=True)
            yield event
            if isinstance(event, yaml.DocumentEndEvent):
                return

    def _check_scalar(self, event: yaml.ScalarEvent) -> None:
        # JSON's escape of a slash, which PyYAML accepts, is unknown to go-yaml.
        if event.style == '"' and self._text:
            end = int(event.end_mark.index) if event.end_mark else 0
            found = _ESCAPED_SLASH.search(self._text, _mark(event).index, end)
            if found:
                self._refuse(event, found.start(1) - _mark(event).index, "found unknown escape character")
        elif not event.style and "?" in event.value and self._flow and self._flow[-1] is not None:
            closing = "}" if self._flow[-1] else "]"
            self._refuse(event, event.value.index("?"), f"did not find expected ',' or '{closing}'", parser_error=True)

    def _refuse(self, event: yaml.Event, offset: int, problem: str, *, parser_error: bool = False) -> None:
        mark = _mark(event)
        line = mark.line + (not parser_error) if mark.line else 0
        where = Position(self._path, mark.line + 1, mark.column + 1 + offset)
        raise not_yaml(where, problem, f"yaml: {f'line {line}: ' if line else ''}{problem}")


def _mark(event: yaml.Event) -> Any:
    mark = event.start_mark
    assert mark is not None, "both of PyYAML's parsers mark their events"
    return mark
