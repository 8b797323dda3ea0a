"""The marks of tests and of collected items, as registered in pytest."""

from __future__ import annotations

MARKERS = (
    "standard: a standard action, judged by the Decisions of the policy that the run is given",
    "witness: a request made from the given policy's own rules (--audit-coverage)",
    "change: a request that the given policy and the one it replaces record differently (--audit-base)",
    "requirement: a request made from a requirement on the given policy (--audit-requirements)",
    "detection: a request that triggers a detection rule, or nearly does (--audit-detections)",
    "backends: what the audit backends of an API server with flags of its own carry to the reader",
    "spoils: the test leaves its API server in a state that no other test of backends can use",
    "own_policy: a case whose file names a policy of its own",
    "covers(*facts): the facts that this test shows, by their ids in a list of facts (suites/facts.yaml)",
    "audit_policy(path, sabotage=None): the policy that the audit fixture of this test proves",
    "audit_server(audit_log=None, flags=None, sabotage=None): flags of the API server that the audit fixture acts on",
)
