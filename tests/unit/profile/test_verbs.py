"""init, validate, schema and render as a user calls them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from provisioner.cli import run

ROOT = Path(__file__).parents[3]
BASE = (ROOT / "tests/cases/profile_base.yml").read_text()


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOVSTACK_CONFIG_DIR", str(tmp_path / "config"))
    folder = tmp_path / "inventories/zonnedael"
    folder.mkdir(parents=True)
    (folder / "profile.yml").write_text(BASE)
    return folder


def test_init_then_validate_then_render(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        run(["init", "dorp", "--domain", "dorp.nl", "--address", "10.1.2.3", "--organisation", "Dorp"]) == 0
    )
    said = capsys.readouterr().out
    for part in ("inventories/dorp/profile.yml", "secrets.yml", "dorp.vault-password", "sovstack apply dorp"):
        assert part in said
    assert run(["validate", "dorp"]) == 0
    assert capsys.readouterr().out == "inventories/dorp/profile.yml: valid\n"
    assert run(["render", "dorp"]) == 0
    assert "nextcloud_hostname: cloud.dorp.nl" in capsys.readouterr().out


def test_init_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "dorp", "--output", "json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["format_version"] == 1
    assert Path(said["profile"]).is_file()
    assert Path(said["vault_password_file"]).is_file()
    assert said["warnings"][0]["path"] == "hosts.main.address"


def test_init_refuses_by_exit_code_64(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["init", "zonnedael"]) == 64
    assert run(["init", "Bad Name"]) == 64
    assert "exists already" in capsys.readouterr().err


def test_validate_prints_every_problem_in_a_form_that_editors_jump_to(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (here / "profile.yml").write_text(BASE.replace("users: 180", "users: x").replace("on-premise", "aws"))
    assert run(["validate", "zonnedael"]) == 3
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("inventories/zonnedael/profile.yml:7:10: error: organisation.users: ")
    assert lines[1].startswith("inventories/zonnedael/profile.yml:13:15: error: hosts.main.provider: ")
    assert lines[-1] == "inventories/zonnedael/profile.yml: 2 problems to mend"


def test_validate_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "profile.yml").write_text(BASE.replace("users: 180", "users: x").replace("on-premise", "nobody"))
    assert run(["validate", "zonnedael", "--output", "json"]) == 3
    said = json.loads(capsys.readouterr().out)
    assert said["valid"] is False
    assert [(problem["line"], problem["severity"]) for problem in said["problems"]] == [
        (7, "error"),
        (13, "warning"),
    ]
    assert said["problems"][0]["path"] == "organisation.users"


@pytest.mark.parametrize("argument", ["none", "none/profile.yml", "\udcff", "inventories"])
def test_validate_of_what_is_not_there(argument: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["validate", argument]) == 3
    assert capsys.readouterr().err.startswith("error: ")


def test_other_verbs_print_every_problem_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "profile.yml").write_text(BASE.replace("users: 180", "users: x").replace("on-premise", "aws"))
    assert run(["render", "zonnedael"]) == 3
    said = capsys.readouterr().err
    assert "2 problems to mend" in said
    assert "organisation.users" in said
    assert "CLOUD Act" in said


def test_render_writes_the_files_of_the_inventory(here: Path, tmp_path: Path) -> None:
    assert run(["render", "zonnedael", "--to", str(tmp_path / "out")]) == 0
    assert yaml.safe_load((tmp_path / "out/hosts.yml").read_text())["all"]["hosts"]["main"]
    variables = yaml.safe_load((tmp_path / "out/group_vars/all/main.yml").read_text())
    assert variables["nextcloud_admin_password"] == "{{ stack_secrets.nextcloud_admin_password }}"
    secrets = yaml.safe_load((tmp_path / "out/group_vars/all/secrets.yml").read_text())["stack_secrets"]
    assert set(secrets.values()) == {"***"}


def test_ansible_reads_the_files_of_the_inventory(tmp_path: Path) -> None:
    assert run(["render", "zonnedael", "--to", str(tmp_path / "out")]) == 0
    command = [Path(sys.executable).with_name("ansible-inventory"), "-i", tmp_path / "out", "--list"]
    environment = os.environ | {"ANSIBLE_HOME": str(tmp_path / "ansible")}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    told = json.loads(done.stdout)
    assert told["role_nextcloud"]["hosts"] == ["main"]
    assert told["_meta"]["hostvars"]["main"]["ansible_host"] == "10.77.0.11"
    assert told["_meta"]["hostvars"]["main"]["stack_secrets"]["tls_ca_key"] == "***"


def test_render_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["render", "zonnedael", "--output", "json"]) == 0
    files = json.loads(capsys.readouterr().out)["files"]
    assert files["group_vars/all/main.yml"]["nextcloud_archive_sha256"] == "(from apply)"


def test_render_to_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert run(["render", "zonnedael", "--to", str(tmp_path / "file/below")]) == 69


def test_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    assert json.loads(capsys.readouterr().out)["title"] == "Profile"
    assert run(["schema", "--output", "markdown"]) == 0
    assert capsys.readouterr().out.startswith("# The profile")


class TestCost:
    """``validate`` answers within half a second. Held in processor seconds, which a busy computer does not change."""

    SCRIPT = (
        "import sys, time\n"
        "from provisioner.cli import run\n"
        "code = run(['validate', 'zonnedael'])\n"
        "print(code, time.process_time(), *sorted(sys.modules))\n"
    )

    def measure(self) -> tuple[float, set[str]]:
        done = subprocess.run([sys.executable, "-c", self.SCRIPT], capture_output=True, text=True, check=True)
        code, seconds, *modules = done.stdout.splitlines()[-1].split()
        assert code == "0"
        return float(seconds), set(modules)

    def test_processor_time(self) -> None:
        assert min(self.measure()[0] for _ in range(3)) < 0.5

    def test_nothing_heavy_is_imported(self) -> None:
        _, modules = self.measure()
        heavy = {
            "ansible",
            "ansible_runner",
            "rich",
            "pytest",
            "cryptography",
            "jinja2",
            "testinfra",
            "asyncio",
        }
        assert not heavy & modules
