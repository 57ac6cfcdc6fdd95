"""Chat as people use it: two join a team, one posts, the other one reads it at once; then both are gone for good.

The standard check has two lasting users, because the API refuses an administrator to delete users for good unless a
setting allows it (docs/adr/0018). Here both are new, as people who join are, and the host's local socket removes them.
"""

from __future__ import annotations

import json
import secrets
import shlex
import time
from collections.abc import Iterator
from contextlib import contextmanager

from provisioner.checks.outside.mattermost import NotHeard, Session, describe, log_in
from provisioner.checks.outside.promise import Finding, NoEvidence, Promise
from provisioner.checks.result import Verdict
from provisioner.checks.use.names import PREFIX, Names
from provisioner.checks.use.pages import Page, show
from provisioner.checks.use.target import ChatHost
from provisioner.checks.use.visit import Visit

_SECONDS = 10
_LOGIN = Page("/login", "input[type=password]", "the form to log in")
_ABSENT = ("not found", "unable to find")
_CHANNEL = "town-square"  # every team has it, and every member is in it


def check_conversation(visit: Visit[ChatHost]) -> Finding:
    """What one new member of a team posts, another one reads on the websocket; nothing of both is left."""
    target, names, service = visit.target, visit.names, visit.target.service
    with log_in(service.web, service.user, service.password) as administrator:
        _remove_left_overs(target, administrator, names)
        with _stage(target, administrator, names) as (writer, reader, channel):
            finding = _converse(writer, reader, channel)
        left = [path for path in _paths_of(writer, reader) if administrator.find(path)]
    if left and finding.verdict is Verdict.PASS:
        return Finding(Verdict.FAIL, f"{finding.actual}; not removed for good: {', '.join(left)}")
    return finding


def check_page(visit: Visit[ChatHost]) -> Finding:
    """The log-in page shows its form."""
    return show(visit, visit.target.service.web, _LOGIN, "chat-login")


@contextmanager
def _stage(target: ChatHost, administrator: Session, names: Names) -> Iterator[tuple[Session, Session, str]]:
    """Have two users in a team for the length of the block; give their sessions and the id of their channel."""
    web, team = target.service.web, names.make()
    users = {names.make(): secrets.token_urlsafe(24) + "aA1!" for _ in range(2)}
    try:
        made = administrator.demand("POST", "/teams", {"name": team, "display_name": team, "type": "I"})
        for name, password in users.items():
            # Nobody gets mail at .invalid (RFC 2606).
            account = {"email": f"{name}@sovstack.invalid", "username": name, "password": password}
            user = administrator.demand("POST", "/users", account)
            member = {"team_id": made["id"], "user_id": user["id"]}
            administrator.demand("POST", f"/teams/{made['id']}/members", member)
        channel = administrator.demand("GET", f"/teams/{made['id']}/channels/name/{_CHANNEL}")["id"]
        (first, second), (one, other) = users, users.values()
        with log_in(web, first, one) as writer, log_in(web, second, other) as reader:
            yield writer, reader, str(channel)
    finally:
        _remove(target, list(users), [team])


def _converse(writer: Session, reader: Session, channel: str) -> Finding:
    text, started = secrets.token_urlsafe(24), time.monotonic()
    try:
        with reader.listen() as listener:
            posted = writer.ask("POST", "/posts", {"channel_id": channel, "message": text})
            if posted.status != 201:
                return Finding(Verdict.FAIL, f"posting a message answers {describe(posted)}")
            listener.wait_for("posted", _SECONDS, lambda data: text in json.dumps(data))
    except NotHeard as error:
        return Finding(Verdict.FAIL, str(error))
    seconds = time.monotonic() - started
    return Finding(
        Verdict.PASS,
        f"two new members of a team, a message posted and read on the websocket in {seconds:.1f} s; both removed",
    )


def _paths_of(*sessions: Session) -> list[str]:
    return [f"/users/{session.user['id']}" for session in sessions]


def _remove_left_overs(target: ChatHost, administrator: Session, names: Names) -> None:
    users = administrator.demand("POST", "/users/search", {"term": PREFIX, "allow_inactive": True})
    teams = administrator.demand("POST", "/teams/search", {"term": PREFIX})
    _remove(
        target,
        [user["username"] for user in users if names.is_left_over(user["username"])],
        [team["name"] for team in teams if names.is_left_over(team["name"])],
    )


def _remove(target: ChatHost, users: list[str], teams: list[str]) -> None:
    """Remove users and teams for good, with all that they wrote; those that are not there are passed over.

    Raises:
        NoEvidence: The host refuses one, with its words; all others were tried.
    """
    refused = []
    for kind, name in [*(("user", name) for name in users), *(("team", name) for name in teams)]:
        status, said = target.run(f"mattermost-mmctl {kind} delete --confirm {shlex.quote(name)}")
        if status and not any(words in said.lower() for words in _ABSENT):
            refused.append(f"removing {kind} {name}: {said.strip() or status}")
    if refused:
        raise NoEvidence("; ".join(refused))


CHAT_PROMISES: tuple[Promise[Visit[ChatHost]], ...] = (
    Promise(
        "USE-CHAT-POST",
        "Whoever joins a team reads at once what others write there",
        f"One new member's post is read on the other's websocket within {_SECONDS} seconds; both are removed for good",
        "See that nginx lets the websocket through, and that `mattermost-mmctl user list` works on the host.",
        check_conversation,
    ),
    Promise(
        "USE-CHAT-PAGE",
        "People find the form to log in to chat in a browser",
        "The log-in page shows its form",
        "Look at the picture and at what the browser complained about; run apply.",
        check_page,
    ),
)
