"""HTML, Markdown and JUnit: complete, safe with hostile text, and honest about doubles."""

from __future__ import annotations

import base64
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from provisioner.checks.result import Verdict
from provisioner.reporting import html, junit, markdown
from provisioner.reporting.report import RunReport
from provisioner.reporting.summary import not_evidence, summarize, title
from provisioner.reporting.writers import FORMS


class Page(HTMLParser):
    """The elements of a page, and whether they nest."""

    VOID = frozenset({"meta", "br", "link", "img", "hr", "input"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_html_is_well_formed_and_needs_nothing_from_outside(report: RunReport) -> None:
    text = html.render(report)
    page = Page(text)
    assert page.open == []
    tags = [tag for tag, _ in page.seen]
    assert not {"script", "img", "link", "iframe"} & set(tags)
    for _, attributes in page.seen:
        assert "src" not in attributes
        assert (attributes.get("href") or "#").startswith("#")
    assert not re.search(r"@import|url\(", text)
    assert dict(page.seen)["html"] == {"lang": "en"}
    assert "default-src 'none'" in text


def test_html_holds_the_pictures_of_checks_that_are_still_there(report: RunReport, tmp_path: Path) -> None:
    (tmp_path / "screenshots").mkdir()
    (tmp_path / "screenshots/portal.jpg").write_bytes(b"\xff\xd8 a picture")
    pictures = ("screenshots/portal.jpg", "screenshots/gone.jpg")
    seen = replace(report.checks[0], screenshots=pictures)
    text = html.render(replace(report, directory=str(tmp_path), checks=(seen, *report.checks[1:])))
    page = Page(text)
    assert page.open == []
    [image] = [attributes for tag, attributes in page.seen if tag == "img"]
    encoded = base64.b64encode(b"\xff\xd8 a picture").decode()
    assert image["src"] == f"data:image/jpeg;base64,{encoded}"
    assert image["alt"]
    assert "img-src data:" in text


def test_html_anchors_lead_somewhere(report: RunReport) -> None:
    page = Page(html.render(report))
    identities = [attributes["id"] for _, attributes in page.seen if "id" in attributes]
    assert len(identities) == len(set(identities))
    targets = {attributes["href"] for _, attributes in page.seen if "href" in attributes}
    assert targets <= {f"#{identity}" for identity in identities}
    labels = {attributes["aria-labelledby"] for _, attributes in page.seen if "aria-labelledby" in attributes}
    assert labels <= set(identities)


def test_html_tables_have_scoped_headings(report: RunReport) -> None:
    page = Page(html.render(report))
    assert all(attributes.get("scope") in ("col", "row") for tag, attributes in page.seen if tag == "th")


def test_html_shows_the_worst_check_first(report: RunReport) -> None:
    text = html.render(report)
    order = [text.index(identity) for identity in ("B-FAIL", "C-NONE", "D-WARN", "A-PASS")]
    assert order == sorted(order)


def test_junit_counts_what_it_holds(report: RunReport) -> None:
    root = ET.fromstring(junit.render(report))  # noqa: S314  our own text
    assert root.tag == "testsuites"
    for suite in root:
        cases = suite.findall("testcase")
        assert int(suite.get("tests", "")) == len(cases)
        for word, element in (("failures", "failure"), ("errors", "error")):
            assert int(suite.get(word, "")) == sum(case.find(element) is not None for case in cases)
    by_name = {case.get("name", "").split()[0]: case for case in root.iter("testcase")}
    assert by_name["A-PASS"].find("failure") is None
    assert by_name["B-FAIL"].find("failure") is not None
    assert by_name["C-NONE"].find("error") is not None
    assert by_name["D-WARN"].find("failure") is None
    assert by_name["nginx"].find("failure") is not None


def test_markdown_keeps_hostile_text_in_its_place(report: RunReport) -> None:
    text = markdown.render(report)
    assert "<script>" not in text.replace("+</pre><script>", "")  # the difference stands in a fenced block
    row = next(line for line in text.splitlines() if "B-FAIL" in line)
    assert len(re.findall(r"(?<!\\)\|", row)) == 8
    assert "````diff" in text  # the fence is longer than the backticks inside


@pytest.mark.parametrize("form", FORMS)
def test_every_form_says_at_its_top_that_a_double_is_no_evidence(double: RunReport, form: str) -> None:
    text = FORMS[form][1](double)
    assert "mattermost" in text
    sentence = "evidence_missing_for" if form == "json" else "NOT EVIDENCE about mattermost"
    position = text.index(sentence)
    if form == "html":
        assert text.index("<body>") < position < text.index("<h1>")
    elif form == "junit":
        assert position < text.index("<testcase")
    else:
        assert position < 40


def test_without_a_double_nothing_is_said(report: RunReport) -> None:
    assert not_evidence(report) is None
    assert "NOT EVIDENCE" not in html.render(report) + markdown.render(report) + summarize(report)


def test_summary_for_people(report: RunReport) -> None:
    text = summarize(report, diffs=True)
    assert title(report) == "apply lab: failed in 11.5 s"
    assert text.startswith(title(report))
    assert "remedy: mend it" in text
    assert "      -a\n      +b\n" in text
    assert "A-PASS" not in text


def test_all_lines_of_what_was_seen_stand_under_each_other(report: RunReport) -> None:
    [failed] = [check for check in report.checks if check.verdict is Verdict.FAIL]
    text = summarize(replace(report, checks=(replace(failed, actual="one\ntwo"),)))
    assert "      seen: one\n        two\n" in text


def test_the_columns_of_the_summary_are_as_wide_as_the_longest_name(report: RunReport) -> None:
    [role] = report.roles
    long = replace(role, host="meetings-in-the-basement", role="jitsi_videobridge")
    shown = summarize(replace(report, roles=(role, long)))
    table = [line for line in shown.splitlines() if line.endswith(("SECONDS", "10.0"))]
    assert len(table) == 3
    assert len({line.index(word) for line, word in zip(table, ("ROLE", "nginx", "jitsi"), strict=True)}) == 1
    assert len({len(line) for line in table}) == 1
