"""The commands of ``mmctl``, in its local mode, with the words of the real ones."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from .client import PAGE, PLAYED, Client, Command, Failed, Incomplete, Printer, command, for_each
from .contract import INTERFACE, Refusal
from .flags import Invocation

_STATUS = (
    ("Server status", "status"), ("Android Latest Version", "AndroidLatestVersion"),
    ("Android Minimum Version", "AndroidMinVersion"), ("Desktop Latest Version", "DesktopLatestVersion"),
    ("Desktop Minimum Version", "DesktopMinVersion"), ("Ios Latest Version", "IosLatestVersion"),
    ("Ios Minimum Version", "IosMinVersion"), ("Database Status", "database_status"),
    ("Filestore Status", "filestore_status"),
)  # fmt: skip


@command("system version")
def system_version(client: Client, printer: Printer, invocation: Invocation) -> None:
    printer.single = True
    client.ask("GET", "/system/ping")
    printer.say(f"Server version {client.server_version}", {"version": client.server_version})


@command("system status")
def system_status(client: Client, printer: Printer, invocation: Invocation) -> None:
    printer.single = True
    status = client.ask("GET", "/system/ping", get_server_status="true", use_rest_semantics="true")
    lines = [f"{title}: {status.get(name, '<no value>')}" for title, name in _STATUS]
    printer.say("\n".join(lines), status)


@command("config show")
def config_show(client: Client, printer: Printer, invocation: Invocation) -> None:
    printer.single = printer.as_json = True
    printer.say("", client.ask("GET", "/config"))


@command("config get")
def config_get(client: Client, printer: Printer, invocation: Invocation) -> None:
    printer.single = printer.as_json = True
    value: Any = client.ask("GET", "/config")
    for name in invocation.arguments[0].split(".", 2):
        if not isinstance(value, dict) or name not in value:
            raise Failed("invalid key")
        value = value[name]
    printer.say("", value)


@command("config set")
def config_set(client: Client, printer: Printer, invocation: Invocation) -> None:
    section, _, key = invocation.arguments[0].partition(".")
    kind, _ = INTERFACE["settings"].get(section, {}).get(key, (None, None))
    if kind is None:
        raise Failed("selected path object is not valid")
    words = invocation.arguments[1:]
    value: Any = words if kind == "strings" else words[0]
    if kind == "boolean":
        if value not in ("true", "false"):
            raise Failed(f"target value is of type Bool and provided value is not: {value!r}")
        value = value == "true"
    elif kind == "integer":
        if not re.fullmatch(r"-?\d+", value):
            raise Failed(f"target value is of type Int and provided value is not: {value!r}")
        value = int(value)
    elif kind == "json":
        raise Refusal(f"the double does not play config set of {section}.{key}")
    _patch(client, printer, {section: {key: value}}, "Value changed successfully")


@command("config patch")
def config_patch(client: Client, printer: Printer, invocation: Invocation) -> None:
    try:
        patch = json.loads(Path(invocation.arguments[0]).read_text())
    except (OSError, ValueError) as error:
        raise Failed(str(error)) from error
    _patch(client, printer, patch, "Config patched successfully")


def _patch(client: Client, printer: Printer, patch: object, words: str) -> None:
    printer.say(words, client.ask("PUT", "/config/patch", patch))


@command("config reload")
def config_reload(client: Client, printer: Printer, invocation: Invocation) -> None:
    client.ask("POST", "/config/reload")
    printer.say("Server configuration successfully reloaded", {"status": "ok"})


@command("user create")
def user_create(client: Client, printer: Printer, invocation: Invocation) -> None:
    printer.single = True
    flags = invocation.flags
    if flags.get("guest"):
        raise Refusal("the double does not play guests")
    fields = {
        "username": flags["username"], "email": flags["email"], "password": flags["password"],
        "nickname": flags.get("nickname", ""), "first_name": flags.get("firstname", ""),
        "last_name": flags.get("lastname", ""), "locale": flags.get("locale", ""),
        "email_verified": bool(flags.get("email-verified") or flags.get("email_verified")),
        "disable_welcome_email": bool(flags.get("disable-welcome-email")),
    }  # fmt: skip
    try:
        user = client.ask("POST", "/users", fields)
    except Failed as error:
        raise Failed(f"Unable to create user. Error: {error}") from error
    if flags.get("system-admin") or flags.get("system_admin"):
        client.ask("PUT", f"/users/{user['id']}/roles", {"roles": "system_user system_admin"})
    printer.say(f"Created user {user['username']}", user)


@command("user search")
def user_search(client: Client, printer: Printer, invocation: Invocation) -> None:
    printer.single = True
    if not invocation.arguments:
        raise Failed("expected at least one argument. See help text for details")
    line = "-" * 30 + "\n"
    found: list[Any] = []

    def show(user: Any) -> None:
        names = ("id", "username", "nickname", "position", "first_name", "last_name", "email", "auth_service")
        text = "\n".join(f"{name}: {user[name]}" for name in names)
        printer.say(line * bool(found) + text, user)
        found.append(user)

    for_each(invocation.arguments, client.user, show, "user {} not found")


@command("user list")
def user_list(client: Client, printer: Printer, invocation: Invocation) -> None:
    flags = invocation.flags
    query: dict[str, object] = {"inactive": "true"} if flags.get("inactive") else {}
    if flags.get("team"):
        team = client.team(flags["team"])
        if team is None:
            raise Failed(f"Failed to get team {flags['team']}")
        query["in_team"] = team["id"]
    if flags.get("all"):
        found = client.pages("/users", **query)
    else:
        found = client.ask(
            "GET", "/users", page=flags.get("page", 0), per_page=flags.get("per-page", PAGE), **query
        )
    for user in found:
        printer.say(f"{user['id']}: {user['username']} ({user['email']})", user)


def _set_active(active: bool) -> Command:
    def run(client: Client, printer: Printer, invocation: Invocation) -> None:
        def act(user: Any) -> None:
            client.ask("PUT", f"/users/{user['id']}/active", {"active": active})

        for_each(invocation.arguments, client.user, act, "user {} not found")

    return run


PLAYED["user activate"] = _set_active(True)
PLAYED["user deactivate"] = _set_active(False)


@command("user delete")
def user_delete(client: Client, printer: Printer, invocation: Invocation) -> None:
    _require_confirmation(invocation)

    def act(user: Any) -> None:
        client.ask("DELETE", f"/users/{user['id']}", permanent="true")
        printer.say(f"Deleted user '{user['username']}'", user)

    try:
        for_each(invocation.arguments, client.user, act, "user {} not found")
    except Incomplete as error:
        printer.complain(str(error))  # and end well, as the real one does


@command("user change-password")
def user_change_password(client: Client, printer: Printer, invocation: Invocation) -> None:
    if invocation.flags.get("hashed") or not invocation.flags.get("password"):
        raise Refusal("the double plays user change-password with --password only")
    user = client.user(invocation.arguments[0])
    if user is None:
        raise Failed(f"user {invocation.arguments[0]} not found")
    body = {
        "current_password": invocation.flags.get("current", ""),
        "new_password": invocation.flags["password"],
    }
    client.ask("PUT", f"/users/{user['id']}/password", body)
    printer.say(f"Password for user {user['username']} successfully changed", user)


@command("user verify")
def user_verify(client: Client, printer: Printer, invocation: Invocation) -> None:
    def act(user: Any) -> None:
        client.ask("POST", f"/users/{user['id']}/email/verify/member")
        printer.say(f"User {user['username']} verified", user)

    for_each(invocation.arguments, client.user, act, "user {} not found")


@command("roles system-admin")
def roles_system_admin(client: Client, printer: Printer, invocation: Invocation) -> None:
    def act(user: Any) -> None:
        roles = user["roles"].split()
        if "system_admin" not in roles:
            roles.append("system_admin")
            client.ask("PUT", f"/users/{user['id']}/roles", {"roles": " ".join(roles)})
            text = f'System admin role assigned to user "{user["username"]}". Current roles are: {", ".join(roles)}'
            printer.say(text, text)

    for_each(invocation.arguments, client.user, act, "user {} not found")


@command("team create")
def team_create(client: Client, printer: Printer, invocation: Invocation) -> None:
    printer.single = True
    name, shown = _names(invocation)
    private = bool(invocation.flags.get("private"))
    fields = {
        "name": name, "display_name": shown, "email": invocation.flags.get("email", ""),
        "type": "I" if private else "O", "allow_open_invite": not private,
    }  # fmt: skip
    try:
        team = client.ask("POST", "/teams", fields)
    except Failed as error:
        raise Failed(f"Team creation failed: {error}") from error
    printer.say(f"New team {name} successfully created", team)


def _names(invocation: Invocation) -> tuple[str, str]:
    name = invocation.flags.get("name")
    shown = invocation.flags.get("display-name") or invocation.flags.get("display_name")
    if not name:
        raise Failed("name is required")
    if not shown:
        raise Failed("display Name is required")
    return str(name), str(shown)


@command("team rename")
def team_rename(client: Client, printer: Printer, invocation: Invocation) -> None:
    word = invocation.arguments[0]
    team = client.team(word)
    if team is None:
        raise Failed(f"Unable to find team '{word}', to see the all teams try 'team list' command")
    client.ask("PUT", f"/teams/{team['id']}", team | {"display_name": invocation.flags["display-name"]})
    printer.say(f"'{word}' team renamed", f"'{word}' team renamed")


@command("team list")
def team_list(client: Client, printer: Printer, invocation: Invocation) -> None:
    for team in client.pages("/teams"):
        printer.say(team["name"] + " (archived)" * bool(team["delete_at"]), team)


@command("team delete")
def team_delete(client: Client, printer: Printer, invocation: Invocation) -> None:
    _require_confirmation(invocation)

    def act(team: Any) -> None:
        client.ask("DELETE", f"/teams/{team['id']}", permanent="true")
        printer.say(f"Deleted team '{team['name']}'", team)

    for_each(invocation.arguments, client.team, act, 'unable to find team "{}"')


@command("team users add")
def team_users_add(client: Client, printer: Printer, invocation: Invocation) -> None:
    team = client.team(invocation.arguments[0])
    if team is None:
        raise Failed(f"Unable to find team '{invocation.arguments[0]}'")
    problems = []
    for word in invocation.arguments[1:]:
        user = client.user(word)
        if user is None:
            problems.append(f"can't find user '{word}'")
            continue
        try:
            client.ask("POST", f"/teams/{team['id']}/members", {"team_id": team["id"], "user_id": user["id"]})
        except Failed as error:
            # The real one says so and ends well all the same.
            printer.complain(f"Unable to add '{word}' to {team['name']}. Error: {error}")
    if problems:
        raise Incomplete(problems)


@command("team users remove")
def team_users_remove(client: Client, printer: Printer, invocation: Invocation) -> None:
    team = client.team(invocation.arguments[0])
    if team is None:
        raise Failed(f"Unable to find team '{invocation.arguments[0]}'")

    def act(user: Any) -> None:
        client.ask("DELETE", f"/teams/{team['id']}/members/{user['id']}")

    for_each(invocation.arguments[1:], client.user, act, "user {} not found")


@command("channel create")
def channel_create(client: Client, printer: Printer, invocation: Invocation) -> None:
    printer.single = True
    name, shown = _names(invocation)
    word = invocation.flags.get("team")
    if not word:
        raise Failed("team is required")
    team = client.team(word)
    if team is None:
        raise Failed(f"unable to find team: {word}")
    fields = {
        "team_id": team["id"], "name": name, "display_name": shown, "header": invocation.flags.get("header", ""),
        "purpose": invocation.flags.get("purpose", ""), "type": "P" if invocation.flags.get("private") else "O",
    }  # fmt: skip
    printer.say(f"New channel {name} successfully created", client.ask("POST", "/channels", fields))


@command("channel list")
def channel_list(client: Client, printer: Printer, invocation: Invocation) -> None:
    def act(team: Any) -> None:
        for path, remark in (("", ""), ("/deleted", " (archived)"), ("/private", " (private)")):
            for channel in client.pages(f"/teams/{team['id']}/channels{path}"):
                printer.say(channel["name"] + remark, channel)

    for_each(invocation.arguments, client.team, act, 'unable to find team "{}"')


@command("channel users add")
def channel_users_add(client: Client, printer: Printer, invocation: Invocation) -> None:
    _change_channel_users(client, printer, invocation, "POST")


@command("channel users remove")
def channel_users_remove(client: Client, printer: Printer, invocation: Invocation) -> None:
    if invocation.flags.get("all-users"):
        raise Refusal("the double does not play --all-users")
    _change_channel_users(client, printer, invocation, "DELETE")


def _change_channel_users(client: Client, printer: Printer, invocation: Invocation, method: str) -> None:
    if len(invocation.arguments) < 2:
        raise Failed("not enough arguments")
    channel = client.channel(invocation.arguments[0])
    if channel is None:
        raise Failed(f'unable to find channel "{invocation.arguments[0]}"')

    def act(user: Any) -> None:
        members = f"/channels/{channel['id']}/members"
        if method == "POST":
            client.ask("POST", members, {"user_id": user["id"]})
        else:
            client.ask("DELETE", f"{members}/{user['id']}")

    for_each(invocation.arguments[1:], client.user, act, "user {} not found")


@command("channel modify")
def channel_modify(client: Client, printer: Printer, invocation: Invocation) -> None:
    private = bool(invocation.flags.get("private"))
    if private == bool(invocation.flags.get("public")):
        raise Failed("you must specify only one of --public or --private")
    channel = client.channel(invocation.arguments[0])
    if channel is None:
        raise Failed(f'unable to find channel "{invocation.arguments[0]}"')
    client.ask("PUT", f"/channels/{channel['id']}/privacy", {"privacy": "P" if private else "O"})


@command("channel delete")
def channel_delete(client: Client, printer: Printer, invocation: Invocation) -> None:
    _require_confirmation(invocation)

    def act(channel: Any) -> None:
        client.ask("DELETE", f"/channels/{channel['id']}", permanent="true")
        printer.say(f"Deleted channel '{channel['name']}'", channel)

    for_each(invocation.arguments, client.channel, act, 'unable to find channel "{}"')


def _require_confirmation(invocation: Invocation) -> None:
    if not invocation.flags.get("confirm"):
        raise Failed(
            "could not proceed, either enable --confirm flag or use an interactive shell to complete operation"
        )


@command("plugin list")
def plugin_list(client: Client, printer: Printer, invocation: Invocation) -> None:
    try:
        found = client.ask("GET", "/plugins")
    except Failed as error:
        raise Failed(f"Unable to list plugins. Error: {error}") from error
    if printer.as_json:
        printer.say("", found)
        return
    for title, side in (("Listing enabled plugins", "active"), ("\nListing disabled plugins", "inactive")):
        lines = [
            f"{manifest['id']}: {manifest['name']}, Version: {manifest['version']}"
            for manifest in found[side]
        ]
        printer.say("\n".join([title, *lines]), None)
