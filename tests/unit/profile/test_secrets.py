"""Secrets are made once, never shown, and never lost by accident."""

from __future__ import annotations

import os
import pickle
import re
import shlex
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml

from provisioner.errors import ProfileError
from provisioner.profile import Profile, values, vault
from provisioner.profile import secrets as profile_secrets
from provisioner.profile.load import read_content
from provisioner.profile.model import VaultPasswordSource
from provisioner.profile.secrets import Secret, SecretStore, VaultPassword

BASE = (Path(__file__).parents[2] / "cases/profile_base.yml").read_text()
ALL = {"nextcloud_admin_password", "tls_ca_key", "tls_ca_certificate"}
CANARY = "canary-2f9a"


def profile(text: str = BASE) -> Profile:
    return read_content("profile.yml", text.encode(), Path("/srv/zonnedael")).profile


@pytest.fixture
def store(tmp_path: Path) -> SecretStore:
    source = VaultPasswordSource(file=str(tmp_path / "keys/password"))
    return SecretStore(tmp_path / "secrets.yml", VaultPassword(source))


def mode(path: Path | None) -> int:
    assert path is not None
    return stat.S_IMODE(path.stat().st_mode)


def password_file(store: SecretStore) -> Path:
    return Path(store.password.source.file or "")


class TestSecret:
    def test_it_shows_itself_to_reveal_only(self) -> None:
        secret = Secret(CANARY)
        shown = f"{secret} {secret!r} {secret!s:>20} {[secret]} { ({'a': secret}) }" + "".join(
            map(str, [secret])
        )
        assert CANARY not in shown
        assert "***" in shown
        assert secret.reveal() == CANARY

    def test_it_is_not_pickled(self) -> None:
        with pytest.raises(TypeError):
            pickle.dumps(Secret(CANARY))

    def test_it_has_no_dict_to_be_dumped(self) -> None:
        assert not hasattr(Secret(CANARY), "__dict__")

    def test_equality(self) -> None:
        assert Secret("a") == Secret("a")
        assert Secret("a") != Secret("b")
        assert Secret("a") != "a"
        assert len({Secret("a"), Secret("a")}) == 1


class TestVaultPassword:
    def resolve(self, **source: str) -> str:
        return VaultPassword(VaultPasswordSource(**source)).resolve().reveal()

    def write(self, path: Path, content: bytes, permissions: int = 0o600) -> str:
        path.write_bytes(content)
        path.chmod(permissions)
        return str(path)

    def test_file(self, tmp_path: Path) -> None:
        assert self.resolve(file=self.write(tmp_path / "p", b" word \nsecond line\n")) == "word"

    @pytest.mark.parametrize(
        ("content", "message"), [(b"", "empty"), (b"\nword\n", "empty"), (b"\xff\xfe", "not text")]
    )
    def test_file_without_a_password(self, tmp_path: Path, content: bytes, message: str) -> None:
        with pytest.raises(ProfileError, match=message):
            self.resolve(file=self.write(tmp_path / "p", content))

    def test_file_that_is_missing_or_a_folder(self, tmp_path: Path) -> None:
        for path in (tmp_path / "none", tmp_path):
            with pytest.raises(ProfileError, match=str(path)):
                self.resolve(file=str(path))

    def test_file_that_everybody_reads(self, tmp_path: Path) -> None:
        with pytest.raises(ProfileError, match="everybody") as caught:
            self.resolve(file=self.write(tmp_path / "p", b"word", 0o604))
        assert "chmod 600" in (caught.value.hint or "")

    def test_command_runs_without_a_shell(self) -> None:
        assert self.resolve(command="printf '%s\\n' 'a $HOME; b'") == "a $HOME; b"

    @pytest.mark.parametrize(
        ("command", "message"),
        [
            ("false", "exit code 1"),
            ("/nonexistent/program", "cannot be run"),
            ("'open quote", "split into words"),
            ("true", "empty"),
        ],
    )
    def test_command_that_fails(self, command: str, message: str) -> None:
        with pytest.raises(ProfileError, match=message):
            self.resolve(command=command)

    def test_command_that_is_not_installed(self) -> None:
        with pytest.raises(ProfileError) as caught:
            self.resolve(command="no-such-password-manager show x")
        assert (caught.value.hint or "").startswith("Install no-such-password-manager here")

    def test_command_says_why_it_failed(self) -> None:
        script = shlex.join([sys.executable, "-c", "import sys; sys.exit('the store is locked')"])
        with pytest.raises(ProfileError) as caught:
            self.resolve(command=script)
        assert caught.value.details == "the store is locked"

    def test_command_that_waits(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(profile_secrets, "COMMAND_TIMEOUT_SECONDS", 0.2)
        with pytest.raises(ProfileError, match="no answer"):
            self.resolve(command="sleep 30")

    def test_command_cannot_ask(self) -> None:
        with pytest.raises(ProfileError, match="empty"):
            self.resolve(command="cat")  # standard input is at its end

    def test_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("THE_PASSWORD", "word")
        assert self.resolve(env="THE_PASSWORD") == "word"
        monkeypatch.delenv("THE_PASSWORD")
        with pytest.raises(ProfileError, match="THE_PASSWORD"):
            self.resolve(env="THE_PASSWORD")


class TestSecretStore:
    def test_makes_what_is_needed_once(self, store: SecretStore) -> None:
        made = store.ensure(profile())
        assert set(made) == ALL
        before = store.file.read_bytes()
        assert store.ensure(profile()) == made
        assert store.file.read_bytes() == before
        assert mode(store.file) == 0o600
        assert mode(password_file(store)) == 0o600
        assert mode(password_file(store).parent) == 0o700

    def test_the_file_shows_no_secret(self, store: SecretStore) -> None:
        made = store.ensure(profile())
        content = store.file.read_text()
        assert vault.is_vault(content)
        assert not any(secret.reveal() in content for secret in made.values())

    def test_ansible_reads_stack_secrets(self, store: SecretStore) -> None:
        made = store.ensure(profile())
        program = Path(sys.executable).with_name("ansible-vault")
        command = [program, "view", "--vault-password-file", password_file(store), store.file]
        shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert yaml.safe_load(shown) == {"stack_secrets": {n: s.reveal() for n, s in made.items()}}

    def test_adds_only_what_is_missing(self, store: SecretStore) -> None:
        store.begin(profile())
        first = store.read()
        assert set(first) == {"nextcloud_admin_password"}
        assert store.ensure(profile())["nextcloud_admin_password"] == first["nextcloud_admin_password"]

    def test_keeps_what_is_not_needed(self, store: SecretStore) -> None:
        store.ensure(profile())
        provided = "tls: { issuer: provided, provided: { certificate_file: a, key_file: b } }\n"
        assert set(store.ensure(profile(BASE + provided))) == {"nextcloud_admin_password"}
        assert set(store.read()) == ALL

    def test_password_lost(self, store: SecretStore) -> None:
        store.ensure(profile())
        password_file(store).unlink()
        before = store.file.read_bytes()
        with pytest.raises(ProfileError, match="its password does not") as caught:
            store.ensure(profile())
        assert "Bring the password file back" in (caught.value.hint or "")
        assert store.file.read_bytes() == before
        assert not password_file(store).exists()

    def test_password_changed(self, store: SecretStore) -> None:
        store.ensure(profile())
        before = store.file.read_bytes()
        password_file(store).write_text("another\n")
        with pytest.raises(ProfileError, match="password is not the one") as caught:
            store.ensure(profile())
        assert f"from file {password_file(store)}" in (caught.value.hint or "")
        assert store.file.read_bytes() == before

    def test_password_file_alone_is_used(self, store: SecretStore) -> None:
        password_file(store).parent.mkdir()
        password_file(store).write_text("mine\n")
        password_file(store).chmod(0o600)
        store.ensure(profile())
        assert password_file(store).read_text() == "mine\n"
        assert vault.decrypt(store.file.read_text(), "mine")

    def test_password_by_variable_is_never_made(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("NOT_SET", raising=False)
        store = SecretStore(tmp_path / "secrets.yml", VaultPassword(VaultPasswordSource(env="NOT_SET")))
        with pytest.raises(ProfileError, match="NOT_SET"):
            store.ensure(profile())
        assert not store.file.exists()

    @pytest.mark.parametrize(
        "content",
        [
            "",
            "- a",
            "stack_secrets: 1",
            "stack_secrets: {a: 1}",
            "a: b",
            f"{CANARY}: [",
            "stack_secrets: {a: {b: c}}",
        ],
    )
    def test_vault_with_other_content(self, store: SecretStore, content: str) -> None:
        store.ensure(profile())
        store.file.write_text(vault.encrypt(content, store.password.resolve().reveal()))
        with pytest.raises(ProfileError, match="does not hold stack_secrets") as caught:
            store.ensure(profile())
        assert CANARY not in str(vars(caught.value))

    @pytest.mark.parametrize("sign", ["{{", "{%", "{#"])
    def test_what_ansible_would_evaluate_is_refused(self, store: SecretStore, sign: str) -> None:
        made = store.ensure(profile())
        held = {name: secret.reveal() for name, secret in made.items()} | {"a_password": f"{CANARY}{sign}x"}
        text = yaml.safe_dump({"stack_secrets": held})
        store.file.write_text(vault.encrypt(text, store.password.resolve().reveal()))
        with pytest.raises(ProfileError, match=rf"^a_password in .* holds {re.escape(sign)}") as caught:
            store.ensure(profile())
        assert f"ansible-vault edit {store.file}" in (caught.value.hint or "")
        assert CANARY not in str(vars(caught.value))

    def test_nothing_that_is_made_could_be_evaluated(self, store: SecretStore) -> None:
        for secret in store.ensure(profile()).values():
            values.refuse_expressions(secret.reveal())
        assert all(re.fullmatch(r"[A-Za-z0-9_-]{32}", profile_secrets.generate_password()) for _ in range(99))

    @pytest.mark.parametrize(
        "content", [b"stack_secrets: {a: b}\n", b"", b"\xff\xfe\x00", b"$ANSIBLE_VAULT;9;X\n00\n"]
    )
    def test_file_that_is_no_vault(self, store: SecretStore, content: bytes) -> None:
        store.ensure(profile())
        store.file.write_bytes(content)
        with pytest.raises(ProfileError, match=r"secrets\.yml"):
            store.ensure(profile())
        assert store.file.read_bytes() == content

    def test_a_name_that_the_authority_may_not_sign_for(self, store: SecretStore) -> None:
        store.ensure(profile())
        moved = BASE.replace("cloud.zonnedael.example", "cloud.elders.example")
        with pytest.raises(ProfileError, match="may not sign for cloud"):
            store.ensure(profile(moved))

    def test_a_secret_that_somebody_else_gives(self, store: SecretStore) -> None:
        acme = "tls: { issuer: acme, acme: { directory_url: 'https://ca.example/d', eab_key_id: k } }\n"
        store.begin(profile(BASE + acme))
        with pytest.raises(ProfileError, match="lacks tls_acme_eab_hmac_key") as caught:
            store.ensure(profile(BASE + acme))
        assert "ansible-vault edit" in (caught.value.hint or "")
        held = {name: secret.reveal() for name, secret in store.read().items()} | {
            "tls_acme_eab_hmac_key": "x"
        }
        text = yaml.safe_dump({"stack_secrets": held})
        store.file.write_text(vault.encrypt(text, store.password.resolve().reveal()))
        assert store.ensure(profile(BASE + acme))["tls_acme_eab_hmac_key"].reveal() == "x"

    def test_secret_settings_are_given_by_somebody_else(self, store: SecretStore) -> None:
        wanted = BASE.replace(
            "app: nextcloud",
            "app: nextcloud\n    secret_settings: { mail_smtppassword: nextcloud_mail_password }",
        )
        with pytest.raises(ProfileError, match="lacks nextcloud_mail_password"):
            store.ensure(profile(wanted))

    def test_many_runs_at_once_make_each_secret_once(self, store: SecretStore) -> None:
        with ThreadPoolExecutor(8) as pool:
            results = list(pool.map(lambda _: store.ensure(profile()), range(8)))
        assert all(result == results[0] for result in results)

    def test_deployments_that_share_a_password_file_make_it_once(self, tmp_path: Path) -> None:
        source = VaultPasswordSource(file=str(tmp_path / "keys/password"))
        stores = []
        for number in range(8):
            (tmp_path / str(number)).mkdir()
            stores.append(SecretStore(tmp_path / str(number) / "secrets.yml", VaultPassword(source)))
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda store: store.ensure(profile()), stores))
        assert all(set(store.read()) == ALL for store in stores)
        assert [path.name for path in (tmp_path / "keys").iterdir()] == ["password"]

    def test_folder_that_is_missing(self, tmp_path: Path) -> None:
        source = VaultPasswordSource(file=str(tmp_path / "p"))
        with pytest.raises(ProfileError, match="cannot open the folder"):
            SecretStore(tmp_path / "none/secrets.yml", VaultPassword(source)).ensure(profile())

    def test_failed_write_leaves_what_was_there(
        self, store: SecretStore, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store.begin(profile())
        before = store.file.read_bytes()

        def fail(*_: object) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(os, "fsync", fail)
        with pytest.raises(ProfileError, match="cannot write") as caught:
            store.ensure(profile())
        assert "No space left" in (caught.value.details or "")
        assert store.file.read_bytes() == before
        assert sorted(path.name for path in store.file.parent.iterdir()) == ["keys", "secrets.yml"]


def test_generated_passwords_are_long_and_differ() -> None:
    made = {profile_secrets.generate_password() for _ in range(100)}
    assert len(made) == 100
    assert all(len(password) >= 32 and password.isascii() for password in made)
