"""A new deployment: its folder, a commented profile that is valid as it stands, and its secrets."""

from __future__ import annotations

import json
import re
import shutil
import string
from dataclasses import dataclass
from pathlib import Path

from provisioner.errors import ProvisionerError, UsageError
from provisioner.paths import config_dir
from provisioner.profile import document, secrets, values
from provisioner.profile.load import FILE_NAME, ProfileReading, read_content
from provisioner.profile.problem import InvalidProfile, Problem, Severity
from provisioner.releases.catalogue import Catalogue

_TEMPLATE = Path(__file__).with_name("template.yml")
_PLAIN = re.compile(r"[A-Za-z0-9~/][A-Za-z0-9 ./@_-]*\Z")


@dataclass(frozen=True)
class Answers:
    """What a new profile begins with. The defaults are placeholders that are valid and reach nobody."""

    name: str = "Gemeente Zonnedael"
    domain: str = "zonnedael.example"
    country: str = "NL"
    contact: str | None = None  # ict@ the domain
    users: int = 180
    level: str = "eu-owned"
    address: str = "192.0.2.10"
    provider: str = "on-premise"
    location: str | None = None  # the organisation's country
    hostname: str | None = None  # cloud. the domain


@dataclass(frozen=True)
class Scaffold:
    """What was written for a new deployment."""

    profile: Path
    secrets: Path
    password_file: Path
    warnings: tuple[Problem, ...]


def create(deployment: str, answers: Answers, inventories: Path = Path("inventories")) -> Scaffold:
    """Write ``inventories/<deployment>/`` with profile and secrets, and the password file if there is none.

    Raises:
        UsageError: The name or an answer is not usable, or the deployment exists already.
        ProvisionerError: A file cannot be written.
    """
    try:
        values.check_label(deployment)
    except values.MalformedValue as error:
        raise UsageError(f"{deployment!r} {error.message}", hint=error.hint) from None
    folder = inventories / deployment
    password_file = config_dir() / f"{deployment}.vault-password"
    reading = _check(folder, render(deployment, answers, password_file))
    if folder.exists():
        raise UsageError(f"{folder} exists already", hint="choose another name, or remove it first")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir()  # refuses a folder that somebody made in the meantime
    except OSError as error:
        raise ProvisionerError(f"cannot make {folder}", details=str(error)) from None
    try:
        (folder / FILE_NAME).write_text(render(deployment, answers, password_file), encoding="utf-8")
        store = secrets.SecretStore(
            folder / secrets.FILE_NAME, secrets.VaultPassword(reading.profile.secrets.vault_password)
        )
        store.begin(reading.profile)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise ProvisionerError(f"cannot write to {folder}", details=str(error)) from None
        raise
    return Scaffold(folder / FILE_NAME, store.file, password_file, reading.warnings)


def render(deployment: str, answers: Answers, password_file: Path) -> str:
    """Return the text of a new profile."""
    template = string.Template(_TEMPLATE.read_text(encoding="utf-8"))
    texts = {
        "deployment": deployment,
        "name": answers.name,
        "domain": answers.domain,
        "country": answers.country,
        "contact": answers.contact or f"ict@{answers.domain}",
        "level": answers.level,
        "address": answers.address,
        "provider": answers.provider,
        "location": answers.location or answers.country,
        "hostname": answers.hostname or f"cloud.{answers.domain}",
        "version": Catalogue.load().release("nextcloud").version,
        "chat_hostname": f"chat.{answers.domain}",
        "chat_version": Catalogue.load().release("mattermost").version,
        "site_name": answers.name,
        "meet_hostname": f"meet.{answers.domain}",
        "meet_version": Catalogue.load().release("jitsi").version,
        "turn_hostname": f"turn.{answers.domain}",
        "password_file": _under_home(password_file),
    }
    scalars = {key: _scalar(text) for key, text in texts.items()}
    return template.substitute(scalars, users=answers.users)


def _check(folder: Path, text: str) -> ProfileReading:
    try:
        return read_content(
            str(folder / FILE_NAME), text.encode("utf-8", "surrogateescape"), folder.absolute()
        )
    except InvalidProfile as error:
        first = next(problem for problem in error.problems if problem.severity is Severity.ERROR)
        raise UsageError(f"{first.path}: {first.message}", hint=first.hint or None) from None


def _scalar(text: str) -> str:
    """Return a text as a YAML scalar: plain where that reads back as the same text, else in quotes."""
    plain = _PLAIN.match(text) and text == text.strip() and document.reads_as_text(text)
    return text if plain else json.dumps(text, ensure_ascii=False)


def _under_home(path: Path) -> str:
    try:
        return f"~/{path.relative_to(Path.home())}"
    except ValueError:
        return str(path)
