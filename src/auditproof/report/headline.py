"""The verdict of a whole run, in a word and in a sentence that says no more than was shown."""

from __future__ import annotations

from datetime import datetime
from enum import Enum
from typing import TYPE_CHECKING, Any

from auditproof.report.backends import backend_troubles, backends_line
from auditproof.report.change import change_is_shown
from auditproof.report.reconciliation import miscounted
from auditproof.report.rule_coverage import unmet_requirements

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


_WORST_FIRST = ("VIOLATED", "UNPROVEN", "NOT_SUPPORTED", "PROVEN")
_LEVELS = ("None", "Metadata", "Request", "RequestResponse")


class Shown(Enum):
    """How much of what was planned a run has shown: what its exit code says."""

    ALL = "all"
    NOT_ALL = "not all"
    NOTHING = "nothing"  # everything was left out on purpose, and nothing is wrong


def run_outcome(report: Mapping[str, Any]) -> Shown:
    """Whether a run may pass: only where its headline says PROVEN."""
    if verdict_word(report) == "PROVEN":
        return Shown.ALL
    return Shown.NOTHING if nothing_shown(report) else Shown.NOT_ALL


def nothing_shown(report: Mapping[str, Any]) -> bool:
    """Whether everything that was planned was left out on purpose: not supported here, or skipped."""
    tests = report.get("backends", {"tests": (), "notPerformed": ()})
    left_out = [*report["proofs"], *tests["tests"]]
    open_ends = report["notPerformed"] or tests["notPerformed"] or report.get("ended")
    return bool(left_out) and not open_ends and all(one["verdict"] == "NOT_SUPPORTED" for one in left_out)


def why_not_performed(report: Mapping[str, Any]) -> str:
    """Why something that was planned has no record of its own."""
    how = f"the run {report['ended']}" if report.get("ended") else "nothing was reported of it"
    return f"it was planned and not performed: {how}"


def is_trouble(record: Mapping[str, Any]) -> bool:
    """Whether a record of a proof, or of a test of backends, says that something is violated or unproven."""
    return record["verdict"] in ("VIOLATED", "UNPROVEN")


def worse(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether the first of two records of the same thing is the worse one."""
    return _WORST_FIRST.index(one["verdict"]) < _WORST_FIRST.index(other["verdict"])


def verdict_word(report: Mapping[str, Any]) -> str:
    """The verdict of the whole run: PROVEN only where everything that was planned is."""
    summary = report["summary"]
    backends = {test["verdict"] for test in backend_troubles(report)}
    if summary["violated"] or unmet_requirements(report) or "VIOLATED" in backends:
        return "VIOLATED"
    if backends or report.get("backends", {}).get("notPerformed"):
        return "UNPROVEN"
    if report.get("backends") and not summary["planned"]:
        shown = any(test["verdict"] == "PROVEN" for test in report["backends"]["tests"])
        return "PROVEN" if shown and not report.get("ended") else "UNPROVEN"
    if summary["unproven"] or not summary["proven"] or miscounted(report) or report.get("ended"):
        return "UNPROVEN"
    return "PROVEN"


def verdict_sentence(report: Mapping[str, Any]) -> str:
    """The verdict in words, for somebody in a hurry: never more about the policy than its own actions show."""
    about = _sentence(report)
    if doubt := report.get("cluster", {}).get("notRunning"):
        about = f"{doubt[0].upper()}{doubt[1:]}. {about}"
    if ended := report.get("ended"):
        about = f"The run {ended.partition(':')[0]}. {about}"
    if report["sabotage"]:
        return f"Sabotage run, on policies broken on purpose: {about}"
    return about


def _sentence(report: Mapping[str, Any]) -> str:
    summary, path = report["summary"], report["policy"]["path"]
    planned, proven = summary["planned"], summary["proven"]
    supported = f" ({summary['notSupported']} not supported here)" if summary["notSupported"] else ""
    counts = f"{proven} of {planned} actions proven{supported}{_not_selected(report.get('deselected', 0))}"
    if nothing_shown(report):
        return f"Nothing was shown: {_all_of(planned)} left out, as not supported here or skipped."
    if backend_troubles(report) or (report.get("backends") and not planned):
        return f"{backends_line(report).capitalize()}."
    if summary["violated"] and not report.get("log"):
        many = "1 action is" if summary["violated"] == 1 else f"{summary['violated']} actions are"
        return f"{many} not recorded as expected: {counts}."
    if report.get("log"):
        return _of_a_log(report)
    if unmet := unmet_requirements(report):
        return f"The policy does not do what is required ({', '.join(unmet)}): {counts}."
    if wrong := miscounted(report):
        return f"Nothing can be concluded: {wrong[0]['reason']} ({wrong[0]['policy']}). {counts}."
    if summary["unproven"] or not proven:
        return f"Nothing can be concluded about {_actions(planned - proven)}: {counts}."
    own = sum(1 for proof in judged_by_given(report) if proof["verdict"] == "PROVEN")
    if not own:
        return f"{counts}, none of them judged by {path}: nothing is shown about that policy."
    if change_is_shown(report):
        return f"The change to {path} does what it says: {counts}, {own} of them judged by it."
    judged = "" if own == planned else f", {own} of them judged by {path}"
    return f"{counts}{judged}: the API server records what the policy says."


def _of_a_log(report: Mapping[str, Any]) -> str:
    """No action was performed: what was recorded is all that can be spoken of."""
    summary, log = report["summary"], report["log"]
    what = f"{log['requests']} recorded requests of {summary['planned']} kinds"
    if summary["violated"]:
        return (
            f"{summary['violated']} kinds of recorded requests are not as {report['policy']['path']} decides: {what}."
        )
    if unmet := unmet_requirements(report):
        return f"The policy does not do what is required ({', '.join(unmet)}): {what}."
    if summary["unproven"] or not summary["proven"]:
        return f"Nothing can be concluded about {summary['unproven']} kinds: {what}."
    return f"{what} are all as {report['policy']['path']} decides. What is not recorded is not shown."


def _not_selected(count: int) -> str:
    return "" if not count else ", 1 more was not selected" if count == 1 else f", {count} more were not selected"


def _all_of(count: int) -> str:
    return "the only action was" if count == 1 else f"all {count} actions were" if count else "all tests were"


def _actions(count: int) -> str:
    return "1 action" if count == 1 else f"{count} actions"


def run_time(report: Mapping[str, Any]) -> str:
    """When the run was made, for people: the day, both times of it in UTC, and how long that is."""
    try:
        started, finished = (datetime.fromisoformat(report[key]) for key in ("started", "finished"))
        seconds = round((finished - started).total_seconds())
    except (ValueError, TypeError):  # of a results.json that does not say, or says the zone of one of them only
        return f"{report['started']} to {report['finished']}" if report["started"] else "at an unknown time"
    end = f"{finished:%H:%M:%S}" if started.date() == finished.date() else f"{finished.day} {finished:%B %Y, %H:%M:%S}"
    long = f"{seconds // 60} min {seconds % 60} s" if seconds >= 60 else f"{seconds} s"
    return f"{started.day} {started:%B %Y, %H:%M:%S} to {end} UTC ({long})"


def judged_by_given(report: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The proofs that are judged by the policy that the run was given."""
    digest = report["policy"]["sha256"]
    return [proof for proof in report["proofs"] if proof["policy"]["sha256"] == digest]


def worst_first(proofs: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """By verdict, then by how much is missing from the log."""
    return sorted(proofs, key=lambda proof: (_WORST_FIRST.index(proof["verdict"]), _missing(proof), proof["id"]))


def _missing(proof: Mapping[str, Any]) -> tuple[int, int]:
    """How bad a violation is: first what is not recorded at all, then what lacks most, then what is recorded too much.

    An action that was not performed counts as one that differs in nothing.
    """
    levels = list(_LEVELS)
    expected = levels.index(proof["expected"]["level"])
    observed = levels.index(proof["observed"]["level"] or proof["expected"]["level"])
    lost = expected > observed == 0
    return (0 if lost else 1, observed - expected)
