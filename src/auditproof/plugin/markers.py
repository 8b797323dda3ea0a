"""The marks of tests and of collected items, as registered in pytest."""

from __future__ import annotations

# Python tests have these when they are imported; every pytest process in the installation knows them.
MARKERS_OF_TESTS = (
    "audit_policy(path, sabotage=None): the policy that the audit fixture of this test proves",
    "audit_server(audit_log=None, flags=None, sabotage=None): flags of the API server that the audit fixture acts on",
    "audit_spoils: the test leaves its API server in a state that no other test of backends can use",
)
# Known in a run that concerns auditproof.
MARKERS_OF_RUNS = (
    "standard: a standard action, judged by the Decisions of the policy that the run is given",
    "witness: a request made from the given policy's own rules (--audit-coverage)",
    "change: a request that the given policy and the one it replaces record differently (--audit-base)",
    "requirement: a request made from a requirement on the given policy (--audit-requirements)",
    "detection: a request that triggers a detection rule, or nearly does (--audit-detections)",
    "own_policy: a case whose file names a policy of its own",
)
