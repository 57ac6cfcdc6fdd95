"""Files as people use them: one uploads and shares, another one and a guest with a password download."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import quote

from provisioner.checks.outside.files import FilesTarget
from provisioner.checks.outside.http import basic, fetch
from provisioner.checks.outside.nextcloud import (
    Client,
    data_of,
    describe,
    find_users,
    remove_users,
    throw_away_user,
)
from provisioner.checks.outside.promise import Finding, Promise, judge
from provisioner.checks.result import Verdict
from provisioner.checks.use.names import PREFIX, Names
from provisioner.checks.use.pages import Page, describe_look, look, send_form
from provisioner.checks.use.visit import Visit

_BYTES = 2 * 1024 * 1024
_NAME = "sovstack use é.bin"
_SHARES = "/ocs/v2.php/apps/files_sharing/api/v1/shares"
_USER, _PASSWORD = "input[name=user]", "input[name=password]"
_LOGIN = Page("/login", _PASSWORD, "the form to log in")
_FILES = Page("/apps/files/", ".files-list", "the list of files")
_WITH_USER, _BY_LINK = "0", "3"
_READ_ONLY = "1"


@dataclass(frozen=True, slots=True)
class Person:
    """A throw-away user: its client, its password, and what went wrong when it was made."""

    client: Client
    password: str
    complaint: str


@contextmanager
def people(target: FilesTarget, names: Names, count: int) -> Iterator[list[Person]]:
    """Have throw-away users for the length of the block; those of a killed run are removed first.

    Raises:
        NoEvidence: One cannot be made.
    """
    remove_users(target.administrator, PREFIX, names.is_left_over)
    with ExitStack() as stack:
        yield [
            Person(*stack.enter_context(throw_away_user(target.administrator, names.make())))
            for _ in range(count)
        ]


def check_sharing(visit: Visit[FilesTarget]) -> Finding:
    """A file of random bytes reaches a second user and a guest unchanged, and nobody without the link's password."""
    target, content = visit.target, secrets.token_bytes(_BYTES)
    with people(target, visit.names, 2) as (owner, other):
        started = time.monotonic()
        uploaded = owner.client.send("PUT", owner.client.path(_NAME), content)
        if uploaded.status != 201:
            return Finding(Verdict.FAIL, f"uploading answers {uploaded.status}")
        problems = _share_with_user(owner.client, other.client, content)
        problems += _share_by_link(target, owner.client, content)
        seconds = time.monotonic() - started
        complaint = owner.complaint or other.complaint
    made = {owner.client.user, other.client.user}
    problems += [
        f"{user} is not removed" for user in find_users(target.administrator, PREFIX) if user in made
    ]
    fine = f"{_BYTES} bytes uploaded, shared, and downloaded by a user and by a guest in {seconds:.1f} s"
    if complaint and not problems:
        return Finding(Verdict.WARN, f"{complaint}; {fine}")
    return judge(problems, fine)


def check_page(visit: Visit[FilesTarget]) -> Finding:
    """A throw-away user logs in by the form and sees their files."""
    web = visit.target.web
    with people(visit.target, visit.names, 1) as [person], visit.browser.tab() as tab:
        problems = look(tab, web, _LOGIN)
        pictures = [visit.album.keep("files-login", tab)]
        if not problems:
            fields = {_USER: person.client.user, _PASSWORD: person.password}
            problems = send_form(tab, fields) or look(tab, web, _FILES)
            pictures.append(visit.album.keep("files", tab))
        return describe_look(tab, problems, "logged in by the form; the list of files is shown", pictures)


def _share_with_user(owner: Client, other: Client, content: bytes) -> list[str]:
    shared = _share(owner, shareType=_WITH_USER, shareWith=other.user)
    if isinstance(shared, str):
        return [f"sharing with a user {shared}"]
    received = other.send("GET", other.path(_NAME))
    if received.status != 200:
        return [f"the other user's download answers {received.status}"]
    return [] if received.body == content else ["what the other user receives is not what was shared"]


def _share_by_link(target: FilesTarget, owner: Client, content: bytes) -> list[str]:
    password = secrets.token_urlsafe(24) + "aA1!"
    shared = _share(owner, shareType=_BY_LINK, password=password)
    if isinstance(shared, str):
        return [f"sharing by a link {shared}"]
    path = f"/public.php/dav/files/{quote(str(shared.get('token')))}/"
    guest = {"Authorization": basic("anonymous", password), "X-Requested-With": "XMLHttpRequest"}
    received = fetch(target.web, path, headers=guest)
    problems = []
    if received.status != 200:
        problems.append(f"the guest's download answers {received.status}")
    elif received.body != content:
        problems.append("what the guest receives is not what was shared")
    # Without a password rather than with a wrong one: Nextcloud slows down whoever guesses.
    stranger = fetch(target.web, path)
    if stranger.status < 300 or content in stranger.body:
        problems.append(f"without the link's password the download answers {stranger.status}")
    return problems


def _share(owner: Client, **form: str) -> dict[str, object] | str:
    """Share the file; return what is said of the share, or in words that it was refused."""
    answer = owner.ask("POST", _SHARES, {"path": f"/{_NAME}", "permissions": _READ_ONLY, **form})
    data = data_of(answer)
    if answer.status != 200 or not data:
        return f"answers {describe(answer)}"
    return data


FILES_PROMISES: tuple[Promise[Visit[FilesTarget]], ...] = (
    Promise(
        "USE-FILES-SHARE",
        "What one person shares, another one and a guest receive unchanged",
        "Upload 201; the second user and, with the link's password, a guest get the same bytes; nobody without it",
        "Look at nginx's and Nextcloud's logs for the request, and at the sharing settings.",
        check_sharing,
    ),
    Promise(
        "USE-FILES-PAGE",
        "People log in to files in a browser and see their files",
        "The form lets a throw-away user in, and the list of files is shown",
        "Look at the pictures and at what the browser complained about; run apply.",
        check_page,
    ),
)
