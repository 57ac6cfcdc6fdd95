"""Detached signatures, checked by the real gpgv with keys made for the test."""

from __future__ import annotations

from pathlib import Path

import pytest
from doubles.vendor import Signer

from provisioner.errors import ReleaseNotTrusted
from provisioner.releases.openpgp import verify


@pytest.fixture(scope="module")
def signer(tmp_path_factory: pytest.TempPathFactory) -> Signer:
    return Signer(tmp_path_factory.mktemp("gpg") / "vendor")


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "archive"
    path.write_bytes(b"a release")
    return path


@pytest.mark.parametrize("armoured", [True, False])
def test_a_subkey_of_the_pinned_key_signs(
    signer: Signer, archive: Path, tmp_path: Path, armoured: bool
) -> None:
    key = signer.export(tmp_path / "key", armoured=armoured)
    assert verify(archive, signer.sign(archive), key, signer.fingerprint) == signer.subkey_fingerprint


def test_a_primary_key_signs_for_itself(archive: Path, tmp_path: Path) -> None:
    signer = Signer(tmp_path / "plain", subkey=False)
    key = signer.export(tmp_path / "key")
    assert verify(archive, signer.sign(archive), key, signer.fingerprint) == signer.fingerprint


def test_a_subkey_is_not_pinned_in_the_primary_keys_place(
    signer: Signer, archive: Path, tmp_path: Path
) -> None:
    key = signer.export(tmp_path / "key")
    with pytest.raises(ReleaseNotTrusted, match="not by the vendor's key"):
        verify(archive, signer.sign(archive), key, signer.subkey_fingerprint)


def test_another_key_in_the_same_file_counts_for_nothing(
    signer: Signer, archive: Path, tmp_path: Path
) -> None:
    other = Signer(tmp_path / "other", "vendor@example.org")
    ring = tmp_path / "ring"
    ring.write_bytes(
        signer.export(tmp_path / "1", armoured=False).read_bytes()
        + other.export(tmp_path / "2", armoured=False).read_bytes()
    )
    with pytest.raises(ReleaseNotTrusted, match=f"not by the vendor's key {signer.fingerprint}"):
        verify(archive, other.sign(archive), ring, signer.fingerprint)


def test_a_key_that_is_not_in_the_file_is_not_fetched(signer: Signer, archive: Path, tmp_path: Path) -> None:
    other = Signer(tmp_path / "other")
    key = other.export(tmp_path / "key")
    with pytest.raises(ReleaseNotTrusted, match="not by the vendor's key"):
        verify(archive, signer.sign(archive), key, signer.fingerprint)


def test_an_altered_file_is_not_what_was_signed(signer: Signer, archive: Path, tmp_path: Path) -> None:
    signature = signer.sign(archive)
    archive.write_bytes(b"a releasE")
    with pytest.raises(ReleaseNotTrusted, match="not of this file"):
        verify(archive, signature, signer.export(tmp_path / "key"), signer.fingerprint)


def test_an_expired_key_is_said(archive: Path, tmp_path: Path) -> None:
    signer = Signer(tmp_path / "expired", subkey=False, clock="20200101T000000", validity="1d")
    signature = signer.sign(archive)
    with pytest.raises(ReleaseNotTrusted, match="key of its signature has expired"):
        verify(archive, signature, signer.export(tmp_path / "key"), signer.fingerprint)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a key",
        b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n%%%%\n-----END PGP PUBLIC KEY BLOCK-----\n",
    ],
)
def test_what_is_no_key_verifies_nothing(
    signer: Signer, archive: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "key").write_bytes(content)
    with pytest.raises(ReleaseNotTrusted):
        verify(archive, signer.sign(archive), tmp_path / "key", signer.fingerprint)


@pytest.mark.parametrize("content", [b"", b"not a signature"])
def test_what_is_no_signature_verifies_nothing(
    signer: Signer, archive: Path, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "asc").write_bytes(content)
    with pytest.raises(ReleaseNotTrusted):
        verify(archive, tmp_path / "asc", signer.export(tmp_path / "key"), signer.fingerprint)
