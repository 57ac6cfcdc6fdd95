"""A user's client of a Nextcloud: it keeps the session that its first log-in began, as people's clients do.

Without a session, Nextcloud hashes the password for every request, a quarter of a second of a small host's processor.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlencode

from provisioner.checks.outside.http import Response, basic, fetch
from provisioner.checks.outside.promise import NoEvidence
from provisioner.checks.outside.target import Secret, WebTarget

OWN_ACCOUNT = "/ocs/v2.php/cloud/user"
_USERS = "/ocs/v2.php/cloud/users"
# What Nextcloud 34 gives to whoever asks for the first time (lib/base.php, OC\User\Session::supportsCookies). A client
# that has it is given a session by its first log-in; without it by its second, which hashes the password once more.
_KEEPS_COOKIES = {
    "cookie_test": "test",
    "__Host-nc_sameSiteCookielax": "true",
    "__Host-nc_sameSiteCookiestrict": "true",
}


class Client:
    """One user at one service, for one thread: Nextcloud 34 answers 500 to some of several first log-ins at once."""

    def __init__(self, web: WebTarget, user: str, password: str | Secret) -> None:
        """Make a client that has not logged in yet.

        Args:
            web: The service.
            user: The name that is logged in with.
            password: Its password, or what reveals it.
        """
        self.user = user
        self.web = web
        self._password = password
        self._cookies = dict(_KEEPS_COOKIES)

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Response:
        """Send a request in the user's session.

        Raises:
            NoEvidence: Nothing answers (see ``http.fetch``).
        """
        password = self._password if isinstance(self._password, str) else self._password.reveal()
        sent = {"Authorization": basic(self.user, password), **(headers or {})}
        sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        response = fetch(self.web, path, method=method, headers=sent, body=body)
        for line in response.values("set-cookie"):
            name, _, value = line.partition(";")[0].strip().partition("=")
            self._cookies[name] = value
        return response

    def ask(self, method: str, path: str, form: Mapping[str, str] | None = None) -> Response:
        """Send a request to Nextcloud's OCS interface, which answers in JSON.

        Raises:
            NoEvidence: Nothing answers (see ``http.fetch``).
        """
        headers = {"OCS-APIRequest": "true", "Accept": "application/json"}
        if form is None:
            return self.send(method, path, headers=headers)
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return self.send(method, path, urlencode(form).encode(), headers)

    def path(self, name: str = "") -> str:
        """Return the WebDAV path of a file of the user's, or of the user's folder."""
        return f"/remote.php/dav/files/{quote(self.user)}/{quote(name)}"


@contextmanager
def throw_away_user(administrator: Client, name: str) -> Iterator[tuple[Client, str, str]]:
    """Create a user for the length of the block.

    Gives the user's client and password, and what went wrong with the creation of a user who exists nevertheless.

    Raises:
        NoEvidence: There is no such user.
    """
    password = secrets.token_urlsafe(24) + "aA1!"
    client = Client(administrator.web, name, password)
    try:
        created = administrator.ask("POST", _USERS, {"userid": name, "password": password})
        complaint = ""
        if created.status != 200:
            complaint = f"creating a user answers {describe(created)}"
            # An app that listens to new users may fail when the user exists already.
            if client.ask("GET", OWN_ACCOUNT).status != 200:
                raise NoEvidence(complaint)
        yield client, password, complaint
    finally:
        administrator.ask("DELETE", f"{_USERS}/{quote(name)}")


def find_users(administrator: Client, prefix: str) -> list[str]:
    """Return the users whose names begin with ``prefix``."""
    found = data_of(administrator.ask("GET", f"{_USERS}?search={quote(prefix)}")).get("users", [])
    return [user for user in found if user.startswith(prefix)]


def remove_users(administrator: Client, prefix: str, left_over: Callable[[str], bool]) -> None:
    """Remove the users whose names begin with ``prefix`` and who are left over."""
    for user in filter(left_over, find_users(administrator, prefix)):
        administrator.ask("DELETE", f"{_USERS}/{quote(user)}")


def data_of(response: Response) -> dict[str, Any]:
    """Return the data of an OCS answer, and an empty mapping where it holds none."""
    data = _read(response).get("data")
    return data if isinstance(data, dict) else {}


def describe(response: Response) -> str:
    """Return status and, where OCS says more, its words."""
    return f"{response.status} {_read(response).get('meta', {}).get('message') or ''}".strip()


def _read(response: Response) -> dict[str, Any]:
    try:
        ocs = json.loads(response.body)["ocs"]
    except (ValueError, KeyError, TypeError):
        return {}
    return ocs if isinstance(ocs, dict) else {}
