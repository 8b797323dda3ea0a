"""The options of the plugin: argument, then environment, then ini file, then default."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pytest

from auditproof import content
from auditproof.analysis.coverage import Depth
from auditproof.analysis.requirements import load_requirements
from auditproof.audit.policy.load import KUBERNETES_VERSION, Policy, load_policy
from auditproof.auditlog.sources import parse_source
from auditproof.clusters.existing.kubeconfig import DEFAULT
from auditproof.clusters.profile import Profile, load_profile
from auditproof.errors import AuditproofError
from auditproof.text.paths import path_of
from auditproof.text.printable import printable_lines
from auditproof.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable

    from auditproof.analysis.requirements import RequirementsFile

T = TypeVar("T")

DEFAULT_POLICY = Path("fixtures/policies/baseline.yaml")
REQUIREMENTS = Path("suites/requirements")
FORMATS = {"sarif": "results.sarif", "code-quality": "gl-code-quality.json"}
REPORT_FILES = ("report.html", "evidence.html", "results.json", "junit.xml", *FORMATS.values())


@dataclass(frozen=True, slots=True)
class Setting:
    """One option of the command line with its twins in the environment and in the ini file."""

    name: str
    help: str
    metavar: str

    @property
    def flag(self) -> str:
        """The command-line spelling."""
        return f"--audit-{self.name}"

    @property
    def ini(self) -> str:
        """The spelling in pytest's ini file."""
        return f"audit_{self.name}"

    @property
    def env(self) -> str:
        """The spelling in the environment."""
        return f"AUDITPROOF_{self.name.upper()}"


SETTINGS = (
    Setting("policy", "the audit policy to prove (default: the baseline policy that auditproof ships)", "FILE"),
    Setting("base", "the policy that it is to replace: prove what the change does, request by request", "FILE"),
    Setting("cluster", "the cluster profile: a name out of clusters/ or a file (default: embedded)", "PROFILE"),
    Setting("kubernetes", "the Kubernetes version, e.g. 1.37 or 1.36.3 (default: the profile's)", "VERSION"),
    Setting("assets", "a folder with etcd and kube-apiserver (as KUBEBUILDER_ASSETS)", "FOLDER"),
    Setting("image", "the node image of a kind cluster (default: the profile's, else kind's own)", "IMAGE"),
    Setting("kubeconfig", "an existing cluster: who we are there (a file; default: kubectl's own)", "FILE"),
    Setting(
        "log",
        "an existing cluster: its audit log, a path, command:COMMAND, node:NODE/PATH, api:PATH or webhook:FOLDER "
        "(of several API servers: one a line)",
        "SPEC",
    ),
    Setting(
        "coverage", f"perform witnesses of the policy's own rules, too: {', '.join(Depth)} (default: none)", "DEPTH"
    ),
    Setting("requirements", "hold the policy against requirements, too: names or files, separated by commas", "NAMES"),
    Setting("formats", "write these beside the report, too: sarif, code-quality", "FORMAT,..."),
    Setting("report", "write report.html, results.json and junit.xml into this folder", "FOLDER"),
)
FLAGS = {
    "--audit-sabotage": "run each suite on its policy broken on purpose: its cases must fail",
    "--audit-no-actions": "start and send nothing: judge the events that the logs of --audit-log hold",
    "--audit-keep-cluster": "leave the cluster running afterwards, and print how to use it with kubectl",
    "--audit-reuse-cluster": "use the kind cluster of an earlier run that asked for the same, and leave it to later "
    "ones; auditproof cleanup removes it [environment: AUDITPROOF_REUSE_CLUSTER]",
}


@dataclass(frozen=True, slots=True)
class Options:
    """The effective options of a run; paths are absolute."""

    policy_file: Path
    policy: Policy
    base_file: Path | None
    base: Policy | None
    folders: tuple[Path, ...]
    profile: Profile
    kubernetes: str
    assets: Path | None
    image: str
    coverage: Depth | None
    requirements: tuple[RequirementsFile, ...]
    report: Path | None
    formats: tuple[str, ...]
    sabotage: bool
    keep_cluster: bool
    reuse_cluster: bool
    recorded: tuple[Path, ...]


def add_options(parser: pytest.Parser) -> None:
    """Declare every option, its environment variable and its ini key."""
    group = parser.getgroup("auditproof", "auditproof: prove what an audit policy records")
    for setting in SETTINGS:
        text = f"{setting.help} [environment: {setting.env}]"
        group.addoption(setting.flag, metavar=setting.metavar, default=None, help=text)
        parser.addini(setting.ini, text, default="")
    for flag, text in FLAGS.items():
        group.addoption(flag, action="store_true", default=False, help=text)


def effective(config: pytest.Config, name: str) -> str:
    """The value of one setting, or an empty text."""
    setting = next(setting for setting in SETTINGS if setting.name == name)
    given = config.getoption(setting.flag)
    return str(given if given is not None else os.environ.get(setting.env) or config.getini(setting.ini) or "")


def read_options(config: pytest.Config, read: Callable[[Path], bytes] = Path.read_bytes) -> Options:
    """Check and resolve everything, before anything is started; ``read`` reads the policies.

    Raises pytest.UsageError, with everything that is wrong with a file.
    """
    profile = _profile(config)
    kubernetes = effective(config, "kubernetes") or profile.kubernetes
    if not KUBERNETES_VERSION.fullmatch(kubernetes):
        raise pytest.UsageError(f"--audit-kubernetes: {kubernetes!r} is no version: expected 1.37 or 1.37.2, say")
    file, folders = policy_path(config), (config.invocation_params.dir, config.rootpath)

    def read_policy(file: Path) -> Policy:
        name = shown_path(file, folders)
        return _usable(lambda: load_policy(file, kubernetes=minor(kubernetes), name=name, read=read))

    base_file = _folder(config, "base")
    base = read_policy(base_file) if base_file else None
    return Options(
        policy_file=file,
        policy=read_policy(file),
        base_file=base_file,
        base=base,
        folders=folders,
        profile=profile,
        kubernetes=kubernetes,
        assets=_folder(config, "assets"),
        image=effective(config, "image") or profile.image,
        coverage=_depth(effective(config, "coverage")),
        requirements=_requirements(effective(config, "requirements")),
        report=report_folder(config),
        formats=_formats(effective(config, "formats")),
        sabotage=bool(config.getoption("--audit-sabotage")),
        keep_cluster=bool(config.getoption("--audit-keep-cluster")),
        reuse_cluster=_reuse(config, profile.provider),
        recorded=_recorded(config),
    )


def _profile(config: pytest.Config) -> Profile:
    """The profile, with what the options say of an existing cluster.

    Raises pytest.UsageError.
    """
    profile = _usable(lambda: load_profile(effective(config, "cluster") or "embedded"))
    if config.getoption("--audit-no-actions"):
        return profile
    kubeconfig, specs = effective(config, "kubeconfig"), effective(config, "log").splitlines()
    if (kubeconfig or specs) and profile.provider != "existing":
        raise pytest.UsageError(
            "--audit-kubeconfig and --audit-log are about an existing cluster (--audit-cluster existing), "
            f"and this one is {profile.provider}"
        )
    place, folder = profile.place, config.invocation_params.dir
    if kubeconfig:
        place = replace(place, kubeconfig=kubeconfig if kubeconfig == DEFAULT else str(folder / Path(kubeconfig)))
    if specs:
        place = replace(place, logs=tuple(_usable(lambda s=s: str(parse_source(s, folder))) for s in specs))  # type: ignore[misc]
    return replace(profile, place=place)


def _reuse(config: pytest.Config, provider: str) -> bool:
    """Whether the cluster may outlive the run; the variable is for all runs, and for clusters of kind alone.

    Raises pytest.UsageError where the option is given and the cluster is none of kind.
    """
    if not config.getoption("--audit-reuse-cluster"):
        return provider == "kind" and os.environ.get("AUDITPROOF_REUSE_CLUSTER", "") not in ("", "0")
    if provider != "kind":
        raise pytest.UsageError(f"--audit-reuse-cluster: a kind cluster can be used again, {provider} cannot")
    return True


def _recorded(config: pytest.Config) -> tuple[Path, ...]:
    """The logs whose events are to be judged, where nothing is to be performed.

    Raises pytest.UsageError.
    """
    if not config.getoption("--audit-no-actions"):
        return ()
    folder = config.invocation_params.dir
    sources = [_usable(lambda s=s: parse_source(s, folder)) for s in effective(config, "log").splitlines()]  # type: ignore[misc]
    if not sources:
        raise pytest.UsageError("--audit-no-actions needs --audit-log FILE: the recorded events to judge")
    for source in sources:
        if source.kind != "file":
            raise pytest.UsageError(f"--audit-log: {source}: recorded events are judged in files; write it to one")
    return tuple(Path(source.place) for source in sources)


def _depth(text: str) -> Depth | None:
    """How much of the policy is to be witnessed.

    Raises pytest.UsageError.
    """
    if text in ("", "none"):
        return None
    if text not in list(Depth):
        meant = did_you_mean(text, [*Depth, "none"], quote="")
        raise pytest.UsageError(f"--audit-coverage: {text!r} is none of {', '.join(Depth)} and none{meant}")
    return Depth(text)


def _requirements(names: str) -> tuple[RequirementsFile, ...]:
    """The requirements that the policy is held against.

    Raises pytest.UsageError, with everything that is wrong with a file.
    """
    folder = content.root() / REQUIREMENTS
    wanted = dict.fromkeys(filter(None, (name.strip() for name in names.split(","))))
    return tuple(_usable(lambda name=name: load_requirements(name, folder)) for name in wanted)  # type: ignore[misc]


def _formats(text: str) -> tuple[str, ...]:
    """The further forms of the report that are asked for.

    Raises pytest.UsageError.
    """
    given = tuple(dict.fromkeys(name for name in text.replace(",", " ").split()))
    for name in given:
        if name not in FORMATS:
            meant = did_you_mean(name, FORMATS, quote="")
            raise pytest.UsageError(f"--audit-formats: {name!r} is none of {', '.join(FORMATS)}{meant}")
    return given


def policy_path(config: pytest.Config) -> Path:
    """The policy to prove: the given one, relative to where pytest was called; else the shipped baseline."""
    given = effective(config, "policy")
    return _absolute(config, given) if given else content.root() / DEFAULT_POLICY


def report_folder(config: pytest.Config) -> Path | None:
    """Where the report is to go, if anywhere."""
    return _folder(config, "report")


def shown_path(path: Path, folders: tuple[Path, ...]) -> str:
    """A path as a reader knows it: relative to the first of ``folders`` that it is below."""
    return next((str(path.relative_to(folder)) for folder in folders if path.is_relative_to(folder)), str(path))


def minor(version: str) -> str:
    """The minor of a version: 1.37 out of v1.37.2."""
    return ".".join(version.removeprefix("v").split(".")[:2])


def _folder(config: pytest.Config, name: str) -> Path | None:
    given = effective(config, name)
    return _absolute(config, given) if given else None


def _absolute(config: pytest.Config, given: str) -> Path:
    return (config.invocation_params.dir / path_of(given)).resolve()


def _usable(load: Callable[[], T]) -> T:
    try:
        return load()
    except AuditproofError as error:
        raise pytest.UsageError(*printable_lines(str(error)).splitlines()) from None
