"""A Mattermost as its users meet it: status, log-in, a message from one to another, and nothing for strangers.

The message goes between two users of its own in a team of its own. They keep their names: the vendor lets an
administrator only switch users off and archive teams, unless its settings say otherwise, so a new pair for every run
would fill the database. Outside a run the users cannot log in and the team is archived; what a killed run left
switched on is used and switched off by the next one.
"""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from contextlib import ExitStack
from dataclasses import dataclass

from provisioner.checks.outside.http import fetch
from provisioner.checks.outside.mattermost import NotHeard, Refused, Session, ask, describe, log_in, read
from provisioner.checks.outside.promise import Finding, NoEvidence, Promise, judge
from provisioner.checks.outside.target import Secret, WebTarget
from provisioner.checks.result import Verdict

TEAM = "sovstack-check"
WRITER, READER = f"{TEAM}-writer", f"{TEAM}-reader"
_CHANNEL = "town-square"  # every team has it, and every member is in it
_SECONDS = 10
_PING = "/system/ping?get_server_status=true"
_HEALTH = ("status", "database_status", "filestore_status")
_CLOSED = ("/users/me", "/users", "/teams", "/channels", "/config")
# What has the server ask the vendor and has no switch; a server that is asked answers 401 or 404.
_VENDOR = (
    "/latest_version",
    "/upgrade_to_enterprise/status",
    "/cloud/check-cws-connection",
    "/trial-license",
)
_REFUSALS = (401, 403, 501)  # 501: signing up is switched off as a whole


@dataclass(frozen=True, slots=True)
class ChatTarget:
    """A Mattermost, and who administers it."""

    web: WebTarget
    user: str
    password: Secret


def check_status(target: ChatTarget) -> Finding:
    """The server says that it, its database and its file store are well."""
    response = ask(target.web, "GET", _PING)
    said = read(response)
    problems = [f"{name} is {said.get(name)}" for name in _HEALTH if said.get(name) != "OK"]
    if response.status != 200:
        problems.append(f"the ping answers {describe(response)}")
    version = ".".join(response.first("x-version-id").split(".")[:3])
    return judge(problems, f"version {version or '?'}, database and file store are well")


def check_login(target: ChatTarget) -> Finding:
    """The log-in page is shown and the administrator can log in.

    A wrong password is not tried: Mattermost counts them, and locks an account after many.
    """
    page = fetch(target.web, "/login")
    problems = []
    if page.status != 200 or b"<html" not in page.body.lower():
        problems.append(f"/login answers {page.status}")
    try:
        with log_in(target.web, target.user, target.password) as session:
            if "system_admin" not in session.user.get("roles", "").split():
                problems.append(f"{target.user} is no administrator")
    except Refused as error:
        problems.append(str(error))
    return judge(problems, "the page is shown and the administrator can log in")


def check_message(target: ChatTarget) -> Finding:
    """What one user posts, another one reads on the websocket."""
    with log_in(target.web, target.user, target.password) as administrator:
        try:
            finding = _exchange(target, administrator)
        finally:
            left = _clear(administrator)
    if left and finding.verdict is Verdict.PASS:
        return Finding(
            Verdict.WARN, f"{finding.actual}; could not be switched off afterwards: {', '.join(left)}"
        )
    return finding


def check_sign_up(target: ChatTarget) -> Finding:
    """Who was not invited cannot make an account."""
    name = f"{TEAM}-{secrets.token_hex(4)}"
    response = ask(target.web, "POST", "/users", _describe_user(name, secrets.token_urlsafe(24) + "aA1!"))
    if response.status in _REFUSALS:
        return Finding(Verdict.PASS, f"signing up answers {describe(response)}")
    if response.status != 201:
        raise NoEvidence(f"signing up answers {describe(response)}")
    with log_in(target.web, target.user, target.password) as administrator:
        gone = _remove(administrator, f"/users/{read(response).get('id')}")
    return Finding(
        Verdict.FAIL, f"anybody can make an account; {name} was made{' and switched off' if gone else ''}"
    )


def check_stranger(target: ChatTarget) -> Finding:
    """The API tells nothing to who has no session, or one that it did not begin."""
    answers = {f"GET {path}": ask(target.web, "GET", path) for path in _CLOSED}
    forged = {"Authorization": f"Bearer {secrets.token_hex(13)}"}
    answers["a forged session"] = ask(target.web, "GET", _CLOSED[0], headers=forged)
    told = [f"{what} answers {answer.status}" for what, answer in answers.items() if answer.status != 401]
    if told and all(answer.status >= 400 for answer in answers.values()):
        raise NoEvidence("; ".join(told))
    return judge(told, f"{len(answers)} requests answer 401")


def check_vendor(target: ChatTarget) -> Finding:
    """No page has the server ask the vendor: what would is refused before it reaches the server."""
    answers = {path: ask(target.web, "GET", path).status for path in _VENDOR}
    return judge(
        [f"GET {path} answers {status}" for path, status in answers.items() if status != 403],
        f"{len(answers)} requests answer 403",
    )


def _exchange(target: ChatTarget, administrator: Session) -> Finding:
    password, text = _derive_password(target), secrets.token_urlsafe(24)
    channel = _set_stage(administrator, password)
    with ExitStack() as sessions:
        writer, reader = (
            _enter(sessions, target.web, administrator, name, password) for name in (WRITER, READER)
        )
        started = time.monotonic()
        try:
            with reader.listen() as listener:
                posted = writer.ask("POST", "/posts", {"channel_id": channel, "message": text})
                if posted.status != 201:
                    return Finding(Verdict.FAIL, f"posting a message answers {describe(posted)}")
                listener.wait_for("posted", _SECONDS, lambda data: _message_of(data) == text)
                seconds = time.monotonic() - started
                writer.ask("DELETE", f"/posts/{read(posted)['id']}")
        except NotHeard as error:
            return Finding(Verdict.FAIL, str(error))
    return Finding(Verdict.PASS, f"posted, and read on the websocket, in {seconds:.1f} s")


def _set_stage(administrator: Session, password: str) -> str:
    """Have both users, switched on, in the team; return the id of their channel."""
    users = [_have_user(administrator, name, password) for name in (WRITER, READER)]
    team = _have_team(administrator)
    for user in users:
        administrator.demand("POST", f"/teams/{team}/members", {"team_id": team, "user_id": user})
    return str(administrator.demand("GET", f"/teams/{team}/channels/name/{_CHANNEL}")["id"])


def _have_user(administrator: Session, name: str, password: str) -> str:
    found = administrator.find(f"/users/username/{name}")
    if found is None:
        return str(administrator.demand("POST", "/users", _describe_user(name, password))["id"])
    administrator.demand("PUT", f"/users/{found['id']}/active", {"active": True})
    return str(found["id"])


def _enter(sessions: ExitStack, web: WebTarget, administrator: Session, name: str, password: str) -> Session:
    """Log in for the length of ``sessions``; give the user the password first where it has another one."""
    try:
        return sessions.enter_context(log_in(web, name, password))
    except Refused:
        user = administrator.demand("GET", f"/users/username/{name}")["id"]
        administrator.demand("PUT", f"/users/{user}/password", {"new_password": password})
        return sessions.enter_context(log_in(web, name, password))


def _derive_password(target: ChatTarget) -> str:
    """Return the users' password, which follows from the administrator's: a new one for every run would mail them."""
    key = hmac.digest(target.password.reveal().encode(), TEAM.encode(), "sha256")
    return base64.urlsafe_b64encode(key).decode() + "aA1!"


def _have_team(administrator: Session) -> str:
    found = administrator.find(f"/teams/name/{TEAM}")
    if found is None:
        return str(
            administrator.demand(
                "POST", "/teams", {"name": TEAM, "display_name": "Verification", "type": "I"}
            )["id"]
        )
    if found.get("delete_at"):
        administrator.demand("POST", f"/teams/{found['id']}/restore")
    return str(found["id"])


def _clear(administrator: Session) -> list[str]:
    """Remove users and team, as far as the server lets an administrator; return what is still in use."""
    left = []
    for name, path in ((WRITER, "users/username"), (READER, "users/username"), (TEAM, "teams/name")):
        found = administrator.find(f"/{path}/{name}")
        kind = path.partition("/")[0]
        if found and not _remove(administrator, f"/{kind}/{found['id']}"):
            left.append(name)
    return left


def _remove(administrator: Session, path: str) -> bool:
    """Delete what is there for good; where that is not allowed, switch it off. Say whether one of both was done."""
    return any(administrator.ask("DELETE", f"{path}{how}").status == 200 for how in ("?permanent=true", ""))


def _describe_user(name: str, password: str) -> dict[str, str]:
    # Nobody gets mail at .invalid (RFC 2606).
    return {"email": f"{name}@sovstack.invalid", "username": name, "password": password}


def _message_of(data: object) -> str | None:
    """Return the message of a posted event, whose post is JSON in a text."""
    try:
        message = json.loads(data["post"])["message"]  # type: ignore[index]
    except (KeyError, TypeError, ValueError):
        return None
    return str(message)


CHAT_PROMISES: tuple[Promise[ChatTarget], ...] = (
    Promise(
        "CHAT-STATUS",
        "Mattermost, its database and its file store are well",
        "The system ping answers 200, and OK for server, database and file store",
        "Look at `journalctl -u mattermost` on the host, and at PostgreSQL; apply again.",
        check_status,
    ),
    Promise(
        "CHAT-LOGIN",
        "Users can log in to chat",
        "The log-in page is shown, and the administrator's password is accepted",
        "If the administrator's password was changed by hand, put the new one into the deployment's secrets. If the "
        "account is locked, `mattermost-mmctl user change-password NAME` on the host opens it; the password may stay.",
        check_login,
    ),
    Promise(
        "CHAT-MESSAGE",
        "What one user posts reaches another one at once",
        f"A message is posted (201) and is read on another user's websocket within {_SECONDS} seconds",
        "See that nginx lets the websocket through (101) and nothing on the way closes it; read Mattermost's journal.",
        check_message,
    ),
    Promise(
        "CHAT-SIGNUP",
        "Nobody makes an account by themselves",
        "Making an account without a session is refused",
        "Take TeamSettings.EnableOpenServer out of the settings; apply again.",
        check_sign_up,
    ),
    Promise(
        "CHAT-AUTH",
        "Nobody sees chat without logging in",
        "Requests to the API without a session, and with a forged one, answer 401",
        "Look for a proxy or an nginx location that answers in Mattermost's place.",
        check_stranger,
    ),
    Promise(
        "CHAT-VENDOR",
        "No page has the server ask the vendor where no setting can forbid it",
        "The newest release, another edition, a cloud's account and a trial: each request answers 403",
        "Run apply: it writes nginx's site.",
        check_vendor,
    ),
)
