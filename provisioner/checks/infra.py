"""Runs ``tests/infra/<role>`` against real hosts: one pytest process per host, checks as they come.

The tests are the ones that molecule runs. Here they get a persistent shell instead of one ssh client per
command (``shell.py``) and the variables that Ansible was given (``plugin.py``).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from provisioner.checks.plugin import REACHABLE_ID
from provisioner.checks.result import Check, Grade, Verdict
from provisioner.checks.shell import Shell, remote_shell, ssh_command
from provisioner.checks.stream import concurrently

_LOG_TAIL_LINES = 20


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
) -> Iterator[Check]:
    """Run the tests of every machine's roles and yield each check as soon as it is known.

    Args:
        tests: The folder that holds one folder of tests per role, and ``conftest.py``.
        machines: The hosts; they are checked at the same time.
        ssh_arguments: Options for ssh that are not in the inventory; they win over the inventory's.
        timeout_seconds: After so long the session of a host is ended and reported as not assessed.
        log: File that gets pytest's own output appended.

    A host that does not answer, a role without tests, and a session that breaks off each give a check with
    verdict ``not_assessed``. Closing the iterator ends the sessions.
    """
    return concurrently(
        *(_check_machine(tests, machine, tuple(ssh_arguments), timeout_seconds, log) for machine in machines)
    )


def listeners(machine: Machine, ssh_arguments: Sequence[str] = ()) -> frozenset[int]:
    """Return the TCP ports on which the host listens on an address other than loopback.

    Raises:
        HostUnreachable: The host does not answer.
        CommandTimedOut: It answers too late.
    """
    shell = Shell(
        [*ssh_command(machine.name, machine.variables, ssh_arguments), remote_shell(machine.variables)]
    )
    try:
        _, output, _ = shell.run("ss --no-header --listening --tcp --numeric")
    finally:
        shell.close()
    return parse_listeners(output.decode())


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


def _check_machine(
    tests: Path, machine: Machine, ssh_arguments: tuple[str, ...], timeout_seconds: float, log: Path | None
) -> Generator[Check, None, None]:
    folders = []
    for role in machine.roles:
        if any((tests / role).glob("test_*.py")):
            folders.append(tests / role)
        else:
            yield _not_assessed(
                machine, f"HOST-TESTS-{role.upper()}", f"there are no tests in {tests / role}"
            )
    if folders:
        yield from _run_session(tests, folders, machine, ssh_arguments, timeout_seconds, log)


def _run_session(
    tests: Path,
    folders: list[Path],
    machine: Machine,
    ssh_arguments: tuple[str, ...],
    timeout_seconds: float,
    log: Path | None,
) -> Generator[Check, None, None]:
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="sovstack-checks-") as scratch:
        session = Path(scratch, "session.json")
        session.write_text(
            json.dumps(
                {
                    "name": machine.name,
                    "variables": dict(machine.variables),
                    "command": [
                        *ssh_command(machine.name, machine.variables, ssh_arguments),
                        remote_shell(machine.variables),
                    ],
                }
            )
        )
        output = Path(scratch, "pytest.log")
        receiving, sending = os.pipe()
        with output.open("wb") as sink:
            process = subprocess.Popen(
                _pytest_command(tests, folders, machine, session, sending),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env=_environment(),
                cwd=scratch,
                pass_fds=(sending,),
                # A group of its own: Ctrl-C reaches us first, and we end it in order.
                start_new_session=True,
            )
        os.close(sending)
        clock = threading.Timer(timeout_seconds, process.kill)
        clock.start()
        answered = True
        try:
            with os.fdopen(receiving, encoding="utf-8") as lines:
                for line in lines:
                    check = Check.from_json(json.loads(line))
                    answered = answered and check.id != REACHABLE_ID
                    yield check
            status = process.wait()
            if answered and status not in (0, 1):  # 1: some tests failed, and each said so
                took = time.monotonic() - started
                reason = f"the tests broke off with status {status} after {took:.0f} s"
                yield _not_assessed(machine, "HOST-TESTS", reason, _tail(output))
        finally:
            clock.cancel()
            if process.poll() is None:
                process.terminate()
                try:
                    process.wait(timeout=5)
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            if log is not None:
                with log.open("ab") as journal:
                    journal.write(output.read_bytes())


def _pytest_command(
    tests: Path, folders: list[Path], machine: Machine, session: Path, sending: int
) -> list[str]:
    return [
        *(sys.executable, "-m", "pytest", "--quiet", "--tb=short", "--color=no"),
        # Nothing of the directory we happen to be in: no configuration file, no cache, no other plugin.
        *("-c", os.devnull, f"--rootdir={tests}", "-p", "no:cacheprovider"),
        *("-p", "testinfra.plugin", "-p", "provisioner.checks.plugin"),
        *(f"--hosts=shell://{machine.name}", f"--checks-session={session}", f"--checks-descriptor={sending}"),
        *map(str, folders),
    ]


def _environment() -> dict[str, str]:
    return os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "PYTEST_ADDOPTS": ""}


def _not_assessed(machine: Machine, identity: str, reason: str, details: str = "") -> Check:
    return Check(
        id=identity,
        title="The tests of the host ran to their end",
        target=machine.name,
        grade=Grade.OBSERVED_ON_HOST,
        verdict=Verdict.NOT_ASSESSED,
        remedy="This is a fault of the tests, not of the host: read the details and report it.",
        actual=reason,
        details=details,
    )


def _tail(path: Path) -> str:
    return "\n".join(path.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:])
