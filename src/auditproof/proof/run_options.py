"""The options of a run; the plugin reads them from pytest's options, a program passes them directly."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from auditproof.analysis.gate import FORBIDDEN
from auditproof.analysis.requirements import FailOn
from auditproof.audit.policy.load import Policy, load_policy
from auditproof.clusters.profile import Profile, load_profile
from auditproof.kube.versions import minor

if TYPE_CHECKING:
    from datetime import date

    from auditproof.analysis.coverage import Depth
    from auditproof.analysis.gate import Acknowledged, Consequence
    from auditproof.analysis.requirements import RequirementsFile
    from auditproof.detections import Rules


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of a run; all paths are absolute.

    ``policy`` is the content of ``policy_file``, ``base`` the policy that it replaces. Paths are shown relative to the
    first of the ``folders`` that contains them. ``kubernetes`` is a version, with or without a patch release.
    ``assets`` is a folder with etcd and kube-apiserver, ``image`` the node image of a kind cluster. ``coverage`` is how
    much of the policy gets witnesses, None for none. ``sabotage``: each server runs a deliberately broken policy.
    ``recorded`` are logs to judge offline, without sending requests. The gate forbids the effects ``forbid`` of the
    change from the base on the resources ``only`` (none: on all), and with ``forbid_blind`` that it blinds one of the
    ``detections``; ``acknowledged`` is what someone has approved, until ``today`` (None: no entry is over), ``fail_on``
    says which unmet requirements keep a run from passing.

    >>> from pathlib import Path
    >>> from auditproof import RunOptions
    >>> options = RunOptions.of(Path("fixtures/policies/baseline.yaml"), kubernetes="1.37")
    >>> options.kubernetes, len(options.policy.rules)
    ('1.37', 10)
    """

    policy_file: Path
    policy: Policy
    profile: Profile
    kubernetes: str
    base_file: Path | None = None
    base: Policy | None = None
    folders: tuple[Path, ...] = ()
    assets: Path | None = None
    image: str = ""
    coverage: Depth | None = None
    requirements: tuple[RequirementsFile, ...] = ()
    detections: Rules | None = None
    sabotage: bool = False
    keep_cluster: bool = False
    reuse_cluster: bool = False
    recorded: tuple[Path, ...] = ()
    forbid: frozenset[Consequence] = FORBIDDEN
    only: tuple[str, ...] = ()
    forbid_blind: bool = False
    acknowledged: Acknowledged | None = None
    today: date | None = None
    fail_on: FailOn = FailOn.UNMET

    @staticmethod
    def of(policy_file: Path, *, cluster: str = "embedded", kubernetes: str = "") -> RunOptions:
        """The options of a run that proves what ``policy_file`` records.

        ``cluster`` is the name or the file of a cluster profile, ``kubernetes`` a version, empty for the profile's.
        Raises SourceError if a file cannot be used, PolicyRefused if the API server would refuse the policy.
        """
        profile = load_profile(cluster)
        version, file = kubernetes or profile.kubernetes, policy_file.absolute()
        policy = load_policy(file, kubernetes=minor(version), name=str(policy_file))
        return RunOptions(file, policy, profile, version, folders=(Path.cwd(),), image=profile.image)
