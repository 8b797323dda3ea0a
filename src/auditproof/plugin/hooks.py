"""The pytest hooks of a run that concerns auditproof, loaded by ``entry``.

The hooks decide when things happen; options, collect, reporting and proof.session do them. During the collection only
the server of the given policy is started, if it is certain that the run needs it. The controller owns the run
directory; workers join it, and only the controller removes it.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from auditproof import content
from auditproof.clusters.policy_files import PolicyFiles
from auditproof.clusters.run.run_directory import RunDirectory
from auditproof.errors import AuditproofError, BinaryNotFound
from auditproof.kube.discovery import unknown_version
from auditproof.plugin import collect, options
from auditproof.plugin import offline as recordings
from auditproof.plugin.asked import WORKER_KEY, asked_for, distributes, is_worker
from auditproof.plugin.backend_fixtures import close_backend
from auditproof.plugin.backend_records import backend_fields, is_backend_test
from auditproof.plugin.course import bring_into_line, concluded, course_of, proves
from auditproof.plugin.early_start import start_early
from auditproof.plugin.failures import shows_nothing
from auditproof.plugin.garbage import collect_less, restore_at_the_end, search_once_more
from auditproof.plugin.gate_options import usable
from auditproof.plugin.generated import collect_made
from auditproof.plugin.given_policies import HOW_TO_GIVE
from auditproof.plugin.item_records import last_stories, story_of
from auditproof.plugin.item_result import ItemResult, ItemResultTransport, attach
from auditproof.plugin.left_out import LeftOut, collection_lines
from auditproof.plugin.markers import MARKERS_OF_RUNS
from auditproof.plugin.planning import collection_of, has_policy, leave_plan, read_plan, without_policy
from auditproof.plugin.redaction import hide_secrets, hide_variables
from auditproof.plugin.reference import choose_reference, collects_suites, placement_of, spare_files
from auditproof.plugin.reference_choice import ReferenceChoice
from auditproof.plugin.screen import terminal_lines
from auditproof.plugin.session import SESSIONS, VERSION_FIXTURE, AuditSession, Sessions, session_of, version_of_item
from auditproof.proof.batches import Batching
from auditproof.text.printable import printable, printable_lines

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from pathlib import Path

    from auditproof.plugin.reporting import Reporting
    from auditproof.proof.placement import Placement

REPORTING: pytest.StashKey[Reporting] = pytest.StashKey()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Read the options if any is given, so that errors are reported before anything runs."""
    for marker in MARKERS_OF_RUNS:
        config.addinivalue_line("markers", marker)
    restore_at_the_end(config)
    config.pluginmanager.register(ItemResultTransport(), "auditproof-item-result")
    config.pluginmanager.register(LeftOut(), "auditproof-left-out")
    if is_worker(config):
        _join(config)
    elif asked_for(config):
        _set_up(config)


def _set_up(config: pytest.Config) -> None:
    """Prepare the controller, or a run without workers."""
    from auditproof.plugin.report_files import ask_for_tests_page, prepare_folder

    folder = options.report_folder(config)
    if folder is not None and not shows_nothing(config):
        # first, so that an old report is gone even if an option is wrong
        config.add_cleanup(prepare_folder(folder).release)
    files, say = PolicyFiles(), terminal_lines(config)
    versions = options.read_versions(config)
    sessions = Sessions([AuditSession(options.read_options(config, files, one), say, files) for one in versions])
    config.stash[SESSIONS] = sessions
    for session in sessions:
        usable(partial(getattr, session.plan, "status"))  # an entry may be about a requirement that does not exist
    start_early(config, sessions)
    from auditproof.plugin.reporting import Reporting  # while the server starts

    choose_reference(sessions)
    spare_files(config, sessions)
    if shows_nothing(config):
        return
    tests = folder is not None and ask_for_tests_page(config, folder)
    paths = options.paths_of(config)
    reporting = Reporting(sessions, config.invocation_params.args, say, paths=paths, tests=tests)
    if folder is not None:
        config.option.xmlpath = str(folder / "junit.xml")
    config.pluginmanager.register(reporting, "auditproof-reporting")
    config.stash[REPORTING] = reporting


def _join(config: pytest.Config) -> None:
    """Prepare a worker, with the controller's options, run directories (one for each version) and policies."""
    given: dict[str, Any] = config.workerinput.get(WORKER_KEY, {})  # type: ignore[attr-defined]  # added by pytest-xdist
    sessions = []
    runs = zip(given.get("runs", ()), given.get("left_out", ()), given.get("spared", ()), strict=True)
    for version, (run, left_out, spared) in zip(options.read_versions(config), runs, strict=False):
        files = PolicyFiles(RunDirectory.open(run))
        read = options.read_options(config, files, version)
        sessions.append(AuditSession(read, lambda _: None, files, joined=run))
        sessions[-1].batches.batching = Batching(given["batching"])
        sessions[-1].reference = ReferenceChoice(left_out, files=frozenset(spared))
    if sessions:
        config.stash[SESSIONS] = Sessions(sessions)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Pass the run directories to a worker, and find the servers' binaries before any worker needs them."""
    sessions = node.config.stash.get(SESSIONS, ())
    for session in sessions:
        _or_exit(session.find_servers)
    if sessions:
        batching = Batching.FILE if node.config.option.dist == "loadfile" else Batching.CASE
        runs = [str(session.run_directory.path) for session in sessions]
        left_out = [session.reference.left_out for session in sessions]
        spared = [sorted(session.reference.files) for session in sessions]
        given = {"runs": runs, "left_out": left_out, "spared": spared, "batching": batching.value}
        node.workerinput[WORKER_KEY] = given


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any) -> None:
    """Note the plans of the workers in the controller."""
    reporting = node.config.stash.get(REPORTING, None)
    if reporting is not None:
        run = node.config.stash[SESSIONS].first.run_directory
        plan = read_plan(run.path, node.gateway.id)
        if plan.refused:
            raise pytest.UsageError(plan.refused)
        reporting.plan(plan)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """In a run on several versions, let a test that takes one of the fixtures be there once for each."""
    sessions = metafunc.config.stash.get(SESSIONS, None)
    if sessions is not None and sessions.versions and VERSION_FIXTURE in metafunc.fixturenames:
        metafunc.parametrize(VERSION_FIXTURE, sessions.versions, indirect=True)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect ``*.audit.yaml`` files, and offline logs."""
    return collect.collect_file(file_path, parent) or recordings.collect_log(file_path, parent)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(session: pytest.Session, config: pytest.Config, items: list[pytest.Item]) -> None:
    """Add the generated cases; in a sabotage run keep only the items whose server can be broken on purpose."""
    if SESSIONS in config.stash and not config.stash[SESSIONS].first.options.recorded:
        items += collect_made(session)
    collection_of(config).found(items)
    if not config.getoption("--audit-sabotage"):
        return
    kept = [item for item in items if _can_be_broken(item)]
    dropped = [item for item in items if not _can_be_broken(item)]
    if dropped:
        config.hook.pytest_deselected(items=dropped)
        items[:] = kept


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    """Note the deselected items."""
    if items:
        collection_of(items[0].config).deselected(items)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Plan the selected items, once they are known: those of one version after those of another.

    Shipped Python tests come before case files: meanwhile, these are performed ahead on other servers. Files with
    watches come last: each batch of them takes a second, in which the others are reported.
    """
    config = session.config
    if SESSIONS in config.stash:
        versions = config.stash[SESSIONS].versions

        slow = {item.parent for item in session.items if isinstance(item, collect.CaseItem) and item.case.lasts}

        def rank(item: pytest.Item) -> tuple[int, bool, bool]:
            is_last = isinstance(item, collect.CaseItem) or content.shipped_name(item.path) is None
            return versions.index(version) if (version := version_of_item(item)) else -1, is_last, item.parent in slow

        session.items.sort(key=rank)
    plan = collection_of(config).plan(session.items)
    plan.whole = plan.whole and collects_suites(config)
    if not plan.proofs and not plan.backend_tests and not plan.removed:
        return
    if SESSIONS not in config.stash:
        if is_worker(config):  # its controller has prepared nothing: see pytest_runtest_setup
            return
        _set_up(config)
    sessions = config.stash[SESSIONS]
    plan.refused = without_policy(session.items, sessions.first.options) if not shows_nothing(config) else ""
    if plan.refused and not is_worker(config):
        raise pytest.UsageError(plan.refused)
    for proving in sessions:
        proving.selected = [item for item in session.items if proves(item) and session_of(item) is proving]
        items = (item for item in proving.selected if isinstance(item, collect.CaseItem))
        proving.batches.plan((item.parent, item.case, item.placement) for item in items)
    if REPORTING in config.stash:
        config.stash[REPORTING].plan(plan)
    elif is_worker(config):
        run = config.stash[SESSIONS].first.run_directory
        leave_plan(run.path, config.workerinput["workerid"], plan)  # type: ignore[attr-defined]  # added by pytest-xdist
    collect_less()


def _can_be_broken(item: pytest.Item) -> bool:
    return proves(item) or placement_of(item).twin is not None


def pytest_report_header(config: pytest.Config) -> list[str]:
    """The policy and the cluster of the run."""
    sessions = config.stash.get(SESSIONS, None)
    if sessions is None:
        return []
    policy = sessions.first.options.policy
    kubernetes = ", ".join(session.options.kubernetes for session in sessions)
    read = sessions.first.options
    logs = f"{len(read.recorded)} logs" if len(read.recorded) > 1 else "a log"
    where = f"recorded events in {logs}, no actions" if read.recorded else f"cluster {read.profile.provider}"
    lines = [
        f"auditproof: policy {policy.path} (sha256 {policy.sha256[:16]}…, {len(policy.rules)} rules)",
        f"auditproof: {where}, Kubernetes {kubernetes}",
    ]
    if sessions.versions:
        lines[-1] += ": all at once" if distributes(config) else ": one after another"
    if not sessions.first.options.policy_given:
        lines.insert(1, "auditproof: no policy is given: this one is for auditproof's own suites")
    warnings = dict.fromkeys(warning for session in sessions for warning in session.options.policy.warnings)
    lines += [f"auditproof: warning: {warning}" for warning in warnings]
    lines += [f"auditproof: {text}" for session in sessions if (text := unknown_version(session.options.kubernetes))]
    return [printable(line) for line in lines]


def pytest_report_collectionfinish(config: pytest.Config, items: list[pytest.Item]) -> list[str]:
    """What becomes of the reference cases, and that the policy of the header judges nothing, if that is so."""
    sessions = config.stash.get(SESSIONS, None)
    if sessions is None or sessions.first.options.recorded:
        return []
    told = [f"auditproof: {text}" for text in collection_lines(config)]
    proven = [item for item in items if proves(item)]
    if proven and all(placement_of(item).policy is not None for item in proven):
        path = sessions.first.options.policy.path
        told.append(f"auditproof: every selected case brings a policy of its own: none is judged by {path}")
    return list(map(printable, told))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Start every API server that is needed, in parallel, before the first test needs one.

    In a run on several versions, all binaries are found now, and servers start with the first test of their version.
    """
    config = session.config
    sessions = config.stash.get(SESSIONS, None)
    if sessions is None or sessions.first.options.recorded or not _starts_servers(config):
        return
    if session.testsfailed and not config.option.continue_on_collection_errors:
        return
    if not sessions.versions:
        _start(sessions.first, config)
        return
    for proving in sessions:
        if _placements(proving):
            _or_exit(proving.find_servers)


def _starts_servers(config: pytest.Config) -> bool:
    """Whether this process starts all servers of a version at once; those of workers start when one needs them."""
    return not (shows_nothing(config) or is_worker(config) or distributes(config))


def _start(proving: AuditSession, config: pytest.Config) -> None:
    _or_exit(lambda: proving.start_servers(_placements(proving)))
    if not config.option.maxfail:  # a run that ends with its first failure sends nothing that comes after it
        tests = (item for item in proving.selected if not isinstance(item, collect.CaseItem))
        proving.perform_ahead(map(placement_of, tests))


def _placements(proving: AuditSession) -> list[Placement]:
    """The placements of the selected items, without cases that are not about this version, or by no policy."""
    options = proving.options
    about = (
        item
        for item in proving.selected
        if not (isinstance(item, collect.CaseItem) and proving.support.of_other_versions(item.case))
    )
    return [placement_of(item) for item in about if options.policy_given or has_policy(item, placement_of(item))]


def _or_exit(start: Any) -> None:
    try:
        start()
    except AuditproofError as error:
        unusable = isinstance(error, BinaryNotFound)  # by an option, a variable, or this machine: nothing was tried
        code = pytest.ExitCode.USAGE_ERROR if unusable else pytest.ExitCode.TESTS_FAILED
        pytest.exit(printable_lines(str(error)), returncode=code)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Let the servers of one version make room for those of the next, when its first test begins.

    Fail what is to be proven by a worker whose controller was given no option: it has no run to join.
    """
    config = item.config
    if SESSIONS not in config.stash and (proves(item) or is_backend_test(item)):
        raise AuditproofError(f"a run with workers needs a policy: {HOW_TO_GIVE}")
    if REPORTING not in config.stash or not version_of_item(item) or not _starts_servers(config):
        return
    proving = session_of(item)
    if config.stash[REPORTING].make_room_for(proving, lambda: close_backend(config)):
        _start(proving, config)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    """Note that the test runs: reports made meanwhile are of a part of it (a subtest)."""
    course_of(item).calling = True
    try:
        return (yield)
    finally:
        course_of(item).calling = False


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Attach the proofs to the test report and make it agree with them, after all other plugins have changed it.

    The proofs travel with the report from a worker to the controller.
    """
    report = yield
    session = session_of(item) if SESSIONS in item.config.stash else None
    if call.excinfo is not None and isinstance(call.excinfo.value, AuditproofError):
        shown: Any = story_of(item, call.excinfo.value)
        report.longrepr = shown
    elif report.failed and (told := last_stories(item)):
        report.sections.append(("auditproof: what was recorded", told))
    if session is not None:
        hide_secrets(item, report)
    if session is None:
        return report
    result: dict[str, Any] = {}
    if proves(item) and not shows_nothing(item.config):
        records = concluded(session, item, call, report)
        bring_into_line(item, report, records)
        result["records"] = tuple(records)
    if is_backend_test(item) and not course_of(item).calling:
        result |= backend_fields(item, call, report)
    if result.get("records") or result.get("backend"):
        server = {"kubernetes": session.server_version(), "not_running": session.not_running or ""}
        attach(report, ItemResult(**server | result))
    return report


@pytest.hookimpl(optionalhook=True, trylast=True)
def pytest_metadata(metadata: dict[str, Any], config: pytest.Config) -> None:
    """Remove secrets from the environment table of pytest-html (``--html``)."""
    if asked_for(config):
        hide_variables(metadata)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None]:
    """Stop what still performs something, if the run was interrupted; let no run pass that performed nothing."""
    close_backend(session.config)
    for proving in session.config.stash.get(SESSIONS, ()):
        proving.stop()
    option = shows_nothing(session.config)
    idle = SESSIONS in session.config.stash and option in ("--setup-only", "--setup-plan")
    if idle:
        terminal_lines(session.config)(f"auditproof: nothing was shown: {option} performs no test")
    try:
        return (yield)
    finally:
        if idle and session.exitstatus == pytest.ExitCode.OK:  # last, because any plugin may set it
            session.exitstatus = pytest.ExitCode.NO_TESTS_COLLECTED
        search_once_more(everything=any(not isinstance(item, collect.CaseItem) for item in session.items))


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop everything that was started, in the controller; a worker only closes its connections."""
    close_backend(config)
    for session in config.stash.get(SESSIONS, ()):
        session.close()
        left = "" if is_worker(config) else session.end()
        if left:
            terminal_lines(config)(left)
