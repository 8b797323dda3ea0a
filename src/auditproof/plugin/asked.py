"""What a pytest process is asked for: whether it is about us at all, a worker, or a run that performs nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditproof.plugin import collect, options

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def asked_for(config: pytest.Config) -> bool:
    """Whether any option of ours is given."""
    return any(options.effective(config, setting.name) for setting in options.SETTINGS)


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of pytest-xdist."""
    return hasattr(config, "workerinput")


def distributes(config: pytest.Config) -> bool:
    """Whether this process has workers."""
    return bool(getattr(config.option, "tx", None))


def has_case_file(config: pytest.Config) -> bool:
    """Whether a case file is where the tests are."""
    paths = (config.invocation_params.dir / argument.partition("::")[0] for argument in config.args)
    return any(_case_file_below(path) for path in paths)


def _case_file_below(path: Path) -> bool:
    if path.is_dir():
        return next(path.rglob(f"*{collect.SUFFIX}"), None) is not None
    return path.name.endswith(collect.SUFFIX)
