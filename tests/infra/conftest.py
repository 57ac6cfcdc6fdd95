"""Fixtures of the tests on hosts. The same files are run by molecule, by CI and by ``sovstack verify``."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NoReturn

import pytest
import yaml
from testinfra.host import Host

from provisioner.checks.marker import declare_not_applicable, require_identities

_ROLES = Path(__file__).parents[2] / "roles"
# Runs on the host, with URLS and HEADERS.
_FETCH = """
import json, urllib.error, urllib.request as web

def get(url):
    try:
        found = web.urlopen(web.Request(url, headers=HEADERS), timeout=20)
    except urllib.error.HTTPError as error:
        found = error
    except OSError as error:
        return 0, {}, str(error)
    headers = {name.lower(): value for name, value in found.headers.items()}
    return found.status, headers, found.read().decode(errors="replace")

print(json.dumps([get(url) for url in URLS]))
"""


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line(
        "markers", "check(id, title, grade, remedy, unit): the identity of a verification"
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    require_identities(item for item in items if here in item.path.parents)


@pytest.fixture(scope="session")
def role_defaults() -> dict[str, Any]:
    """The defaults of all roles, without those that are templates: only Ansible can fill these in."""
    defaults: dict[str, Any] = {}
    for path in sorted([*_ROLES.glob("*/defaults/main.yml"), *_ROLES.glob("*/defaults/main/*.yml")]):
        defaults |= yaml.safe_load(path.read_text()) or {}
    return {
        name: value for name, value in defaults.items() if "{{" not in str(value) and "{%" not in str(value)
    }


@pytest.fixture(scope="module")
def deployment(request: pytest.FixtureRequest, role_defaults: dict[str, Any]) -> dict[str, Any]:
    """The variables of the host under test: its inventory's over the roles' defaults."""
    if request.config.pluginmanager.has_plugin("provisioner.checks.plugin"):
        variables = request.getfixturevalue("inventory_variables")
    else:
        variables = request.getfixturevalue("host").ansible.get_variables()
    return role_defaults | variables


@pytest.fixture(scope="session")
def exposures() -> dict[tuple[str, str], float]:
    """What was measured in this session, by host and unit: many at a time take hardly longer than one."""
    return {}


@pytest.fixture(scope="module")
def exposures_of(
    host: Host, exposures: dict[tuple[str, str], float]
) -> Callable[[Iterable[str]], dict[str, float]]:
    """Measures how much of the host services could reach: systemd-analyze's exposure, 0 (shut in) to 10."""
    name = host.backend.get_pytest_id()

    def measure(units: Iterable[str]) -> dict[str, float]:
        wanted = list(units)
        if new := [unit for unit in wanted if (name, unit) not in exposures]:
            said = host.check_output(f"systemd-analyze security --no-pager {shlex.join(new)}")
            found = re.findall(r"exposure level for (\S+): ([0-9.]+)", said)
            assert sorted(unit for unit, _ in found) == sorted(new), said
            exposures.update({(name, unit): float(value) for unit, value in found})
        return {unit: exposures[name, unit] for unit in wanted}

    return measure


@pytest.fixture(scope="module")
def exposure(exposures_of: Callable[[Iterable[str]], dict[str, float]]) -> Callable[[str], float]:
    """Measures the exposure of one service."""
    return lambda unit: exposures_of([unit])[unit]


@pytest.fixture(scope="module")
def run_python(host: Host) -> Callable[..., Any]:
    """Runs a script on the host and gives what it prints as JSON; keywords become its constants.

    What is handed over before the script, such as classes that it uses, goes before the constants.
    """

    def run(script: str, library: str = "", **constants: object) -> Any:
        named = "".join(f"\n{name} = {value!r}" for name, value in constants.items())
        answer = host.run("python3 -c %s", f"{library}{named}\n{script}")
        if answer.failed:
            print(answer.stderr)  # whole, for who works on the script; pytest shows it beside the failure
            pytest.fail(answer.stderr.strip().rpartition("\n")[2])
        return json.loads(answer.stdout)

    return run


@pytest.fixture(scope="module")
def fetch_all(run_python: Callable[..., Any]) -> Callable[..., list[tuple[int, dict[str, str], str]]]:
    """Gets pages one after the other as the host itself sees them, in the time that it takes to get one.

    Each is status, headers and text, or 0 and the reason where nobody answers.
    """
    return lambda urls, **headers: [
        (status, received, text)
        for status, received, text in run_python(_FETCH, URLS=list(urls), HEADERS=headers)
    ]


@pytest.fixture(scope="module")
def fetch(
    fetch_all: Callable[..., list[tuple[int, dict[str, str], str]]],
) -> Callable[..., tuple[int, dict[str, str], str]]:
    """Gets one page as ``fetch_all`` does."""
    return lambda url, **headers: fetch_all([url], **headers)[0]


@pytest.fixture(scope="module")
def query(host: Host) -> Callable[..., str]:
    """Asks PostgreSQL over its socket, as root in the superuser's role; gives rows as lines, ``|`` between columns."""
    # Debian's psql is a script around it, which takes longer than the question.
    psql = host.check_output("ls /usr/lib/postgresql/*/bin/psql").splitlines()[-1]
    command = (
        f"{psql} --no-psqlrc --tuples-only --no-align"
        " --host=/run/postgresql --username=postgres --dbname=%s --command=%s"
    )
    return lambda statement, database="postgres": host.check_output(command, database, statement)


@pytest.fixture(scope="session")
def java_deadline() -> float:
    """When programs in Java have had their time to start and to log in, as ``time.monotonic`` counts.

    One for all tests of a session: where each waited in vain by itself, the session would not come to its end.
    """
    return time.monotonic() + 60


@pytest.fixture
def not_applicable() -> Callable[[str], NoReturn]:
    """Ends a test whose promise does not exist in this deployment: ``not_applicable("no ACME here")``."""
    return declare_not_applicable
