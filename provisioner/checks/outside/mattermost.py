"""A user's session at a Mattermost: its API as clients use it, and its websocket, on which they read."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from websockets.exceptions import WebSocketException
from websockets.sync.client import ClientConnection

from provisioner.checks.outside.http import SECONDS, Response, fetch
from provisioner.checks.outside.promise import NoEvidence
from provisioner.checks.outside.target import Secret, WebTarget
from provisioner.checks.outside.websocket import open_websocket

_API = "/api/v4"


class Refused(NoEvidence):
    """The server does not let a user in; the text says with which words."""


class NotHeard(Exception):
    """The websocket was not opened, was closed, or stayed silent; the text says which."""


class Session:
    """One user's session, as the log-in began it."""

    def __init__(self, web: WebTarget, token: str, user: Mapping[str, Any]) -> None:
        """Use the session that ``token`` stands for; ``user`` is what the API says of its user."""
        self.user = user
        self._web = web
        self._headers = {"Authorization": f"Bearer {token}"}

    def ask(self, method: str, path: str, body: object = None) -> Response:
        """Send a request to the API.

        Raises:
            NoEvidence: Nothing answers (see ``http.fetch``).
        """
        return ask(self._web, method, path, body, self._headers)

    def demand(self, method: str, path: str, body: object = None) -> Any:  # noqa: ANN401  whatever the API answers
        """Send a request that has to succeed, and return what it answers.

        Raises:
            NoEvidence: It did not succeed.
        """
        response = self.ask(method, path, body)
        if response.status not in (200, 201):
            raise NoEvidence(f"{method} {_API}{path} answers {describe(response)}")
        return read(response)

    def find(self, path: str) -> dict[str, Any] | None:
        """Return what is there, or None where nothing is.

        Raises:
            NoEvidence: The API answers neither.
        """
        response = self.ask("GET", path)
        if response.status not in (200, 404):
            raise NoEvidence(f"GET {_API}{path} answers {describe(response)}")
        return read(response) if response.status == 200 else None

    @contextmanager
    def listen(self) -> Iterator[Listener]:
        """Open the websocket; return when the server has greeted the user on it.

        Raises:
            NotHeard: It does not.
        """
        try:
            with open_websocket(self._web, f"{_API}/websocket", headers=self._headers) as connection:
                listener = Listener(connection)
                listener.wait_for("hello", SECONDS)
                yield listener
        except (WebSocketException, OSError) as error:  # a time-out is an OSError
            raise NotHeard(f"the websocket: {str(error) or type(error).__name__}") from error


class Listener:
    """Reads the events that the server sends on a websocket."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection

    def wait_for(self, event: str, seconds: float, meant: Callable[[Any], bool] = lambda data: True) -> None:
        """Return at the next event of that name whose data are the ones that are meant; pass over all others.

        Raises:
            TimeoutError: There is none in time.
        """
        end = time.monotonic() + seconds
        while True:
            try:
                said = json.loads(self._connection.recv(timeout=max(0.0, end - time.monotonic())))
            except TimeoutError:
                raise TimeoutError(f"no event {event!r} within {seconds:.0f} seconds") from None
            if said.get("event") == event and meant(said.get("data")):
                return


def ask(
    web: WebTarget, method: str, path: str, body: object = None, headers: Mapping[str, str] | None = None
) -> Response:
    """Send a request to the API; without headers as somebody who has not logged in.

    Raises:
        NoEvidence: Nothing answers (see ``http.fetch``).
    """
    content = None if body is None else json.dumps(body).encode()
    sent = {"Accept": "application/json", "Content-Type": "application/json", **(headers or {})}
    return fetch(web, f"{_API}{path}", method=method, headers=sent, body=content)


@contextmanager
def log_in(web: WebTarget, user: str, password: str | Secret) -> Iterator[Session]:
    """Log in for the length of the block.

    Raises:
        Refused: The server does not let this user in.
        NoEvidence: Nothing answers (see ``http.fetch``).
    """
    plain = password if isinstance(password, str) else password.reveal()
    response = ask(web, "POST", "/users/login", {"login_id": user, "password": plain})
    token = response.first("token")
    if response.status != 200 or not token:
        raise Refused(f"logging in as {user} answers {describe(response)}")
    session = Session(web, token, read(response))
    try:
        yield session
    finally:
        session.ask("POST", "/users/logout")


def read(response: Response) -> Any:  # noqa: ANN401  whatever the API answers
    """Return the JSON of an answer, and an empty mapping where it is none."""
    try:
        return json.loads(response.body)
    except ValueError:
        return {}


def describe(response: Response) -> str:
    """Return status and, where it is an error of the API, its words."""
    said = read(response)
    words = said.get("message") if isinstance(said, dict) else None
    return f"{response.status} ({words})" if words else str(response.status)
