"""The base role's modules for packages and for Java's trust: answers for debconf, and a store that Java reads."""

from __future__ import annotations

import base64
import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[3]


def load(path: str) -> ModuleType:
    """Import a file that is in no package."""
    name = Path(path).stem
    spec = importlib.util.spec_from_file_location(name, CHECKOUT / path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


package = load("roles/base/library/deb_installed.py")
truststore = load("roles/base/library/java_truststore.py")
# The double's reader is another program's view of the same format.
reader = load("tests/doubles/jitsi/lib/jitsi_double/keystore.py")


def pem(content: bytes) -> str:
    body = base64.encodebytes(content).decode()
    return f"-----BEGIN CERTIFICATE-----\n{body}-----END CERTIFICATE-----\n"


def test_answers_keep_their_blanks_and_quotes() -> None:
    lines = package.selection_lines(
        "jicofo",
        {
            "jicofo/jicofo-authpassword": {"type": "password", "value": 'it\'s a "long" one'},
            "jitsi-meet/jaas-choice": {"type": "boolean", "value": False},
        },
    )
    assert lines == (
        'jicofo jicofo/jicofo-authpassword password it\'s a "long" one\n'
        "jicofo jitsi-meet/jaas-choice boolean false\n"
    )


def test_answer_of_two_lines_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="jicofo/jicofo-authpassword has more than one line") as refusal:
        package.selection_lines(
            "jicofo", {"jicofo/jicofo-authpassword": {"type": "password", "value": "a\nb"}}
        )
    assert "a\nb" not in str(refusal.value)


def test_trust_store_holds_the_certificates_in_order(tmp_path: Path) -> None:
    store = tmp_path / "truststore.jks"
    certificates = [b"first" * 40, b"second" * 30]
    store.write_bytes(truststore.keystore(truststore.decoded(["".join(map(pem, certificates))])))
    assert reader.certificates(store, "changeit") == [pem(content) for content in certificates]


def test_same_certificates_give_the_same_store() -> None:
    assert truststore.keystore([b"one"]) == truststore.keystore([b"one"])
    assert truststore.keystore([b"one"]) != truststore.keystore([b"other"])


def test_altered_store_is_refused(tmp_path: Path) -> None:
    store = tmp_path / "truststore.jks"
    store.write_bytes(truststore.keystore([b"certificate"]).replace(b"certificate", b"certificatE"))
    with pytest.raises(reader.KeystoreError, match="tampered"):
        reader.certificates(store, "changeit")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no certificate"),
        ("-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----", "damaged"),
    ],
)
def test_text_without_a_certificate_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        truststore.decoded([text])


class Apt:
    """Stands in for a module on a host: apt can do a dry run without package lists, or cannot."""

    def __init__(self, folder: Path, *, needs_lists: bool) -> None:
        self.params = {
            "name": "jicofo",
            "version": "1.0",
            "sha256": "0" * 64,
            "selections": {},
            "without": [],
        }
        self.tmpdir = str(folder)
        self._needs_lists = needs_lists
        self.calls: list[tuple[bool, bool]] = []  # a dry run; with the host's own package lists

    def run_command(self, command: list[str], **options: Any) -> tuple[int, str, str]:
        """Answer as the program would."""
        if command[0] == "dpkg-query":
            return 1, "", "no packages found"
        assert command[0] == "apt-get"
        with_lists = "Dir::State::Lists" not in Path(options["environ_update"]["APT_CONFIG"]).read_text()
        self.calls.append(("--simulate" in command, with_lists))
        return (0 if with_lists or not self._needs_lists else 100), "", ""


@pytest.mark.parametrize("needs_lists", [False, True])
def test_apt_reads_its_lists_only_where_a_dependency_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, needs_lists: bool
) -> None:
    monkeypatch.setattr(package, "STAMPS", tmp_path / "stamps")
    monkeypatch.setattr(package, "UPDATES", tmp_path / "updates")
    host = Apt(tmp_path, needs_lists=needs_lists)
    package.Package(host).install(tmp_path / "jicofo.deb")
    assert host.calls == [(True, False), (False, needs_lists)]
    assert (tmp_path / "stamps/jicofo").read_text() == f"1.0 {'0' * 64}\n"
