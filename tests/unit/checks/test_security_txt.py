"""security.txt by RFC 9116, and by what internet.nl asks for besides."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from provisioner.checks.outside.security_txt import find_faults

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
URL = "https://zonnedael.example/.well-known/security.txt"
GOOD = f"""\
# Whoever finds a fault, writes to us.
Contact: mailto:ict@zonnedael.example
Contact: https://www.zonnedael.example/melden
Preferred-Languages: nl, en
Canonical: {URL}
Policy: https://www.zonnedael.example/beleid
Expires: 2027-03-24T00:00:00Z
"""


def faults(text: str) -> list[str]:
    return find_faults(text.encode(), URL, NOW)


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("T00:00:00Z", "T00:00:00+01:00"),
        "Contact: tel:+31-20-0000000\nExpires: 2027-03-24T00:00:00Z\n",
    ],
)
def test_a_valid_file_passes(text: str) -> None:
    assert faults(text) == []


@pytest.mark.parametrize(
    ("old", "new", "fault"),
    [
        ("Contact: ", "Encryption: ", "has no Contact"),
        ("mailto:", "", "is no https, mailto or tel address"),
        (
            "https://www.zonnedael.example/melden",
            "http://www.zonnedael.example/",
            "is no https, mailto or tel",
        ),
        ("Policy: https", "Policy: http", "a policy that is no https address"),
        (URL, "https://elders.example/.well-known/security.txt", f"does not name {URL} as Canonical"),
        ("Expires: 2027-03-24T00:00:00Z\n", "", "has no Expires"),
        ("2027-03-24T00:00:00Z", "soon", "is no moment"),
        ("2027-03-24T00:00:00Z", "2027-03-24T00:00:00", "is no moment"),
        ("2027-03-24", "2026-11-24", "ended at"),
        ("2027-03-24", "2026-12-20", "ends in 25 days"),
        ("2027-03-24", "2028-03-24", "ends only in"),
        ("Expires:", "Expires: 2027-01-01T00:00:00Z\nExpires:", "has expires more than once"),
        ("nl, en\n", "nl, en\nPreferred-Languages: de\n", "has preferred-languages more than once"),
        ("Contact: mailto", "Contact:mailto", "is not of the form"),
        ("Contact: mailto", "Contact:  mailto", "is not of the form"),
        ("# Whoever", "Whoever", "is not of the form"),
        ("00Z\n", "00Z", "its last line has no end"),
    ],
)
def test_each_fault_is_named(old: str, new: str, fault: str) -> None:
    assert old in GOOD
    assert any(fault in found for found in faults(GOOD.replace(old, new))), faults(GOOD.replace(old, new))


def test_what_is_not_text_is_refused() -> None:
    assert find_faults(b"\xff\xfe", URL, NOW) == ["is not UTF-8"]
    assert find_faults(b"#" * 100_001, URL, NOW) == ["has more than 100000 bytes"]
    assert faults("\ufeff" + GOOD.removeprefix("# Whoever finds a fault, writes to us.\n")) != []


@pytest.mark.parametrize(("days", "passes"), [(29.9, False), (30.1, True), (363.9, True), (364.1, False)])
def test_the_end_is_neither_near_nor_far(days: float, passes: bool) -> None:
    end = (NOW + timedelta(days=days)).isoformat()
    assert (faults(GOOD.replace("2027-03-24T00:00:00Z", end)) == []) is passes
