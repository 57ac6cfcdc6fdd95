"""Use of files and of chat against small servers that speak the same interfaces, with faults on demand."""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from provisioner.checks.browser import BrowserFailed, find, tab
from provisioner.checks.outside import ChatTarget, FilesTarget
from provisioner.checks.outside.promise import Finding, NoEvidence
from provisioner.checks.result import Verdict
from provisioner.checks.use import ChatHost, chat, files, pages
from provisioner.checks.use.album import Album
from provisioner.checks.use.names import PREFIX, Names
from provisioner.checks.use.visit import Visit

from .conftest import browsing
from .test_chat import Person, Server
from .test_chat import serve as serve_chat  # noqa: F401  a fixture
from .test_files import ADMIN, Cloud
from .test_files import serve as serve_cloud  # noqa: F401  a fixture

OWNER = "ab12cd"


def visit(target: Any) -> Visit[Any]:
    return Visit(target, Names(OWNER), Album(Path("/nonexistent")), BrowserFailed("no browser here"))


@pytest.fixture
def share(serve_cloud: Callable[[Cloud], FilesTarget]) -> Callable[[Cloud], Finding]:  # noqa: F811
    return lambda cloud: files.check_sharing(visit(serve_cloud(cloud)))


def test_what_is_shared_arrives_and_nobody_is_left(share: Callable[[Cloud], Finding]) -> None:
    cloud = Cloud()
    finding = share(cloud)
    assert finding.verdict is Verdict.PASS, finding
    assert list(cloud.users) == [ADMIN]


@pytest.mark.parametrize(
    ("fault", "verdict", "said"),
    [
        ({"corrupts": True}, Verdict.FAIL, "what the guest receives is not what was shared"),
        ({"link_is_open": True}, Verdict.FAIL, "without the link's password the download answers 200"),
        ({"refuses_shares": True}, Verdict.FAIL, "sharing with a user answers 403 said so"),
        ({"fails_after_creation": True}, Verdict.WARN, "creating a user answers 500"),
    ],
)
def test_a_fault_of_sharing_is_named_and_nobody_is_left(
    share: Callable[[Cloud], Finding], fault: dict[str, Any], verdict: Verdict, said: str
) -> None:
    cloud = Cloud(**fault)
    finding = share(cloud)
    assert finding.verdict is verdict
    assert said in finding.actual
    assert list(cloud.users) == [ADMIN]


def test_users_that_stay_fail(share: Callable[[Cloud], Finding]) -> None:
    cloud = Cloud(keeps_users=True)
    finding = share(cloud)
    assert finding.verdict is Verdict.FAIL
    assert all(f"{user} is not removed" in finding.actual for user in cloud.users if user != ADMIN)


def test_nobody_is_left_when_it_is_interrupted(
    share: Callable[[Cloud], Finding], monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> list[str]:
        raise KeyboardInterrupt

    monkeypatch.setattr(files, "_share_by_link", interrupt)
    cloud = Cloud()
    with pytest.raises(KeyboardInterrupt):
        share(cloud)
    assert list(cloud.users) == [ADMIN]


def test_users_of_a_killed_run_are_removed_and_others_are_not(share: Callable[[Cloud], Finding]) -> None:
    now = int(time.time())
    ours, others, person = f"{PREFIX}{OWNER}-{now}-aa", f"{PREFIX}ffffff-{now}-bb", "sovstack-used-to"
    cloud = Cloud(users={ADMIN: "correct horse battery", ours: "x", others: "x", person: "x"})
    assert share(cloud).verdict is Verdict.PASS
    assert list(cloud.users) == [ADMIN, others, person]


class Host:
    """The host's command, which removes for good; it can refuse to, or only say that it did."""

    def __init__(self, state: Server, *, refuses: bool = False, only_says: bool = False) -> None:
        self.state, self.refuses, self.only_says = state, refuses, only_says

    def __call__(self, line: str) -> tuple[int, str]:
        program, kind, verb, confirmed, name = shlex.split(line)
        assert (program, verb, confirmed) == ("mattermost-mmctl", "delete", "--confirm")
        if self.refuses:
            return 1, "socket file is not there\n"
        if self.only_says:
            return 0, "deleted\n"
        if kind == "user":
            found = self.state.named(name)
            if found is None:
                return 1, f"1 error occurred:\n* user {name} not found\n"
            self.state.people.remove(found)
        else:
            self.state.teams = {key: team for key, team in self.state.teams.items() if team["name"] != name}
        return 0, "deleted\n"


@pytest.fixture
def converse(
    serve_chat: Callable[[Server], ChatTarget],  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[..., Finding]:
    monkeypatch.setattr(chat, "_SECONDS", 1)

    def check(state: Server, **faults: bool) -> Finding:
        return chat.check_conversation(visit(ChatHost(serve_chat(state), Host(state, **faults))))

    return check


def test_a_post_is_read_and_nobody_is_left(converse: Callable[..., Finding]) -> None:
    state = Server()
    finding = converse(state)
    assert finding.verdict is Verdict.PASS, finding
    assert [person.name for person in state.people] == [ADMIN]
    assert state.teams == {}
    assert state.sessions == {}


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ({"delivers": False}, "no event 'posted' within 1 seconds"),
        ({"upgrades": False}, "the websocket"),
        ({"refuses_posts": True}, "posting a message answers 403"),
    ],
)
def test_a_fault_of_chat_is_named_and_nobody_is_left(
    converse: Callable[..., Finding], fault: dict[str, Any], said: str
) -> None:
    state = Server(**fault)
    finding = converse(state)
    assert finding.verdict is Verdict.FAIL
    assert said in finding.actual
    assert [person.name for person in state.people] == [ADMIN]
    assert state.teams == {}


def test_users_that_are_only_said_to_be_removed_fail(converse: Callable[..., Finding]) -> None:
    finding = converse(Server(), only_says=True)
    assert finding.verdict is Verdict.FAIL
    assert "not removed for good: /users/" in finding.actual


def test_a_host_that_cannot_remove_is_no_evidence(converse: Callable[..., Finding]) -> None:
    with pytest.raises(NoEvidence, match=r"removing user .*: socket file is not there"):
        converse(Server(), refuses=True)


def test_half_of_what_a_killed_run_made_is_removed(converse: Callable[..., Finding]) -> None:
    state = Server()
    left = f"{PREFIX}{OWNER}-{int(time.time())}-aa"
    state.people.append(Person(left, "x"))
    state.teams["1"] = {"id": "1", "name": left, "delete_at": 0}
    assert converse(state).verdict is Verdict.PASS
    assert [person.name for person in state.people] == [ADMIN]
    assert state.teams == {}


CLIENT = b"""<!doctype html><title>Chat</title><body><script>
const api = "/api/v4", ask = name => document.querySelector(`input[name=${name}]`).value
if (location.pathname === "/login") {
  document.body.innerHTML = "<form><input name=loginId><input name=password type=password></form>"
  document.querySelector("input[type=password]").onkeydown = async key => {
    if (key.key !== "Enter") return
    const body = JSON.stringify({login_id: ask("loginId"), password: ask("password")})
    const answer = await fetch(`${api}/users/login`, {method: "POST", body})
    if (answer.ok) history.pushState({}, "", "/")
  }
} else {
  document.body.innerHTML = "<textarea id=post_textbox></textarea><main></main>"
  new WebSocket(`wss://${location.host}${api}/websocket`).onmessage = told => {
    document.querySelector("main").append(told.data)
  }
}
</script>"""


@pytest.mark.skipif(not find(), reason="not assessed: there is no Chromium on this computer")
@pytest.mark.parametrize(
    ("fault", "actual"),
    [
        ({}, "logged in by the form; a message is shown as it is posted"),
        ({"page": b"<!doctype html>Hello"}, "/login does not show the form to log in"),
        ({"page": CLIENT.replace(b"answer.ok", b"false")}, "the form does not let the user in"),
        ({"page": CLIENT.replace(b"textarea", b"p")}, "/channels/town-square does not show the channel"),
        ({"delivers": False}, "does not show what is posted within 3 seconds"),
        ({"refuses_posts": True}, "posting a message answers 403"),
    ],
)
def test_a_person_logs_in_to_chat_and_reads(
    serve_chat: Callable[[Server], ChatTarget],  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: dict[str, Any],
    actual: str,
) -> None:
    for module, seconds in ((chat, 3), (pages, 3), (tab, 3)):
        monkeypatch.setattr(module, "SECONDS" if module is tab else "_SECONDS", seconds)
    state = Server(**{"page": CLIENT} | fault)
    target = serve_chat(state)
    with browsing(target.web) as browser:
        one = Visit(ChatHost(target, Host(state)), Names(OWNER), Album(tmp_path), browser)
        finding = chat.check_page(one)
    assert actual in finding.actual
    assert (finding.verdict is Verdict.PASS) is (not fault)
    assert all((tmp_path / picture).stat().st_size > 1000 for picture in finding.screenshots)
    assert len(finding.screenshots) == (1 if "form to log in" in actual else 2)
    assert [person.name for person in state.people] == [ADMIN]


def test_a_browser_that_is_not_there_is_no_evidence_and_nobody_is_left(
    serve_cloud: Callable[[Cloud], FilesTarget],  # noqa: F811
) -> None:
    cloud = Cloud()
    with pytest.raises(NoEvidence, match="no browser here"):
        files.check_page(visit(serve_cloud(cloud)))
    assert list(cloud.users) == [ADMIN]
