"""Sections are divided over pages between rows, and everything is on exactly one of them."""

from __future__ import annotations

import re

import pytest

from auditproof.report.html.page import report_pages
from auditproof.report.html.paging import CONTINUED, Room, paged, parsed, room_of
from auditproof.report.model import Report, plain
from tests.browser.reports import MANY, REPORTS, everything, requirement, shown, with_more

PLENTY = Room(10_000, 10_000_000)
TABLE = (
    '<section><h2 id="ap-a">A</h2>\n<p>all &amp; more<br>here</p><table><caption>c</caption><thead><tr><th>h</th></tr>'
    "</thead><tbody>{}</tbody></table></section>"
)
ROWS = [f"<tr><td>{n} &lt;b&gt; &#39;</td></tr>" for n in range(100)]


def large() -> Report:
    """The report of a policy with 240 rules: details.html in several parts."""
    made = everything()
    lines = [rule.position.line for rule in MANY.rules]
    covered = [
        {
            "rule": n, "line": line, "level": "Metadata", "reason": "",
            "witnesses": [f"suites/shop.audit.yaml::case-{n % 39 + 1}"],
            "nearMisses": [f"x::rule-{n}-users{n}-near-miss-1", "lost"],
        }
        for n, line in enumerate(lines)
    ]  # fmt: skip
    share = {"events": 9, "bytes": 900, "eventsPerSecond": 0.5}
    noise = plain(made)["noise"] | {
        "rules": [{"rule": n, "line": line, "level": "Metadata", **share} for n, line in enumerate(lines)]
    }
    policy = plain(made.policy) | {"path": MANY.path, "text": MANY.text, "ruleLines": lines}
    coverage = plain(made)["coverage"] | {"rules": covered}
    return with_more(
        made,
        policy=policy,
        noise=noise,
        coverage=coverage,
        requirements=[requirement(n, f"secrets-{n}") for n in range(240)],
        notPerformed=[f"missing-{n}" for n in range(4000)],
    )


def test_what_fits_stays_as_it_is() -> None:
    section = TABLE.format("\n".join(ROWS))

    assert paged([section, section], PLENTY, PLENTY) == [[section, section]]
    assert "".join(part.html for part in parsed(section)) == section


@pytest.mark.parametrize("nodes", [1, 12, 20, 50])
def test_each_row_is_on_one_page_below_the_head_of_its_table(nodes: int) -> None:
    """Also if a page has no room for any row."""
    room = Room(nodes, 10_000)

    pages = ["".join(parts) for parts in paged([TABLE.format("\n".join(ROWS)), "<p>last</p>"], room, room)]

    assert re.findall("<tr><td>.*?</tr>", "".join(pages)) == ROWS
    assert pages[-1].endswith("<p>last</p>")
    assert "".join(pages).count("all &amp; more<br>here") == 1
    for page in pages:
        if "<td>" in page:
            assert page.count("<h2") == page.count("<thead>") == page.count("<caption>") == 1
        assert (CONTINUED.html in page) is (page != pages[0] and "<h2" in page)
        assert nodes < 12 or room_of(page).nodes <= nodes


def test_a_row_and_what_belongs_to_it_are_on_one_page() -> None:
    rows = "".join(f'<tr class="above"><td>{n}</td></tr>\n<tr><td>{n} more</td></tr>' for n in range(9))
    room = Room(6, 10_000)

    pages = ["".join(parts) for parts in paged([f"<table><tbody>{rows}</tbody></table>"], room, room)]

    assert len(pages) == 9
    assert all(f"<td>{n}</td>" in page and f"<td>{n} more</td>" in page for n, page in enumerate(pages))


def test_the_size_counts_as_the_elements_do() -> None:
    pages = paged(["<ul>" + "".join(f"<li>{'ü' * 50}</li>" for _ in range(10)) + "</ul>"], PLENTY, Room(100, 230))

    assert [len(part) for part in pages] == [1]
    pages = paged(["<ul>" + "".join(f"<li>{'ü' * 50}</li>" for _ in range(10)) + "</ul>"], Room(100, 230), PLENTY)
    assert ["".join(part).count("<li>") for part in pages] == [2, 8]


@pytest.mark.parametrize("name", [*REPORTS, "large"])
def test_no_page_of_details_is_slow_to_show(name: str) -> None:
    for file, page in report_pages(large() if name == "large" else shown(name)).items():
        if file.startswith("details"):
            text = page()
            assert len(text.encode()) < 300_000, file
            assert room_of(text).nodes < 3000, file


def test_everything_is_in_the_parts_of_details_and_every_link_leads_to_it() -> None:
    pages = {name: page() for name, page in report_pages(large()).items()}
    parts = {name: text for name, text in pages.items() if name.startswith("details")}

    assert list(parts) == ["details.html", *(f"details-{n}.html" for n in range(2, len(parts) + 1))]
    assert len(parts) > 2
    text = "".join(parts.values())
    for number in range(4000):
        assert text.count(f"<li>missing-{number}</li>") == 1
    for number in range(240):
        assert f">users{number} (not performed), " in text
        assert len(re.findall(rf"\[user-{number},", text)) == 1
        assert f"cis-3-2-{number}, " in text
    for name, page in pages.items():
        for file, _, place in re.findall(r'href="([^"#:]*)(#([^"]*))?"', page):
            target = pages.get(file or name)
            assert file == "tests.html" or target is not None, file
            assert not place or f' id="{place}"' in str(target), (name, file, place)
    for number, part in enumerate(parts.values(), 1):
        assert f"part {number} of {len(parts)}" in part
        assert (f'href="details-{number + 1}.html">part {number + 1}</a>' in part) is (number < len(parts))
