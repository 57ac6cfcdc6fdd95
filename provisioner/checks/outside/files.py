"""A Nextcloud as its users meet it: status, log-in, a file there and back, background jobs.

The round trip is made as a user of its own that is created for it and removed after it, also when a probe
fails; what a killed run left behind is removed by the next one.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from provisioner.checks.outside.http import Response, fetch
from provisioner.checks.outside.nextcloud import (
    OWN_ACCOUNT,
    Client,
    data_of,
    remove_users,
    throw_away_user,
)
from provisioner.checks.outside.promise import Finding, NoEvidence, Promise, judge
from provisioner.checks.outside.target import WebTarget
from provisioner.checks.result import Verdict

USER_PREFIX = "sovstack-check-"
_LEFTOVER_SECONDS = 3600
_FILE_BYTES = 1024 * 1024
# The timer runs every five minutes; three missed runs are no accident.
_CRON_SECONDS = 15 * 60
_LAST_CRON = "/ocs/v2.php/apps/provisioning_api/api/v1/config/apps/core/lastcron"


@dataclass(frozen=True, slots=True)
class FilesTarget:
    """A Nextcloud, and an administrator's client, who may create the user that the round trip is made with."""

    web: WebTarget
    administrator: Client


def check_status(target: FilesTarget) -> Finding:
    """``status.php`` says: installed, not in maintenance, no upgrade pending."""
    response = fetch(target.web, "/status.php")
    try:
        status = json.loads(response.body)
    except ValueError:
        return Finding(Verdict.FAIL, f"status.php answers {response.status} without JSON")
    problems = [] if status.get("installed") is True else ["not installed"]
    problems += ["in maintenance mode"] if status.get("maintenance") is not False else []
    problems += ["needs a database upgrade"] if status.get("needsDbUpgrade") is not False else []
    return judge(problems, f"version {status.get('versionstring', '?')}, ready")


def check_login(target: FilesTarget) -> Finding:
    """The log-in page is shown and the administrator can log in.

    A wrong password is not tried: Nextcloud would slow down every later log-in from this address.
    """
    page = fetch(target.web, "/login")
    right = target.administrator.ask("GET", OWN_ACCOUNT)
    problems = []
    if page.status != 200 or b"login" not in page.body.lower():
        problems.append(f"/login answers {page.status}")
    if right.status != 200 or data_of(right).get("id") != target.administrator.user:
        problems.append(f"the administrator's log-in answers {right.status}")
    return judge(problems, "the page is shown and the administrator can log in")


def check_round_trip(target: FilesTarget) -> Finding:
    """A file of random bytes goes up over WebDAV, comes back the same, and is gone after its deletion."""
    content = secrets.token_bytes(_FILE_BYTES)
    with _user(target) as (client, complaint):
        path = client.path("sovstack check é.bin")
        steps = []

        def step(method: str, wanted: tuple[int, ...], body: bytes | None = None) -> Response:
            response = client.send(method, path, body)
            if response.status not in wanted:
                steps.append(f"{method} answers {response.status}")
            return response

        started = time.monotonic()
        step("PUT", (201,), content)
        if step("GET", (200,)).body != content:
            steps.append("what comes back is not what went up")
        step("DELETE", (204,))
        step("GET", (404,))
        seconds = time.monotonic() - started
    fine = f"{_FILE_BYTES} bytes up, down, compared and deleted in {seconds:.1f} s"
    if complaint and not steps:
        return Finding(Verdict.WARN, f"{complaint}; {fine}")
    return judge(steps, fine)


def check_stranger(target: FilesTarget) -> Finding:
    """Files are not shown without a log-in."""
    response = fetch(target.web, target.administrator.path(), method="PROPFIND", headers={"Depth": "0"})
    return Finding(
        Verdict.PASS if response.status == 401 else Verdict.FAIL, f"PROPFIND answers {response.status}"
    )


def check_background_jobs(target: FilesTarget) -> Finding:
    """The application itself says when its background jobs last ran."""
    response = target.administrator.ask("GET", _LAST_CRON)
    try:
        last = int(data_of(response).get("data", ""))
    except ValueError:
        if response.status != 200:
            raise NoEvidence(f"{_LAST_CRON} answers {response.status}") from None
        return Finding(Verdict.FAIL, "no background job has run yet")
    age = time.time() - last
    return Finding(Verdict.PASS if age < _CRON_SECONDS else Verdict.FAIL, f"last run {age:.0f} seconds ago")


@contextmanager
def _user(target: FilesTarget) -> Iterator[tuple[Client, str]]:
    """Have a user for the length of the block; give its client, and what went wrong with its creation, if anything."""
    remove_users(target.administrator, USER_PREFIX, _is_left_over)
    name = f"{USER_PREFIX}{int(time.time())}-{secrets.token_hex(4)}"
    with throw_away_user(target.administrator, name) as (client, _, complaint):
        yield client, complaint


def _is_left_over(user: str) -> bool:
    """Tell whether an interrupted run left a user behind; those of a run at this moment are younger."""
    made = user.removeprefix(USER_PREFIX).partition("-")[0]
    return made.isdecimal() and time.time() - int(made) > _LEFTOVER_SECONDS


FILES_PROMISES: tuple[Promise[FilesTarget], ...] = (
    Promise(
        "FILES-STATUS",
        "Nextcloud is installed and ready",
        "status.php: installed, no maintenance, no upgrade pending",
        "Look at /var/log/nextcloud and at `occ status` on the host; apply again.",
        check_status,
    ),
    Promise(
        "FILES-LOGIN",
        "Users can log in",
        "The log-in page is shown, and the administrator's password is accepted",
        "If the administrator's password was changed by hand, put the new one into the deployment's secrets.",
        check_login,
    ),
    Promise(
        "FILES-WEBDAV",
        "A user's file is stored and comes back unchanged",
        "Upload 201, download 200 with the same bytes, delete 204, then 404",
        "Look at nginx's and Nextcloud's logs for the request; check free space in the data directory.",
        check_round_trip,
    ),
    Promise(
        "FILES-AUTH",
        "Nobody sees files without logging in",
        "A WebDAV request without credentials answers 401",
        "Look for a proxy or an nginx location that answers in Nextcloud's place.",
        check_stranger,
    ),
    Promise(
        "FILES-CRON",
        "Background jobs run",
        f"The application's last run of background jobs is less than {_CRON_SECONDS} seconds ago",
        "systemctl list-timers nextcloud-cron.timer, and the journal of nextcloud-cron.service.",
        check_background_jobs,
    ),
)
