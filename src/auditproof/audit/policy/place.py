"""Where the text of a policy is found, and which place of the file a place in the text is. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from auditproof.errors import Position


@dataclass(frozen=True, slots=True)
class Place:
    """Where the text of a policy is found.

    ``name`` is what messages and reports call the policy: FILE, or FILE#PLACE for one inside another document.
    ``holder`` is where FILE holds it. ``first_line`` is the line of FILE on which the text begins, and ``shifts`` says
    for each line of the text how many columns further right it is in FILE; for further lines the last one counts. A
    text that FILE does not hold literally (base64, escapes) has no ``first_line``: places are those inside the text.
    """

    name: str
    holder: Position
    first_line: int | None = 1
    shifts: tuple[int, ...] = (0,)

    @staticmethod
    def file(name: str) -> Place:
        """The place of a policy that is the whole file ``name``."""
        return Place(name, Position(name, 1, 1))

    @property
    def is_literal(self) -> bool:
        """Whether the lines of the text are lines of the file."""
        return self.first_line is not None

    def line(self, line: int) -> int:
        """The line of the file for a line of the text, both from 1."""
        return line if self.first_line is None else self.first_line + line - 1

    def at(self, line: int, column: int) -> Position:
        """The place in the file for a line and column of the text, all from 1."""
        if self.first_line is None:
            return Position(self.name, line, column)
        shift = self.shifts[min(line, len(self.shifts)) - 1]
        return Position(self.holder.path, self.line(line), column + shift)

    def of(self, position: Position) -> Position:
        """As ``at``, for a place in the text."""
        return self.at(position.line, position.column)
