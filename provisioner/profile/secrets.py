"""The deployment's secrets: made once, kept in an ansible-vault file beside the profile.

``secrets.yml`` holds ``{stack_secrets: {name: value}}``, so that Ansible reads the same file by itself.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shlex
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from provisioner.errors import ProfileError
from provisioner.paths import write_private
from provisioner.profile import platform, values, vault
from provisioner.profile.model import Profile, VaultPasswordSource

FILE_NAME = "secrets.yml"
COMMAND_TIMEOUT_SECONDS = 60
_MAX_PASSWORD_BYTES = 4096


class Secret:
    """A text that shows itself only to ``reveal``: not in a log, a traceback, a report or a pickle."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """Return the text."""
        return self.__text

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, specification: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and secrets.compare_digest(
            self.__text.encode(), other.__text.encode()
        )

    def __hash__(self) -> int:
        return hash(self.__text)

    def __reduce__(self) -> str:
        raise TypeError("a secret is not written out")


@dataclass(frozen=True)
class VaultPassword:
    """The password of ``secrets.yml``, by where it comes from."""

    source: VaultPasswordSource

    def resolve(self) -> Secret:
        """Return the password.

        Raises:
            ProfileError: The file, command or variable does not give one.
        """
        if self.source.file is not None:
            return _password_from_file(Path(self.source.file))
        if self.source.command is not None:
            return _password_from_command(self.source.command)
        return _password_from_environment(self.source.env or "")

    @property
    def origin(self) -> str:
        """Where the password comes from, for messages."""
        if self.source.file is not None:
            return f"file {self.source.file}"
        return f"command {self.source.command}" if self.source.command else f"variable {self.source.env}"

    def missing_file(self) -> Path | None:
        """Return the password file that is named but does not exist yet."""
        if self.source.file is None or Path(self.source.file).exists():
            return None
        return Path(self.source.file)


def _one_line(text: str, origin: str) -> Secret:
    password = text.split("\n", 1)[0].strip()
    if not password:
        raise ProfileError(f"the vault password is empty: {origin}", hint="Its first line is the password.")
    return Secret(password)


def _password_from_file(path: Path) -> Secret:
    try:
        with path.open("rb") as stream:
            if os.fstat(stream.fileno()).st_mode & 0o007:
                raise ProfileError(
                    f"everybody on this computer may read the vault password file {path}",
                    hint=f"chmod 600 {path}",
                )
            content = stream.read(_MAX_PASSWORD_BYTES)
        return _one_line(content.decode(), f"file {path}")
    except UnicodeDecodeError:
        raise ProfileError(f"the vault password file {path} is not text") from None
    except OSError as error:
        raise ProfileError(
            f"cannot read the vault password file {path}: {error.strerror}",
            hint="Put the password there (mode 0600), or name another source in secrets.vault_password.",
        ) from None


def _password_from_command(command: str) -> Secret:
    try:
        arguments = shlex.split(command)
    except ValueError as error:
        raise ProfileError(f"secrets.vault_password.command cannot be split into words: {error}") from None
    try:
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ProfileError(
            f"the vault password command gave no answer in {COMMAND_TIMEOUT_SECONDS} seconds: {command}",
            hint="It gets no terminal to ask on; unlock the password store first.",
        ) from None
    except OSError as error:
        raise ProfileError(
            f"the vault password command cannot be run: {command}: {error.strerror}",
            hint=f"Install {arguments[0]} here, or name another source in secrets.vault_password."
            if isinstance(error, FileNotFoundError)
            else None,
        ) from None
    if done.returncode != 0:
        raise ProfileError(
            f"the vault password command ended with exit code {done.returncode}: {command}",
            details=done.stderr[-2000:].decode(errors="replace").strip() or None,
        )
    return _one_line(done.stdout.decode(errors="replace"), f"command {command}")


def _password_from_environment(name: str) -> Secret:
    if name not in os.environ:
        raise ProfileError(
            f"the environment variable {name} with the vault password is not set", hint=f"export {name}=..."
        )
    return _one_line(os.environ[name], f"environment variable {name}")


@dataclass(frozen=True)
class Need:
    """Secrets that come together, because they fit only each other.

    Attributes:
        names: Their names in ``stack_secrets``.
        generate: Makes their values, in the order of the names; None for what only somebody else can give.
        binding: Whether the values hold what the profile says, so that it has to be settled first.
    """

    names: tuple[str, ...]
    generate: Callable[[], tuple[str, ...]] | None
    binding: bool = False


def needs(profile: Profile) -> tuple[Need, ...]:
    """Return which secrets a profile needs."""
    wanted: list[Need] = []
    given: dict[str, None] = {}
    for _, service in profile.services.placed():
        wanted += [Need((name,), lambda: (generate_password(),)) for name in service.generated_secrets]
        given |= dict.fromkeys(service.secret_settings.values())
    wanted += [Need((name,), None, binding=True) for name in given]
    links = platform.links(profile)
    wanted += [Need((link.secret,), lambda: (generate_password(),)) for link in links]
    if any(link.part == "cache" for link in links):
        wanted.append(Need(("redis_operator_password",), lambda: (generate_password(),)))
    if platform.has_authority(profile):
        names = ("tls_ca_key", "tls_ca_certificate")
        wanted.append(Need(names, lambda: _create_authority(profile), binding=True))
    if profile.tls.issuer == "acme" and profile.tls.acme and profile.tls.acme.eab_key_id:
        wanted.append(Need(("tls_acme_eab_hmac_key",), None, binding=True))
    return tuple(wanted)


def generate_password() -> str:
    """Return 32 characters of letters, digits, - and _: 192 bits."""
    return secrets.token_urlsafe(24)


def _create_authority(profile: Profile) -> tuple[str, str]:
    from provisioner.profile import authority  # x509 costs 50 ms

    organisation = profile.organisation
    names = authority.permitted_names(organisation.domain, profile.hostnames())
    return authority.create(organisation.name, organisation.country, names)


@dataclass(frozen=True)
class SecretStore:
    """The secrets file of one deployment.

    Attributes:
        file: ``secrets.yml``; it need not exist yet.
        password: Where its password comes from.
    """

    file: Path
    password: VaultPassword

    def read(self) -> Mapping[str, Secret]:
        """Return what the file holds; nothing when there is no file.

        Raises:
            ProfileError: The password is missing or wrong, or the file is damaged.
        """
        try:
            text = self.file.read_text()
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise ProfileError(f"cannot read {self.file}", details=str(error)) from None
        if not vault.is_vault(text):
            raise ProfileError(
                f"{self.file} is not encrypted",
                hint=f"Encrypt it: ansible-vault encrypt {shlex.quote(str(self.file))}",
            )
        if missing := self.password.missing_file():
            raise ProfileError(
                f"{self.file} exists, but the file with its password does not: {missing}",
                hint="Bring the password file back. Without it the secrets are lost: remove secrets.yml to "
                "make new ones, and expect to set up again what was deployed with the old ones.",
            )
        return {name: Secret(value) for name, value in self._decrypt(text).items()}

    def _decrypt(self, text: str) -> Mapping[str, str]:
        try:
            content = yaml.safe_load(vault.decrypt(text, self.password.resolve().reveal()))
        except vault.VaultError as error:
            raise ProfileError(
                f"cannot open {self.file}: {error}",
                hint=f"The password is from {self.password.origin}: is it that of this deployment?",
            ) from None
        except yaml.YAMLError:
            content = None  # the parser's own message would show a piece of the secret
        held = content.get("stack_secrets") if isinstance(content, dict) else None
        if not isinstance(held, dict) or not all(
            isinstance(part, str) for item in held.items() for part in item
        ):
            raise ProfileError(f"{self.file} does not hold stack_secrets with texts")
        for name, value in held.items():
            self._refuse_expressions(name, value)
        return held

    def _refuse_expressions(self, name: str, value: str) -> None:
        # Ansible reads the file by itself, and takes what stands in it for its own words.
        try:
            values.refuse_expressions(value)
        except values.MalformedValue as error:
            raise ProfileError(
                f"{name} in {self.file} {error.message}",
                hint="Have another secret made, without {{, {% and {#, and write it there: "
                f"ansible-vault edit {shlex.quote(str(self.file))}",
            ) from None

    def ensure(self, profile: Profile) -> Mapping[str, Secret]:
        """Return the secrets that a profile needs; make and keep those that are missing.

        Several runs at once make each secret once. Nothing that exists is ever changed.

        Raises:
            ProfileError: As in ``read``; a secret is missing that only somebody else can give; or the
                authority does not permit one of the profile's host names.
        """
        wanted = needs(profile)
        held = self._complete(wanted)
        self._check_authority(profile, held)
        return {name: held[name] for need in wanted for name in need.names}

    def begin(self, profile: Profile) -> None:
        """Make the file with what does not depend on the profile's contents, which are still to be edited."""
        self._complete([need for need in needs(profile) if not need.binding])

    def _complete(self, wanted: Iterable[Need]) -> Mapping[str, Secret]:
        with self._locked():
            held = dict(self.read())
            made: dict[str, Secret] = {}
            for need in wanted:
                missing = [name for name in need.names if name not in held]
                if missing and need.generate is None:
                    raise ProfileError(
                        f"{self.file} lacks {missing[0]}",
                        hint=f"add it under stack_secrets: ansible-vault edit {shlex.quote(str(self.file))}",
                    )
                if missing and need.generate:
                    made |= zip(need.names, map(Secret, need.generate()), strict=True)
            if made:
                self._write(held | made)
            return held | made

    def _check_authority(self, profile: Profile, held: Mapping[str, Secret]) -> None:
        if not platform.has_authority(profile):
            return
        wanted = (
            *(profile.hostnames() if profile.tls.issuer == "internal" else ()),
            *platform.internal_names(profile),
        )
        from provisioner.profile import authority  # x509 costs 50 ms

        certificate = held["tls_ca_certificate"].reveal()
        if missing := authority.uncovered_names(certificate, wanted):
            raise ProfileError(
                f"the deployment's certificate authority may not sign for {missing[0]}: it was made earlier",
                hint=f"Take tls_ca_key and tls_ca_certificate out with `ansible-vault edit {self.file}`; "
                "the next run makes a new authority, which people's computers must be given again.",
            )

    def _write(self, secrets_by_name: Mapping[str, Secret]) -> None:
        if missing := self.password.missing_file():
            _make_password(missing)
        content = {
            "stack_secrets": {name: secret.reveal() for name, secret in sorted(secrets_by_name.items())}
        }
        text = vault.encrypt(yaml.safe_dump(content, sort_keys=False), self.password.resolve().reveal())
        try:
            write_private(self.file, text)
        except OSError as error:
            raise ProfileError(f"cannot write {self.file}", details=str(error)) from None

    @contextmanager
    def _locked(self) -> Iterator[None]:
        # The folder is what is locked: a lock file would lie between the hand-written input.
        try:
            folder = os.open(self.file.parent, os.O_RDONLY | os.O_DIRECTORY)
        except OSError as error:
            raise ProfileError(f"cannot open the folder {self.file.parent}", details=str(error)) from None
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            yield
        finally:
            os.close(folder)


def _make_password(path: Path) -> None:
    """Make a password file unless somebody was faster: two deployments may name the same one."""
    own = path.with_name(f".{path.name}.{os.getpid()}-{secrets.token_hex(4)}")
    try:
        write_private(own, generate_password() + "\n")
        try:
            with suppress(FileExistsError):
                path.hardlink_to(own)
        finally:
            own.unlink()
    except OSError as error:
        raise ProfileError(f"cannot write {path}", details=str(error)) from None
