"""The run itself: the policy, the cluster, who made it, and the counts."""

from pydantic import Field

from auditproof.report.model.values import Amount, Count, Flag, Line, Record, Sha256, Texts, absent


class PolicyRef(Record):
    """A policy file by its path and its content."""

    path: str
    sha256: Sha256


class PolicyRecord(PolicyRef):
    """The policy that the run was given."""

    commit: str | None = Field(
        default=None, description="the git commit that the file is checked out at; null: unknown"
    )
    modified: Flag | None = Field(default=None, description="whether the file differs from that commit; null: unknown")
    text: str = Field(default="", description="the file as the API server got it")
    rule_lines: tuple[Line, ...] = Field(default=(), description="the line on which each rule begins")
    file: str = absent("", "the document that holds the policy; absent: it is a file of its own")
    first_line: int = absent(0, "the line of that document on which the text begins; absent: it is not literally there")
    warnings: Texts = Field(default=(), description="what the API server ignores in the file, with line and column")


class ClusterRecord(Record):
    """Where the run took place."""

    provider: str
    kubernetes: str = Field(description="the version that the API server reports")
    start_seconds: Amount = Field(default=0.0, description="how long the run waited for its servers to be ready")
    flags: dict[str, str] = Field(default={}, description="flags of the API server that the profile sets")
    not_running: str = absent("", "why the server seems not to run the policy; absent: it does")


class RunRecord(Record):
    """Who made the run, and where; empty where unknown, without secrets."""

    by: str = ""
    ci: str = Field(default="", description="the CI system")
    url: str = Field(default="", description="of the CI job")
    command: Texts = ()
    paths: Texts = absent((), "the files and folders whose cases were performed; suites: those that auditproof ships")


class TicketRecord(Record):
    """The change that the run is about, as the user who started it names it; empty if it has no name."""

    title: str = absent("", "of the change")
    number: str = absent("", "of the change ticket")
    author: str = absent("", "of the change")
    reviewer: str = absent("", "of the change")


class Summary(Record):
    """The counts of a run: planned = proven + violated + unproven + notSupported."""

    planned: Count
    performed: Count = Field(description="how many requests were sent")
    proven: Count
    violated: Count
    unproven: Count = Field(description="includes what was planned and not reached")
    not_supported: Count
