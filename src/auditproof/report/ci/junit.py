"""The JUnit file: where a case is, and every verdict as an outcome that CI systems know.

pytest's own form of it (xunit2) has no place for ``file`` and ``line``, which GitLab, Jenkins and others look for; they
come as properties, and are copied up. VIOLATED is a failure, UNPROVEN an error, and what has no test case in the file,
because it was never performed, a plugin has taken it out or it is about the run as a whole, gets one.
Each requirement, forbidden change and detection rule is a test case, too: a failure if it keeps the run from passing.
Pure.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from auditproof.proof.verdict import Outcome
from auditproof.report.detections.fed_rules import NOT_READ
from auditproof.report.detections.statement import BLINDED, blinded, blinded_reason
from auditproof.report.gate import deciding_line, forbidden_name, forbidden_reason
from auditproof.report.headline import RUN, only_the_run, why_not_performed, worst_first
from auditproof.report.html.file_names import EVIDENCE
from auditproof.report.policy_place import in_policy
from auditproof.report.proof_record import anchor
from auditproof.report.reference import reference_remarks
from auditproof.report.requirement_states import State, requirement_reason, requirement_states
from auditproof.report.statements import decision
from auditproof.text.printable import printable_lines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from auditproof.report.ci.troubles import FilesOf
    from auditproof.report.model import ProofRecord, Report

PLACE = ("file", "line")
STATEMENTS = "auditproof"  # what the classes of the test cases of changes and requirements begin with
EVIDENCE_OF = f"{EVIDENCE}#"  # the beginning of the property with the id of the proof that a test case shows
_KINDS = {Outcome.VIOLATED: "failure", Outcome.UNPROVEN: "error", Outcome.NOT_SUPPORTED: "skipped"}
_COUNTS = {"failures": "failure", "errors": "error", "skipped": "skipped"}
EMPTY = '<testsuites name="auditproof"><testsuite name="auditproof"/></testsuites>'


def told_in_full(text: str, report: Report, files: FilesOf = str) -> str:
    """The file that pytest wrote, or EMPTY, with places, and with every verdict of the report.

    ``files`` says what a file is called; one without a name keeps the one that it is shown by.
    Raises ParseError where the text is no XML.
    """
    root = ElementTree.fromstring(text)  # noqa: S314 - the file that pytest has written in this run
    suite = root if root.tag == "testsuite" else root.find("testsuite")
    if suite is None:
        raise ElementTree.ParseError("there is no testsuite in it")
    known = {anchor(proof.id): proof for proof in report.proofs}
    told: set[str] = set()
    for case in [case for case in suite.iter("testcase") if "name" not in case.attrib]:
        suite.remove(case)  # of a test during which pytest was ended: it may have passed, for all that it says
    for case in suite.iter("testcase"):
        properties = [(found.get("name"), found.get("value", "")) for found in case.iterfind("properties/property")]
        for name in PLACE:
            if (value := next((value for key, value in properties if key == name), None)) is not None:
                case.set(name, value)
        evidence = (value.removeprefix(EVIDENCE_OF) for key, value in properties if key == "evidence")
        proofs = [known[name] for name in evidence if name in known]
        told |= {proof.id for proof in proofs}
        if proofs:
            _agree(case, worst_first(proofs)[0])
    cases = {(case.get("classname"), case.get("name")): case for case in suite.iter("testcase")}
    for record in _untold(report, told, every=text == EMPTY):
        known_case = cases.get(_address(record.id))
        _agree(_new_case(suite, record) if known_case is None else known_case, record)
    for remark in reference_remarks(report):
        _property(suite, "reference", remark, first=True)
    for told_case in (*_changes(report), *_requirements(report), *_detections(report)):
        suite.append(told_case)
    for case in suite.iter("testcase"):
        if file := case.get("file"):
            case.set("file", printable_lines(files(file) or file))
    _count(suite)
    return '<?xml version="1.0" encoding="utf-8"?>' + ElementTree.tostring(root, encoding="unicode")


def _agree(case: ElementTree.Element, proof: ProofRecord | _Untold) -> None:
    """Let a test case be what the worst of its verdicts is; where it is so already, in pytest's words."""
    kind = _KINDS.get(proof.verdict)
    wrong = [*case.findall("failure"), *case.findall("error")]
    if kind in ("failure", "error"):
        for element in wrong:  # a test in Python that is UNPROVEN fails for pytest
            element.tag = kind
    if kind is None or wrong or case.find(kind) is not None:
        return
    for skipped in case.findall("skipped"):
        case.remove(skipped)
    _fail(case, kind, str(proof.verdict), "\n".join(proof.reasons))


@dataclass(frozen=True, slots=True)
class _Untold:
    """A verdict that has no test case in the file; without ``place`` (file and line) it was never reached."""

    id: str
    verdict: Outcome
    reasons: Sequence[str]
    place: tuple[str, int] | None = None


def _untold(report: Report, told: set[str], *, every: bool) -> Iterator[_Untold]:
    """What the file must have and has not: all that is wrong, and where pytest wrote nothing, everything."""
    for proof in report.proofs:
        if proof.id not in told and (every or proof.verdict.is_trouble):
            yield _Untold(proof.id, proof.verdict, proof.reasons, (proof.suite, proof.line))
    backends = report.backends
    for name in (*report.not_performed, *(backends.not_performed if backends else ())):
        yield _Untold(name, Outcome.UNPROVEN, [why_not_performed(report)])
    for test in backends.tests if backends and every else ():
        yield _Untold(test.id, test.verdict, [test.reason] if test.reason else [], (test.suite, test.line))
    if whole := only_the_run(report):
        yield _Untold(RUN, whole, [decision(report).sentence])


def _new_case(suite: ElementTree.Element, untold: _Untold) -> ElementTree.Element:
    place, name = _address(untold.id)
    case = ElementTree.SubElement(suite, "testcase", {"classname": place, "name": name, "time": "0.000"})
    if untold.place is not None:
        file, line = untold.place
        case.attrib.update({"file": printable_lines(file), "line": str(line)})
    return case


def _changes(report: Report) -> Iterator[ElementTree.Element]:
    """A test case for each forbidden change; one that is acknowledged passes, with its reason."""
    for one in report.gate.forbidden if report.gate else ():
        case = _stated(f"{STATEMENTS}.change", forbidden_name(one), in_policy(report, deciding_line(one)))
        for entry in dict.fromkeys(effect.acknowledged for effect in one.effects if effect.acknowledged):
            _property(case, "acknowledged", f"{entry.approved_by}, {entry.ticket}: {entry.because}")
        if not one.acknowledged:
            _fail(case, "failure", "FORBIDDEN", forbidden_reason(one))
        yield case


def _requirements(report: Report) -> Iterator[ElementTree.Element]:
    """A test case for each requirement; one that was not met before either passes, with its status."""
    for one in requirement_states(report):
        record = one.record
        case = _stated(f"{STATEMENTS}.requirements", record.id, (record.file, record.line))
        for name, value in (("title", record.title), ("state", str(one.state)), ("status", one.status)):
            if value:
                _property(case, name, value)
        if one.fails:
            kind = "failure" if one.state is State.UNMET else "error"
            _fail(case, kind, str(one.state), f"{record.title}: {requirement_reason(one, report)}")
        elif one.state in (State.NOT_SELECTED, State.NOT_SHOWN):
            _fail(case, "skipped", str(one.state), one.reason or "its requests were not selected")
        yield case


def _detections(report: Report) -> Iterator[ElementTree.Element]:
    """A test case for each detection rule; one that could not be read is skipped, and fails nothing."""
    found = report.detections
    failing = blinded(report) if found and found.forbid_blind else []
    for rule in found.rules if found else ():
        case = _stated(f"{STATEMENTS}.detections", f"{rule.pack}: {rule.title}", (rule.file, rule.line))
        for name, value in (("feed", rule.feed), ("before", rule.before)):
            if value:
                _property(case, name, value)
        if rule in failing:
            _fail(case, "failure", BLINDED, blinded_reason(rule))
        yield case
    for left in found.not_read if found else ():
        case = _stated(f"{STATEMENTS}.detections", f"{left.pack}: {left.title or left.id}", (left.file, left.line))
        _fail(case, "skipped", NOT_READ, left.reason)
        yield case


def _stated(classname: str, name: str, place: tuple[str, int]) -> ElementTree.Element:
    file, line = place
    stated = {"classname": classname, "name": printable_lines(name), "time": "0.000"}
    return ElementTree.Element("testcase", stated | {"file": printable_lines(file), "line": str(line)})


def _property(element: ElementTree.Element, name: str, value: str, *, first: bool = False) -> None:
    """Add a property to a test case, or to a suite, which has its properties ``first``."""
    properties = element.find("properties")
    if properties is None:
        properties = ElementTree.Element("properties")
        element.insert(0 if first else len(element), properties)
    ElementTree.SubElement(properties, "property", {"name": name, "value": printable_lines(value)})


def _fail(case: ElementTree.Element, kind: str, word: str, reason: str) -> None:
    text = printable_lines(reason)
    message = {"message": f"{word}: {text.partition(chr(10))[0]}"}
    element = ElementTree.SubElement(case, kind, message | ({"type": "pytest.skip"} if kind == "skipped" else {}))
    element.text = text


def _address(proof_id: str) -> tuple[str, str]:
    """The classname and the name that pytest gives to a test case (_pytest/junitxml.py, mangle_test_address)."""
    path, bracket, parameters = re.sub(r"#\d+$", "", printable_lines(proof_id)).partition("[")
    file, *names = path.split("::")
    places = [file.replace("/", ".").removesuffix(".py"), *names]
    return ".".join(places[:-1]), places[-1] + bracket + parameters


def _count(suite: ElementTree.Element) -> None:
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for name, kind in _COUNTS.items():
        suite.set(name, str(sum(1 for case in cases if case.find(kind) is not None)))
