"""``auditproof forecast``: what a policy would record, from the counters of an API server."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from auditproof.cli.arguments import POLICY_FORMS, add_format, add_kubernetes, add_policy, add_price, load_given
from auditproof.cli.exit_codes import ExitCode
from auditproof.errors import AuditproofError
from auditproof.text import output

if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace

    from auditproof.replay.forecast import Sizes

EPILOG = """\
If there is no audit log yet, the metrics of an API server say which requests it has handled
(apiserver_request_total: verb, resource, scope and code). forecast computes from them how many events and bytes a day
the policy would make of these requests.

It is a forecast: the counters name no user, namespace or object, so a rule about those gives a range, from none of the
requests that it may decide to all of them. Sizes are means, of the log that --sizes names or of a cluster of kind.
Refused requests (401, 403) are not in these counters. `auditproof generate-log` and a few minutes of a real log, with
every body recorded, are the way to better sizes.

An endpoint may need a login: --metrics https://user:password@host/metrics, or a bearer token in the variable
AUDITPROOF_METRICS_TOKEN. Neither is shown, nor sent to another host.

One dump counts since the server started; with two, what happened between them. Files were read when they were last
changed, unless --over says how long it took.

examples:
  kubectl get --raw /metrics > metrics.txt && auditproof forecast policies/next.yaml --metrics metrics.txt
  auditproof forecast policies/next.yaml --base policies/prod.yaml --metrics monday.txt --metrics tuesday.txt --over 24h
  kubectl get --raw /metrics | auditproof forecast policies/next.yaml --metrics - --sizes audit.log --price 0.50/GiB
"""
EXIT_CODES = {
    ExitCode.FINE: "the forecast is written",
    ExitCode.UNUSABLE: "unusable options, or a policy, metrics or a log that cannot be used",
}


def declare(parser: ArgumentParser) -> None:
    """Declare the arguments."""
    add_policy(parser)
    parser.add_argument(
        "--metrics",
        metavar="FILE|URL",
        action="append",
        required=True,
        help="metrics of an API server in Prometheus' text format; twice: an earlier and a later dump of one server",
    )
    parser.add_argument("--over", metavar="TIME", type=_duration, help="over how long they were counted, such as 24h")
    parser.add_argument("--sizes", metavar="FILE", help="audit log to measure sizes in, best with all bodies recorded")
    parser.add_argument("--base", metavar="OLD", help=f"another policy, to compare with: {POLICY_FORMS}")
    add_price(parser)
    add_format(parser, ["text", "json", "markdown"])
    add_kubernetes(parser)


def execute(options: Namespace) -> int:
    """Forecast, and write the result.

    Raises AuditproofError if the metrics or the log cannot be used.
    """
    from auditproof.replay.forecast import forecast
    from auditproof.replay.forecast.dumps import counted, read_dump
    from auditproof.replay.forecast.render import as_json, as_markdown, as_text

    if len(options.metrics) > 2:
        raise AuditproofError("--metrics can be given twice, for an earlier and a later dump")
    policy = load_given(options.policy, options.kubernetes)
    base = load_given(options.base, options.kubernetes) if options.base else None
    counters, seconds = counted([read_dump(given) for given in options.metrics], options.over)
    sizes = _sizes(options.sizes)
    found = forecast(policy, counters, seconds, sizes)
    compared = forecast(base, counters, seconds, sizes) if base else None
    if options.format == "json":
        output.tell_json(as_json(found, compared, options.price))
    else:
        output.tell({"text": as_text, "markdown": as_markdown}[options.format](found, compared, options.price))
    return ExitCode.FINE


def _sizes(given: str | None) -> Sizes:
    from auditproof.replay.forecast import measured_sizes, shipped_sizes

    if given is None:
        return shipped_sizes()
    try:
        with open(given, "rb") as file:  # noqa: PTH123 - a name as the user wrote it
            return measured_sizes(file, given)
    except OSError as error:
        raise AuditproofError(f"{given}: the log cannot be read: {error.strerror}") from None


def _duration(text: str) -> float:
    """A duration on the command line. Raises ArgumentTypeError if it is none."""
    from auditproof.replay.forecast.dumps import duration

    try:
        return duration(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
