"""Writes src/auditproof/kube/discovery.json out of the discovery of real servers: ``make served``.

Each minor version is started twice: as it is, and with every API switched on, to know what is merely off by default.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

from auditproof import content
from auditproof.clusters.discovery import discover
from auditproof.clusters.embedded import EmbeddedProvider
from auditproof.clusters.profile import load_profile
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.kube import discovery as served
from auditproof.kube.versions import version_of

MODULES = content.root() / "clusters" / "embedded"  # a folder for each minor version
TARGET = Path(served.__file__).with_name(served.RECORD)
POLICY = content.root() / "fixtures" / "policies" / "nothing.yaml"


def minors() -> list[str]:
    """The minor versions whose servers auditproof can build, oldest first."""
    return sorted((folder.name for folder in MODULES.iterdir()), key=version_of)


def discovered(minor: str, assets: Path | None, flags: dict[str, str]) -> served.Served:
    """What a server of ``minor`` with ``flags`` serves."""
    directory = RunDirectory.create()
    try:
        profile = load_profile("embedded")
        profile = replace(profile, flags={**profile.flags, **flags})
        embedded = EmbeddedProvider(profile, directory, kubernetes=minor, assets=assets, report=print)
        return discover(embedded.cluster(POLICY))
    finally:
        directory.close()


def recorded(minor: str, assets: Path | None) -> served.Served:
    """What ``minor`` serves by default, with what is only off by default as ``optional``."""
    default = discovered(minor, assets, {})
    everything = discovered(minor, assets, {"runtime-config": "api/all=true"})
    known = {(entry.group, entry.resource) for entry in default.resources}
    return replace(default, optional=frozenset((entry.group, entry.resource) for entry in everything.resources) - known)


def main() -> None:
    """Record every minor; ``--assets`` is a folder with a folder for each minor, with etcd and kube-apiserver in it."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--assets", type=Path)
    assets = parser.parse_args().assets
    record = {minor: served.to_record(recorded(minor, assets / minor if assets else None)) for minor in minors()}
    TARGET.write_text(json.dumps(record, indent=0) + "\n")


if __name__ == "__main__":
    main()
