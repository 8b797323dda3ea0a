"""The report as its readers meet it: without scripts, printed, in the dark, on a phone, by keyboard, by ear."""

from __future__ import annotations

import re
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import axe_playwright_python
import pytest

from auditproof.analysis.diff import diff
from auditproof.analysis.lint import examine
from auditproof.audit.policy.load import parse_policy
from auditproof.kube.discovery import load_served
from auditproof.report.change import change_record
from auditproof.report.document import conformance_report
from auditproof.report.html.page import report_page
from auditproof.report.model import ClusterRecord, PolicyRecord, ProofRecord, Report, RunRecord, Sections
from auditproof.report.policy_sections import lint_record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TypeAlias

    from playwright.sync_api import Browser, Page

    Write: TypeAlias = Callable[[Report], str]

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
HEAD = "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n"
NEW = parse_policy(f"{HEAD}- level: None\n  users: [bob]\n- level: Metadata\n".encode(), path="policies/new.yaml")
OLD = parse_policy(f"{HEAD}- level: Request\n  users: [bob]\n- level: Metadata\n".encode(), path="policies/old.yaml")
EVENT = {
    "kind": "Event", "apiVersion": "audit.k8s.io/v1", "level": "Metadata", "stage": "ResponseComplete",
    "requestURI": "/api/v1/namespaces/a-namespace-with-a-long-name/configmaps/and-an-object-with-a-longer-one",
    "user": {"username": "alice", "groups": ["developers", "system:authenticated"]},
}  # fmt: skip


def proof(number: int, verdict: str = "PROVEN", name: str = "") -> dict[str, Any]:
    performed = verdict in ("PROVEN", "VIOLATED")
    user = ("alice", "system:serviceaccount:shop:robot", None)[number % 3]
    return {
        "id": name or f"suites/shop.audit.yaml::case-{number}",
        "title": f"Case {number} is a sentence about somebody who does something",
        "suite": "suites/shop.audit.yaml",
        "line": number,
        "policy": {"path": NEW.path, "sha256": NEW.sha256},
        "identity": {"user": user, "groups": ["developers"], "kind": "x509", "impersonates": None},
        "request": {
            "method": "GET", "path": EVENT["requestURI"], "verb": ("get", "list", "create")[number % 3],
            "apiGroup": "", "resource": "configmaps", "subresource": "", "namespace": "shop", "name": "settings",
        },
        "because": "it was asked for" if number == 1 else "",
        "explanation": {
            "effect": "recorded at level Metadata",
            "earlier": [{"rule": 0, "line": 4, "condition": "users", "reason": "user 'alice' is not in users [bob]"}],
            "shadowed": [],
        },
        "auditID": f"id-{number}" if performed else "",
        "expected": {"rule": 1, "line": 6, "level": "Metadata", "stages": ["ResponseComplete"], "source": "case"},
        "observed": {
            "level": "Metadata" if performed else None,
            "stages": ["ResponseComplete"] if performed else [],
            "status": 200 if performed else 0,
        },
        "verdict": verdict,
        "reasons": [] if verdict == "PROVEN" else ["not recorded at stage ResponseStarted"],
        "claim": {"text": "It is said so", "level": "Request", "holds": False} if number == 2 else None,
        "events": [EVENT] if performed else [],
        "fence": "GET /api/v1/secrets by auditproof-fence, read back from the log" if performed else "",
        "seconds": 0.01,
    }  # fmt: skip


def report(*proofs: dict[str, Any], planned: tuple[str, ...] = ()) -> Report:
    served = load_served("1.37")
    changed = (proof(90, name="policies/old.yaml::change-01"), proof(91, name="policies/new.yaml::change-01"))
    every = [*proofs, *changed]
    return conformance_report(
        [ProofRecord.model_validate(record) for record in every],
        policy=PolicyRecord(
            path=NEW.path, sha256=NEW.sha256, text=NEW.text, warnings=("policies/new.yaml:3:1: a warning",),
            rule_lines=tuple(rule.position.line for rule in NEW.rules), commit="c" * 40, modified=True,
        ),
        cluster=ClusterRecord(provider="embedded", kubernetes="v1.37.2", flags={"audit-log-mode": "blocking"}),
        run=RunRecord(by="alice", ci="GitLab CI", url="https://ci.example.test/1"),
        planned=[*(record["id"] for record in every), *planned],
        started=NOON,
        finished=NOON,
        sections=Sections(change=change_record(diff(OLD, NEW, served)), lint=lint_record(examine(NEW, served))),
    )  # fmt: skip


GREEN = report(*(proof(number) for number in range(1, 9)))
REPORTS = {
    "green": GREEN,
    "violated": report(proof(1, "VIOLATED"), *(proof(number) for number in range(2, 9))),
    "unproven": report(proof(1, "UNPROVEN"), proof(2, "NOT_SUPPORTED"), *(proof(n) for n in range(3, 9))),
    "crashed": report(proof(1), planned=tuple(f"suites/shop.audit.yaml::case-{n}" for n in range(2, 30))),
}
SENTENCES = {
    "green": "PROVEN: the server recorded what the policy decides: 10 of 10 actions proven.",
    "violated": "VIOLATED: the server recorded something else than the policy decides (1 action): "
    "9 of 10 actions proven.",
    "unproven": "2 actions were inconclusive: 8 of 10 actions proven (1 not supported here).",
    "crashed": "28 actions were inconclusive: 3 of 31 actions proven.",
}


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page that may run scripts; anything that it asks of the network is a failure.

    Its policy keeps out what a test puts in, too, unless the parameter is true.
    """
    context = browser.new_context(bypass_csp=getattr(request, "param", False))
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    yield page
    context.close()
    assert [url for url in asked if not url.startswith(("file:", "data:", "about:"))] == []


@pytest.fixture
def write(tmp_path: Path) -> Callable[[Report], str]:
    """Writes a report as a run does; returns its URL."""

    def write(shown: Report) -> str:
        file = tmp_path / "report.html"
        file.write_text(report_page(shown), encoding="utf-8")
        return file.as_uri()

    return write


@pytest.mark.parametrize("page", [True], indirect=True)
@pytest.mark.parametrize("name", REPORTS)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_accessibility_engine_finds_nothing(page: Page, write: Write, name: str, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(write(REPORTS[name]))
    page.eval_on_selector_all("details", "all => all.forEach(one => one.open = true)")
    page.add_script_tag(path=AXE)

    found = page.evaluate("axe.run('main')")

    told = {rule["id"]: [node["html"][:150] for node in rule["nodes"][:3]] for rule in found["violations"]}
    assert told == {}
    assert len(found["passes"]) > 10


@pytest.mark.parametrize("page", [True], indirect=True)
def test_the_engine_would_find_what_is_wrong(page: Page, write: Write) -> None:
    page.goto(write(GREEN))
    broken = "<p style='color: #ccc; background: #fff'>pale</p><img src='data:,'>"
    page.locator("main").evaluate("(main, html) => main.insertAdjacentHTML('beforeend', html)", broken)
    page.add_script_tag(path=AXE)

    found = {rule["id"] for rule in page.evaluate("axe.run('main')")["violations"]}

    assert {"color-contrast", "image-alt"} <= found


@pytest.mark.parametrize("name", REPORTS)
def test_the_first_screen_tells_the_truth_without_scripts(browser: Browser, write: Write, name: str) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 1280, "height": 720})
    page = context.new_page()
    page.goto(write(REPORTS[name]))

    heading = page.locator("main h1")

    assert SENTENCES[name] in heading.inner_text()
    box = heading.bounding_box()
    assert box is not None
    assert box["y"] + box["height"] < 720
    assert page.locator("main header").get_by_text("Compared with policies/old.yaml").is_visible()
    assert page.locator("main").get_by_text("Problems", exact=True).count() == (
        0 if name == "green" else 2
    )  # the link and the heading
    context.close()


def test_evidence_opens_without_scripts_by_keyboard_alone(browser: Browser, write: Write) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(write(GREEN))
    event = page.locator("tr[id$='case-1'] pre").first
    assert not event.is_visible()

    page.locator("tr[id$='case-1'] summary").first.focus()
    page.keyboard.press("Enter")

    assert event.is_visible()
    context.close()


def test_tab_reaches_every_link_and_every_folded_evidence(page: Page, write: Write) -> None:
    page.goto(write(REPORTS["violated"]))
    wanted = page.locator("main a, main summary").evaluate_all(
        "all => all.filter(one => one.checkVisibility()).map(one => one.outerHTML)"
    )

    reached = []
    for _ in range(len(wanted) * 3):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.outerHTML"))

    assert [one for one in wanted if one not in reached] == []


def test_what_has_the_focus_is_seen(page: Page, write: Write) -> None:
    page.goto(write(GREEN))
    page.keyboard.press("Tab")
    style = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(style) == "solid"


def test_every_link_leads_somewhere(page: Page, write: Write) -> None:
    page.goto(write(REPORTS["violated"]))
    broken = page.locator("main a[href^='#']").evaluate_all(
        "all => all.filter(one => !document.getElementById(decodeURI(one.hash.slice(1))) "
        "&& !document.getElementById(one.hash.slice(1))).map(one => one.hash)"
    )
    assert broken == []


@pytest.mark.parametrize("width", [320, 375, 768, 1280])
@pytest.mark.parametrize("name", REPORTS)
def test_the_page_is_as_wide_as_its_window(page: Page, write: Write, name: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.goto(write(REPORTS[name]))
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_the_printed_report_has_the_evidence_in_it(page: Page, write: Write) -> None:
    page.goto(write(GREEN))
    page.emulate_media(media="print")
    hidden = page.locator("main pre").evaluate_all("all => all.filter(one => !one.checkVisibility()).length")

    pages = page.pdf(format="A4")

    assert hidden == 0
    assert pages.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type /Page\b", pages)) >= 3
    assert all(zlib.decompress(stream) for stream in _streams(pages))


def _streams(pdf: bytes) -> list[bytes]:
    """The packed contents of the pages."""
    found = re.findall(rb"/FlateDecode[^>]*>>\s*stream\r?\n(.*?)\r?\nendstream", pdf, re.DOTALL)
    assert found
    return found


HARM = "<script>document.title = 'harmed'</script><img src='x' onerror=\"document.title = 'harmed'\">"


def test_no_script_runs_that_gets_into_the_page(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "harmed.html"
    file.write_text(report_page(GREEN).replace("</main>", f"{HARM}</main>"), encoding="utf-8")
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))

    page.goto(file.as_uri())

    assert page.title() != "harmed"
    assert any("Content Security Policy" in text for text in refused)


def test_nothing_of_the_page_itself_is_refused(page: Page, write: Write) -> None:
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))

    page.goto(write(GREEN))

    assert page.locator("main h1").is_visible()
    assert told == []
