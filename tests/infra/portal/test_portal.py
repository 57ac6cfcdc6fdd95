"""The portal as the role promises it: static pages that ask nobody else for anything, and a living security.txt."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host

PAGES = "/srv/portal"
PUBLISHED = "/var/lib/portal/security.txt"
UNIT = "portal-security-txt"
# A weekly timer renews what is good for less than 90 days.
LEAST_DAYS = 80
# systemd-analyze's exposure, 0 (shut in) to 10.
HIGHEST_EXPOSURE = 1.5


@pytest.mark.check(
    id="PORTAL-FILES",
    title="The portal's files are root's alone to change, and there is a page for each language and nothing else",
    grade="observed on host",
    remedy="Run apply; it writes the pages and who may change them.",
)
def test_files(host: Host, deployment: dict[str, Any]) -> None:
    names = set(host.file(PAGES).listdir())
    wanted = {"portal.css", *(f"{language}.html" for language in deployment["portal_languages"])}
    if logo := deployment["portal_logo_path"]:
        wanted.add(f"logo{Path(logo).suffix.lower()}")
    assert names == wanted
    for path in (PAGES, PUBLISHED, *(f"{PAGES}/{name}" for name in names)):
        file = host.file(path)
        assert (file.user, file.group, file.mode & 0o022) == ("root", "root", 0), path


@pytest.mark.check(
    id="PORTAL-STATIC",
    title="The portal's pages hold no script and load nothing from elsewhere",
    grade="configured",
    remedy="Run apply; it writes the pages anew.",
)
def test_pages_are_static(host: Host, deployment: dict[str, Any]) -> None:
    for language in deployment["portal_languages"]:
        page = host.file(f"{PAGES}/{language}.html").content_string
        assert not re.findall(
            r"<(?:script|style|iframe|object|form)\b|\son\w+=|\sstyle=", page, re.IGNORECASE
        )
        loaded = re.findall(r'\ssrc="([^"]*)"|<link rel="(?:stylesheet|icon)" href="([^"]*)"', page)
        assert loaded
        assert all(re.match(r"/\w", source or sheet) for source, sheet in loaded), loaded
    style = host.file(f"{PAGES}/portal.css").content_string
    assert not re.findall(r"url\(|@import", style)


@pytest.mark.check(
    id="PORTAL-RENEWAL",
    title="A timer renews security.txt, shut in, and what is published is what is to be",
    grade="observed on host",
    remedy=f"Run apply, or `systemctl start {UNIT}.service`; `journalctl -u {UNIT}` says why it failed.",
    unit=f"{UNIT}.service",
)
def test_security_txt_is_renewed(
    host: Host, exposure: Callable[[str], float], record_property: Callable[[str, object], None]
) -> None:
    timer = host.service(f"{UNIT}.timer")
    assert timer.is_running
    assert timer.is_enabled
    lines = host.file(PUBLISHED).content_string.splitlines(keepends=True)
    ends = [line.removeprefix("Expires: ").strip() for line in lines if line.startswith("Expires: ")]
    record_property("actual", f"ends {', '.join(ends)}")
    assert len(ends) == 1
    assert datetime.fromisoformat(ends[0]) > datetime.now(UTC) + timedelta(days=LEAST_DAYS)
    wanted = host.file("/etc/portal/security.txt").content_string
    assert "".join(line for line in lines if not line.startswith("Expires: ")) == wanted
    assert host.check_output(f"systemctl show {UNIT}.service --property=Result --value") == "success"
    assert exposure(f"{UNIT}.service") <= HIGHEST_EXPOSURE
