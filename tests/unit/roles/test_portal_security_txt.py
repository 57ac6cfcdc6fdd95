"""The program on the host that publishes security.txt: when it writes, and when it leaves well alone."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jinja2
import pytest

TEMPLATE = Path(__file__).parents[3] / "roles/portal/templates/usr/local/sbin/portal-security-txt.j2"
CONTACT = "Contact: mailto:ict@zonnedael.example\n"


class Program:
    """The program, with a folder of its own in the place of the host's."""

    def __init__(self, folder: Path) -> None:
        self.source, self.published = folder / "source.txt", folder / "state" / "security.txt"
        self.source.write_text(CONTACT)
        environment = jinja2.Environment()  # noqa: S701  a shell script
        environment.filters["comment"] = lambda text: f"# {text}"
        text = environment.from_string(TEMPLATE.read_text()).render(
            ansible_managed="Ansible managed",
            __portal_security_txt_path=self.published,
            __portal_security_txt_days=120,
            __portal_security_txt_renewal_days=90,
        )
        self._text = text.replace("/etc/portal/security.txt", str(self.source))

    def run(self, *arguments: str) -> str:
        """Return what it says: nothing where there is nothing to do."""
        command = ["sh", "-c", self._text, "portal-security-txt", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def publish(self, text: str) -> None:
        self.published.parent.mkdir(exist_ok=True)
        self.published.write_text(text)


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def end(days: int) -> str:
    return f"Expires: {datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}T00:00:00Z\n"


def test_it_publishes_once_and_then_leaves_it(program: Program) -> None:
    assert program.run("--check")
    assert not program.published.exists()
    assert str(program.published) in program.run()
    assert program.published.read_text() == CONTACT + end(120)
    assert program.published.stat().st_mode & 0o777 == 0o644
    assert program.run() == program.run("--check") == ""
    assert [path.name for path in program.published.parent.iterdir()] == ["security.txt"]


@pytest.mark.parametrize("days", [91, 119])
def test_what_is_good_for_long_enough_stays(program: Program, days: int) -> None:
    program.publish(CONTACT + end(days))
    assert program.run() == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        CONTACT,
        CONTACT + end(88),
        CONTACT + end(-1),
        CONTACT + end(400),
        CONTACT + "Expires: soon\n",
        CONTACT + end(100) + end(110),
        "Contact: mailto:iemand@elders.example\n" + end(100),
    ],
    ids=["empty", "without an end", "near its end", "ended", "far", "no moment", "two ends", "altered"],
)
def test_anything_else_is_published_anew(program: Program, text: str) -> None:
    program.publish(text)
    assert program.run("--check")
    assert program.published.read_text() == text
    assert program.run()
    assert program.published.read_text() == CONTACT + end(120)


def test_a_new_contact_is_published(program: Program) -> None:
    program.run()
    program.source.write_text("Contact: mailto:cvd@zonnedael.example\n")
    assert program.run()
    assert "cvd@zonnedael.example" in program.published.read_text()
