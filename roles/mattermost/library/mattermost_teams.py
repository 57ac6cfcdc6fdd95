#!/usr/bin/python
"""Ansible module: the first administrator, teams, channels and people of a Mattermost, over its local socket."""

from __future__ import annotations

DOCUMENTATION = r"""
---
module: mattermost_teams
short_description: Make the first administrator, teams, channels and people of a Mattermost
description:
  - Asks the server over the socket of its local mode, as C(mmctl --local) does, and makes what is missing. Nothing is
    an argument of a command, so no password is seen by others.
  - An administrator is made where no active one is, and never reset.
  - Names that people see follow what is wanted here. A channel is made private where that is wanted; none is ever
    opened, because that would show its past to everybody. Teams and channels that are not named here stay as they are.
  - People get an account with their first password where they have none, and join their teams and channels.
    An account that is there keeps its password, names and mail address, and what else its owner changed; a closed one
    stays closed. Nobody is put out of a team.
options:
  socket: {description: Socket of the local mode., type: path, required: true}
  admin_user: {description: Name of the first administrator., type: str, required: true}
  admin_email: {description: Mail address of the first administrator., type: str, required: true}
  admin_password: {description: Password of the first administrator., type: str, required: true, no_log: true}
  admin_locale: {description: Language of the first administrator., type: str, required: true}
  teams:
    description: 'Teams as C(name), C(display_name) and C(channels), these as C(name), C(display_name) and C(private).'
    type: list
    elements: dict
    default: []
  users:
    description: >-
      People as C(name), C(email), C(first_name), C(last_name), C(password) and C(teams), these as C(name) and
      C(channels).
    type: list
    elements: dict
    default: []
author: [sovstack]
"""

EXAMPLES = r"""
- name: Make the departments
  mattermost_teams:
    socket: /run/mattermost/local.socket
    admin_user: admin
    admin_email: ict@example.org
    admin_password: "{{ mattermost_admin_password }}"
    admin_locale: nl
    teams:
      - name: sociaal-domein
        display_name: Sociaal domein
        channels: [{name: wmo, display_name: Wmo, private: true}]
    users:
      - name: anna.devries
        email: anna.devries@example.org
        password: "{{ anna_first_password }}"
        teams: [{name: sociaal-domein, channels: [wmo]}]
"""

RETURN = r"""
actions:
  description: What was done, or would be done in check mode.
  returned: always
  type: list
  elements: str
  sample: [make the team sociaal-domein]
"""

import http.client
import json
import pathlib
import socket
import urllib.parse
from typing import Any

from ansible.module_utils.basic import AnsibleModule

ADMIN_ROLES = "system_user system_admin"
TIMEOUT_SECONDS = 60.0
PAGE = 200  # the most that the server gives at once


class LocalConnection(http.client.HTTPConnection):
    """HTTP over the server's socket."""

    def __init__(self, path: str) -> None:
        """A connection that is made when it is first used."""
        super().__init__("localhost", timeout=TIMEOUT_SECONDS)
        self.path = path

    def connect(self) -> None:
        """Open the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(TIMEOUT_SECONDS)
        self.sock.connect(self.path)


class Server:
    """The server's interface for administrators."""

    def __init__(self, module: AnsibleModule) -> None:
        """Remember the module, for its check mode and its failures."""
        self.module = module
        self.connection = LocalConnection(module.params["socket"])
        self.actions: list[str] = []

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """What the server answers, or None where it knows no such thing."""
        try:
            self.connection.request(method, f"/api/v4/{path}", json.dumps(body) if body is not None else None)
            answer = self.connection.getresponse()
            content = json.loads(answer.read() or b"null")
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.module.fail_json(msg=f"Mattermost does not answer over its local socket: {error}")
        if answer.status == http.HTTPStatus.NOT_FOUND and method == "GET":
            return None
        if answer.status >= http.HTTPStatus.BAD_REQUEST:
            reason = content.get("message", "") if isinstance(content, dict) else ""
            self.module.fail_json(msg=f"Mattermost refused {method} {path} with {answer.status}: {reason}")
        return content

    def users(self, **query: str) -> list[dict[str, Any]]:
        """All accounts, or those of a team or channel."""
        found: list[dict[str, Any]] = []
        while len(found) % PAGE == 0:
            numbers = {"page": len(found) // PAGE, "per_page": PAGE}
            part = self.request("GET", f"users?{urllib.parse.urlencode({**query, **numbers})}")
            if not part:
                break
            found += part
        return found

    def change(self, what: str, method: str, path: str, body: Any) -> Any:
        """Change something and remember it; in check mode only remember it."""
        self.actions.append(what)
        return {} if self.module.check_mode else self.request(method, path, body)


def ensure_administrator(server: Server, account: dict[str, str]) -> None:
    """Make the first administrator where no active one is; a run that was cut off may have made the account."""
    if server.request("GET", "users?role=system_admin&active=true&per_page=1"):
        return
    user = server.request("GET", f"users/username/{account['username']}") or server.change(
        f"make the account {account['username']}", "POST", "users", account
    )
    server.change(
        f"make {account['username']} an administrator", "PUT", f"users/{user.get('id')}/roles", {"roles": ADMIN_ROLES}
    )  # fmt: skip


def ensure_team(server: Server, wanted: dict[str, Any]) -> dict[tuple[str, ...], str | None]:
    """Make a team with its channels, or give them the names that people see.

    Returns the identifiers of the team and its channels, by (team,) and (team, channel); None for what a dry run would
    make. What is archived is not among them.
    """
    name, shown = wanted["name"], wanted["display_name"]
    team = server.request("GET", f"teams/name/{name}")
    if team is None:
        # Closed: people come by invitation.
        fresh = {"name": name, "display_name": shown, "type": "I"}
        team = server.change(f"make the team {name}", "POST", "teams", fresh)
    elif team["delete_at"]:
        server.module.warn(f"The team {name} is archived, and stays so.")
        return {}
    elif team["display_name"] != shown:
        what = f"call the team {name} {shown}, not {team['display_name']}"
        server.change(what, "PUT", f"teams/{team['id']}/patch", {"display_name": shown})
    places = {(name,): team.get("id")}
    for channel in wanted.get("channels") or []:
        places.update(ensure_channel(server, team.get("id"), name, channel))
    return places


def ensure_channel(
    server: Server, team_id: str | None, team: str, wanted: dict[str, Any]
) -> dict[tuple[str, ...], str | None]:
    """Make a channel, or give it the name that people see and the privacy that is wanted. Nothing is ever opened."""
    name, shown, kind = wanted["name"], wanted["display_name"], "P" if wanted.get("private") else "O"
    path = f"teams/{team_id}/channels/name/{name}?include_deleted=true"
    channel = server.request("GET", path) if team_id else None
    if channel is None:
        fresh = {"team_id": team_id, "name": name, "display_name": shown, "type": kind}
        channel = server.change(f"make the channel {team}/{name}", "POST", "channels", fresh)
        return {(team, name): channel.get("id")}
    if channel["delete_at"]:
        server.module.warn(f"The channel {team}/{name} is archived, and stays so.")
        return {}
    if channel["display_name"] != shown:
        what = f"call the channel {team}/{name} {shown}, not {channel['display_name']}"
        server.change(what, "PUT", f"channels/{channel['id']}/patch", {"display_name": shown})
    if channel["type"] != kind and kind == "P":
        what = f"make the channel {team}/{name} private"
        server.change(what, "PUT", f"channels/{channel['id']}/privacy", {"privacy": kind})
    elif channel["type"] != kind:
        server.module.warn(f"The channel {team}/{name} was made private, and stays so.")
    return {(team, name): channel["id"]}


def ensure_users(
    server: Server, wanted: list[dict[str, Any]], locale: str, places: dict[tuple[str, ...], str | None]
) -> None:
    """Make the accounts that are missing, and have everybody in the places that are wanted."""
    present = {user["username"]: user for user in server.users()}
    members: dict[tuple[str, ...], list[tuple[str, str | None]]] = {}
    for person in wanted:
        name = person["name"]
        user = present.get(name) or ensure_account(server, person, locale)
        if user.get("delete_at"):
            server.module.warn(f"The account {name} is closed, and stays so.")
            continue
        for team in person.get("teams") or []:
            channels = [(team["name"], channel) for channel in team.get("channels") or []]
            for place in [(team["name"],), *channels]:
                members.setdefault(place, []).append((name, user.get("id")))
    # Into the teams first: a channel takes only those who are in its team.
    for place in sorted(members, key=len):
        if place in places:
            ensure_members(server, place, places[place], members[place])


def ensure_account(server: Server, person: dict[str, Any], locale: str) -> dict[str, Any]:
    """Make an account with its first password."""
    fresh = {
        "username": person["name"],
        "email": person["email"],
        "password": person["password"],
        "first_name": person.get("first_name") or "",
        "last_name": person.get("last_name") or "",
        "locale": locale,
    }
    made: dict[str, Any] = server.change(f"make the account {person['name']}", "POST", "users", fresh)
    return made


def ensure_members(
    server: Server, place: tuple[str, ...], identifier: str | None, wanted: list[tuple[str, str | None]]
) -> None:
    """Put into a team or channel who is not in it yet."""
    of_team = len(place) == 1
    query = {"in_team" if of_team else "in_channel": identifier}
    present = {user["id"] for user in server.users(**query)} if identifier else set()
    for name, user_id in wanted:
        if user_id not in present:
            path = f"{'teams' if of_team else 'channels'}/{identifier}/members"
            body = {"user_id": user_id} | ({"team_id": identifier} if of_team else {})
            server.change(f"add {name} to {'/'.join(place)}", "POST", path, body)


def main() -> None:
    """Entry point."""
    module = AnsibleModule(
        argument_spec={
            "socket": {"type": "path", "required": True},
            "admin_user": {"type": "str", "required": True},
            "admin_email": {"type": "str", "required": True},
            "admin_password": {"type": "str", "required": True, "no_log": True},
            "admin_locale": {"type": "str", "required": True},
            "teams": {"type": "list", "elements": "dict", "default": []},
            "users": {
                "type": "list",
                "elements": "dict",
                "default": [],
                "options": {
                    "name": {"type": "str", "required": True},
                    "email": {"type": "str", "required": True},
                    "first_name": {"type": "str"},
                    "last_name": {"type": "str"},
                    "password": {"type": "str", "required": True, "no_log": True},
                    "teams": {"type": "list", "elements": "dict", "default": []},
                },
            },
        },
        supports_check_mode=True,
    )
    server = Server(module)
    account = {
        "username": module.params["admin_user"],
        "email": module.params["admin_email"],
        "password": module.params["admin_password"],
        "locale": module.params["admin_locale"],
    }
    if module.check_mode and not pathlib.Path(module.params["socket"]).exists():
        module.warn("Mattermost does not run yet, so its teams and channels could not be compared.")
    else:
        ensure_administrator(server, account)
        places: dict[tuple[str, ...], str | None] = {}
        for team in module.params["teams"]:
            places.update(ensure_team(server, team))
        if module.params["users"]:
            ensure_users(server, module.params["users"], module.params["admin_locale"], places)
    module.exit_json(
        changed=bool(server.actions),
        actions=server.actions,
        diff={"before": "", "after": "".join(f"{line}\n" for line in server.actions)},
    )


if __name__ == "__main__":
    main()
