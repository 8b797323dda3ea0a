"""The options of a run that say which changes and which unmet requirements keep it from passing."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from auditproof.analysis.gate import FILE, FORBIDDEN, Acknowledged, Consequence, consequences_named, load_acknowledged
from auditproof.analysis.requirements import FailOn
from auditproof.analysis.requirements.selectors import selector_of
from auditproof.errors import AuditproofError
from auditproof.options import option_named
from auditproof.plugin.asked import effective, folder_of
from auditproof.text.paths import is_file, path_of, shown_path
from auditproof.text.printable import printable_lines
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

T = TypeVar("T")
NONE = "none"  # forbids nothing
BLIND = "blind"  # an effect on detection rules, not on requests


def forbidden(config: pytest.Config, *, base: bool) -> frozenset[Consequence]:
    """The effects that the change from the base must not have.

    Raises pytest.UsageError, also if there is no ``base``.
    """
    names = _names(config, "forbid", base=base)
    effects = [name for name in names if name != BLIND]
    if not names:
        return FORBIDDEN
    return usable(lambda: consequences_named(effects), "--audit-forbid") if effects not in ([], [NONE]) else frozenset()


def forbids_blind(config: pytest.Config, *, base: bool, detections: bool) -> bool:
    """Whether the change from the base must not blind a detection rule; ``detections``: there are rules.

    Raises pytest.UsageError if it is forbidden and there are none.
    """
    names = _names(config, "forbid", base=base)
    if BLIND in names and not detections:
        raise pytest.UsageError("--audit-forbid blind needs --audit-detections PATH: the detection rules")
    return detections and base and (not names or BLIND in names)


def only(config: pytest.Config, *, base: bool) -> tuple[str, ...]:
    """The resources that the forbidden effects are limited to; none for all requests.

    Raises pytest.UsageError, also if there is no ``base``.
    """
    names = _names(config, "only", base=base)
    if names:
        usable(lambda: selector_of(names, "--audit-only"))
    return tuple(names)


def _names(config: pytest.Config, name: str, *, base: bool) -> list[str]:
    """The names in an option that needs a base; a variable or an ini key may be set for all runs."""
    flag = option_named(name).flag
    if not base and config.getoption(flag) is not None:
        raise pytest.UsageError(f"{flag} needs --audit-base OLD: the policy that the tested one replaces")
    return [word for word in effective(config, name).replace(",", " ").split() if word]


def acknowledged(config: pytest.Config, folder: Path | None, folders: tuple[Path, ...]) -> Acknowledged | None:
    """What someone has approved, from the file of the option, or that in the policy's folder; None without a file.

    ``folder`` is the folder of the policy, None if the run was given none. Raises pytest.UsageError.
    """
    given = effective(config, "acknowledged")
    if given:
        return usable(lambda: load_acknowledged(_shown(folder_of(config, "acknowledged") / path_of(given), folders)))
    file = folder / FILE if folder is not None else None
    return usable(lambda: load_acknowledged(_shown(file, folders))) if file is not None and is_file(file) else None


def _shown(file: Path, folders: tuple[Path, ...]) -> Path:
    """The file by the path that messages show, if that leads to it from the current folder."""
    shown = Path(shown_path(file, folders))
    return shown if shown.absolute() == file else file


def fail_on(config: pytest.Config, *, base: bool, entries: bool) -> FailOn:
    """Which unmet requirements keep the run from passing; ``entries``: some are accepted as unmet.

    Raises pytest.UsageError.
    """
    given = effective(config, "fail-on")
    if not given:
        return FailOn.NEW if base or entries else FailOn.UNMET
    if given not in list(FailOn):
        meant = did_you_mean(given, FailOn, quote="")
        raise pytest.UsageError(f"--audit-fail-on: invalid value {given!r}{meant} (choose from {', '.join(FailOn)})")
    return FailOn(given)


def usable(load: Callable[[], T], option: str = "") -> T:
    """What ``load`` returns; its AuditproofError as a pytest.UsageError, after the ``option`` that it is about."""
    try:
        return load()
    except AuditproofError as error:
        text = printable_lines(f"{option}: {error}" if option else str(error))
        raise pytest.UsageError(*text.splitlines()) from None
