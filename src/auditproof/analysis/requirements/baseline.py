"""Which unmet requirements are known already: before a change, or by entries that someone has approved. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from auditproof.analysis.requirements.load import shipped_with
from auditproof.errors import Problem, SourceError
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from datetime import date

    from auditproof.analysis.requirements.check import Checked
    from auditproof.analysis.requirements.requirement import RequirementsFile
    from auditproof.errors import Position


@dataclass(frozen=True, slots=True)
class KnownUnmet:
    """An entry of the file of acknowledged changes: a requirement that someone accepts as unmet.

    ``requirement`` is FILE-STEM/ID or ID, ``until`` the last day on which the entry applies, None for no end.
    """

    requirement: str
    because: str
    approved_by: str
    ticket: str
    until: date | None
    position: Position


class State(StrEnum):
    """The state of a requirement."""

    MET = "met"
    FIXED = "fixed"  # met, and was not before
    KNOWN = "known"  # not met, as before or as someone has approved
    NEW = "new"  # not met, and not known
    UNMET = "unmet"  # not met, and there is nothing to compare it with


class FailOn(StrEnum):
    """Which unmet requirements fail a command."""

    UNMET = "unmet"
    NEW = "new"
    NEVER = "never"


@dataclass(frozen=True, slots=True)
class Standing:
    """A requirement of ``file``, its result and its state; ``by`` is the entry that acknowledges it, if any."""

    file: RequirementsFile
    checked: Checked
    state: State
    by: KnownUnmet | None = None

    @property
    def name(self) -> str:
        """The requirement as an entry names it, e.g. ``cis/cis-3-2-1``."""
        return f"{self.file.path.stem}/{self.checked.requirement.id}"

    @property
    def met(self) -> bool:
        """Whether the policy meets the requirement."""
        return not self.checked.violations


@dataclass(frozen=True, slots=True)
class Status:
    """How all requirements stand, in the order of their files.

    ``unneeded`` are entries whose requirement is met, ``expired`` those whose last day is over although it is not,
    ``unchecked`` those about shipped requirements that were not checked.
    """

    standings: tuple[Standing, ...]
    unneeded: tuple[KnownUnmet, ...] = ()
    expired: tuple[KnownUnmet, ...] = ()
    unchecked: tuple[KnownUnmet, ...] = ()

    def of(self, *states: State) -> tuple[Standing, ...]:
        """The requirements in any of these states."""
        return tuple(one for one in self.standings if one.state in states)

    def fails(self, fail_on: FailOn) -> bool:
        """Whether a requirement is unmet that ``fail_on`` does not let pass."""
        if fail_on is FailOn.NEW:
            return bool(self.of(State.NEW, State.UNMET))
        return fail_on is FailOn.UNMET and any(not one.met for one in self.standings)


def status_of(
    checked: Sequence[tuple[RequirementsFile, Sequence[Checked]]],
    entries: Sequence[KnownUnmet] | None = None,
    today: date | None = None,
) -> Status:
    """How the requirements of some files stand, from their results (of ``check_requirement``, with the base if any).

    An unmet requirement is known if every one of its violations is one under the base, too, or if an entry names it
    that is not over on ``today`` (None: no day is over). ``entries`` None means that there is no such file; without a
    base either, an unmet requirement is UNMET instead of NEW. Raises SourceError for an entry about no requirement, or
    about the same one as another entry.

    >>> from auditproof import check_requirement, load_policy, load_requirements, load_served
    >>> policy, file = load_policy("fixtures/policies/nothing.yaml"), load_requirements("cis")
    >>> results = [check_requirement(policy, one, load_served("1.37")) for one in file.requirements]
    >>> [str(one.state) for one in status_of([(file, results)]).standings][:2]
    ['unmet', 'met']
    """
    named = _Names(checked, entries or ())
    over = {entry for entry in named.about.values() if today and entry.until is not None and entry.until < today}

    def standing(file: RequirementsFile, result: Checked) -> Standing:
        entry = named.about.get((file.path, result.requirement.id))
        by = entry if entry not in over else None
        if not result.violations:
            return Standing(file, result, State.FIXED if result.base_met is False else State.MET)
        if by or all(violation.known for violation in result.violations):
            return Standing(file, result, State.KNOWN, by)
        return Standing(file, result, State.UNMET if result.base_met is None and entries is None else State.NEW)

    standings = tuple(standing(file, result) for file, results in checked for result in results)
    met = {(one.file.path, one.checked.requirement.id) for one in standings if one.met}
    return Status(
        standings,
        unneeded=tuple(entry for key, entry in named.about.items() if key in met),
        expired=tuple(entry for key, entry in named.about.items() if key not in met and entry in over),
        unchecked=tuple(named.unchecked),
    )


class _Names:
    """Which requirement each entry names."""

    def __init__(
        self, checked: Sequence[tuple[RequirementsFile, Sequence[Checked]]], entries: Iterable[KnownUnmet]
    ) -> None:
        self._known = [(file, result.requirement.id) for file, results in checked for result in results]
        self.about: dict[tuple[object, str], KnownUnmet] = {}  # by file and id
        self.unchecked: list[KnownUnmet] = []
        problems = [Problem(entry.position, message) for entry in entries for message in self._wrong(entry)]
        if problems:
            raise SourceError(sorted(problems, key=lambda problem: problem.position))

    def _wrong(self, entry: KnownUnmet) -> Iterator[str]:
        """Sort the entry in; what is wrong with it, if anything."""
        stem, _, name = entry.requirement.rpartition("/")
        found = [file for file, known in self._known if known == name and stem in ("", file.path.stem)]
        if len(found) > 1:
            names = ", ".join(dict.fromkeys(f"{file.path.stem}/{name}" for file in found))
            yield f'"{entry.requirement}" is a requirement of {len(found)} files; name one of them: {names}'
        elif found:
            first = self.about.setdefault((found[0].path, name), entry)
            if first is not entry:
                yield f"this requirement is acknowledged already, in line {first.position.line}: remove one of the two"
        elif any(stem in ("", one) for one in shipped_with(name) - {file.path.stem for file, _ in self._known}):
            self.unchecked.append(entry)
        else:
            ids = [known for file, known in self._known if stem in ("", file.path.stem)]
            every = [*ids, *(f"{file.path.stem}/{known}" for file, known in self._known)]
            meant = did_you_mean(entry.requirement if stem else name, every) or did_you_mean(name, ids)
            files = ", ".join(dict.fromkeys(file.name for file, _ in self._known))
            yield f'unknown requirement "{entry.requirement}"{meant} (checked are those of {files})'
