"""``sovstack meet link``: a link on standard output, and reasons where there is none."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from provisioner.cli import run
from provisioner.errors import ExitCode
from provisioner.profile import read_profile
from provisioner.profile.secrets import SecretStore, VaultPassword

BASE = (Path(__file__).parents[2] / "cases/profile_base.yml").read_text()
MEET = BASE.replace("services:", "services:\n  meet: { app: jitsi, hostname: meet.zonnedael.example }")


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOVSTACK_TEST_VAULT_PASSWORD", "opens the vault")
    file = tmp_path / "zonnedael/profile.yml"
    file.parent.mkdir()
    file.write_text(MEET)
    return file


def make_secrets(file: Path) -> SecretStore:
    profile = read_profile(file).profile
    store = SecretStore(file.parent / "secrets.yml", VaultPassword(profile.secrets.vault_password))
    store.ensure(profile)
    return store


def test_the_link_is_all_of_standard_output(deployment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make_secrets(deployment)
    assert run(["meet", "link", str(deployment), "Raad-12", "--guest", "--valid", "90m"]) == ExitCode.DONE
    said = capsys.readouterr()
    (line,) = said.out.splitlines()
    assert urlsplit(line).netloc == "meet.zonnedael.example"
    assert "for a guest of raad-12, until " in said.err


def test_the_document_says_what_the_link_allows(deployment: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = make_secrets(deployment)
    arguments = ["meet", "link", str(deployment), "raad", "--name", "Jan", "--output", "json"]
    assert run(arguments) == ExitCode.DONE
    text = capsys.readouterr().out
    document = json.loads(text)
    assert {name: document[name] for name in ("format_version", "room", "moderator", "name")} == {
        "format_version": 1,
        "room": "raad",
        "moderator": True,
        "name": "Jan",
    }
    assert parse_qs(urlsplit(document["link"]).query)["jwt"]
    assert store.read()["jitsi_app_secret"].reveal() not in text


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["raad"], "no key for links yet"),
        (["a/b"], "is not the name of a room"),
        (["raad", "--valid", "8"], "write it as 90m, 8h or 7d"),
        (["raad", "--valid", "40d"], "31 days at most"),
    ],
)
def test_what_cannot_be_signed(
    deployment: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    assert run(["meet", "link", str(deployment), *arguments]) == ExitCode.USAGE
    assert said in capsys.readouterr().err


def test_a_deployment_without_meetings_has_no_links(
    deployment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    deployment.write_text(BASE)
    assert run(["meet", "link", str(deployment), "raad"]) == ExitCode.USAGE
    assert "zonnedael has no meetings" in capsys.readouterr().err
