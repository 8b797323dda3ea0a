"""The options of a pytest run, checked and resolved before anything is started."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from auditproof import content
from auditproof.analysis.coverage import Depth
from auditproof.audit.redact import redact_text
from auditproof.auditlog.sources import parse_source
from auditproof.clusters.profile import Profile, load_profile
from auditproof.kube.versions import choose_versions, minor
from auditproof.options import option_named
from auditproof.plugin.asked import effective, folder_of
from auditproof.plugin.gate_options import acknowledged, fail_on, forbidden, forbids_blind, only, usable
from auditproof.plugin.given_policies import GivenPolicy, given_policy
from auditproof.plugin.reference_choice import ReferenceMode, reference_mode
from auditproof.proof.run_options import RunOptions
from auditproof.report.html.file_names import DETAILS, EVIDENCE, TESTS, TICKET
from auditproof.report.model import TicketRecord
from auditproof.text.paths import files_of, is_file, is_folder, path_of, shown_path
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from auditproof.analysis.requirements import RequirementsFile
    from auditproof.clusters.policy_files import PolicyFiles
    from auditproof.clusters.policy_sources import PolicySource
    from auditproof.detections import Rules

T = TypeVar("T")

DEFAULT_POLICY = Path("fixtures/policies/baseline.yaml")
FORMATS = {"sarif": "results.sarif", "code-quality": "gl-code-quality.json"}
REPORT_FILES = (TICKET, DETAILS, EVIDENCE, TESTS, "results.json", "junit.xml", *FORMATS.values())


@dataclass(frozen=True, slots=True)
class Options(RunOptions):
    """The effective options of a pytest run: those of the engine, and where the report goes.

    If no policy is given, ``policy`` is the one that auditproof's own suites are judged by.
    """

    policy_source: PolicySource | None = None
    policy_given: bool = True
    report: Path | None = None
    ticket: TicketRecord = field(default_factory=TicketRecord)
    formats: tuple[str, ...] = ()
    reference: ReferenceMode = ReferenceMode.ALWAYS


def read_versions(config: pytest.Config) -> tuple[str, ...]:
    """The Kubernetes versions of the run, oldest first.

    Raises pytest.UsageError, also where the other options allow only one.
    """
    profile = _profile(config)
    try:
        versions = choose_versions(effective(config, "kubernetes") or profile.kubernetes)
    except ValueError as error:
        raise pytest.UsageError(f"--audit-kubernetes: {error}") from None
    if len(versions) > 1:
        why = {
            "an existing cluster has one version": profile.provider == "existing",
            "recorded events (--audit-no-actions) are judged for one version": config.getoption("--audit-no-actions"),
            "--audit-keep-cluster keeps the servers of one version": config.getoption("--audit-keep-cluster"),
            "--audit-assets has the servers of one version": profile.provider == "embedded"
            and effective(config, "assets"),
            "a node image has one version": profile.provider == "kind"
            and (effective(config, "image") or profile.image),
        }
        for reason in (text for text, applies in why.items() if applies):
            raise pytest.UsageError(f"--audit-kubernetes: {reason}, and {', '.join(versions)} were given")
    return versions


def read_options(config: pytest.Config, files: PolicyFiles, kubernetes: str) -> Options:
    """Check and resolve every option, for one Kubernetes version of the run; ``files`` reads the policies.

    Raises pytest.UsageError, which lists all problems of a file.
    """
    profile = _profile(config)
    folders = (config.invocation_params.dir, config.rootpath, content.root())

    def read_policy(name: str, default: str) -> GivenPolicy:
        shown, version = partial(shown_path, folders=folders), minor(kubernetes)
        text, folder = effective(config, name) or default, folder_of(config, name)
        return usable(lambda: given_policy(config, text, folder, files, shown=shown, kubernetes=version))

    rules = _detections(config)
    base = read_policy("base", "") if effective(config, "base") else None
    given = read_policy("policy", str(content.root() / DEFAULT_POLICY))
    approved = acknowledged(config, given.source.folder if effective(config, "policy") else None, folders[:1])
    # Without secrets, which someone may have pasted.
    title, number, author, reviewer = (
        redact_text(effective(config, name).strip()) for name in ("title", "ticket", "author", "reviewer")
    )
    return Options(
        policy_file=given.source.path,
        policy=given.policy,
        policy_source=given.source,
        policy_given=bool(effective(config, "policy")),
        base_file=base.source.path if base else None,
        base=base.policy if base else None,
        folders=folders,
        profile=profile,
        kubernetes=kubernetes,
        assets=_folder(config, "assets"),
        image=effective(config, "image") or profile.image,
        coverage=_depth(effective(config, "coverage")),
        requirements=_requirements(config, files, kubernetes),
        detections=rules,
        forbid_blind=forbids_blind(config, base=base is not None, detections=rules is not None),
        report=report_folder(config),
        ticket=TicketRecord(title=title, number=number, author=author, reviewer=reviewer),
        formats=_formats(effective(config, "formats")),
        reference=reference_mode(config),
        sabotage=bool(config.getoption("--audit-sabotage")),
        keep_cluster=bool(config.getoption("--audit-keep-cluster")),
        reuse_cluster=_reuse(config, profile.provider),
        recorded=_recorded(config),
        forbid=forbidden(config, base=base is not None),
        only=only(config, base=base is not None),
        acknowledged=approved,
        today=datetime.now(UTC).date(),
        fail_on=fail_on(config, base=base is not None, entries=bool(approved and approved.requirements)),
    )


def _profile(config: pytest.Config) -> Profile:
    """The cluster profile, with the kubeconfig and logs that the options name.

    Raises pytest.UsageError.
    """
    profile = usable(lambda: load_profile(_name_or_file(config, "cluster", effective(config, "cluster") or "embedded")))
    if config.getoption("--audit-no-actions"):
        return profile
    kubeconfig, specs = effective(config, "kubeconfig"), effective(config, "log").splitlines()
    if profile.provider != "existing" and not kubeconfig and not specs:
        return profile
    from auditproof.clusters.existing.kubeconfig import DEFAULT, require_client  # it takes the Kubernetes client

    if profile.provider == "existing":
        usable(require_client)
    if (kubeconfig or specs) and profile.provider != "existing":
        raise pytest.UsageError(
            "--audit-kubeconfig and --audit-log need an existing cluster (--audit-cluster existing); "
            f"this profile is {profile.provider}"
        )
    place, folder = profile.place, folder_of(config, "log")
    if kubeconfig:
        file = str(folder_of(config, "kubeconfig") / Path(kubeconfig))
        place = replace(place, kubeconfig=kubeconfig if kubeconfig == DEFAULT else file)
    if specs:
        place = replace(place, logs=tuple(str(usable(partial(parse_source, spec, folder))) for spec in specs))
    return replace(profile, place=place)


def _reuse(config: pytest.Config, provider: str) -> bool:
    """Whether the cluster is kept for later runs; the variable may be set for all runs, and matters to kind alone.

    Raises pytest.UsageError if the option is given and the cluster is not a kind cluster.
    """
    if not config.getoption("--audit-reuse-cluster"):
        return provider == "kind" and os.environ.get(option_named("reuse-cluster").variable or "", "") not in ("", "0")
    if provider != "kind":
        raise pytest.UsageError(f"--audit-reuse-cluster: only kind clusters can be reused; this profile is {provider}")
    return True


def _recorded(config: pytest.Config) -> tuple[Path, ...]:
    """The log files to check, if no requests are to be sent.

    Raises pytest.UsageError.
    """
    if not config.getoption("--audit-no-actions"):
        return ()
    folder = folder_of(config, "log")
    paths: list[Path] = []
    for spec in effective(config, "log").splitlines():
        files = files_of(folder / path_of(spec)) if is_folder(folder / path_of(spec)) else None
        if files is None:
            source = usable(partial(parse_source, spec, folder))
            if source.kind != "file":
                raise pytest.UsageError(
                    f"--audit-log: {source}: --audit-no-actions reads files only; save the log to a file first"
                )
            files = [Path(source.place)]
        if not files:
            raise pytest.UsageError(f"--audit-log: {spec}: there is no file in this folder")
        paths += [file.resolve() for file in files]
    if not paths:
        raise pytest.UsageError("--audit-no-actions needs --audit-log FILE: the file with the recorded events to check")
    return tuple(dict.fromkeys(paths))


def _depth(text: str) -> Depth | None:
    """How many requests are generated from the policy; None for none.

    Raises pytest.UsageError.
    """
    if text in ("", "none"):
        return None
    if text not in list(Depth):
        meant = did_you_mean(text, [*Depth, "none"], quote="")
        raise pytest.UsageError(
            f"--audit-coverage: invalid value {text!r}{meant} (choose from {', '.join([*Depth, 'none'])})"
        )
    return Depth(text)


def _requirements(config: pytest.Config, files: PolicyFiles, kubernetes: str) -> tuple[RequirementsFile, ...]:
    """The requirements to check the policy against; ``files`` reads a policy that one of them refers to.

    Raises pytest.UsageError, which lists all problems of a file.
    """
    read_policy = partial(files.load_given, folder=Path.cwd(), kubernetes=kubernetes)
    names = (name.strip() for name in effective(config, "requirements").split(","))
    wanted = dict.fromkeys(_name_or_file(config, "requirements", name) for name in names if name)
    if not wanted:
        return ()
    from auditproof.detections.as_requirements import load_required  # readers of several languages

    return tuple(usable(partial(load_required, name, kubernetes, read_policy)) for name in wanted)


def _detections(config: pytest.Config) -> Rules | None:
    """The detection rules to check the policy against; None without any.

    Raises pytest.UsageError.
    """
    folder = folder_of(config, "detections")
    given = [str(folder / path.strip()) for path in effective(config, "detections").split(",") if path.strip()]
    if not given:
        return None
    from auditproof.detections import load_rules  # readers of several languages

    return usable(lambda: load_rules([shown_path(Path(path), (Path.cwd(),)) for path in given]))


def _name_or_file(config: pytest.Config, option: str, text: str) -> str:
    """A word of an option that is a name or a file: as it is, unless it is a file in the ini file's folder alone."""
    folder = folder_of(config, option)
    return str(folder / text) if folder != config.invocation_params.dir and is_file(folder / path_of(text)) else text


def _formats(text: str) -> tuple[str, ...]:
    """The additional report formats.

    Raises pytest.UsageError.
    """
    given = tuple(dict.fromkeys(name for name in text.replace(",", " ").split()))
    for name in given:
        if name not in FORMATS:
            meant = did_you_mean(name, FORMATS, quote="")
            raise pytest.UsageError(
                f"--audit-formats: invalid value {name!r}{meant} (choose from {', '.join(FORMATS)})"
            )
    return given


def paths_of(config: pytest.Config) -> tuple[str, ...]:
    """What the run collects: the files and folders that were given, as messages show them."""
    folders = (config.invocation_params.dir, config.rootpath, content.root())
    given = [str(word).partition("::") for word in config.args]
    return tuple(f"{shown_path(path_of(path).absolute(), folders)}{mark}{rest}" for path, mark, rest in given)


def report_folder(config: pytest.Config) -> Path | None:
    """The folder for the report, or None if no report is written."""
    return _folder(config, "report")


def _folder(config: pytest.Config, name: str) -> Path | None:
    given = effective(config, name)
    return (folder_of(config, name) / path_of(given)).resolve() if given else None
