"""Whether people are served: a page of every service whose answer takes the whole way, asked as a browser asks it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass

import yaml
from stack.deployment import Deployment

from provisioner.checks.outside import WebTarget
from provisioner.checks.outside.http import fetch
from provisioner.checks.outside.promise import NoEvidence

HEALTHY_SECONDS = 60  # from a killed process, or a started machine, to health
# A path of each service whose answer takes the whole way, down to database and key-value store, and a pattern of it.
_PATHS = {
    "files": ("/login", b"<html"),
    "chat": ("/api/v4/system/ping?get_server_status=true", b'"database_status": ?"OK"'),
    "meet": ("/http-bind", b"<html"),
    "portal": ("/nl/", b"<html"),
}


@dataclass(frozen=True)
class Site:
    """A service as its users meet it, and a pattern of what it answers when it is well."""

    web: WebTarget
    path: str
    words: bytes

    def complaint(self) -> str:
        """Return what is wrong, or nothing."""
        try:
            answer = fetch(self.web, self.path)
        except NoEvidence as error:
            return str(error)
        well = answer.status == 200 and re.search(self.words, answer.body)
        return "" if well else f"{self.web.hostname}{self.path}: {answer.status} {answer.body[:200]!r}"


def sites_of(deployment: Deployment) -> list[Site]:
    """Return the sites of a deployment whose profile names a host for every service."""
    profile = yaml.safe_load((deployment.folder / "profile.yml").read_text())
    authority = deployment.root / "authority.pem"
    certificate = "/usr/local/share/ca-certificates/sovstack-internal.crt"
    machines = deployment.machines
    authority.write_text(machines[profile["portal"]["host"]].run(f"cat {certificate}"))
    services = profile["services"] | {
        "portal": profile["portal"] | {"hostname": profile["organisation"]["domain"]}
    }
    return [
        Site(
            WebTarget(services[name]["hostname"], machines[services[name]["host"]].address, authority),
            path,
            words,
        )
        for name, (path, words) in _PATHS.items()
    ]


def complaints_of(sites: list[Site]) -> list[str]:
    """Return what is wrong with the sites; nothing when all are well."""
    return [complaint for site in sites if (complaint := site.complaint())]


def require_health(deployment: Deployment, sites: list[Site]) -> None:
    """Wait until the sites are well, and have ``verify`` pass."""
    wait_until_well(lambda: complaints_of(sites))
    outcome = deployment.run("verify")
    assert outcome.exit_code == 0, "\n".join([*outcome.bad_checks(), outcome.log[-4000:]])


def wait_until_well(complaints: Callable[[], list[str]]) -> None:
    """Return when there are no complaints any more."""
    deadline = time.monotonic() + HEALTHY_SECONDS
    while found := complaints():
        assert time.monotonic() < deadline, f"not healthy after {HEALTHY_SECONDS} s: " + "; ".join(found)
        time.sleep(0.5)
