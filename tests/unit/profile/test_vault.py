"""The vault format is Ansible's: each side reads what the other wrote."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from provisioner.profile import vault

ANSIBLE_VAULT = Path(sys.executable).with_name("ansible-vault")
TEXT = "stack_secrets:\n  a: é ✓ trailing\n" + "x" * 500 + "\n"


def run_ansible_vault(verb: str, file: Path, password: str) -> subprocess.CompletedProcess[str]:
    password_file = file.with_suffix(".password")
    password_file.write_text(password + "\n")
    command = [ANSIBLE_VAULT, verb, "--vault-password-file", password_file, file]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_ansible_reads_what_is_written_here(tmp_path: Path) -> None:
    file = tmp_path / "secrets.yml"
    file.write_text(vault.encrypt(TEXT, "pass wörd"))
    assert run_ansible_vault("view", file, "pass wörd").stdout == TEXT


def test_what_ansible_writes_is_read_here(tmp_path: Path) -> None:
    file = tmp_path / "secrets.yml"
    file.write_text(TEXT)
    assert run_ansible_vault("encrypt", file, "pass wörd").returncode == 0
    assert vault.is_vault(file.read_text())
    assert vault.decrypt(file.read_text(), "pass wörd") == TEXT


def test_a_labelled_vault_is_read() -> None:
    labelled = vault.encrypt(TEXT, "p").replace(";1.1;AES256", ";1.2;AES256;prod", 1)
    assert vault.decrypt(labelled, "p") == TEXT


@settings(max_examples=30)
@given(st.text(max_size=100), st.text(min_size=1, max_size=40))
def test_round_trip(text: str, password: str) -> None:
    assert vault.decrypt(vault.encrypt(text, password), password) == text


def test_no_two_vaults_are_equal() -> None:
    assert vault.encrypt("a", "p") != vault.encrypt("a", "p")


def test_another_password_is_refused() -> None:
    with pytest.raises(vault.VaultError, match="password"):
        vault.decrypt(vault.encrypt("a", "p"), "q")


@settings(max_examples=60)
@given(st.data())
def test_a_changed_vault_gives_no_other_text(data: st.DataObject) -> None:
    sealed = vault.encrypt("the text", "p")
    header = sealed.index("\n") + 1
    places = [place for place in range(header, len(sealed)) if sealed[place] != "\n"]
    place = data.draw(st.sampled_from(places))
    digit = data.draw(st.sampled_from([d for d in "0123456789abcdefz\u00e9 " if d != sealed[place]]))
    try:
        text = vault.decrypt(sealed[:place] + digit + sealed[place + 1 :], "p")
    except vault.VaultError:
        return
    # 61 for 41 in the outer layer makes an `A` of an `a` in the inner one: the same hexadecimal number.
    assert text == "the text"


def test_a_damaged_vault_is_refused() -> None:
    sealed = vault.encrypt("the text", "p")
    for damaged in (
        sealed[:-20],
        sealed[:-2],
        sealed.replace("3", "7"),
        sealed + "00",
        sealed.split("\n")[0],
    ):
        with pytest.raises(vault.VaultError):
            vault.decrypt(damaged, "p")


@given(st.text(max_size=200))
def test_any_text_is_refused(text: str) -> None:
    for tried in (text, "$ANSIBLE_VAULT;1.1;AES256\n" + text):
        with pytest.raises(vault.VaultError):
            vault.decrypt(tried, "p")
