"""What the commands of ``mmctl`` share: the server behind its local socket, and what is printed in the end."""

from __future__ import annotations

import http.client
import json
import os
import socket
import stat
import sys
import urllib.parse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from .flags import Invocation

PAGE = 200


class Failed(Exception):
    """The server said no, with this HTTP status."""

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status


class Client:
    """The server's API over its local socket."""

    def __init__(self, path: Path) -> None:
        """Look at the socket as the real program does, before anything is sent.

        Raises:
            Failed: It is absent, open to others, or somebody else's.
        """
        problem = ""
        if not path.exists():
            problem = (
                f'socket file "{path}" doesn\'t exist, please check the server configuration for local mode'
            )
        else:
            found = path.stat()
            if not stat.S_ISSOCK(found.st_mode) or stat.S_IMODE(found.st_mode) != 0o600:
                problem = f'invalid file mode for file "{path}", it must be a socket with 0600 permissions'
            elif os.getuid() not in (0, found.st_uid):
                problem = f'owner of the file "{path}" must be the same user running mmctl'
        if problem:
            raise Failed(f"failed to create client: {problem}")
        self._path = path
        self.server_version = ""

    def ask(self, method: str, path: str, body: object = None, **query: object) -> Any:
        """Return what the API answers; ``path`` is what follows ``/api/v4``.

        Raises:
            Failed: It says no, or nothing.
        """
        connection = http.client.HTTPConnection("local", timeout=60)
        connection.sock = socket.socket(socket.AF_UNIX)
        address = f"/api/v4{path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")
        try:
            connection.sock.connect(str(self._path))
            connection.request(method, address, None if body is None else json.dumps(body))
            answer = connection.getresponse()
            content = json.loads(answer.read() or b"null")
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Failed(f"{method.capitalize()} {address!r}: {error}") from error
        finally:
            connection.close()
        self.server_version = answer.headers.get("X-Version-Id", "")
        if answer.status >= 300:
            raise Failed(
                f"{content.get('message')}, {content.get('detailed_error')}".rstrip(", "), answer.status
            )
        return content

    def find(self, *paths: str) -> Any:
        """Return the first of several things that is there, or None."""
        for path in paths:
            try:
                return self.ask("GET", path)
            except Failed as error:
                if error.status not in (400, 404):
                    raise
        return None

    def user(self, word: str) -> Any:
        """Return the account with this mail address, name or identifier, or None."""
        quoted = urllib.parse.quote(word, safe="")
        by_email = (f"/users/email/{quoted}",) if "@" in word else ()
        return self.find(*by_email, f"/users/username/{quoted}", f"/users/{quoted}")

    def team(self, word: str) -> Any:
        quoted = urllib.parse.quote(word, safe="")
        return self.find(f"/teams/{quoted}", f"/teams/name/{quoted}")

    def channel(self, word: str) -> Any:
        """Return the channel ``team:channel``, or the one with this identifier, or None."""
        team_word, _, name = word.rpartition(":")
        quoted = urllib.parse.quote(name, safe="")
        if team_word and (team := self.team(team_word)):
            found = self.find(f"/teams/{team['id']}/channels/name/{quoted}?include_deleted=true")
            if found:
                return found
        return self.find(f"/channels/{quoted}")

    def pages(self, path: str, **query: object) -> list[Any]:
        """Return the entries of all pages."""
        found: list[Any] = []
        while True:
            entries = self.ask("GET", path, page=len(found) // PAGE, per_page=PAGE, **query)
            found += entries
            if len(entries) < PAGE:
                return found


class Printer:
    """What a command has to say: as text, or as the JSON of what it is about."""

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self.as_json, self._quiet = as_json, quiet
        self.single = False
        self._entries: list[Any] = []
        self._errors: list[str] = []

    def say(self, text: str, thing: object) -> None:
        self._entries.append(thing if self.as_json else text)

    def complain(self, text: str) -> None:
        self._errors.append(text)

    def flush(self) -> None:
        if not self._quiet:
            if not self.as_json:
                for entry in self._entries:
                    print(entry)
            elif not self.single or self._entries:
                whole = self._entries[0] if self.single and len(self._entries) == 1 else self._entries
                print(json.dumps(whole, indent=2))
            for error in self._errors:
                print(error, file=sys.stderr)

    def count(self, what: str) -> None:
        """Say how many there are of what a list is of."""
        if not self._quiet:
            print(f"There are {len(self._entries)} {what}s on local instance", file=sys.stderr)


Command = Callable[[Client, Printer, Invocation], None]
PLAYED: dict[str, Command] = {}


def command(name: str) -> Callable[[Command], Command]:
    """Make a function the one that plays a command."""

    def register(function: Command) -> Command:
        PLAYED[name] = function
        return function

    return register


class Incomplete(Failed):
    """Some of what was asked was done, some was not."""

    def __init__(self, problems: Sequence[str]) -> None:
        count = f"{len(problems)} error{'s' * (len(problems) > 1)} occurred"
        super().__init__(f"{count}:\n" + "".join(f"\t* {problem}\n" for problem in problems) + "\n")


def for_each(
    words: Sequence[str], find: Callable[[str], Any], act: Callable[[Any], object], missing: str
) -> None:
    """Do something with each thing that is named, and go on when one is not there or the server says no.

    Raises:
        Incomplete: Not all of it was done; nothing but this is printed then.
    """
    problems = []
    for word in words:
        found = find(word)
        problem = missing.format(word)
        if found is not None:
            try:
                act(found)
                continue
            except Failed as error:
                problem = str(error)
        problems.append(problem)
    if problems:
        raise Incomplete(problems)
