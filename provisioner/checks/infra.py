"""Runs ``tests/infra/<role>`` against real hosts: one pytest process for some roles of a host, checks as they come.

The tests are the ones that molecule runs. Here they get a persistent shell instead of one ssh client per
command (``shell.py``) and the variables that Ansible was given (``plugin.py``).
"""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, Any

from provisioner.checks.result import REACHABLE_ID, Check, Grade, Verdict
from provisioner.checks.shell import Shell, remote_shell, ssh_command
from provisioner.checks.stream import Merged

_LOG_TAIL_LINES = 20
# One after the other, the tests of a host with all applications wait for it more than they compute.
_ROLES_OF_A_SESSION = 5


@dataclass(frozen=True, slots=True)
class Machine:
    """One inventory host.

    Attributes:
        name: Its name in the inventory; the target of its checks.
        roles: The roles it carries; each names a folder of tests.
        variables: Its inventory variables, ``group_vars/all`` and ``host_vars`` merged. Ansible's connection
            variables among them say how it is reached (see ``shell.ssh_command``).
    """

    name: str
    roles: tuple[str, ...]
    variables: Mapping[str, Any]


def run(
    tests: Path,
    machines: Sequence[Machine],
    *,
    ssh_arguments: Sequence[str] = (),
    timeout_seconds: float = 120,
    log: Path | None = None,
    begin: threading.Event | None = None,
) -> Merged:
    """Run the tests of every machine's roles and yield each check as soon as it is known.

    Args:
        tests: The folder that holds one folder of tests per role, and ``conftest.py``.
        machines: The hosts; they are checked at the same time.
        ssh_arguments: Options for ssh that are not in the inventory; they win over the inventory's.
        timeout_seconds: After so long the session of a host is ended and reported as not assessed.
        log: File that gets pytest's own output appended.
        begin: Nothing is asked of a host before it is set. Until then the tests are loaded, which takes as long as
            a third of them. Closing what is returned sets it.

    A host that does not answer, a role without tests, and a session that breaks off each give a check with
    verdict ``not_assessed``. Closing what is returned ends the sessions.
    """
    if begin is None:
        begin = threading.Event()
        begin.set()
    unreachable: set[str] = set()
    return Merged(
        _Session(tests, part, tuple(ssh_arguments), timeout_seconds, log, begin, unreachable)
        for machine in machines
        for part in _divide(machine)
    )


def _divide(machine: Machine) -> Iterator[Machine]:
    """Yield the machine once for each session, with the roles that are tested in it.

    They are dealt out like cards: the tests of roles that belong together, and come after each other, take alike long.
    """
    sessions = math.ceil(len(machine.roles) / _ROLES_OF_A_SESSION)
    for number in range(sessions):
        yield replace(machine, roles=machine.roles[number::sessions])


def listeners(machine: Machine, ssh_arguments: Sequence[str] = ()) -> frozenset[int]:
    """Return the TCP ports on which the host listens on an address other than loopback.

    Raises:
        HostUnreachable: The host does not answer.
        CommandTimedOut: It answers too late.
    """
    _, said = command(machine, "ss --no-header --listening --tcp --numeric", ssh_arguments)
    return parse_listeners(said)


def command(machine: Machine, line: str, ssh_arguments: Sequence[str] = ()) -> tuple[int, str]:
    """Run a command line as root on the host; return its exit status, and its output before its error output.

    Raises:
        HostUnreachable: The host does not answer.
        CommandTimedOut: It answers too late.
    """
    shell = Shell(
        [*ssh_command(machine.name, machine.variables, ssh_arguments), remote_shell(machine.variables)]
    )
    try:
        status, output, errors = shell.run(line)
    finally:
        shell.close()
    return status, (output + errors).decode(errors="replace")


def parse_listeners(table: str) -> frozenset[int]:
    """Return the ports in the output of ``ss -Hltn`` whose local address is not loopback."""
    ports = set()
    for line in table.splitlines():
        address, _, port = line.split()[3].rpartition(":")
        # 127.0.0.53%lo and [::ffff:127.0.0.1] are loopback as well.
        bare = address.strip("[]").removeprefix("::ffff:").partition("%")[0]
        if not (bare.startswith("127.") or bare == "::1"):
            ports.add(int(port))
    return frozenset(ports)


class _Session(Iterator[Check]):
    """The checks of some roles of one host; ``close`` may be called from another thread."""

    def __init__(
        self,
        tests: Path,
        machine: Machine,
        ssh_arguments: tuple[str, ...],
        timeout_seconds: float,
        log: Path | None,
        begin: threading.Event,
        unreachable: set[str],
    ) -> None:
        self._tests = tests
        self._machine = machine
        self._shell = [
            *ssh_command(machine.name, machine.variables, ssh_arguments),
            remote_shell(machine.variables),
        ]
        self._timeout_seconds = timeout_seconds
        self._log = log
        self._begin = begin
        self._unreachable = unreachable  # hosts of which it was said, by any session
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False
        self._checks = self._run()

    def __next__(self) -> Check:
        return next(self._checks)

    def close(self) -> None:
        self._closed = True
        self._begin.set()
        if self._process is not None:
            self._process.terminate()

    def _run(self) -> Generator[Check, None, None]:
        folders = []
        for role in self._machine.roles:
            if any((self._tests / role).glob("test_*.py")):
                folders.append(self._tests / role)
            else:
                yield self._not_assessed(f"HOST-TESTS-{role.upper()}", f"{self._tests / role} holds no tests")
        if folders and not self._closed:
            yield from self._run_tests(folders)

    def _run_tests(self, folders: list[Path]) -> Generator[Check, None, None]:
        with tempfile.TemporaryDirectory(prefix="sovstack-checks-") as name:
            scratch = Path(name)
            clock = time.monotonic()
            answered = True
            with self._started(folders, scratch) as lines:
                for line in lines:
                    check = Check.from_json(json.loads(line))
                    if check.id == REACHABLE_ID:
                        answered = False
                        if self._machine.name in self._unreachable:
                            continue
                        self._unreachable.add(self._machine.name)
                    yield check
                assert self._process is not None  # noqa: S101
                status = self._process.wait()
            output = (scratch / "pytest.log").read_bytes()
            if self._log is not None:
                with self._log.open("ab") as log:
                    log.write(output)
            # 1: some tests failed, and each said so. 5: there was no test, which no file may be.
            if answered and status not in (0, 1) and not self._closed:
                reason = f"the tests broke off with status {status} after {time.monotonic() - clock:.0f} s"
                tail = output.decode(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
                yield self._not_assessed("HOST-TESTS", reason, "\n".join(tail))

    @contextmanager
    def _started(self, folders: list[Path], scratch: Path) -> Iterator[IO[str]]:
        """Start pytest; give what it says, line by line; see to it that it has ended after the block."""
        session = {
            "name": self._machine.name,
            "variables": dict(self._machine.variables),
            "command": self._shell,
        }
        (scratch / "session.json").write_text(json.dumps(session))
        receiving, sending = os.pipe()
        waiting, releasing = os.pipe()
        with (scratch / "pytest.log").open("wb") as sink:
            process = subprocess.Popen(
                _pytest_command(
                    self._tests, folders, self._machine, scratch / "session.json", sending, waiting
                ),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""},
                cwd=scratch,
                pass_fds=(sending, waiting),
                # A group of its own: Ctrl-C reaches us first, and we end it in order.
                start_new_session=True,
            )
        os.close(sending)
        os.close(waiting)
        self._process = process
        self._begin.wait()
        os.close(releasing)
        timer = threading.Timer(self._timeout_seconds, process.kill)
        timer.daemon = True
        timer.start()
        try:
            with os.fdopen(receiving, encoding="utf-8") as lines:
                if self._closed:
                    process.terminate()
                yield lines
        finally:
            timer.cancel()
            if process.poll() is None:
                process.kill()
                process.wait()

    def _not_assessed(self, identity: str, reason: str, details: str = "") -> Check:
        return Check(
            id=identity,
            title="The tests of the host ran to their end",
            target=self._machine.name,
            grade=Grade.OBSERVED_ON_HOST,
            verdict=Verdict.NOT_ASSESSED,
            remedy="This is a fault of the tests, not of the host: read the details and report it.",
            actual=reason,
            details=details,
        )


def _pytest_command(
    tests: Path, folders: list[Path], machine: Machine, session: Path, sending: int, waiting: int
) -> list[str]:
    return [
        *(sys.executable, "-m", "pytest", "--quiet", "--tb=short", "--color=no"),
        # Nothing of the directory we happen to be in: no configuration file, no cache, no other plugin.
        *("-c", os.devnull, f"--rootdir={tests}", "-p", "no:cacheprovider"),
        *("-p", "testinfra.plugin", "-p", "provisioner.checks.plugin"),
        *(f"--hosts=shell://{machine.name}", f"--checks-session={session}"),
        *(f"--checks-descriptor={sending}", f"--checks-wait-descriptor={waiting}"),
        *map(str, folders),
    ]
