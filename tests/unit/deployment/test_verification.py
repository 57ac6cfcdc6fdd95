"""What ``verify`` looks at follows from the services that the profile has."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from provisioner import inventory
from provisioner.checks import infra, outside
from provisioner.deployment import verification
from provisioner.deployment.acceptance import Level
from provisioner.profile.load import read_content
from provisioner.profile.secrets import Secret

BASE = (Path(__file__).parents[2] / "cases/profile_base.yml").read_text()
FILES = "  files:\n    app: nextcloud\n    hostname: cloud.zonnedael.example\n"
CHAT = "  chat:\n    app: mattermost\n    hostname: chat.zonnedael.example\n"
SECRETS = {
    "nextcloud_admin_password": Secret("n"),
    "mattermost_admin_password": Secret("m"),
    "tls_ca_certificate": Secret("-----BEGIN CERTIFICATE-----\n"),
}


@pytest.fixture
def looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that takes the services of a profile and gives what is handed to the probes."""
    given: dict[str, Any] = {}

    def write(name: str, text: str) -> Path:
        (tmp_path / name).write_text(text)
        return tmp_path / name

    def run_infra(_tests: Path, machines: object, **_options: object) -> SimpleNamespace:
        given.update(machines=machines, loaded=given.get("loaded", 0) + 1)
        return SimpleNamespace(close=lambda: given.update(closed=given.get("closed", 0) + 1))

    monkeypatch.setattr(infra, "run", run_infra)
    monkeypatch.setattr(outside, "run", lambda **targets: given.update(targets))

    def look(services: str, loads: int = 0) -> dict[str, Any]:
        text = BASE.replace(FILES, services)
        profile = read_content("profile.yml", text.encode(), tmp_path).profile
        session = SimpleNamespace(
            profile=profile,
            content=SimpleNamespace(infra_tests=tmp_path),
            run=SimpleNamespace(directory=tmp_path, write=write),
        )
        release = inventory.ReleaseRef("1.0", "/cache/archive", "0" * 64)
        releases = {service.app: release for _, service in profile.services.placed()}
        built = inventory.build(profile, releases, deployment="zonnedael")
        values = {need: SECRETS[need] for need in SECRETS if need.partition("_")[0] in {*releases, "tls"}}
        vault: Any = SimpleNamespace(values=values)
        with verification.Verification(session, built, vault, Level.STANDARD) as checks:  # type: ignore[arg-type]
            verification._from_outside(session, checks._targets)  # type: ignore[arg-type]
            for _ in range(loads):
                checks.load()
        return given

    return look


@pytest.mark.parametrize(
    ("services", "hostnames"),
    [
        (FILES, ["cloud.zonnedael.example"]),
        (CHAT, ["chat.zonnedael.example"]),
        (FILES + CHAT, ["cloud.zonnedael.example", "chat.zonnedael.example"]),
    ],
    ids=["files", "chat", "both"],
)
def test_each_service_is_looked_at_from_outside(looked_at: Any, services: str, hostnames: list[str]) -> None:
    given = looked_at(services)
    assert [target.hostname for target in given["web"]] == hostnames
    assert [target.web.hostname for target in given["files"]] == [
        name for name in hostnames if "cloud" in name
    ]
    assert [target.web.hostname for target in given["chat"]] == [name for name in hostnames if "chat" in name]
    assert {target.address for target in given["web"]} == {"10.77.0.11"}
    assert all(target.ca_file.read_text().startswith("-----BEGIN") for target in given["web"])
    [host] = given["hosts"]
    assert host.open_ports == {22, 80, 443}


def test_chat_is_looked_at_as_its_own_administrator(looked_at: Any) -> None:
    [target] = looked_at(FILES + CHAT)["chat"]
    assert (target.user, target.password) == ("admin", Secret("m"))


@pytest.mark.parametrize(("asked", "loaded"), [(0, 0), (1, 1), (3, 1)])
def test_tests_of_the_hosts_are_loaded_once_and_ended(looked_at: Any, asked: int, loaded: int) -> None:
    given = looked_at(FILES, loads=asked)
    assert (given.get("loaded", 0), given.get("closed", 0)) == (loaded, loaded)
