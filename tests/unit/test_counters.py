"""The audit counters of the API server's /metrics."""

import pytest

from auditproof.counters import Counters, parse_counters
from auditproof.errors import WireError

METRICS = b"""\
# HELP apiserver_audit_event_total [ALPHA] Counter of audit events generated and sent to the audit backend.
# TYPE apiserver_audit_event_total counter
apiserver_audit_event_total 4850
apiserver_audit_error_total{plugin="log"} 2
apiserver_audit_error_total{plugin="buffered"} 601
apiserver_audit_requests_rejected_total 3
process_start_time_seconds 1.76389e+09
"""


def test_the_counters_are_summed_over_their_labels() -> None:
    assert parse_counters(METRICS) == Counters(4850, 603, 3, 1.76389e9)


def test_a_series_that_was_never_counted_is_zero() -> None:
    assert parse_counters(b"process_start_time_seconds 7\n") == Counters(0, 0, 0, 7.0)


def test_a_text_without_the_start_of_the_process_is_no_metrics() -> None:
    with pytest.raises(WireError, match="process_start_time_seconds"):
        parse_counters(b"<html>sign in</html>")
