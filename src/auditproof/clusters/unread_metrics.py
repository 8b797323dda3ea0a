"""Metrics that an embedded API server does not export, because reading them would be the main cost of a run.

Before and after each batch /metrics is read for the audit counters. These histograms, which no proof reads, are five
sixths of the three megabytes that a server would make and send each time (k8s.io/component-base metrics/options.go).
"""

UNREAD_METRICS = (
    "apiserver_request_body_size_bytes",
    "apiserver_request_duration_seconds",
    "apiserver_request_sli_duration_seconds",
    "apiserver_response_sizes",
    "apiserver_watch_cache_initialization_duration_seconds",
    "apiserver_watch_cache_read_wait_seconds",
    "apiserver_watch_events_dispatch_duration_seconds",
    "apiserver_watch_events_sizes",
    "apiserver_watch_list_duration_seconds",
    "etcd_request_duration_seconds",
)
