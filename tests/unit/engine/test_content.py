"""The playbooks are found, and a changed role gives another digest."""

from __future__ import annotations

from pathlib import Path

from provisioner.engine.content import Content, locate


def make(root: Path, text: str) -> Content:
    for name in ("playbooks", "roles"):
        (root / name).mkdir(parents=True, exist_ok=True)
    (root / "roles" / "main.yml").write_text(text)
    return Content(root / "playbooks", root / "roles", root / "tests", root / "ansible.cfg")


def test_the_installed_content_is_complete() -> None:
    content = locate()
    assert (content.playbooks / "site.yml").is_file()
    assert content.ansible_cfg.is_file()


def test_digest_follows_the_files_and_not_their_place(tmp_path: Path) -> None:
    one = make(tmp_path / "a", "x")
    assert one.digest() == make(tmp_path / "b", "x").digest()
    assert one.digest() != make(tmp_path / "c", "y").digest()
    (tmp_path / "a" / "roles" / "__pycache__").mkdir()
    (tmp_path / "a" / "roles" / "__pycache__" / "m.pyc").write_bytes(b"1")
    assert one.digest() == make(tmp_path / "b", "x").digest()
