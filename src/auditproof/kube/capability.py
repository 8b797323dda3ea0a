"""What a cluster can do, in words that a case may use to say what it needs."""

from __future__ import annotations

from enum import StrEnum


class Capability(StrEnum):
    """What a cluster can do; a case that needs a missing one is *not supported*."""

    SETS_POLICY = "setsPolicy"
    MINTS_X509 = "mintsX509"
    SIGNS_CERTIFICATES = "signsCertificates"
    GRANTS_CLUSTER_RIGHTS = "grantsClusterRights"
    READS_LOG = "readsLog"
    RUNS_PODS = "runsPods"
    CONTROLLERS = "controllers"  # they run, and the API server's own log has a line for each of their requests
    KUBELET = "kubelet"  # one serves pods: the real one, or a stand-in that runs no container
    STATIC_TOKENS = "staticTokens"
    BOOTSTRAP_TOKENS = "bootstrapTokens"
    FRONT_PROXY = "frontProxy"
    LEGACY_TOKENS = "legacyTokens"
    OIDC = "oidc"
    CALLS_BACK = "callsBack"  # an API server reaches webhooks on this machine's loopback
    AGGREGATES = "aggregates"  # another API server, with objects of its own, can be behind one
