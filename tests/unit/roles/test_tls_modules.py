"""What the tls role finds on a host of certificates that certbot renews."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

MODULE = Path(__file__).resolve().parents[3] / "roles" / "tls" / "library" / "tls_key_requests.py"


@pytest.fixture
def requests(tmp_path: Path) -> ModuleType:
    """The module, on a host with two certificates of ours and one of somebody else."""
    spec = importlib.util.spec_from_file_location("tls_key_requests", MODULE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    module._CERTBOT = tmp_path / "letsencrypt"
    (tmp_path / "letsencrypt" / "renewal").mkdir(parents=True)
    for name, hook in (("cloud", "deploy"), ("turn", "deploy"), ("mail", "deploy.old")):
        settings = f"[renewalparams]\nrenew_hook = {tmp_path}/{hook}\nserver = https://acme.example/dir\n"
        (tmp_path / "letsencrypt" / "renewal" / f"{name}.conf").write_text(settings)
    (tmp_path / "deploy").touch()
    return module


def test_what_is_still_asked_for_stays(requests: ModuleType, tmp_path: Path) -> None:
    assert requests.retired(tmp_path, ["turn", "cloud"]) == {"paths": [], "client": False}


def test_a_certificate_that_is_asked_for_no_longer_goes(requests: ModuleType, tmp_path: Path) -> None:
    found = requests.retired(tmp_path, ["cloud"])
    assert found == {
        "paths": [
            f"{tmp_path}/letsencrypt/{part}" for part in ("live/turn", "archive/turn", "renewal/turn.conf")
        ],
        "client": False,
    }


def test_without_any_the_hook_goes_last_and_the_client_unless_others_need_it(
    requests: ModuleType, tmp_path: Path
) -> None:
    found = requests.retired(tmp_path, [])
    assert found["paths"][-3:] == [
        f"{tmp_path}/letsencrypt/renewal/turn.conf",
        f"{tmp_path}/acme.ini",
        f"{tmp_path}/deploy",
    ]
    assert not any("mail" in path for path in found["paths"])
    assert found["client"] is False
    (tmp_path / "letsencrypt" / "renewal" / "mail.conf").unlink()
    assert requests.retired(tmp_path, [])["client"] is True


def test_a_host_that_never_asked_has_nothing_left(requests: ModuleType, tmp_path: Path) -> None:
    assert requests.retired(tmp_path / "other", []) == {"paths": [], "client": False}
