"""Every option of a run, once: its spelling in pytest, in the environment, in the ini file and in ``auditproof run``.

``plugin/asked.py`` declares the table for pytest, ``cli/run.py`` for the command, and ``make options`` writes
docs/options.md from it. Standard library only, because every pytest process in the installation imports it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class ValueKind(Enum):
    """What an option takes; the value is what separates several values in one text."""

    VALUE = ""
    LINES = "\n"
    LIST = ","
    FLAG = None

    @property
    def repeats(self) -> bool:
        """Whether ``auditproof run`` takes the option more than once."""
        return bool(self.value)


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a run.

    ``flag`` is pytest's spelling; ``auditproof run`` has the same without ``audit-``. ``variable`` and ``ini`` are the
    environment variable and the key in pytest's ini file, or None. ``help`` starts in lower case and has no full stop.
    ``secondary``: it only says more about a run, so that alone it makes no pytest process a run of auditproof.
    """

    flag: str
    variable: str | None
    ini: str | None
    metavar: str
    kind: ValueKind
    help: str
    secondary: bool = False

    @property
    def name(self) -> str:
        """The name without prefix: ``keep-cluster`` for ``--audit-keep-cluster``."""
        return self.flag.removeprefix("--audit-")


@dataclass(frozen=True, slots=True)
class Variable:
    """An environment variable that has no option."""

    name: str
    help: str


OPTIONS = (
    Option(
        "--audit-policy", "AUDITPROOF_POLICY", "audit_policy", "FILE", ValueKind.VALUE,
        "audit policy to test; cases and tests that name no policy of their own need it",
    ),
    Option(
        "--audit-base", "AUDITPROOF_BASE", "audit_base", "OLD", ValueKind.VALUE,
        "policy that the tested one replaces; every change between them is computed and then tested on two API servers",
    ),
    Option(
        "--audit-cluster", "AUDITPROOF_CLUSTER", "audit_cluster", "PROFILE", ValueKind.VALUE,
        "cluster profile: embedded (default), kind, kind-podman, existing, or a file",
    ),
    Option(
        "--audit-kubernetes", "AUDITPROOF_KUBERNETES", "audit_kubernetes", "VERSION", ValueKind.VALUE,
        "Kubernetes version, 1.34 to 1.37 or an exact one such as 1.36.3; or several, such as 1.34,1.36, 1.35..1.37 or "
        "all: one after another, in one report (default: the profile's)",
    ),
    Option(
        "--audit-assets", "AUDITPROOF_ASSETS", "audit_assets", "FOLDER", ValueKind.VALUE,
        "folder with the etcd and kube-apiserver binaries (default: KUBEBUILDER_ASSETS, then the cache)",
    ),
    Option(
        "--audit-image", "AUDITPROOF_IMAGE", "audit_image", "IMAGE", ValueKind.VALUE,
        "node image of a kind cluster (default: the profile's, then kind's own)",
    ),
    Option(
        "--audit-kubeconfig", "AUDITPROOF_KUBECONFIG", "audit_kubeconfig", "FILE", ValueKind.VALUE,
        'kubeconfig of an existing cluster; the word "default" selects the one that kubectl uses',
    ),
    Option(
        "--audit-log", "AUDITPROOF_LOG", "audit_log", "SPEC", ValueKind.LINES,
        "where to read the audit log of an existing cluster: a path, command:COMMAND, node:NODE/PATH, api:PATH, "
        "webhook:FOLDER or webhook-blocking:FOLDER; one for each API server",
    ),
    Option(
        "--audit-coverage", "AUDITPROOF_COVERAGE", "audit_coverage", "DEPTH", ValueKind.VALUE,
        "requests to generate from the policy: rules (one that each rule matches), conditions (also one near miss for "
        "each condition), all (one of every class that the policy distinguishes), or none "
        "(default: none; conditions with auditproof run)",
    ),
    Option(
        "--audit-requirements", "AUDITPROOF_REQUIREMENTS", "audit_requirements", "NAME|FILE", ValueKind.LIST,
        "also check the policy against these requirements, and test each class of requests live: "
        "names from suites/requirements, or files",
    ),
    Option(
        "--audit-fail-on", "AUDITPROOF_FAIL_ON", "audit_fail_on", "WHICH", ValueKind.VALUE,
        "requirements that keep the run from passing if they are not met: unmet (all), new (those that the base meets, "
        "and that no entry of the file of acknowledged changes accepts) or never "
        "(default: new with a base or such an entry, otherwise unmet)",
    ),
    Option(
        "--audit-forbid", "AUDITPROOF_FORBID", "audit_forbid", "EFFECT", ValueKind.LIST,
        "with a base: what must not happen unless it is acknowledged: lost (or lost-events, lost-bodies, lost-stages), "
        "exposed, more, blind (a detection rule sees nothing any more), or none (default: lost,exposed,blind)",
    ),
    Option(
        "--audit-only", "AUDITPROOF_ONLY", "audit_only", "RESOURCE", ValueKind.LIST,
        "with a base: resources, such as secrets or pods/exec, that the forbidden effects are limited to "
        "(default: all requests)",
    ),
    Option(
        "--audit-detections", "AUDITPROOF_DETECTIONS", "audit_detections", "PATH", ValueKind.LIST,
        "also check whether the policy feeds these detection rules (Sigma, Falco, Elastic): files, folders and globs; "
        "with a base, the change must not blind one of them, unless --audit-forbid leaves out blind",
    ),
    Option(
        "--audit-acknowledged", "AUDITPROOF_ACKNOWLEDGED", "audit_acknowledged", "FILE", ValueKind.VALUE,
        "forbidden changes and unmet requirements that someone approved "
        "(default: audit-changes.yaml next to the policy, if it exists)",
    ),
    Option(
        "--audit-reference", "AUDITPROOF_REFERENCE", "audit_reference", "WHEN", ValueKind.VALUE,
        "when to perform the reference cases, which are the shipped ones with policies of their own: always, once "
        "(until they are proven with the same auditproof, servers and flags: then the report names that attestation) "
        "or never "
        "(default: always; once with auditproof run)", secondary=True,
    ),
    Option(
        "--audit-report", "AUDITPROOF_REPORT", "audit_report", "FOLDER", ValueKind.VALUE,
        "write the report to this folder: report.html with the pages that it links to, results.json and junit.xml",
    ),
    Option(
        "--audit-title", "AUDITPROOF_TITLE", "audit_title", "TEXT", ValueKind.VALUE,
        "title of the change, for the head of the report", secondary=True,
    ),
    Option(
        "--audit-ticket", "AUDITPROOF_TICKET", "audit_ticket", "NUMBER", ValueKind.VALUE,
        "number of the change ticket, printed on every page of the report", secondary=True,
    ),
    Option(
        "--audit-author", "AUDITPROOF_AUTHOR", "audit_author", "NAME", ValueKind.VALUE,
        "author of the change, for the report", secondary=True,
    ),
    Option(
        "--audit-reviewer", "AUDITPROOF_REVIEWER", "audit_reviewer", "NAME", ValueKind.VALUE,
        "reviewer of the change, for the report", secondary=True,
    ),
    Option(
        "--audit-formats", "AUDITPROOF_FORMATS", "audit_formats", "FORMAT", ValueKind.LIST,
        "also write these to the report folder: sarif, code-quality",
    ),
    Option(
        "--audit-no-actions", None, None, "", ValueKind.FLAG,
        "start no server and send nothing: check the recorded events in the files named by the log option",
    ),
    Option(
        "--audit-keep-cluster", None, None, "", ValueKind.FLAG,
        "leave the cluster running after the run, and print how to use it with kubectl",
    ),
    Option(
        "--audit-reuse-cluster", "AUDITPROOF_REUSE_CLUSTER", None, "", ValueKind.FLAG,
        "use the kind cluster that an earlier run with the same settings left, and leave it for later runs; "
        "auditproof cleanup --kind removes it",
    ),
    Option(
        "--audit-sabotage", None, None, "", ValueKind.FLAG,
        "run each suite on a deliberately broken copy of its policy: its cases must fail",
    ),
)  # fmt: skip
VARIABLES = (
    Variable("AUDITPROOF_CACHE", "folder for downloaded and built binaries (default: the user's cache folder)"),
    Variable("AUDITPROOF_STATE", "folder for the key that seals attestations (default: the user's state folder)"),
    Variable("KUBEBUILDER_ASSETS", "folder with etcd and kube-apiserver, where AUDITPROOF_ASSETS is not set"),
    Variable("AUDITPROOF_ENVTEST_INDEX", "mirror of the index of envtest releases"),
    Variable("AUDITPROOF_START_TIMEOUT", "seconds that a server may take to start (default: 120)"),
    Variable("KIND", "path of the kind program"),
    Variable("KIND_EXPERIMENTAL_PROVIDER", "kind's own variable: docker, nerdctl or podman"),
    Variable("AUDITPROOF_KIND_RELEASES", "mirror of kind's releases"),
    Variable(
        "AUDITPROOF_POD_IMAGE",
        "image of pods that must really run on a node, with a shell and busybox's httpd "
        "(default: a busybox that the node has, else busybox:1)",
    ),
    Variable("AUDITPROOF_METRICS_TOKEN", "bearer token for the endpoint of `auditproof forecast --metrics URL`"),
)


def option_named(name: str) -> Option:
    """The option of this name, such as ``keep-cluster``.

    Raises KeyError if the table has none.
    """
    for option in OPTIONS:
        if option.name == name:
            return option
    raise KeyError(name)
