"""The pytest plugin of ``sovstack verify``: tests in, one JSON line per check out.

``infra.run`` loads it with ``-p provisioner.checks.plugin`` and writes what the session needs to the file
that ``--checks-session`` names. molecule and a developer's pytest run the same tests without it.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest
import testinfra.backend

from provisioner.checks.marker import NotApplicable, read_identity
from provisioner.checks.result import REACHABLE_ID, Check, Grade, Verdict
from provisioner.checks.shell import CommandTimedOut, Shell, ShellBackend
from provisioner.errors import HostUnreachable

_JOURNAL_LINES = 20
_JOURNAL_UNITS = 3
# What pytest writes between the lines of a failed comparison, for who sits at its command line.
_ADVICE = re.compile(r"^\s*(Use -v|Omitting \d+ identical items|Full diff)")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options that ``infra.run`` gives."""
    group = parser.getgroup("sovstack")
    group.addoption("--checks-session", help="JSON file: name, variables and ssh command of the host")
    group.addoption(
        "--checks-descriptor", type=int, help="open file descriptor that gets the checks as JSON lines"
    )
    group.addoption(
        "--checks-wait-descriptor", type=int, help="open file descriptor whose end lets the tests begin"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Open the session: register the backend and the reporter."""
    session = json.loads(Path(config.option.checks_session).read_text())
    testinfra.backend.BACKENDS["shell"] = f"{ShellBackend.__module__}.{ShellBackend.__name__}"
    shell = Shell(session["command"])
    ShellBackend.shells[session["name"]] = shell
    config.pluginmanager.register(
        Reporter(session["name"], session["variables"], shell, config.option.checks_descriptor)
    )


class Reporter:
    """Turns the outcome of each test into a ``Check`` and writes it at once."""

    def __init__(self, name: str, variables: dict[str, Any], shell: Shell, descriptor: int) -> None:
        """Report on the host ``name`` to the open file ``descriptor``; ``shell`` fetches journals."""
        self.name = name
        self.variables = variables
        self._shell = shell
        self._descriptor = descriptor

    @pytest.fixture(scope="session")
    def inventory_variables(self) -> dict[str, Any]:
        """The host's variables as Ansible gets them; ``tests/infra/conftest.py`` asks for this fixture."""
        return self.variables

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Wait, with all tests loaded, until they may begin."""
        os.read(session.config.option.checks_wait_descriptor, 1)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Write the check when its outcome is known: after the call, or after a set-up that failed."""
        report = yield
        if report.when == "call" or (report.when == "setup" and not report.passed):
            error = call.excinfo.value if call.excinfo else None
            if isinstance(error, HostUnreachable):
                self._report_unreachable(error)
                item.session.shouldstop = "the host does not answer"
            elif not isinstance(error, NotApplicable):
                self._write(self._judge(item, report, error))
        return report

    def pytest_sessionfinish(self) -> None:
        """End the shell."""
        self._shell.close()

    def _judge(self, item: pytest.Item, report: pytest.TestReport, error: BaseException | None) -> Check:
        identity = read_identity(item)
        properties = dict(report.user_properties)
        if report.passed:
            verdict, actual = Verdict.PASS, "as expected"
        elif isinstance(error, (AssertionError, pytest.fail.Exception)):
            verdict, actual = Verdict.FAIL, _first_words(error)
        elif isinstance(error, (pytest.skip.Exception, CommandTimedOut)):
            verdict, actual = Verdict.NOT_ASSESSED, str(error)
        else:
            verdict, actual = Verdict.NOT_ASSESSED, f"the check itself broke: {type(error).__name__}: {error}"
        return Check(
            id=identity.id,
            title=identity.title + _parameters(item, self.name),
            target=self.name,
            grade=identity.grade,
            verdict=verdict,
            remedy=identity.remedy,
            expected=str(properties.get("expected", identity.title)),
            actual=str(properties["actual"]) if "actual" in properties and report.passed else actual,
            duration_seconds=report.duration,
            details=self._read_journals(identity.unit) if verdict is Verdict.FAIL else "",
        )

    def _report_unreachable(self, error: HostUnreachable) -> None:
        self._write(
            Check(
                id=REACHABLE_ID,
                title="The host answers over SSH",
                target=self.name,
                grade=Grade.OBSERVED_FROM_OUTSIDE,
                verdict=Verdict.NOT_ASSESSED,
                remedy="Check that the machine runs, its address, its SSH port and the key in known_hosts.",
                expected="a log-in over SSH",
                actual=str(error),
            )
        )

    def _read_journals(self, unit: str | None) -> str:
        """Return the end of the journal of the unit in question and of every failed unit."""
        try:
            _, failed, _ = self._shell.run(
                "systemctl list-units --state=failed --plain --no-legend | cut -d' ' -f1"
            )
            units = dict.fromkeys([*([unit] if unit else []), *failed.decode().split()])
            return "\n\n".join(self._read_journal(name) for name in list(units)[:_JOURNAL_UNITS])
        except (HostUnreachable, CommandTimedOut) as error:
            return f"no journal: {error}"

    def _read_journal(self, unit: str) -> str:
        backend = ShellBackend(self.name)
        result = backend.run(f"journalctl --no-pager -o short-iso -n {_JOURNAL_LINES} -u %s 2>&1", unit)
        return f"journal of {unit}:\n{result.stdout.rstrip()}"

    def _write(self, check: Check) -> None:
        os.write(self._descriptor, (json.dumps(check.as_json()) + "\n").encode())


def _first_words(error: BaseException) -> str:
    """Return what an assertion says, without pytest's advice to who runs pytest."""
    said = [line for line in str(error).strip().splitlines() if not _ADVICE.search(line)]
    return "\n".join(said) or "the assertion does not hold"


def _parameters(item: pytest.Item, host: str) -> str:
    """Return the parameters of a parametrized test in brackets, without the host's name."""
    callspec = getattr(item, "callspec", None)
    ids: Iterable[str] = [] if callspec is None else [part for part in callspec._idlist if part != host]
    text = "-".join(ids)
    return f" [{text}]" if text else ""
