"""One shell per host for testinfra, kept open for the whole session.

testinfra's own ssh backend starts an ssh client for each command: 40 ms and more, and a role's tests ask
hundreds of things. This one starts ``ssh HOST /bin/sh`` once and sends the commands down its standard input;
each answer ends with a random mark on standard output and standard error, so that the two stay apart and
binary output is safe. A command costs what it costs on the host.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import selectors
import shlex
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import IO, Any, ClassVar

from testinfra.backend.base import BaseBackend, CommandResult

from provisioner.errors import HostFailed, HostUnreachable

CONNECT_SECONDS = 10
COMMAND_SECONDS = 30
_SHOWN_CHARACTERS = 150


class CommandTimedOut(HostFailed):
    """A command on a host did not end in time; the shell is gone, the next command opens another."""


def ssh_command(name: str, variables: Mapping[str, Any], arguments: Sequence[str] = ()) -> list[str]:
    """Return the ssh command line for an inventory host, up to and without the remote command.

    ``variables`` may hold Ansible's names ``ansible_host``, ``ansible_port``, ``ansible_user``,
    ``ansible_ssh_private_key_file`` and ``ansible_ssh_common_args``; ``arguments`` go before them,
    so that they win (ssh keeps the first value of an option).
    """
    command = ["ssh", "-T", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_SECONDS}", *arguments]
    command += shlex.split(str(variables.get("ansible_ssh_common_args", "")))
    for option, variable in (
        ("-i", "ansible_ssh_private_key_file"),
        ("-p", "ansible_port"),
        ("-l", "ansible_user"),
    ):
        if value := variables.get(variable):
            command += [option, str(value)]
    return [*command, "--", str(variables.get("ansible_host", name))]


def remote_shell(variables: Mapping[str, Any]) -> str:
    """Return the command that gives a root shell on the host."""
    return "sudo -n /bin/sh" if variables.get("ansible_become") else "/bin/sh"


class Shell:
    """A shell on the other end of a command, for example of ``ssh HOST /bin/sh``."""

    def __init__(self, command: Sequence[str]) -> None:
        """``command`` starts the shell, at the first ``run``."""
        self._command = list(command)
        self._process: subprocess.Popen[bytes] | None = None
        self._unreachable = ""

    def run(self, command: str, seconds: float | None = None) -> tuple[int, bytes, bytes]:
        """Run ``command`` with empty standard input; return its exit status, output and error output.

        Args:
            command: For ``/bin/sh``.
            seconds: How long it may take; default: ``COMMAND_SECONDS``.

        Raises:
            HostUnreachable: No shell could be had; asked once, then repeated without a new attempt.
            CommandTimedOut: It took longer.
        """
        if self._unreachable:
            raise HostUnreachable(self._unreachable)
        if self._process is None:
            self._open()
        return self._ask(f"/bin/sh -c {shlex.quote(command)} </dev/null", seconds or COMMAND_SECONDS)

    def close(self) -> None:
        """End the shell; the next ``run`` opens another."""
        process, self._process = self._process, None
        if process is None:
            return
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()
        try:
            process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def _open(self) -> None:
        try:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
            )
            # What a log-in prints before the shell speaks ends here, with the first mark.
            self._ask(
                "export LC_ALL=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                2 * CONNECT_SECONDS,
            )
        except (HostUnreachable, CommandTimedOut, OSError) as error:
            self._unreachable = str(error)
            raise HostUnreachable(self._unreachable) from error

    def _ask(self, command: str, seconds: float) -> tuple[int, bytes, bytes]:
        process = self._process
        assert process is not None and process.stdin and process.stdout and process.stderr  # noqa: S101
        mark = secrets.token_hex(16)
        line = f"{command}\nprintf '\\n{mark} %d\\n' $?\nprintf '\\n{mark}\\n' >&2\n"
        end = {process.stdout: f"\n{mark} ".encode(), process.stderr: f"\n{mark}\n".encode()}
        seen = {process.stdout: b"", process.stderr: b""}
        deadline = time.monotonic() + seconds
        with contextlib.suppress(BrokenPipeError):  # what the other end said about it is on its error output
            process.stdin.write(line.encode())
        with selectors.DefaultSelector() as selector:
            for stream in seen:
                selector.register(stream, selectors.EVENT_READ)
            while not all(_ended(seen[stream], mark) for stream, mark in end.items()):
                ready = selector.select(max(0.0, deadline - time.monotonic()))
                if not ready:
                    self._kill()
                    raise CommandTimedOut(f"no answer in {seconds:g} seconds: {command[:200]}")
                for key, _ in ready:
                    source: IO[bytes] = key.fileobj  # type: ignore[assignment]  # one of the two registered
                    data = os.read(source.fileno(), 65536)
                    if data:
                        seen[source] += data
                    else:
                        selector.unregister(source)
                if not selector.get_map():
                    self.close()
                    words = seen[process.stderr].decode(errors="replace").strip()
                    raise HostUnreachable(words or "the connection was closed")
        output, _, status = seen[process.stdout].rpartition(end[process.stdout])
        return int(status), output, seen[process.stderr].rpartition(end[process.stderr])[0]

    def _kill(self) -> None:
        if self._process is not None:
            self._process.kill()
        self.close()


def _ended(data: bytes, mark: bytes) -> bool:
    return mark in data[-len(mark) - 16 :] and data.endswith(b"\n")


class Answer(CommandResult):  # type: ignore[misc]
    """What a command on a host came to; a failed check shows it, so it is as short as a person would say it."""

    def __repr__(self) -> str:
        said = (self.stderr.strip() or self.stdout.strip()).splitlines()
        command = " ".join(self.command.decode(errors="replace").split())
        return f"<{_shorten(command)}: exit code {self.exit_status}, {_shorten(said[-1]) if said else 'no words'}>"


def _shorten(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."


class ShellBackend(BaseBackend):  # type: ignore[misc]
    """testinfra's backend over a ``Shell``. ``shells`` holds the shell of each host of the session."""

    NAME = "shell"
    shells: ClassVar[dict[str, Shell]] = {}

    def get_pytest_id(self) -> str:
        """Return the host's name: it is the id of a parametrized test."""
        return str(self.hostname)

    def get_encoding(self) -> str:
        """Return the encoding of the locale that ``Shell`` sets."""
        return "utf-8"

    def run(self, command: str, *args: str, **_kwargs: object) -> CommandResult:
        """Run ``command`` with quoted ``args`` on the host."""
        text = self.get_command(command, *args)
        status, output, errors = self.shells[self.hostname].run(text)
        return Answer(self, status, self.encode(text), output, errors)
