"""``sovstack init``: a valid profile, a password of its own, and nothing overwritten."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from provisioner.errors import ProvisionerError, UsageError
from provisioner.profile import read_profile, scaffold
from provisioner.profile.load import read_content
from provisioner.profile.problem import InvalidProfile
from provisioner.profile.scaffold import Answers
from provisioner.profile.secrets import SecretStore, VaultPassword

ROOT = Path(__file__).parents[3]
ANSWERS = Answers(
    name="Gemeente: 'Zonnedael' #1",
    domain="zonnedael.nl",
    country="BE",
    users=12,
    level="eu-located",
    address="10.1.2.3",
    provider="hetzner",
    location="DE",
    hostname="bestanden.zonnedael.nl",
)


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOVSTACK_CONFIG_DIR", str(tmp_path / "config"))
    return tmp_path / "config"


def test_the_profile_says_what_was_answered(tmp_path: Path) -> None:
    made = scaffold.create("zonnedael", ANSWERS, tmp_path / "inventories")
    reading = read_profile(made.profile)
    profile = reading.profile
    assert profile.organisation.name == ANSWERS.name
    assert profile.organisation.contact == "ict@zonnedael.nl"
    assert (profile.organisation.country, profile.organisation.users) == ("BE", 12)
    host = profile.hosts["main"]
    assert (host.address, host.provider, host.location) == ("10.1.2.3", "hetzner", "DE")
    assert profile.services.files
    assert profile.services.files.hostname == "bestanden.zonnedael.nl"
    assert not reading.warnings


def test_without_answers_the_profile_is_valid_and_says_what_to_edit(tmp_path: Path) -> None:
    made = scaffold.create("zonnedael", Answers(), tmp_path)
    assert [problem.path for problem in made.warnings] == ["hosts.main.address"]


def test_the_password_is_private_and_opens_the_secrets(tmp_path: Path, config: Path) -> None:
    made = scaffold.create("zonnedael", ANSWERS, tmp_path)
    assert made.password_file == config / "zonnedael.vault-password"
    assert stat.S_IMODE(made.password_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(made.secrets.stat().st_mode) == 0o600
    store = SecretStore(
        made.secrets, VaultPassword(read_profile(made.profile).profile.secrets.vault_password)
    )
    assert set(store.read()) == {"nextcloud_admin_password", "mattermost_admin_password"}


def test_the_domain_can_still_be_edited(tmp_path: Path) -> None:
    made = scaffold.create("zonnedael", Answers(), tmp_path)
    made.profile.write_text(made.profile.read_text().replace("zonnedael.example", "elders.example"))
    profile = read_profile(made.profile).profile
    held = SecretStore(made.secrets, VaultPassword(profile.secrets.vault_password)).ensure(profile)
    assert "tls_ca_certificate" in held


@pytest.mark.parametrize(
    "name", ["Zonnedael", "a/b", "..", "", "a b", "-a", "1a", "all", "é", "a" * 64, "a\n"]
)
def test_names_that_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError):
        scaffold.create(name, ANSWERS, tmp_path / "inventories")
    assert not (tmp_path / "inventories").exists()


@pytest.mark.parametrize(
    "answers",
    [
        Answers(domain="x"),
        Answers(country="UK"),
        Answers(name="a\nb"),
        Answers(provider="aws"),
        Answers(users=0),
    ],
)
def test_answers_that_are_refused_leave_nothing(tmp_path: Path, config: Path, answers: Answers) -> None:
    with pytest.raises(UsageError):
        scaffold.create("zonnedael", answers, tmp_path / "inventories")
    assert not (tmp_path / "inventories").exists()
    assert not config.exists()


def test_what_exists_is_not_overwritten(tmp_path: Path, config: Path) -> None:
    made = scaffold.create("zonnedael", ANSWERS, tmp_path)
    before = {path: path.read_bytes() for path in (made.profile, made.secrets, made.password_file)}
    with pytest.raises(UsageError, match="exists already"):
        scaffold.create("zonnedael", ANSWERS, tmp_path)
    assert before == {path: path.read_bytes() for path in before}


def test_a_password_of_that_name_is_used(tmp_path: Path, config: Path) -> None:
    config.mkdir()
    (config / "zonnedael.vault-password").write_text("mine\n")
    (config / "zonnedael.vault-password").chmod(0o600)
    made = scaffold.create("zonnedael", ANSWERS, tmp_path)
    assert made.password_file.read_text() == "mine\n"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "inventories").write_text("a file")
    with pytest.raises(ProvisionerError, match="cannot make"):
        scaffold.create("zonnedael", ANSWERS, tmp_path / "inventories")


def test_a_failure_on_the_way_leaves_no_half_deployment(tmp_path: Path, config: Path) -> None:
    config.write_text("a file where the folder should be")
    with pytest.raises(ProvisionerError):
        scaffold.create("zonnedael", ANSWERS, tmp_path / "inventories")
    assert not (tmp_path / "inventories/zonnedael").exists()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.text(min_size=1, max_size=40))
def test_any_name_is_written_so_that_it_reads_back(name: str) -> None:
    text = scaffold.render("zonnedael", Answers(name=name), Path("/x/password"))
    try:
        reading = read_content("profile.yml", text.encode("utf-8", "surrogatepass"), Path("/x"))
    except InvalidProfile as error:
        assert {problem.path for problem in error.problems if problem.severity == "error"} <= {
            "organisation.name",
            "",
        }
    else:
        assert reading.profile.organisation.name == name.strip()


def test_the_example_is_what_init_writes() -> None:
    password_file = Path.home() / ".config/sovstack/example.vault-password"
    text = scaffold.render("example", Answers(), password_file)
    assert (ROOT / "inventories/example/profile.yml").read_text() == text


def test_every_key_of_the_format_stands_in_the_template() -> None:
    from provisioner.profile.model import Profile

    template = (ROOT / "inventories/example/profile.yml").read_text()
    schema = Profile.model_json_schema()
    parts = [schema, *schema["$defs"].values()]
    assert not [key for part in parts for key in part["properties"] if f"{key}:" not in template]


def test_what_is_commented_out_is_valid_when_it_is_not(tmp_path: Path) -> None:
    """Uncommenting any one line or block of the template must not lead into a problem."""
    template = (ROOT / "inventories/example/profile.yml").read_text().splitlines()
    for number, line in enumerate(template):
        key, colon, rest = line.lstrip().removeprefix("# ").partition(":")
        value = rest.split(" #")[0].strip()
        if not line.lstrip().startswith("# ") or not colon or not value or not key.isidentifier():
            continue
        if key in {"command", "env"} or line.startswith("  #   ") or line.startswith("    #   "):
            continue  # one of several, or inside a block that is commented out as a whole
        indent = line[: len(line) - len(line.lstrip())]
        changed = [*template[:number], f"{indent}{line.lstrip().removeprefix('# ')}", *template[number + 1 :]]
        if line.startswith("#   "):
            continue
        read_content("profile.yml", "\n".join(changed).encode(), tmp_path)
