"""Loads detection rules from files, folders and patterns, whatever language each file is in."""

from __future__ import annotations

import glob
import re
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.detections.condition import depth
from auditproof.detections.detection import Detection, NotRead, Rules
from auditproof.detections.readers.documents import Document, documents
from auditproof.detections.readers.elastic import is_elastic, read_elastic, rules_in
from auditproof.detections.readers.event_fields import checked_names, shipped_names
from auditproof.detections.readers.native import is_native, read_native
from auditproof.detections.readers.sigma import is_sigma, read_sigma
from auditproof.errors import AuditproofError, Position, Problem, SourceError
from auditproof.text.paths import is_file, is_folder, names_beside, path_of
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_SUFFIXES = (".yaml", ".yml", ".json", ".ndjson", ".toml")  # of files that are looked into in a folder
_LOOKS_LIKE_RULES = re.compile(
    r"""^[\s-]*(detection|logsource|correlation|detections|rule|macro)\s*:|^\[rule\]|"rule_id"\s*:""", re.MULTILINE
)
_DEEPEST = 100  # levels of a condition
_EXPECTED = (
    "expected rules of Sigma (YAML with detection:), of Falco (YAML with a list of rule:, macro: and list:), "
    "of Elastic (TOML with [rule], or an export), or of auditproof (YAML with kind: Detections)"
)


def load_rules(paths: Sequence[Path | str], fields: Mapping[str, str] | None = None) -> Rules:
    """Read the detection rules in files, in folders with all that is below them, and in files that match patterns.

    ``fields`` are paths of fields of an audit event for names that rules use instead, such as
    ``{"pod": "objectRef.name"}``. In a folder, files without rules are passed over. Ids are unique: rules that share
    one get the name of their pack in front, which is the name of the file or folder that was given.

    Raises AuditproofError for a path that does not exist, has no rules in it, or cannot be read, and SourceError with
    the positions of all mistakes in a file.

    >>> import pathlib, tempfile
    >>> from auditproof.detections import load_rules
    >>> rule = pathlib.Path(tempfile.mkdtemp(), "exec.yml")
    >>> _ = rule.write_text('''
    ... title: Exec
    ... logsource: {product: kubernetes, service: audit}
    ... detection: {selection: {objectRef.subresource: exec}, condition: selection}
    ... level: high
    ... ''')
    >>> print(load_rules([rule]).detections[0].steps[0])
    objectRef.subresource = exec
    """
    loading = _Loading(checked_names(fields or {}))
    for path in paths:
        loading.add(str(path))
    return loading.rules()


@dataclass(slots=True)
class _Loading:
    names: Mapping[str, str]  # of the user
    files: dict[str, int] = field(default_factory=dict)  # that have been read, in order
    sigma: list[tuple[Document, str]] = field(default_factory=list)
    found: list[Detection | NotRead] = field(default_factory=list)
    others: int = 0

    def add(self, given: str) -> None:
        from auditproof.detections.readers.falco import check_falco, is_falco, read_falco  # imports lark

        files, pack, is_named = _files(given)
        before = self.count
        falco: list[tuple[str, str]] = []
        fresh = [path for path in files if str(path) not in self.files]
        for path in fresh:
            self.files[str(path)] = len(self.files)
            text = ""
            try:
                text = _read(path)
                if is_falco(text):
                    check_falco(text, str(path))
                    falco.append((str(path), text))
                else:
                    self.file(text, str(path), pack)
            except SourceError as error:
                if is_named:
                    raise
                if not text or _LOOKS_LIKE_RULES.search(text):
                    problem = error.problems[0]
                    self.found.append(NotRead(path.name, "", pack, problem.position, problem.message))
        found, others = read_falco(falco, pack)  # together, because they refer to each other
        self.found += found
        self.others += others
        if before == self.count and (fresh or not files):
            raise AuditproofError(f"{given}: no detection rules here; {_EXPECTED}")

    @property
    def count(self) -> int:
        """How many rules have been found, those of other sources included."""
        return len(self.sigma) + len(self.found) + self.others

    def file(self, text: str, path: str, pack: str) -> None:
        """Add the rules of a file, of whatever kind but Falco's."""
        elastic = rules_in(text, path)
        if not elastic and not path.endswith((".toml", ".ndjson")):
            for document in documents(text, path):
                if is_sigma(document.value):
                    self.sigma.append((document, pack))
                elif is_native(document.value):
                    self.found += read_native(Path(path), pack, self.names)
                    break  # the format has one document
                else:
                    values = document.value if isinstance(document.value, list) else [document.value]
                    elastic += [(value, document.position) for value in values if is_elastic(value)]
        for rule, position in elastic:
            found = read_elastic(rule, position, pack, {**shipped_names("elastic"), **self.names})
            self.others += found is None
            self.found += [found] if found else []

    def rules(self) -> Rules:
        found, others = read_sigma(self.sigma, {**shipped_names("sigma"), **self.names}) if self.sigma else ([], 0)
        ordered = sorted(map(_of_usual_depth, [*self.found, *found]), key=self._order)
        unique = list(_with_unique_ids(ordered))
        return Rules(
            tuple(one for one in unique if isinstance(one, Detection)),
            tuple(one for one in unique if isinstance(one, NotRead)),
            self.others + others,
        )

    def _order(self, one: Detection | NotRead) -> tuple[int, int]:
        return self.files[one.position.path], one.position.line


def _of_usual_depth(one: Detection | NotRead) -> Detection | NotRead:
    """The rule, or that its conditions are nested so deeply that they cannot be evaluated by recursion."""
    if isinstance(one, NotRead) or all(depth(step) <= _DEEPEST for step in one.steps):
        return one
    reason = f"its condition is nested more than {_DEEPEST} levels deep"
    return NotRead(one.id, one.title, one.pack, one.position, reason)


def _files(given: str) -> tuple[list[Path], str, bool]:
    """The files behind a path, the name of their pack, and whether they were named one by one."""
    if not given:
        raise AuditproofError("a path of detection rules is empty; write . for the current folder")
    path = path_of(given)
    if is_folder(path):
        try:
            below = sorted(each for each in path.rglob("*") if each.suffix in _SUFFIXES and is_file(each))
        except OSError as error:
            raise AuditproofError(f"{given}: the folder cannot be read: {error.strerror}") from None
        shown = [each for each in below if not any(part.startswith(".") for part in each.relative_to(path).parts)]
        return shown, path.resolve().name, False
    if not is_file(path) and glob.has_magic(given):
        # Path.glob takes no absolute pattern.
        matches = [Path(each) for each in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
        matches = [each for each in matches if is_file(each)]
        if not matches:
            raise AuditproofError(f"{given}: no file matches this pattern")
        return matches, matches[0].resolve().parent.name, True
    if not is_file(path):
        meant = did_you_mean(path.name, {*names_beside(path)} - {path.name})
        raise AuditproofError(f"{given}: no such file or folder{meant}; expected detection rules")
    return [path], path.stem, True


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SourceError([Problem(Position(str(path), 1, 1), f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        message = f"is not UTF-8 text: byte {error.object[error.start]:#04x}; save it as UTF-8"
        raise SourceError([Problem(Position(str(path), line, 1), message)]) from None


def _with_unique_ids(found: list[Detection | NotRead]) -> Iterator[Detection | NotRead]:
    """The same rules, with the pack in front of an id that several have, and a number behind one that several keep."""
    counts = Counter(one.id for one in found)
    taken: set[str] = {name for name, count in counts.items() if count == 1}
    for one in found:
        name = one.id
        if counts[name] > 1:
            base = name = f"{one.pack}/{one.id}"
            number = 2
            while name in taken:
                name, number = f"{base}#{number}", number + 1
            taken.add(name)
        yield replace(one, id=name)
