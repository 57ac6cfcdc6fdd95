"""The API: what it stands on, and the way from a request to its handler, from the network and the local socket.

A route that the real server does not have is not found here either; one that it has and this double does not play is
answered with 501, so that nobody takes it for tried.
"""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .channels import Channels
from .configuration import Configuration
from .contract import INTERFACE, VERSION, ApiError, invalid, is_id, now
from .database import Database
from .people import LOCAL, People, Session
from .postgres import DatabaseError
from .posts import Posts
from .teams import Teams
from .websocket import Hub


@dataclass
class Request:
    """What somebody asks of the API."""

    method: str
    path: str
    query: Mapping[str, str]
    body: Any
    session: Session | None
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def who(self) -> Session:
        """Who asks.

        Raises:
            ApiError: Nobody who is logged in.
        """
        if self.session is None:
            raise ApiError(
                "api.context.session_expired.app_error",
                401,
                "Invalid or expired session, please login again.",
            )
        return self.session

    def __getitem__(self, name: str) -> str:
        """Return a part of the path; ``me`` is whoever asks."""
        value = self.parameters[name]
        if name == "user_id" and value == "me":
            return self.who.user_id
        if name.endswith("_id") and not is_id(value):
            raise ApiError(
                "api.context.invalid_url_param.app_error",
                400,
                f"Invalid or missing {name} parameter in request URL.",
            )
        return value

    def fields(self, kind: str) -> dict[str, Any]:
        """Return the body, whose fields must all be ones that the real server knows of such a thing."""
        if not isinstance(self.body, dict):
            raise invalid(kind)
        unknown = self.body.keys() - set(INTERFACE["fields"][kind])
        if unknown:
            raise ApiError(
                "api.double.unknown_field.app_error", 400, f"A {kind} has no field {sorted(unknown)[0]!r}."
            )
        return self.body

    def value(self, name: str, kind: type) -> Any:
        """Return one value of the body, which must be of the type."""
        found = self.body.get(name) if isinstance(self.body, dict) else None
        if not isinstance(found, kind):
            raise invalid(name)
        return found

    def require(self, allowed: object, permission: str) -> None:
        """Refuse, unless allowed or asked by an administrator."""
        if not allowed and not self.who.is_admin:
            raise ApiError(
                "api.context.permissions.app_error",
                403,
                "You do not have the appropriate permissions.",
                permission,
            )


@dataclass(frozen=True)
class Answer:
    """What the API says: anything that is JSON, a status, and a session that begins with it."""

    content: Any
    status: int = 200
    session: Session | None = None


Handler = Callable[["Api", Request], Answer]
OK = Answer({"status": "OK"})
PLAYED: dict[str, Handler] = {}


def route(*names: str) -> Callable[[Handler], Handler]:
    """Make a function the handler of routes, each as method and path."""

    def register(handler: Handler) -> Handler:
        PLAYED.update(dict.fromkeys(names, handler))
        return handler

    return register


class Api:
    """The server's state, and the way from a request to its handler."""

    def __init__(self, configuration: Configuration, database: Database) -> None:
        self.configuration, self.database = configuration, database
        self.people = People(database, configuration)
        self.channels = Channels(database, configuration)
        self.teams = Teams(database, configuration, self.channels)
        self.posts = Posts(database)
        self.hub = Hub(self.people.session)
        self._routes = {
            local: [(name, *_compile(name)) for name in INTERFACE["routes"]["local" if local else "public"]]
            for local in (True, False)
        }

    def answer(self, request: Request, *, local: bool) -> Answer:
        """Answer a request.

        Raises:
            ApiError: The answer is no.
        """
        found = []
        for name, method, pattern in self._routes[local]:
            if method == request.method and (match := pattern.fullmatch(request.path)):
                found.append((len(match.groups()), name, match))
        if not found:
            raise ApiError("api.context.404.app_error", 404, "Sorry, we could not find the page.")
        # Of several that fit, the one with the fewest variables: /users/login is no user.
        _, name, match = min(found, key=lambda entry: entry[0])
        if name not in PLAYED:
            raise ApiError("api.double.not_played.app_error", 501, f"The double does not play {name}.")
        if local:
            request.session = LOCAL
        request.parameters = match.groupdict()
        return PLAYED[name](self, request)

    def health(self) -> dict[str, str]:
        """Return whether the database and the folder for files can be written to."""
        database = files = "OK"
        try:
            with self.database.transaction() as connection:
                connection.query("INSERT INTO systems VALUES ('health_check', $1)", now())
                connection.query("DELETE FROM systems WHERE name = 'health_check'")
        except DatabaseError:
            database = "UNHEALTHY"
        try:
            with tempfile.TemporaryFile(dir=Path(self.configuration["FileSettings.Directory"])) as file:
                file.write(b"testingwrite")
        except OSError:
            files = "UNHEALTHY"
        return {"database_status": database, "filestore_status": files}

    def client_configuration(self, session: Session | None) -> dict[str, str]:
        """Return what clients are told of the settings: little before a log-in."""
        names = dict(INTERFACE["client_config"]["limited"])
        if session:
            names |= INTERFACE["client_config"]["full"]
        release = {
            "Version": VERSION,
            "BuildNumber": VERSION,
            "BuildEnterpriseReady": "false",
            "BuildHash": "double",
        }
        return {name: self._client_value(text) for name, text in names.items()} | release

    def _client_value(self, text: str) -> str:
        if not (text.startswith("{") and text.endswith("}")):
            return text
        value = self.configuration[text[1:-1]]
        if isinstance(value, bool):
            return str(value).lower()
        return ",".join(value) if isinstance(value, list) else str(value)

    def mask(self, user: dict[str, Any], session: Session) -> dict[str, Any]:
        """Return an account as others may see it."""
        if session.is_admin or user["id"] == session.user_id:
            return user
        hidden = {"notify_props", "last_password_update", "email_verified"}
        shown = {name: value for name, value in user.items() if name not in hidden}
        if not self.configuration["PrivacySettings.ShowEmailAddress"]:
            shown["email"] = ""
        if not self.configuration["PrivacySettings.ShowFullName"]:
            shown |= {"first_name": "", "last_name": ""}
        return shown

    def tell(self, event: str, post: Mapping[str, Any], channel: Mapping[str, Any]) -> None:
        """Tell those of a channel who listen what has become of a post."""
        data: dict[str, Any] = {"post": json.dumps(post)}
        if event == "posted":
            author = self.people.get(post["user_id"])["username"]
            data |= {
                "channel_type": channel["type"], "channel_display_name": channel["display_name"],
                "channel_name": channel["name"], "sender_name": "System" if post["type"] else f"@{author}",
                "team_id": channel["team_id"], "set_online": True,
            }  # fmt: skip
        self.hub.publish(self.channels.ids_of_members(channel["id"]), event, data, channel["id"])

    def announce_arrival(self, channel: Mapping[str, Any], user_id: str, session: Session) -> None:
        """Say in a channel who has come, and who let them in, as the real server does."""
        name = self.people.get(user_id)["username"]
        kind, message = "system_join_channel", f"{name} joined the channel."
        if user_id != session.user_id:
            host = self.people.get(session.user_id)["username"]
            kind, message = "system_add_to_channel", f"{name} added to the channel by {host}."
        fields = {"channel_id": channel["id"], "message": message, "type": kind, "props": {"username": name}}
        self.tell("posted", self.posts.create(fields, session.user_id), channel)

    def is_member(self, session: Session, *, team: str = "", channel: str = "", admin: bool = False) -> bool:
        """Say whether somebody is in a team or channel, or, with ``admin``, looks after it."""
        if session.is_admin:
            return True
        try:
            member = (
                self.teams.member(team, session.user_id)
                if team
                else self.channels.member(channel, session.user_id)
            )
        except ApiError:
            return False
        return bool(member["scheme_admin"]) or not admin

    def require_setting(self, name: str, request: Request, identifier: str) -> None:
        """Refuse, unless the setting is on or the request came over the local socket."""
        if request.session is not LOCAL and not self.configuration[name]:
            raise ApiError(identifier, 401, f"{name} is off.")


def _compile(name: str) -> tuple[str, re.Pattern[str]]:
    method, _, path = name.partition(" ")
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path).replace(r"\_", "_"))
    return method, re.compile(pattern)
