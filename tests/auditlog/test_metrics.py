"""The audit counters of the API server's /metrics."""

import pytest

from auditproof.auditlog.metrics import AuditMetrics, parse_metrics
from auditproof.errors import WireError

METRICS = b"""\
# HELP apiserver_audit_event_total [ALPHA] Counter of audit events generated and sent to the audit backend.
# TYPE apiserver_audit_event_total counter
apiserver_audit_event_total 4850
apiserver_audit_error_total{plugin="log"} 2
apiserver_audit_error_total{plugin="buffered"} 601
apiserver_audit_level_total{level="Metadata"} 12
apiserver_audit_level_total{level="None"} 30
apiserver_audit_requests_rejected_total 3
process_start_time_seconds 1.76389e+09
"""


def test_the_counters_are_told_by_their_labels() -> None:
    counters = parse_metrics(METRICS)

    lost, levels = {"log": 2, "buffered": 601}, {"Metadata": 12, "None": 30}
    assert counters == AuditMetrics(4850, 3, 1.76389e9, lost, levels)
    assert counters.lost == 603


def test_what_was_emitted_and_not_lost_must_stand_in_the_log() -> None:
    assert parse_metrics(METRICS).lines == 4850 - 603


def test_what_a_webhook_lost_stands_in_the_log_all_the_same() -> None:
    """apiserver_audit_error_total counts all plugins, and the log lacks only what the log plugin lost."""
    assert AuditMetrics(100, 0, 7.0, {"log": 1, "webhook": 20}).lines == 99


def test_a_series_that_was_never_counted_is_zero() -> None:
    assert parse_metrics(b"process_start_time_seconds 7\n") == AuditMetrics(0, 0, 7.0)


def test_a_text_without_the_start_of_the_process_is_no_metrics() -> None:
    """A login page of a proxy must not be read as counters that are all zero."""
    with pytest.raises(WireError, match="process_start_time_seconds"):
        parse_metrics(b"<html>sign in</html>")
