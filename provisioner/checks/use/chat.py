"""Chat as people use it: two join a team, one posts, the other one reads it at once; then both are gone for good.

The standard check has two lasting users, because the API refuses an administrator to delete users for good unless a
setting allows it (docs/adr/0018). Here both are new, as people who join are, and the host's local socket removes them.
"""

from __future__ import annotations

import json
import secrets
import shlex
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from provisioner.checks.browser import Tab
from provisioner.checks.outside.http import Response
from provisioner.checks.outside.mattermost import NotHeard, Session, describe, log_in
from provisioner.checks.outside.promise import Finding, NoEvidence, Promise
from provisioner.checks.outside.target import WebTarget
from provisioner.checks.result import Verdict
from provisioner.checks.use.names import PREFIX, Names
from provisioner.checks.use.pages import Page, describe_look, look, send_form
from provisioner.checks.use.target import ChatHost
from provisioner.checks.use.visit import Visit

_SECONDS = 10
_POSTS = 2  # the page may be shown a moment before it listens
_USER, _PASSWORD = "input[name=loginId]", "input[type=password]"
# The client's page about the vendor's apps, which a profile may bring back, comes once before the log-in page.
_SEEN = "try { localStorage.setItem('__landingPageSeen__', 'true') } catch {}"
_LOGIN = Page("/login", _PASSWORD, "the form to log in")
_ABSENT = ("not found", "unable to find")
_CHANNEL = "town-square"  # every team has it, and every member is in it


def check_conversation(visit: Visit[ChatHost]) -> Finding:
    """What one new member of a team posts, another one reads on the websocket; nothing of both is left."""
    return _use(visit, _converse)


def check_page(visit: Visit[ChatHost]) -> Finding:
    """A new member of a team logs in by the form, and sees what another one writes while the page is open."""
    with visit.browser.tab() as tab:
        return _use(visit, lambda stage: _read_in_browser(visit, tab, stage))


def _use(visit: Visit[ChatHost], use: Callable[[_Stage], Finding]) -> Finding:
    """Return what two new members of a team find; that something is left of them is a failure, too."""
    target, service = visit.target, visit.target.service
    with log_in(service.web, service.user, service.password) as administrator:
        with _stage(target, administrator, visit.names) as stage:
            finding = use(stage)
        left = [
            path for session in (stage.writer, stage.reader) if administrator.find(path := _path_of(session))
        ]
    if left and finding.verdict is Verdict.PASS:
        actual = f"{finding.actual}; not removed for good: {', '.join(left)}"
        return Finding(Verdict.FAIL, actual, screenshots=finding.screenshots)
    return finding


def _read_in_browser(visit: Visit[ChatHost], tab: Tab, stage: _Stage) -> Finding:
    web = visit.target.service.web
    tab.inject(_SEEN)
    problems = look(tab, web, _LOGIN)
    pictures = [visit.album.keep("chat-login", tab)]
    if not problems:
        name = str(stage.reader.user["username"])
        problems = send_form(tab, {_USER: name, _PASSWORD: stage.password}) or _watch(tab, web, stage)
        pictures.append(visit.album.keep("chat", tab))
    return describe_look(tab, problems, "logged in by the form; a message is shown as it is posted", pictures)


def _watch(tab: Tab, web: WebTarget, stage: _Stage) -> list[str]:
    """Return what is wrong with the channel's page: that it is not shown, or not what is posted there now."""
    channel = Page(f"/{stage.team}/channels/{_CHANNEL}", "#post_textbox", "the channel")
    if problems := look(tab, web, channel):
        return problems
    for _ in range(_POSTS):
        text = secrets.token_hex(24)  # nothing that Markdown would take for emphasis
        posted = _post(stage, text)
        if posted.status != 201:
            return [f"posting a message answers {describe(posted)}"]
        if tab.wait_for(f"document.body.innerText.includes({json.dumps(text)})", _SECONDS):
            return []
    return [f"{channel.path} does not show what is posted within {_SECONDS} seconds"]


@dataclass(frozen=True, slots=True)
class _Stage:
    """Two members of a new team, the second one's password, the team's name, and the id of its common channel."""

    writer: Session
    reader: Session
    password: str
    team: str
    channel: str


@contextmanager
def _stage(target: ChatHost, administrator: Session, names: Names) -> Iterator[_Stage]:
    """Have two users in a team for the length of the block; those of a killed run are removed first."""
    _remove_left_overs(target, administrator, names)
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
            yield _Stage(writer, reader, other, team, str(channel))
    finally:
        _remove(target, list(users), [team])


def _converse(stage: _Stage) -> Finding:
    text, started = secrets.token_urlsafe(24), time.monotonic()
    try:
        with stage.reader.listen() as listener:
            posted = _post(stage, text)
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


def _post(stage: _Stage, text: str) -> Response:
    return stage.writer.ask("POST", "/posts", {"channel_id": stage.channel, "message": text})


def _path_of(session: Session) -> str:
    return f"/users/{session.user['id']}"


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
        "People log in to chat in a browser and see what others write",
        f"The form lets a new user in, and the channel's page shows a message within {_SECONDS} seconds of its posting",
        "Look at the pictures and at what the browser complained about; run apply.",
        check_page,
    ),
)
