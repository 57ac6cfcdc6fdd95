"""A user's client of a Nextcloud: it keeps the session that its first log-in began, as people's clients do.

Without a session, Nextcloud hashes the password for every request, a quarter of a second of a small host's processor.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlencode

from provisioner.checks.outside.http import Response, basic, fetch
from provisioner.checks.outside.target import Secret, WebTarget

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
        self._web = web
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
        response = fetch(self._web, path, method=method, headers=sent, body=body)
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
